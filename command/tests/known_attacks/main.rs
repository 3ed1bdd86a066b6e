//! Attacks that made other engines fail: one test for each row of `KNOWN_FAILURES.md`.
//!
//! Time is compared with that of harmless input of the same size, memory with a limit of the process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

mod effects;
mod host;
mod json;
mod multipart;
mod patterns;
mod requests;
mod values;
mod xml;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_row_of_the_page_has_its_test() {
    let page = fs::read_to_string(secrule_testkit::project().join("KNOWN_FAILURES.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what |") && !line.starts_with("| ---"));
    let named: BTreeSet<&str> =
        rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next()).map(|name| name.trim_matches('`')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/known_attacks");
    let texts: String = secrule_testkit::files(&folder, ".rs").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let tests = texts.split("\n#[test]\nfn ").skip(1).filter_map(|test| test.split("()").next());
    // Those that need the OWASP CRS.
    let trials = texts.split("\n        trial!(").skip(1).filter_map(|trial| trial.split(',').next());
    let tests = tests.filter(|name| *name != "every_row_of_the_page_has_its_test");
    let tests: BTreeSet<&str> = tests.chain(trials).chain(["none"]).collect();
    assert_eq!(named, tests);
}
