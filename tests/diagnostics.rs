//! Every code has a golden pair: rules that raise it, and the text for people.
//!
//! `tests/golden/E101.conf`, or `tests/golden/E002/main.conf` with the files that it needs (`earlier.conf` is an earlier load), is compiled, and the
//! text is compared with `E101.txt`. `UPDATE_GOLDEN=1 cargo test --test diagnostics` writes the texts again: read them as an operator would before
//! you commit them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::Waf;
use secrule::internals::compile::{CompileOptions, Input, compile};
use secrule::internals::diagnostic::Code;
use secrule::internals::source::{Loader as _, Memory};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Golden pairs that show something other than one code.
const SCENARIOS: [&str; 1] = ["several-errors"];

/// A code that only a build with the feature `xml-validation` raises.
const OF_XML_VALIDATION: Code = Code::UselessGrammar;

/// Rules with their files, and the path of the expected text.
struct Golden {
    main: PathBuf,
    files: Memory,
    rendering: PathBuf,
}

#[test]
fn every_code_reads_as_it_should() {
    let goldens = goldens();
    let mut complaints = Vec::new();
    for code in Code::ALL.iter().filter(|code| cfg!(feature = "xml-validation") || **code != OF_XML_VALIDATION) {
        let name = code.as_str();
        match goldens.get(name) {
            None => complaints.push(format!("{name} has no tests/golden/{name}.conf: {}", code.explanation())),
            Some(golden) => {
                let shown = golden.render();
                if !shown.contains(&format!("[{name}]: ")) {
                    complaints.push(format!("tests/golden/{name}.conf does not raise {name}:\n{shown}"));
                }
                complaints.extend(golden.compare(&shown));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn all_errors_of_a_load_are_reported_in_one_run() {
    let goldens = goldens();
    let golden = goldens.get("several-errors").expect("tests/golden/several-errors");
    let shown = golden.render();
    assert!(shown.matches("error[").count() > 5, "{shown}");
    assert_eq!(golden.compare(&shown), None);
}

#[test]
fn every_golden_file_belongs_to_a_code() {
    let known = |name: &str| SCENARIOS.contains(&name) || Code::ALL.iter().any(|code| code.as_str() == name);
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let strangers: Vec<_> = entries.filter(|path| !known(&stem(path))).collect();
    assert!(strangers.is_empty(), "no code has these: {strangers:?}");
}

impl Golden {
    /// Returns the text for people after loading these rules.
    fn render(&self) -> String {
        if let Some(expected) = self.expected_rules() {
            let built = Waf::builder().file(&self.main).expect_rules(expected).build_with(&self.files);
            return built.map_or_else(|error| format!("{error}\n"), |_| String::new());
        }
        let earlier = PathBuf::from("earlier.conf");
        let is_there = self.files.read(&earlier).is_ok();
        let inputs: Vec<Input> = is_there.then_some(earlier).into_iter().chain([self.main.clone()]).map(Input::File).collect();
        match compile(&inputs, &self.files, &CompileOptions::default()) {
            Err(error) => format!("{error}\n"),
            Ok(compiled) => {
                let report = &compiled.report;
                report.warnings().iter().map(|warning| warning.render(report.texts())).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Returns the number of rules that the host expects, if the first line says `# expect_rules: N`.
    fn expected_rules(&self) -> Option<usize> {
        let text = String::from_utf8(self.files.read(&self.main).ok()?).ok()?;
        text.lines().next()?.strip_prefix("# expect_rules: ")?.parse().ok()
    }

    /// Compares a text with the expected one, or updates the latter.
    fn compare(&self, shown: &str) -> Option<String> {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&self.rendering, shown).unwrap();
        }
        let kept = fs::read_to_string(&self.rendering).unwrap_or_default();
        (kept != shown).then(|| format!("{} differs; now it reads:\n{shown}", self.rendering.display()))
    }
}

/// Returns the golden rules, by name.
fn goldens() -> BTreeMap<String, Golden> {
    let mut goldens = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let rendering = path.with_extension("txt");
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let files = inside.fold(Memory::new(), |files, file| files.with(file_name(&file), fs::read(&file).unwrap()));
            goldens.insert(stem(&path), Golden { main: PathBuf::from("main.conf"), files, rendering });
        } else if path.extension().is_some_and(|extension| extension == "conf") {
            let main = file_name(&path);
            let files = Memory::new().with(&main, fs::read(&path).unwrap());
            goldens.insert(stem(&path), Golden { main, files, rendering });
        }
    }
    goldens
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> PathBuf {
    path.file_name().unwrap_or_default().into()
}
