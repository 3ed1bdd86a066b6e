//! Shared code of the tests, benchmarks and fuzz targets of `secrule`: hosts that run a transaction, servers that rules query, the shared cases, and
//! the lists of those that are expected to fail. Not published; failures here panic, as in a test.

#![allow(clippy::new_without_default, reason = "a folder on the disk is no default")]

pub mod corpus;
pub mod ending;
pub mod exchange;
pub mod host;
pub mod logged;
pub mod messages;
pub mod mixed_traffic;
pub mod name_server;
pub mod nginx;
pub mod openssl;
pub mod pages;
pub mod places;
pub mod plugins;
pub mod process_memory;
pub mod redis_server;
pub mod regression;
pub mod script_host;
pub mod store_processes;
pub mod store_soak;
pub mod store_suite;
pub mod streams;
pub mod traffic;
pub mod trials;
pub mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Returns the folder of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns a file or folder of the shared cases, for tests that need it: see [`trials`].
pub fn shared(path: &str) -> PathBuf {
    find_shared(path).unwrap_or_else(|| panic!("../shared/{path} is not there"))
}

/// Returns a file or folder of the shared cases, or `None` without it: they are not part of the project.
pub fn find_shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SECRULE_SHARED").map_or_else(|| project().join("../shared"), PathBuf::from);
    root.join(path).canonicalize().ok()
}

/// Returns the files below a folder whose names end in `ending`, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the cases that are expected to fail: `tests/exclusions/NAME`, one on each line, each with its reason after a `#`.
pub fn exclusions(name: &str) -> BTreeMap<String, String> {
    let path = project().join("tests/exclusions").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (case, reason) = line.split_once(" # ").unwrap_or_else(|| panic!("{}: no reason in `{line}`", path.display()));
            (case.trim().to_owned(), reason.trim().to_owned())
        })
        .collect()
}

/// Returns the OWASP CRS as its tests expect it: every paranoia level, and rules that only detect.
pub fn core_rule_set(rules: &Path) -> String {
    let rules = rules.display();
    let limits = "setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,\
                  setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535";
    let settings = project().join("crs/setup.conf");
    format!(
        "Include {}\n\
         SecRuleEngine DetectionOnly\n\
         Include {rules}/crs-setup.conf.example\n\
         SecAction \"id:11990,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1,{limits}\"\n\
         Include {rules}/rules/*.conf\n",
        settings.display()
    )
}

/// Fails unless exactly the listed cases failed; `failed` has a reason for each.
pub fn settle(list: &str, ran: usize, failed: &BTreeMap<String, String>) {
    let expected = exclusions(list);
    let surprises: Vec<_> = failed.iter().filter(|(case, _)| !expected.contains_key(*case)).collect();
    let passed: BTreeSet<_> = expected.keys().filter(|case| !failed.contains_key(*case)).collect();
    trials::note(&format!("{list}: {} of {ran} cases pass", ran - failed.len()));
    let reasons: String = surprises.iter().map(|(case, reason)| format!("\n  {case}: {reason}")).collect();
    assert!(surprises.is_empty(), "{} cases fail that are not in tests/exclusions/{list}:{reasons}", surprises.len());
    assert!(passed.is_empty(), "cases in tests/exclusions/{list} pass now: take them out: {passed:?}");
}
