//! The numbers are those of the audit log: of a thousand mixed exchanges, each sum is the same in both.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use http::Request;
use secrule::{AuditFormat, AuditLog, Connection, Transaction, Waf, audit_record};
use secrule_metrics::{Format, Metrics, Names, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// Rules with every way to end. The rules of phase 5 log what a record has no field for: the outcome, and the limits that were exceeded.
const RULES: &str = r#"
SecRuleEngine On
SecAuditEngine On
SecAuditLogParts ABHZ
SecRequestBodyAccess On
SecRequestBodyLimit 100
SecRequestBodyLimitAction Reject
SecHeadersLimit 20
SecArgumentsLimit 10
SecRule ARGS:mode "@streq detect" "id:1,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly"
SecRule ARGS:q "@contains union" "id:942100,phase:2,block,log,auditlog,msg:'SQL injection',severity:CRITICAL,tag:'attack-sqli',setvar:tx.inbound_anomaly_score_pl1=+5"
SecRule ARGS:q "@contains <script" "id:941100,phase:2,pass,log,auditlog,msg:'XSS',severity:WARNING,tag:'attack-xss',setvar:tx.inbound_anomaly_score_pl1=+3"
SecRule ARGS "@contains x" "id:20,phase:2,pass,log,auditlog,msg:'Seen',severity:NOTICE,multiMatch,t:none,t:lowercase"
SecRule TX:inbound_anomaly_score_pl1 "@ge 5" "id:949110,phase:2,deny,status:403,log,auditlog,msg:'Score'"
SecRule REQUEST_URI "@beginsWith /moved" "id:30,phase:1,redirect:https://shop.example/,status:302,log,auditlog,msg:'Moved'"
SecRule REQUEST_URI "@beginsWith /dropped" "id:31,phase:1,drop,log,auditlog,msg:'Dropped'"
SecRule LIMITS_EXCEEDED:request_body "@eq 1" "id:101,phase:5,pass,log,auditlog,msg:'request_body'"
SecRule LIMITS_EXCEEDED:headers "@eq 1" "id:102,phase:5,pass,log,auditlog,msg:'headers'"
SecRule LIMITS_EXCEEDED:arguments "@eq 1" "id:103,phase:5,pass,log,auditlog,msg:'arguments'"
"#;

/// The records of an audit log, and what the exchange came to.
#[derive(Debug, Default)]
struct Records(Mutex<Vec<Value>>);

impl AuditLog for Records {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        self.0.lock().unwrap().push(serde_json::from_slice(&audit_record(transaction, AuditFormat::Json))?);
        Ok(())
    }
}

/// Sends one exchange. The number selects what it is like.
fn exchange(waf: &Waf, number: usize) {
    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let target = match number % 9 {
        1 => "/?q=union+select".to_owned(),
        2 => "/?q=union&mode=detect".to_owned(),
        3 => "/moved/here".to_owned(),
        4 => "/dropped".to_owned(),
        5 => format!("/?{}", (0..15).map(|n| format!("a{n}=1&")).collect::<String>()),
        6 => "/?q=<script+x&other=X".replace('<', "%3C"),
        _ => format!("/item/{number}"),
    };
    let mut request = Request::post(target).header("host", "shop.example").header("content-type", "application/x-www-form-urlencoded");
    let headers = if number % 11 == 0 { 30 } else { 3 };
    for header in 0..headers {
        request = request.header(format!("x-header-{header}"), "1");
    }
    let head = request.body(()).unwrap().into_parts().0;
    let judge = |tx: &mut Transaction| -> Result<(), secrule::Stop> {
        tx.request_head(&head)?;
        // The client goes before its body has come.
        if number % 13 == 0 {
            return Ok(());
        }
        let length = if number % 7 == 0 { 200 } else { 20 };
        tx.request_body(format!("b={:a<length$}", "").as_bytes())?;
        tx.request_end()?;
        let head = http::Response::new(()).into_parts().0;
        tx.response_head(&head)?;
        tx.response_end()
    };
    let _ = judge(&mut tx);
    // One that is dropped ends as well.
    if number % 2 == 0 {
        tx.finish();
    }
}

/// Returns the sum of the samples with a name, by the value of a label.
fn sums(text: &str, name: &str, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let Some((labels, value)) = line.strip_prefix(&format!("{name}{{")).and_then(|rest| rest.rsplit_once("} ")) else { continue };
        let value: u64 = value.parse().unwrap();
        let (_, of_label) = labels.split_once(&format!("{label}=\"")).unwrap();
        *sums.entry(of_label.split('"').next().unwrap().to_owned()).or_default() += value;
    }
    sums.retain(|_, sum| *sum > 0);
    sums
}

/// Returns the outcome of a record: by its status, its mode, and the rules that matched.
fn outcome(record: &Value) -> &'static str {
    let transaction = &record["transaction"];
    let ids = ids(record);
    let has = |id: &str| ids.iter().any(|known| known == id);
    match transaction["response"]["http_code"].as_u64().unwrap() {
        302 => "redirect",
        403 => "block",
        _ if transaction["producer"]["secrules_engine"] == "DetectionOnly" && (has("949110") || has("30") || has("31")) => "detect",
        _ => "pass",
    }
}

fn ids(record: &Value) -> Vec<String> {
    let messages = record["transaction"]["messages"].as_array().unwrap();
    messages.iter().map(|message| message["details"]["ruleId"].as_str().unwrap().to_owned()).collect()
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
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
                scope.spawn(move || (first..1_000).step_by(4).for_each(|number| exchange(waf, number)));
            }
        });
        let records = std::mem::take(&mut *records.0.lock().unwrap());
        assert_eq!(records.len(), 1_000);
        let text = metrics.text(&waf, Format::Prometheus);

        let outcomes = count(records.iter().map(|record| outcome(record).to_owned()));
        assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["block", "detect", "pass", "redirect"], "each is there: {outcomes:?}");
        assert_eq!(sums(&text, &format!("{prefix}_requests_total"), "outcome"), outcomes);

        let hits = count(records.iter().flat_map(ids));
        assert!(hits["20"] > 0 && hits["949110"] > 0, "{hits:?}");
        assert_eq!(sums(&text, &format!("{prefix}_rule_hits_total"), "rule_id"), hits);
        let by_outcome = count(records.iter().flat_map(|record| ids(record).into_iter().map(|_| outcome(record).to_owned())));
        assert_eq!(sums(&text, &format!("{prefix}_rule_hits_total"), "outcome"), by_outcome);

        let limits = |record: &Value| {
            let names = [("101", "request_body"), ("102", "headers"), ("103", "arguments")];
            let ids = ids(record);
            names.into_iter().filter(|(id, _)| ids.iter().any(|known| known == id)).map(|(_, name)| name.to_owned()).collect::<Vec<_>>()
        };
        let limits = count(records.iter().flat_map(limits));
        assert_eq!(limits.len(), 3, "{limits:?}");
        assert_eq!(sums(&text, "secrule_limits_exceeded_total", "limit"), limits);

        let blocked: u64 = sums(&text, &format!("{prefix}_blocked_requests_total"), "category").values().sum();
        assert_eq!(blocked, outcomes["block"] + outcomes["redirect"]);
        let of_sql = sums(&text, &format!("{prefix}_blocked_requests_total"), "category")["sqli"];
        assert!(of_sql > 50, "{text}");
        let scored = text.lines().find_map(|line| line.strip_prefix(&format!("{prefix}_request_anomaly_score_count"))).unwrap();
        assert_eq!(scored.rsplit(' ').next().unwrap(), "1000");
        let detected: u64 = sums(&text, &format!("{prefix}_requests_total"), "outcome")["detect"];
        assert!(detected > 50);
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
    assert_eq!(sample("secrule_rules_loaded"), 10);
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
