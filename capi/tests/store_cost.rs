//! Cost of counting a client in each store, beside libmodsecurity's, through the C interface, all in one run on the same machine.

#[path = "common/cost.rs"]
mod cost;

use cost::Cost;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Counts a client.
const COUNT: &str = ",initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1";

/// Number of alternating measurements; the fastest time of each counts.
const ROUNDS: usize = 3;

/// Factors of the cost in libmodsecurity's memory that the stores may cost at most, even on a busy machine. On an idle one they cost about a third.
const MEMORY: f64 = 3.0;
const LMDB: f64 = 12.0;

fn main() -> ExitCode {
    trials::run([trial!(counting_a_client_costs_a_few_microseconds, [Needs::Library("libmodsecurity.so.3"), Needs::CLibrary])])
}

fn counting_a_client_costs_a_few_microseconds() {
    let ours = trials::c_library();
    let ours = ours.parent();
    let cost = Cost::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-cost"));
    let file = format!("SecCollectionStore lmdb:{}\n", cost.folder().join("store.mdb").display());
    let (mut memory, mut lmdb, mut there) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        memory = memory.min(cost.of(ours, "SecCollectionStore memory\n", COUNT));
        lmdb = lmdb.min(cost.of(ours, &file, COUNT));
        there = there.min(cost.of(None, "", COUNT));
    }
    trials::note(&format!("initcol and setvar: {memory:.0} ns in memory, {lmdb:.0} ns in LMDB, {there:.0} ns in libmodsecurity's memory"));
    assert!(memory < there * MEMORY && lmdb < there * LMDB, "{memory} ns in memory, {lmdb} ns in LMDB, {there} ns in libmodsecurity");
    fs::remove_dir_all(cost.folder()).unwrap();
}
