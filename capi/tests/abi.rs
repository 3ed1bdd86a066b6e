//! Runs the shared cases through the C ABI, as ModSecurity's own runner does: every text of every log is compared.

#[path = "common/tools.rs"]
mod tools;

use secrule_testkit::trial;
use secrule_testkit::trials;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use tools::{TOOLS, run};

fn main() -> ExitCode {
    trials::run([
        trial!(operators_and_transformations_answer_through_the_c_abi, TOOLS),
        trial!(whole_transactions_and_their_logs_are_as_the_peers_cases_say, TOOLS),
        trial!(the_core_rule_set_passes_its_tests_through_the_c_abi, TOOLS),
    ])
}

fn operators_and_transformations_answer_through_the_c_abi() {
    conformance("unit", "abi-unit.txt");
}

fn whole_transactions_and_their_logs_are_as_the_peers_cases_say() {
    conformance("regression", "abi-regression.txt");
}

fn the_core_rule_set_passes_its_tests_through_the_c_abi() {
    let (shared, library) = (secrule_testkit::shared("."), trials::c_library());
    let scratch = std::env::temp_dir().join(format!("secrule-abi-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let root = shared.display().to_string();
    for name in ["engine", "ftw"] {
        let text = std::fs::read_to_string(shared.join(format!("tools/{name}.conf.in"))).unwrap();
        let engine = scratch.join("engine.conf").display().to_string();
        let text = text.replace("@SHARED@/tools/engine.conf.in", &engine).replace("@SHARED@", &root);
        std::fs::write(scratch.join(format!("{name}.conf")), text).unwrap();
    }
    let rules = scratch.join("ftw.conf");
    let cases = shared.join("conformance/ftw");
    judge(&shared.join("tools/abi_ftw.py"), &[&library, &rules, &cases], &scratch.join("ftw.json"), "abi-ftw.txt");
    std::fs::remove_dir_all(&scratch).unwrap();
}

fn conformance(kind: &str, exclusions: &str) {
    let (shared, library) = (secrule_testkit::shared("."), trials::c_library());
    let report = std::env::temp_dir().join(format!("secrule-abi-{kind}-{}.json", std::process::id()));
    let data = shared.join("conformance");
    let arguments = [&library, &data.join(kind), Path::new("--data"), &data];
    judge(&shared.join("tools/abi_conformance.py"), &arguments, &report, exclusions);
}

/// Runs a tool and compares its report with a list of cases that are expected to fail.
fn judge(tool: &Path, arguments: &[&Path], report: &Path, exclusions: &str) {
    let verdicts: BTreeMap<String, Value> = run(tool, arguments, report);
    let verdicts = verdicts.iter().map(|(title, verdict)| {
        let part = |at: usize| verdict[at].as_str().unwrap_or_default();
        (title.split(' ').next().unwrap_or_default().to_owned(), part(0), part(1).to_owned())
    });
    let judged: Vec<_> = verdicts.filter(|(_, verdict, _)| !matches!(*verdict, "skip" | "disabled")).collect();
    let failed =
        judged.iter().filter(|(_, verdict, _)| *verdict != "pass").map(|(case, _, reason)| (case.clone(), reason.clone())).collect();
    secrule_testkit::settle(exclusions, judged.len(), &failed);
}
