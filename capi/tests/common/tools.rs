//! Runs the tools beside the project.

use secrule_testkit::trials::Needs;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Needs of every tool: the shared folder, a Python that reads YAML, and the library that it tests.
pub const TOOLS: [Needs; 3] = [Needs::Shared("tools"), Needs::Python("python3", "yaml"), Needs::CLibrary];

/// Runs a Python tool that writes a JSON object to the file named by `--json`; returns the object. A tool exits with 1 if a case failed.
pub fn run<T: serde::de::DeserializeOwned>(tool: &Path, arguments: &[&Path], report: &Path) -> BTreeMap<String, T> {
    let output = Command::new("python3").arg(tool).args(arguments).arg("--json").arg(report).output().unwrap();
    let text = std::fs::read(report).unwrap_or_else(|_| panic!("{}: {}", tool.display(), String::from_utf8_lossy(&output.stderr)));
    std::fs::remove_file(report).unwrap();
    serde_json::from_slice(&text).unwrap()
}
