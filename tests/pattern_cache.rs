//! `SecDataDir`: a load learns from a file what an earlier one learned of the same patterns. Whatever is wrong with the file, the rules are the same.

#![cfg(target_os = "linux")]

use secrule::{Connection, Waf};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-pattern-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// The only file in it.
    fn file(&self) -> PathBuf {
        let mut files = fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path());
        let file = files.next().unwrap();
        assert!(files.next().is_none());
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Loads rules of so many patterns, each of which denies one word; returns the verdicts of three requests, and the warnings.
fn load(folder: &Path, patterns: usize, tag: &str) -> ([bool; 3], Vec<String>) {
    let mut rules = format!("SecRuleEngine On\nSecDataDir {}\n", folder.display());
    for number in 1..=patterns {
        writeln!(rules, "SecRule ARGS \"@rx (?i)\\b{tag}(?:word|text){number}[a-z]+(\\d)\\b\" \"id:{number},phase:1,deny\"").unwrap();
    }
    let waf = Waf::from_rules(&rules).unwrap();
    let warnings = waf.report().warnings().iter().map(|warning| format!("{} {}", warning.code.as_str(), warning.message)).collect();
    let is_denied = |value: &str| {
        let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
        let (parts, ()) = http::Request::get(format!("/?q={value}")).header("host", "shop.example").body(()).unwrap().into_parts();
        tx.request_head(&parts).is_err()
    };
    ([is_denied(&format!("{tag}TEXT7abc1")), is_denied(&format!("{tag}word40x9")), is_denied(&format!("{tag}word7"))], warnings)
}

const EXPECTED: [bool; 3] = [true, true, false];

#[test]
fn rules_are_the_same_with_the_file_that_their_first_load_writes() {
    let folder = Folder::new("same");
    assert_eq!(load(&folder.0, 40, "same"), (EXPECTED, Vec::new()));
    let file = folder.file();
    let (written, about) = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap());
    assert_eq!(about.permissions().mode() & 0o7777, 0o600);
    assert_eq!(load(&folder.0, 40, "same"), (EXPECTED, Vec::new()));
    // Nothing was to be added.
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), about.modified().unwrap());
    assert_eq!(load(&folder.0, 50, "same"), (EXPECTED, Vec::new()));
    assert!(fs::read(&file).unwrap().len() > written.len());
}

#[test]
fn damaged_files_are_replaced() {
    let folder = Folder::new("damaged");
    load(&folder.0, 40, "damaged");
    let file = folder.file();
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[100] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &changed, b"", b"secrule patterns 1\n"] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(load(&folder.0, 40, "damaged"), (EXPECTED, Vec::new()));
        assert!(fs::read(&file).unwrap() == whole);
    }
}

#[test]
fn files_that_others_may_have_written_are_refused_and_stay() {
    let folder = Folder::new("refused");
    load(&folder.0, 40, "refused");
    let file = folder.file();
    let refused = |why: &str| {
        let (verdicts, warnings) = load(&folder.0, 40, "refused");
        assert_eq!(verdicts, EXPECTED);
        assert!(warnings.len() == 1 && warnings[0].contains("W217") && warnings[0].contains(why), "{warnings:?}");
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    refused("others may write to it (mode 0666)");
    fs::remove_file(&file).unwrap();
    symlink("/etc/hostname", &file).unwrap();
    refused("it is not a regular file");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("it is not a regular file");
}

#[test]
fn a_folder_that_does_not_exist_is_a_warning() {
    let (verdicts, warnings) = load(Path::new("/no/such/folder"), 40, "nowhere");
    assert_eq!(verdicts, EXPECTED);
    assert!(warnings.len() == 1 && warnings[0].contains("W217") && warnings[0].contains("cannot be written"), "{warnings:?}");
}

#[test]
fn few_patterns_are_not_worth_a_file() {
    let folder = Folder::new("few");
    assert_eq!(load(&folder.0, 7, "few").1, Vec::<String>::new());
    assert!(fs::read_dir(&folder.0).unwrap().next().is_none());
    assert_eq!(load(Path::new("/no/such/folder"), 7, "few").1, Vec::<String>::new());
}
