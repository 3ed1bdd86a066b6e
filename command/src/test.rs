//! `secrule test`: runs the tests of rules.

use super::ftw::{self, Finished, RunOptions, TestVerdict};
use super::rules::RuleOptions;
use super::{Failure, Format, Outcome, progress_bar, write_json};
use clap::Args;
use secrule::internals::diagnostic::counted;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Maximum depth of folders.
const DEEPEST_FOLDER: usize = 32;

/// Runs tests in the FTW format of the OWASP CRS, in process and without a web server
///
/// Each request is passed to the engine as a web server would pass it, and /reflect answers as the CRS's own test server does. A test passes if every
/// rule in expect_ids was logged and none in no_expect_ids; match_regex and no_match_regex are searched in the lines of the log. The status is that
/// of the decision, or else that of the response; a 400 without a decision comes from a web server only. Tests that require a web server are skipped.
/// A test without expectations, or with an unknown key, fails.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule test tests/                                    folders of .yaml files, the starter rules
  secrule test --rules main.conf tests/942100.yaml       rules and tests from files
  secrule test --crs crs --paranoia 4 tests/regression/  the CRS with its own tests
  secrule test --only 942100-3 --rules main.conf tests/  one test
  secrule test --exclude known.txt tests/                tests that are known to fail

A file of known failures has a line for each, the title and the reason:
  942100-3 # the decoder of this engine takes the other reading

A test that is listed and passes is a failure, so that lists stay correct.

Exit codes:
  0  every test passed, was skipped or is listed as failing
  1  a test failed, or a listed one passed
  2  a file cannot be read or is not a test file, there are no tests, or the rules do not load")]
pub struct Options {
    #[command(flatten)]
    rules: RuleOptions,

    /// Test files, and folders of them
    #[arg(required = true, value_name = "TESTS")]
    tests: Vec<PathBuf>,

    /// Run only tests whose title, such as 942100-3, contains this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    only: String,

    /// A list of tests that are known to fail: a title on each line, then # and the reason
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,

    /// Number of threads; the default is one per processor
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Show skipped tests and known failures too
    #[arg(short, long)]
    verbose: bool,
}

/// Runs tests.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let known = options.exclude.as_deref().map(known_failures).transpose()?.unwrap_or_default();
    let mut files = Vec::new();
    for path in &options.tests {
        find_files(path, 0, &mut files)?;
    }
    let waf = options.rules.load(None)?;
    let jobs = options.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let run_options = RunOptions { only: options.only.clone(), jobs };
    let start = Instant::now();
    let bar = progress_bar(files.len() as u64, "files", format);
    let finished = ftw::run(&waf, &files, &run_options, &|| bar.inc(1)).map_err(Failure::Reason)?;
    bar.finish_and_clear();
    if finished.is_empty() {
        return Err(Failure::Reason("there are no tests".to_owned()));
    }
    let summary = Summary::new(finished, &known, options.only.is_empty(), start.elapsed().as_secs_f64());
    match format {
        Format::Text => summary.write(out, options.verbose)?,
        Format::Json => write_json(out, &summary.document())?,
    }
    Ok(if summary.count(Kind::Failed) > 0 { Outcome::Finding } else { Outcome::Fine })
}

/// Returns the test files below a path, each folder sorted by name.
fn find_files(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        std::fs::metadata(path).map_err(|error| Failure::unreadable(path, error))?;
        files.push(path.to_owned());
        return Ok(());
    }
    if depth > DEEPEST_FOLDER {
        return Err(Failure::unreadable(path, "folders are nested too deeply"));
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error| Failure::unreadable(path, error))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            find_files(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

/// Titles and reasons.
fn known_failures(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, error))?;
    let lines = text.lines().map(|line| line.split_once('#').unwrap_or((line, "")));
    let lines = lines.map(|(title, reason)| (title.trim(), reason.trim())).filter(|(title, _)| !title.is_empty());
    Ok(lines.map(|(title, reason)| (title.to_owned(), reason.to_owned())).collect())
}

/// Result of a test, with known failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passed,
    Failed,
    Skipped,
    KnownFailure,
}

struct Summary {
    lines: Vec<Line>,
    seconds: f64,
}

struct Line {
    kind: Kind,
    title: String,
    file: Option<PathBuf>,
    reason: String,
}

impl Summary {
    fn new(finished: Vec<Finished>, known: &BTreeMap<String, String>, complete: bool, seconds: f64) -> Self {
        let unmet: Vec<&String> = known.keys().filter(|title| complete && !finished.iter().any(|test| test.title == **title)).collect();
        let unmet = unmet.into_iter().map(|title| Line {
            kind: Kind::Failed,
            title: title.clone(),
            file: None,
            reason: "it is listed as failing, and there is no such test".to_owned(),
        });
        let unmet: Vec<Line> = unmet.collect();
        let lines = finished.into_iter().map(|test| {
            let (kind, reason) = match (test.verdict, known.get(&test.title)) {
                (TestVerdict::Passed, None) => (Kind::Passed, String::new()),
                (TestVerdict::Passed, Some(_)) => (Kind::Failed, "it is listed as failing, and passes: take it off the list".to_owned()),
                (TestVerdict::Failed(reason), None) => (Kind::Failed, reason),
                (TestVerdict::Failed(_), Some(known)) => (Kind::KnownFailure, known.clone()),
                (TestVerdict::Skipped(reason), _) => (Kind::Skipped, reason),
            };
            Line { kind, title: test.title, file: Some(test.file), reason }
        });
        Self { lines: lines.chain(unmet).collect(), seconds }
    }

    fn count(&self, kind: Kind) -> usize {
        self.lines.iter().filter(|line| line.kind == kind).count()
    }

    fn write(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        for line in &self.lines {
            match line.kind {
                Kind::Failed => {
                    writeln!(out, "failed {}: {}", line.title, line.reason)?;
                    if let Some(file) = &line.file {
                        writeln!(out, "    in {}", file.display())?;
                    }
                }
                Kind::Skipped | Kind::KnownFailure if verbose => writeln!(out, "{} {}: {}", line.kind.name(), line.title, line.reason)?,
                _ => {}
            }
        }
        let [passed, failed, skipped, known] = [Kind::Passed, Kind::Failed, Kind::Skipped, Kind::KnownFailure].map(|kind| self.count(kind));
        let known = counted(known, "known failure");
        writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped, {known} in {:.1} s", self.seconds)
    }

    fn document(&self) -> serde_json::Value {
        let tests: Vec<_> = self
            .lines
            .iter()
            .map(|line| json!({ "title": line.title, "file": line.file, "result": line.kind.name(), "reason": line.reason }))
            .collect();
        json!({
            "passed": self.count(Kind::Passed),
            "failed": self.count(Kind::Failed),
            "skipped": self.count(Kind::Skipped),
            "known_failures": self.count(Kind::KnownFailure),
            "seconds": self.seconds,
            "tests": tests,
        })
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Passed => "passed",
            Kind::Failed => "failed",
            Kind::Skipped => "skipped",
            Kind::KnownFailure => "known",
        }
    }
}
