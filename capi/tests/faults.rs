//! Runs the shared cases of faults, each in its own process, through the C interface and through the command.

#[path = "common/tools.rs"]
mod tools;

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use tools::{TOOLS, run};

fn main() -> ExitCode {
    let [shared, python, library] = TOOLS;
    trials::run([trial!(faults_that_were_found_do_not_come_back, [shared, python, library, Needs::ReleaseCommand])])
}

fn faults_that_were_found_do_not_come_back() {
    let (shared, library, command) = (secrule_testkit::shared("."), trials::c_library(), trials::release_command());
    let report = std::env::temp_dir().join(format!("secrule-faults-{}.json", std::process::id()));
    let arguments = [&library, Path::new("--command"), &command, &shared.join("cases")];
    let results: BTreeMap<String, Value> = run(&shared.join("tools/run_cases.py"), &arguments, &report);
    assert!(!results.is_empty());
    let failed = results.iter().filter(|(_, result)| result["passed"] == false);
    let failed = failed.map(|(case, result)| (case.clone(), result["why"].to_string())).collect();
    secrule_testkit::settle("faults.txt", results.len(), &failed);
}
