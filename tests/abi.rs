//! Runs the shared cases through the C border, as the peer's own runner would: every wording of every log counts here.
//!
//! Needs python3 with its yaml module, and the library that `make capi` builds; says so and passes where one is missing.

mod common;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn operators_and_transformations_answer_through_the_border() {
    conformance("unit", "abi-unit.txt");
}

#[test]
fn whole_transactions_and_their_logs_are_as_the_peers_cases_say() {
    conformance("regression", "abi-regression.txt");
}

#[test]
fn the_core_rule_set_passes_its_tests_through_the_border() {
    let (Some(shared), Some(library)) = (common::shared("."), library()) else { return };
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
    run(&shared.join("tools/abi_ftw.py"), &[&library, &rules, &cases], &scratch.join("ftw.json"), "abi-ftw.txt");
    std::fs::remove_dir_all(&scratch).unwrap();
}

fn conformance(kind: &str, exclusions: &str) {
    let (Some(shared), Some(library)) = (common::shared("."), library()) else { return };
    let report = std::env::temp_dir().join(format!("secrule-abi-{kind}-{}.json", std::process::id()));
    let data = shared.join("conformance");
    let arguments = [&library, &data.join(kind), Path::new("--data"), &data];
    run(&shared.join("tools/abi_conformance.py"), &arguments, &report, exclusions);
    std::fs::remove_file(&report).unwrap();
}

/// The library that `make capi` builds.
fn library() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let library = target.join("capi/libmodsecurity.so.3");
    let python = Command::new("python3").args(["-c", "import yaml"]).status().is_ok_and(|status| status.success());
    if library.exists() && python {
        return Some(library);
    }
    eprintln!("{} or python3 with yaml is not there: nothing was tested; `make capi` builds the library", library.display());
    None
}

/// Runs a tool and settles its report with a list of cases that are expected to fail.
fn run(tool: &Path, arguments: &[&Path], report: &Path, exclusions: &str) {
    let output = Command::new("python3").arg(tool).args(arguments).arg("--json").arg(report).output().unwrap();
    let text = std::fs::read(report).unwrap_or_else(|_| panic!("{}: {}", tool.display(), String::from_utf8_lossy(&output.stderr)));
    let verdicts: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap();
    let verdicts = verdicts.iter().map(|(title, verdict)| {
        let part = |at: usize| verdict[at].as_str().unwrap_or_default();
        (title.split(' ').next().unwrap_or_default().to_owned(), part(0), part(1).to_owned())
    });
    let judged: Vec<_> = verdicts.filter(|(_, verdict, _)| !matches!(*verdict, "skip" | "disabled")).collect();
    let failed =
        judged.iter().filter(|(_, verdict, _)| *verdict != "pass").map(|(case, _, reason)| (case.clone(), reason.clone())).collect();
    common::settle(exclusions, judged.len(), &failed);
}
