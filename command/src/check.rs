//! `secrule check`: checks rule files.

use super::{Failure, Format, Outcome, stores, write_json};
use clap::Args;
use secrule::internals::diagnostic::{Code, Diagnostic, Severity, counted};
use secrule::internals::source::Sources;
use secrule::{LoadReport, Waf, WafBuilder};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Number of warnings of a kind that are shown.
const SHOWN_OF_A_KIND: usize = 3;

/// Checks rule files for errors and likely mistakes, and shows what was loaded
///
/// Finds all errors in one run, each with its line, a caret under the place, a stable code and a remedy. Several files form one rule set in their
/// order, as if one file included them.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule check /etc/modsecurity/main.conf       a file and all that it includes
  secrule check crs-setup.conf rules/*.conf      files that belong together
  secrule check --all-warnings main.conf         every warning, not only the first of each kind
  secrule check --format json main.conf          one JSON document, for editors and pipelines
  secrule check --explain E606                   what a code means

Exit codes:
  0  no errors; there may be warnings
  1  there are errors: these rules do not load
  2  a file cannot be read, or the command line is wrong")]
pub struct Options {
    /// Rule files; the files that they include are checked too
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Show every warning; otherwise the first of each kind and their number
    #[arg(long)]
    all_warnings: bool,

    /// Explain the code of an error or warning
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    explain: Option<String>,
}

/// Checks that a file can be opened. Anything else is left to the load: a pipe can be opened only once, and may block.
fn openable(path: &Path) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if about.is_file() { std::fs::File::open(path).map(|_| ()) } else { Ok(()) }
}

/// Checks files.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if let Some(code) = &options.explain {
        return explain(code, format, out);
    }
    for path in &options.files {
        openable(path).map_err(|error| Failure::unreadable(path, error))?;
    }
    let start = Instant::now();
    let loaded = options.files.iter().fold(stores::known(Waf::builder()), WafBuilder::file).without_logs().without_store().build();
    let elapsed = start.elapsed();
    match &loaded {
        Ok(waf) => {
            let report = waf.report();
            let failures = hosted_failures(waf);
            match format {
                Format::Text => {
                    write_diagnostics(out, report.warnings(), report.texts(), options.all_warnings)?;
                    failures.iter().try_for_each(|failure| writeln!(out, "error: {failure}\n"))?;
                    write_report(out, &report, elapsed)?;
                }
                Format::Json => {
                    let mut document = document(report.warnings(), report.texts(), Some(report_document(&report, elapsed)));
                    if let Some(members) = document.as_object_mut() {
                        members.insert("script_host".to_owned(), json!({ "errors": failures }));
                    }
                    write_json(out, &document)?;
                }
            }
            Ok(if failures.is_empty() { Outcome::Fine } else { Outcome::Finding })
        }
        Err(error) => {
            match format {
                Format::Text => {
                    write_diagnostics(out, error.diagnostics(), error.sources(), options.all_warnings)?;
                    writeln!(out, "{}", error.summary())?;
                }
                Format::Json => write_json(out, &document(error.diagnostics(), error.sources(), None))?,
            }
            Ok(Outcome::Finding)
        }
    }
}

/// Returns why the script host would not start with these rules.
#[cfg(feature = "worlds")]
fn hosted_failures(waf: &Waf) -> Vec<String> {
    super::worlds::failures(waf)
}

/// A build without the script host does not know.
#[cfg(not(feature = "worlds"))]
fn hosted_failures(_: &Waf) -> Vec<String> {
    Vec::new()
}

fn explain(wanted: &str, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let Some(code) = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(wanted)) else {
        let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        return Err(Failure::Reason(format!("there is no code `{wanted}`; the codes are {}", known.join(", "))));
    };
    match format {
        Format::Text => writeln!(out, "{} ({}): {}", code.as_str(), severity_name(code.severity()), code.explanation())?,
        Format::Json => write_json(out, &json!({ "code": code.as_str(), "severity": code.severity(), "explanation": code.explanation() }))?,
    }
    Ok(Outcome::Fine)
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Writes all errors, and the first few warnings of each kind, because one habit of an author causes hundreds of equal ones.
fn write_diagnostics(out: &mut dyn Write, diagnostics: &[Diagnostic], sources: &Sources, all: bool) -> io::Result<()> {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for diagnostic in diagnostics {
        let count = counts.entry(diagnostic.code).or_default();
        *count += 1;
        if all || diagnostic.severity() == Severity::Error || *count <= SHOWN_OF_A_KIND {
            writeln!(out, "{}", diagnostic.render(sources))?;
        }
    }
    let hidden = counts.iter().filter(|(code, count)| !all && code.severity() == Severity::Warning && **count > SHOWN_OF_A_KIND);
    let mut any = false;
    for (code, count) in hidden {
        let more = count - SHOWN_OF_A_KIND;
        writeln!(out, "warning[{}]: {more} more of: {}", code.as_str(), code.explanation())?;
        any = true;
    }
    if any {
        writeln!(out, "(--all-warnings shows them)\n")?;
    }
    Ok(())
}

fn warnings_by_code(warnings: &[Diagnostic]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for warning in warnings {
        *counts.entry(warning.code.as_str()).or_default() += 1;
    }
    counts
}

fn write_report(out: &mut dyn Write, report: &LoadReport, elapsed: Duration) -> io::Result<()> {
    let bytes: usize = report.sources.iter().map(|source| source.bytes).sum();
    writeln!(out, "loaded {} ({bytes} bytes) in {:.1} ms", counted(report.sources.len(), "file"), elapsed.as_secs_f64() * 1e3)?;
    let figures = [
        ("rules", report.rules),
        ("actions", report.actions),
        ("scripts", report.scripts),
        ("chained", report.chained),
        ("markers", report.markers),
        ("removed", report.removed),
        ("transformation chains", report.transformation_chains),
    ];
    for (name, figure) in figures {
        writeln!(out, "  {name:<22} {figure:>7}")?;
    }
    writeln!(out, "files")?;
    for source in &report.sources {
        writeln!(out, "  {:>9}  {}", source.bytes, source.name)?;
    }
    let counts = warnings_by_code(report.warnings());
    if !counts.is_empty() {
        writeln!(out, "warnings")?;
        for (code, count) in counts {
            writeln!(out, "  {code}  {count:>4}")?;
        }
    }
    Ok(())
}

fn report_document(report: &LoadReport, elapsed: Duration) -> serde_json::Value {
    json!({
        "rules": report.rules,
        "actions": report.actions,
        "scripts": report.scripts,
        "chained": report.chained,
        "markers": report.markers,
        "removed": report.removed,
        "transformation_chains": report.transformation_chains,
        "files": report.sources,
        "warnings_by_code": warnings_by_code(report.warnings()),
        "milliseconds": elapsed.as_secs_f64() * 1e3,
    })
}

fn document(diagnostics: &[Diagnostic], sources: &Sources, report: Option<serde_json::Value>) -> serde_json::Value {
    let of = |severity| -> Vec<_> {
        diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).map(|diagnostic| diagnostic.located(sources)).collect()
    };
    json!({ "loaded": report.is_some(), "report": report, "errors": of(Severity::Error), "warnings": of(Severity::Warning) })
}
