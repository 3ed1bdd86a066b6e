//! Documents about metrics: the tables of `docs/metrics.md`, and the alerts in `examples/`.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule_metrics::{FAMILIES, Family, Kind};
use secrule_serve::Counters;
use secrule_serve::questions::Counts;
use secrule_testkit::trials::{self, Needs};
use secrule_testkit::{project, trial};
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    trials::run([
        trial!(the_document_has_all_metrics),
        trial!(alerts_name_metrics_and_values_that_exist),
        trial!(prometheus_takes_the_alerts, [Needs::Program("promtool")]),
    ])
}

fn families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().chain(Counters::FAMILIES).chain(Counts::FAMILIES)
}

/// Returns the table of all metrics.
fn table() -> String {
    let mut table = "| metric | kind | unit | labels | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for family in families() {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{}`: {}", label.name, label.values)).collect();
        let (name, unit) = (family.sample_name(), family.unit.unwrap_or_default());
        writeln!(table, "| `{name}` | {} | {unit} | {} | {} |", family.kind, labels.join("; "), family.help).unwrap();
    }
    table
}

/// Returns the table of the names of the contract.
fn names() -> String {
    let mut table = "| contract | ours |\n| --- | --- |\n".to_owned();
    for family in families() {
        if let Some(name) = family.contract {
            let ending = family.sample_name().replacen(family.name, "", 1);
            writeln!(table, "| `{name}{ending}` | `{}` |", family.sample_name()).unwrap();
        }
    }
    table
}

/// Puts a table behind the comment that begins so.
fn with_table(document: &str, comment: &str, table: &str) -> String {
    let (before, rest) = document.split_once(comment).unwrap();
    let (end, rest) = rest.split_once("-->\n").unwrap();
    // The old table, if there is one, ends with an empty line or the document.
    let after = rest.trim_start_matches('\n').split_once("\n\n").filter(|(old, _)| old.starts_with('|'));
    let old = rest.trim_start_matches('\n');
    let after = after.map_or(if old.starts_with('|') { "" } else { old }, |(_, after)| after);
    let gap = if after.is_empty() { "" } else { "\n" };
    format!("{before}{comment}{end}-->\n\n{table}{gap}{after}")
}

fn the_document_has_all_metrics() {
    let path = project().join("docs/metrics.md");
    let document = fs::read_to_string(&path).unwrap();
    let expected = with_table(&document, "<!-- The table is", &table());
    let expected = with_table(&expected, "<!-- names", &names());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        assert!(document == expected, "docs/metrics.md: UPDATE_GOLDEN=1 cargo test -p secrule-serve --test documents");
    }
}

fn alerts_name_metrics_and_values_that_exist() {
    let alerts = fs::read_to_string(project().join("examples/serve/alerts.yml")).unwrap();
    let known = |name: &str| {
        let is_of = |family: &Family| match family.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(family.name)),
            _ => family.sample_name() == name,
        };
        families().any(is_of)
    };
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("secrule_"));
    let words: Vec<&str> = words.collect();
    assert!(words.len() > 10);
    let unknown: Vec<_> = words.into_iter().filter(|word| !known(word)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let outcomes = alerts.split("outcome=").skip(1).map(|rest| rest.trim_start_matches(['"', '\\']).split(['"', '\\']).next().unwrap());
    assert!(outcomes.clone().count() >= 3);
    let values = FAMILIES.iter().flat_map(|family| family.labels).find(|label| label.name == "outcome").unwrap().values;
    outcomes.for_each(|outcome| assert!(values.contains(&format!("`{outcome}`")), "{outcome}"));
}

fn prometheus_takes_the_alerts() {
    let alerts = project().join("examples/serve/alerts.yml");
    let checked = Command::new("promtool").args(["check", "rules"]).arg(alerts).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr) + String::from_utf8_lossy(&checked.stdout));
}
