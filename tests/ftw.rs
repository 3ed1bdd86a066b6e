//! Runs tests in the OWASP CRS's FTW format through the `secrule test` command: the CRS's own, where they are, and those of the starter rules.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

mod common;

use std::path::Path;
use std::process::Command;

#[test]
fn every_starter_rule_passes_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = run(&[&"--rules", &root.join("crs/tests/starter.conf"), &root.join("crs/tests")]);
    assert!(report["passed"].as_u64() > Some(500), "{}", report["passed"]);
}

#[test]
fn the_core_rule_set_passes_its_tests() {
    let (Some(tests), Some(rules)) = (common::shared("conformance/ftw"), common::shared("crs")) else { return };
    let configuration = std::env::temp_dir().join(format!("secrule-ftw-{}.conf", std::process::id()));
    std::fs::write(&configuration, core_rule_set(&rules)).unwrap();
    let exclusions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exclusions/ftw.txt");
    let report = run(&[&"--rules", &configuration, &"--exclude", &exclusions, &tests]);
    let _ = std::fs::remove_file(&configuration);
    println!("{} passed, {} known failures, {} skipped", report["passed"], report["known_failures"], report["skipped"]);
}

/// The tests expect every paranoia level and rules that only detect.
fn core_rule_set(rules: &Path) -> String {
    let rules = rules.display();
    let limits = "setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,\
                  setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535";
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("crs/setup.conf");
    format!(
        "Include {}\n\
         SecRuleEngine DetectionOnly\n\
         Include {rules}/crs-setup.conf.example\n\
         SecAction \"id:11990,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1,{limits}\"\n\
         Include {rules}/rules/*.conf\n",
        settings.display()
    )
}

/// Runs `secrule test` and gives its report, which must name no failure.
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
