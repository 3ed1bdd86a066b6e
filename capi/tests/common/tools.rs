//! Runs the tools beside the project on the library and the command that were built before.

// Each test uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the C library that `make capi` builds, if Python can run the tools.
pub fn library() -> Option<PathBuf> {
    let python = Command::new("python3").args(["-c", "import yaml"]).status().is_ok_and(|status| status.success());
    if !python {
        eprintln!("python3 with yaml is not there: nothing was tested");
        return None;
    }
    built("capi/libmodsecurity.so.3", "make capi")
}

/// Returns the command of the release build: timings of a debug build are meaningless.
pub fn command() -> Option<PathBuf> {
    built("release/secrule", "cargo build --release")
}

fn built(path: &str, how: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| secrule_testkit::project().join("target"), PathBuf::from);
    let path = target.join(path);
    if !path.exists() {
        eprintln!("{} is not there: nothing was tested; `{how}` builds it", path.display());
        return None;
    }
    Some(path)
}

/// Runs a Python tool that writes a JSON object to the file named by `--json`; returns the object. A tool exits with 1 if a case failed.
pub fn run<T: serde::de::DeserializeOwned>(tool: &Path, arguments: &[&Path], report: &Path) -> BTreeMap<String, T> {
    let output = Command::new("python3").arg(tool).args(arguments).arg("--json").arg(report).output().unwrap();
    let text = std::fs::read(report).unwrap_or_else(|_| panic!("{}: {}", tool.display(), String::from_utf8_lossy(&output.stderr)));
    std::fs::remove_file(report).unwrap();
    serde_json::from_slice(&text).unwrap()
}
