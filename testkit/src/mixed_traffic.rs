//! A thousand exchanges of all kinds, and the comparison of their audit log with the metrics: each sum must be the same in both.

use serde_json::Value;
use std::collections::BTreeMap;

/// Number of exchanges.
pub const EXCHANGES: usize = 1_000;

/// Rules with every way to end. Those of phase 5 log the limits that were exceeded, for which a record has no field.
pub const RULES: &str = r#"
SecRuleEngine On
SecAuditEngine On
SecAuditLogParts ABHZ
SecAuditLogFormat JSON
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

/// Number of rules with an operator among [`RULES`].
pub const RULE_COUNT: u64 = 10;

/// The rules that log a limit.
const LIMITS: [(&str, &str); 3] = [("101", "request_body"), ("102", "headers"), ("103", "arguments")];

/// A request: a form that is posted.
pub struct Mixed {
    pub target: String,
    /// Number of headers beside the usual ones.
    pub headers: usize,
    pub body: String,
    /// `true` if the client goes before its body has come.
    pub is_cancelled: bool,
}

/// Returns one of the exchanges.
pub fn mixed(number: usize) -> Mixed {
    let target = match number % 9 {
        1 => "/?q=union+select".to_owned(),
        2 => "/?q=union&mode=detect".to_owned(),
        3 => "/moved/here".to_owned(),
        4 => "/dropped".to_owned(),
        5 => format!("/?{}", (0..15).map(|n| format!("a{n}=1&")).collect::<String>()),
        6 => "/?q=%3Cscript+x&other=X".to_owned(),
        _ => format!("/item/{number}"),
    };
    let length = if number.is_multiple_of(7) { 200 } else { 20 };
    let headers = if number.is_multiple_of(11) { 30 } else { 3 };
    Mixed { target, headers, body: format!("b={:a<length$}", ""), is_cancelled: number.is_multiple_of(13) }
}

/// Returns the sums of the samples with a name, by the value of a label, without those that are 0.
pub fn sums(text: &str, name: &str, label: &str) -> BTreeMap<String, u64> {
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

/// Compares the metrics of all exchanges with the records of their audit log. Names begin with `prefix`, but for those of limits.
///
/// # Panics
/// If a sum differs, or a kind of exchange is missing.
pub fn assert_same_sums(text: &str, prefix: &str, records: &[Value]) {
    assert_eq!(records.len(), EXCHANGES);
    let sums_of = |name: &str, label: &str| sums(text, &format!("{prefix}_{name}_total"), label);

    let outcomes = count(records.iter().map(outcome));
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["block", "detect", "pass", "redirect"], "a kind is missing: {outcomes:?}");
    assert_eq!(sums_of("requests", "outcome"), outcomes);

    let hits = count(records.iter().flat_map(ids));
    assert!(["20", "30", "31", "941100", "942100", "949110"].iter().all(|id| hits[*id] > 20), "{hits:?}");
    assert_eq!(sums_of("rule_hits", "rule_id"), hits);
    assert_eq!(sums_of("rule_hits", "outcome"), count(records.iter().flat_map(|record| ids(record).map(move |_| outcome(record)))));

    let limits = |record| LIMITS.into_iter().filter(move |(id, _)| has(record, id)).map(|(_, name)| name.to_owned());
    let limits = count(records.iter().flat_map(limits));
    assert_eq!(limits.len(), LIMITS.len(), "{limits:?}");
    assert_eq!(sums(text, "secrule_limits_exceeded_total", "limit"), limits);

    let blocked = sums_of("blocked_requests", "category");
    assert_eq!(blocked.values().sum::<u64>(), outcomes["block"] + outcomes["redirect"]);
    let is_of_sql = |record: &&Value| outcome(record) == "block" && has(record, "942100");
    assert_eq!(blocked["sqli"], records.iter().filter(is_of_sql).count() as u64);
}

/// Returns the outcome of a record: by its status, its mode, and the rules that matched.
fn outcome(record: &Value) -> String {
    let transaction = &record["transaction"];
    let would_stop = || ["949110", "30", "31"].iter().any(|id| has(record, id));
    let outcome = match transaction["response"]["http_code"].as_u64().unwrap() {
        302 => "redirect",
        403 => "block",
        _ if transaction["producer"]["secrules_engine"] == "DetectionOnly" && would_stop() => "detect",
        _ => "pass",
    };
    outcome.to_owned()
}

fn has(record: &Value, id: &str) -> bool {
    ids(record).any(|known| known == id)
}

fn ids(record: &Value) -> impl Iterator<Item = String> {
    let messages = record["transaction"]["messages"].as_array().unwrap();
    messages.iter().map(|message| message["details"]["ruleId"].as_str().unwrap().to_owned())
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}
