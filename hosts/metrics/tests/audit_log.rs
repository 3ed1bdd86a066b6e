//! The numbers are those of the audit log: of a thousand mixed exchanges, each sum is the same in both.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use http::Request;
use secrule::{AuditFormat, AuditLog, Connection, Transaction, Waf, audit_record};
use secrule_metrics::{Format, Metrics, Names, Options};
use secrule_testkit::mixed_traffic::{EXCHANGES, Mixed, RULE_COUNT, RULES, assert_same_sums, mixed, sums};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// The records of an audit log, and what the exchange came to.
#[derive(Debug, Default)]
struct Records(Mutex<Vec<Value>>);

impl AuditLog for Records {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        self.0.lock().unwrap().push(serde_json::from_slice(&audit_record(transaction, AuditFormat::Json))?);
        Ok(())
    }
}

/// Judges one exchange.
fn exchange(waf: &Waf, number: usize) {
    let Mixed { target, headers, body, is_cancelled } = mixed(number);
    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let request = Request::post(target).header("host", "shop.example").header("content-type", "application/x-www-form-urlencoded");
    let request = (0..headers).fold(request, |request, header| request.header(format!("x-header-{header}"), "1"));
    let head = request.body(()).unwrap().into_parts().0;
    let mut judge = || -> Result<(), secrule::Stop> {
        tx.request_head(&head)?;
        if is_cancelled {
            return Ok(());
        }
        tx.request_body(body.as_bytes())?;
        tx.request_end()?;
        tx.response_head(&http::Response::new(()).into_parts().0)?;
        tx.response_end()
    };
    let _ = judge();
    // One that is dropped ends as well.
    if number.is_multiple_of(2) {
        tx.finish();
    }
}

#[test]
fn all_sums_are_those_of_the_audit_log() {
    for names in [Names::Secrule, Names::Coraza { namespace: "shop".to_owned(), driver_type: "test".to_owned() }] {
        let prefix = if names == Names::Secrule { "secrule" } else { "coraza_waf" };
        let metrics = Arc::new(Metrics::new(Options { names, ..Options::default() }));
        let records = Arc::new(Records::default());
        let waf = Waf::builder().rules("rules", RULES).observer(metrics.clone()).audit_log(records.clone()).build().unwrap();
        // Several at once, as a server does.
        std::thread::scope(|scope| {
            for first in 0..4 {
                let waf = &waf;
                scope.spawn(move || (first..EXCHANGES).step_by(4).for_each(|number| exchange(waf, number)));
            }
        });
        let text = metrics.text(&waf, Format::Prometheus);
        assert_same_sums(&text, prefix, &records.0.lock().unwrap());
        let scored = text.lines().find_map(|line| line.strip_prefix(&format!("{prefix}_request_anomaly_score_count"))).unwrap();
        assert_eq!(scored.rsplit(' ').next().unwrap(), EXCHANGES.to_string());
    }
}

#[test]
fn an_engine_that_is_off_is_not_said_to_pass() {
    let metrics = Arc::new(Metrics::default());
    let waf =
        Waf::builder().rules("rules", "SecRuleEngine Off\nSecAction \"id:1,phase:1,deny,log\"").observer(metrics.clone()).build().unwrap();
    (0..5).for_each(|number| exchange(&waf, number));
    let text = metrics.text(&waf, Format::Prometheus);
    assert_eq!(sums(&text, "secrule_requests_total", "outcome"), BTreeMap::from([("off".to_owned(), 5)]));
    assert!(sums(&text, "secrule_rule_hits_total", "rule_id").is_empty());
}

#[test]
fn an_exchange_that_passes_unjudged_is_an_error() {
    let metrics = Arc::new(Metrics::default());
    let rules = "SecRuleEngine On\nSecTransactionBudget 10 pass\nSecRule ARGS \"@rx a\" \"id:1,phase:1,deny\"";
    let waf = Waf::builder().rules("rules", rules).observer(metrics.clone()).build().unwrap();
    exchange(&waf, 8);
    let text = metrics.text(&waf, Format::Prometheus);
    assert_eq!(sums(&text, "secrule_requests_total", "outcome"), BTreeMap::from([("error".to_owned(), 1)]), "{text}");
    assert_eq!(sums(&text, "secrule_limits_exceeded_total", "limit")["budget"], 1);
}

#[test]
fn loads_are_counted_with_their_times_and_the_rules_have_a_fingerprint() {
    let metrics = Arc::new(Metrics::default());
    let waf = Waf::builder().rules("rules", RULES).observer(metrics.clone()).build().unwrap();
    let sample = |name: &str| {
        let text = metrics.text(&waf, Format::Prometheus);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    assert_eq!((sample("secrule_loads_total{status=\"success\"}"), sample("secrule_last_load_failure_timestamp_seconds")), (1, 0));
    assert!(sample("secrule_last_load_success_timestamp_seconds") > 1_700_000_000);
    assert!(waf.reload(Waf::builder().rules("rules", "SecRule")).is_err());
    assert_eq!(sample("secrule_loads_total{status=\"failure\"}"), 1);
    assert!(sample("secrule_last_load_failure_timestamp_seconds") > 1_700_000_000);
    assert_eq!(sample("secrule_rules_loaded"), RULE_COUNT);
    waf.reload(Waf::builder().rules("rules", "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny\"\nSecRuleRemoveById 1")).unwrap();
    assert_eq!(
        (sample("secrule_loads_total{status=\"success\"}"), sample("secrule_rules_loaded"), sample("secrule_rules_removed")),
        (2, 1, 1)
    );
    assert_eq!(sample(&format!("secrule_rules_info{{fingerprint=\"{}\"}}", waf.report().fingerprint())), 1);
}

#[test]
fn rules_that_take_long_are_known_by_their_messages() {
    let metrics = Arc::new(Metrics::new(Options { timed_one_of: 2, ..Options::default() }));
    let waf = Waf::builder().rules("rules", RULES).observer(metrics.clone()).build().unwrap();
    (0..100).for_each(|_| exchange(&waf, 1));
    let rules = metrics.slowest_rules(100);
    let sql = rules.iter().find(|rule| rule.id == 942100).unwrap();
    assert_eq!((sql.message.as_str(), sql.evaluations, sql.hits), ("SQL injection", 50, 100));
    assert!(!sql.time.is_zero() && rules.is_sorted_by(|a, b| a.time >= b.time));
    let text = metrics.text(&waf, Format::Prometheus);
    assert!(text.contains("secrule_rule_seconds_total{rule_id=\"942100\"} 0."), "{text}");
    assert!(
        text.contains("secrule_timed_requests_total 50\n") && text.contains("secrule_phase_duration_seconds_count{phase=\"2\"} 100\n"),
        "{text}"
    );
    assert_eq!(metrics.slowest_rules(1).len(), 1);
}
