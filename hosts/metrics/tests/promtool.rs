//! The text as Prometheus reads it.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::Waf;
use secrule_metrics::{Format, Metrics, Names, Options};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

/// Prometheus's own checker, of Debian's package `prometheus`.
const PROMTOOL: Needs = Needs::Program("promtool");

fn main() -> ExitCode {
    trials::run([trial!(promtool_finds_nothing_wrong, [PROMTOOL]), trial!(prometheus_understands_openmetrics, [READER])])
}

/// The Python of the system, which its packages are for.
const PYTHON: &str = "/usr/bin/python3";

/// The reader of OpenMetrics that its authors wrote, of Debian's package `python3-prometheus-client`.
const READER: Needs = Needs::Python(PYTHON, "prometheus_client");

fn text(names: Names, format: Format) -> String {
    let metrics = Arc::new(Metrics::new(Options { names, timed_one_of: 1 }));
    let waf = Waf::builder().starter_rules().observer(metrics.clone()).build().unwrap();
    for target in ["/", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "/?id=1%27%20OR%20%271%27=%271"] {
        let mut tx = waf.begin(secrule::Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
        let head = http::Request::get(target).header("host", "shop.example").body(()).unwrap().into_parts().0;
        let _ = tx.request_head(&head).and_then(|()| tx.request_end());
    }
    let text = metrics.text(&waf, format);
    assert!(text.contains("requests_total{") && text.contains("\"block\"} 2\n"), "{text}");
    text
}

/// Returns what a program says about a text.
fn said_by(program: &str, arguments: &[&str], text: &str) -> String {
    let mut command = Command::new(program);
    let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = process.wait_with_output().unwrap();
    String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr)
}

fn coraza() -> Names {
    Names::Coraza { namespace: "shop".to_owned(), driver_type: "secrule".to_owned() }
}

fn promtool_finds_nothing_wrong() {
    let check = |names| said_by("promtool", &["check", "metrics"], &text(names, Format::Prometheus));
    assert_eq!(check(Names::Secrule), "");
    // The contract has one name that it does not like.
    let of_contract = "coraza_waf_plugin_rule_count non-histogram and non-summary metrics should not have \"_count\" suffix\n";
    assert_eq!(check(coraza()), of_contract);
}

fn prometheus_understands_openmetrics() {
    let reader = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families\n\
        print(len(list(text_string_to_metric_families(sys.stdin.read()))))";
    for names in [Names::Secrule, coraza()] {
        let families = said_by(PYTHON, &["-c", reader], &text(names, Format::OpenMetrics));
        assert_eq!(families.trim(), secrule_metrics::FAMILIES.len().to_string());
    }
}
