//! Cost of calling a Lua script compared with libmodsecurity, through the C interface, both in one run on the same machine.

#[path = "common/cost.rs"]
mod cost;

use cost::Cost;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([trial!(a_call_costs_a_small_part_of_what_it_costs_elsewhere, [Needs::Library("libmodsecurity.so.3"), Needs::CLibrary])])
}

/// Scripts of three lines: name, text, and the minimum factor by which a call must be cheaper here, even on a busy machine. On an idle one the factor
/// is about twice as large.
const SCRIPTS: [(&str, &str, f64); 3] = [
    ("does nothing", "function main()\n  return nil\nend\n", 50.0),
    ("reads a variable", "function main()\n  return m.getvar(\"ARGS.name\")\nend\n", 25.0),
    ("reads one and sets one", "function main()\n  m.setvar(\"tx.name\", m.getvar(\"ARGS.name\", \"lowercase\"))\nend\n", 18.0),
];

/// Number of alternating measurements; the fastest time of each counts.
const ROUNDS: usize = 3;

fn a_call_costs_a_small_part_of_what_it_costs_elsewhere() {
    let ours = trials::c_library();
    let ours = ours.parent().unwrap();
    let cost = Cost::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("script-cost"));
    // `SECRULE_SCRIPT_RATIO` sets another factor for all of them.
    let asked = std::env::var("SECRULE_SCRIPT_RATIO").ok().and_then(|number| number.parse::<f64>().ok());
    for (what, text, times) in SCRIPTS {
        let script = cost.folder().join("three.lua");
        fs::write(&script, text).unwrap();
        let call = format!(",exec:{}", script.display());
        let (mut here, mut there) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            here = here.min(cost.of(Some(ours), "", &call));
            there = there.min(cost.of(None, "", &call));
        }
        let times_less = there / here;
        trials::note(&format!("a script that {what}: {here:.0} ns here, {there:.0} ns in libmodsecurity: {times_less:.0} times less"));
        assert!(here * asked.unwrap_or(times) < there, "{what}: {here} ns here, {there} ns in libmodsecurity");
    }
    fs::remove_dir_all(cost.folder()).unwrap();
}
