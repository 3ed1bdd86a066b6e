//! Runs tests in the OWASP CRS's FTW format through the `secrule test` command: the CRS's own, if they are available, and those of the starter rules.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    trials::run([
        trial!(every_starter_rule_passes_its_tests),
        trial!(the_core_rule_set_passes_its_tests, [Needs::Shared("conformance/ftw"), Needs::Shared("crs")]),
    ])
}

fn every_starter_rule_passes_its_tests() {
    let root = secrule_testkit::project();
    let report = run(&[&"--rules", &root.join("crs/tests/starter.conf"), &root.join("crs/tests")]);
    assert!(report["passed"].as_u64() > Some(500), "{}", report["passed"]);
}

fn the_core_rule_set_passes_its_tests() {
    let (tests, rules) = (secrule_testkit::shared("conformance/ftw"), secrule_testkit::shared("crs"));
    let configuration = std::env::temp_dir().join(format!("secrule-ftw-{}.conf", std::process::id()));
    std::fs::write(&configuration, secrule_testkit::core_rule_set(&rules)).unwrap();
    let exclusions = secrule_testkit::project().join("tests/exclusions/ftw.txt");
    let report = run(&[&"--rules", &configuration, &"--exclude", &exclusions, &tests]);
    let _ = std::fs::remove_file(&configuration);
    let counts = format!("{} passed, {} known failures, {} skipped", report["passed"], report["known_failures"], report["skipped"]);
    trials::note(&counts);
}

/// Runs `secrule test` and returns its report, which must have no failure.
fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_secrule")).args(["test", "--format", "json"]).args(arguments).output().unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)));
    let failed = report["tests"].as_array().into_iter().flatten().filter(|test| test["result"] == "failed");
    let failed: Vec<String> = failed.map(|test| format!("{}: {}", test["title"], test["reason"])).collect();
    assert!(failed.is_empty(), "{} tests fail:\n{}", failed.len(), failed.join("\n"));
    assert!(output.status.success());
    report
}
