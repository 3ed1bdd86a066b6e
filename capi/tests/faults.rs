//! Runs the shared cases of faults, each in its own process, through the C interface and through the command.
//!
//! Needs python3 with its yaml module, the library that `make capi` builds and the command of the release build; passes with a notice without them.

#[path = "common/tools.rs"]
mod tools;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tools::{command, library, run};

#[test]
fn faults_that_were_found_do_not_come_back() {
    let (Some(shared), Some(library), Some(command)) = (secrule_testkit::shared("."), library(), command()) else { return };
    let report = std::env::temp_dir().join(format!("secrule-faults-{}.json", std::process::id()));
    let arguments = [&library, Path::new("--command"), &command, &shared.join("cases")];
    let results: BTreeMap<String, Value> = run(&shared.join("tools/run_cases.py"), &arguments, &report);
    assert!(!results.is_empty());
    let failed = results.iter().filter(|(_, result)| result["passed"] == false);
    let failed = failed.map(|(case, result)| (case.clone(), result["why"].to_string())).collect();
    secrule_testkit::settle("faults.txt", results.len(), &failed);
}
