//! Verdicts stay, and each transaction is logged once, in any order of a host's calls.

use http::Request;
use secrule::{Connection, Stop, Transaction, Waf};
use secrule_testkit::logged::Folder;

fn judge(tx: &mut Transaction, request: Request<&str>) -> Result<(), Stop> {
    let (head, body) = request.into_parts();
    tx.request_head(&head)?; // rules of phase 1
    tx.request_body(body.as_bytes())?; // as often as there are chunks
    tx.request_end() // rules of phase 2
}

fn connection() -> Connection {
    Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into())
}

fn waf(rules: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\n{rules}")).unwrap()
}

/// Makes all calls and ignores the verdicts.
fn feed_blindly(transaction: &mut Transaction, target: &str) {
    let _ = transaction.process_connection("192.0.2.7", 40000, "192.0.2.1", 443);
    let _ = transaction.process_uri(target.as_bytes(), b"GET", b"1.1");
    transaction.add_request_header(b"Host", b"shop.example");
    let _ = transaction.process_request_headers();
    let _ = transaction.append_request_body(b"");
    let _ = transaction.process_request_body();
    transaction.add_response_header(b"Content-Type", b"text/html");
    let _ = transaction.process_response_headers(200, "1.1");
    let _ = transaction.append_response_body(b"text");
    let _ = transaction.process_response_body();
}

fn ids(transaction: &Transaction) -> Vec<u64> {
    transaction.rule_matches().iter().map(|found| found.id).collect()
}

#[test]
fn the_lines_of_the_manual_deny_in_phase_1_and_in_phase_2() {
    let (page, here) = (include_str!("../docs/start/crate.md"), include_str!("verdicts.rs"));
    let lines = |text: &str| Some(text.split_once("fn judge(")?.1.split_once("\n}\n")?.0.to_owned());
    assert_eq!(lines(page), lines(here));
    let in_two_phases = waf(r#"SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:1,phase:1,deny,status:401"
        SecRule ARGS "@contains evil" "id:2,phase:2,deny,status:402""#);
    let starter = Waf::builder().starter_rules().build().unwrap();
    for (waf, agent, body, status) in [
        (&in_two_phases, "scanner/1", "q=evil", Some(401)),
        (&in_two_phases, "browser/1", "q=evil", Some(402)),
        (&in_two_phases, "browser/1", "q=fine", None),
        (&starter, "sqlmap/1.7", "q=fine", Some(403)),
        (&starter, "Mozilla/5.0", "q=1' UNION SELECT a FROM b--", Some(403)),
        (&starter, "Mozilla/5.0", "q=shoes", None),
    ] {
        let form = Request::post("/search").header("content-type", "application/x-www-form-urlencoded");
        let request = form.header("user-agent", agent).header("host", "shop.example").body(body).unwrap();
        let judged = judge(&mut waf.begin(connection()), request);
        assert_eq!(judged.err().map(|stop| stop.status()), status, "{agent} {body}");
    }
}

#[test]
fn an_intervention_that_nobody_looks_at_stays() {
    for (phase, variable) in [(1, "REQUEST_URI"), (2, "ARGS"), (3, "REQUEST_URI"), (4, "REQUEST_URI")] {
        let waf = waf(&format!(
            r#"SecResponseBodyAccess On
            SecRule {variable} "@contains evil" "id:1,phase:{phase},deny,status:418"
            SecAction "id:2,phase:4,deny,status:500"
            SecAction "id:3,phase:5,pass,log,msg:'logged'""#
        ));
        let mut transaction = waf.transaction();
        feed_blindly(&mut transaction, "/?q=evil");
        assert_eq!(transaction.verdict().intervention().map(|intervention| intervention.status()), Some(418), "phase {phase}");
        transaction.process_logging();
        assert_eq!(transaction.verdict().intervention().map(|intervention| intervention.status()), Some(418), "phase {phase}");
        assert_eq!(ids(&transaction), [1, 3], "phase {phase}");
    }
}

#[test]
fn a_host_that_takes_the_decision_away_goes_on_with_the_rules_of_later_phases() {
    let waf = waf(r#"SecAction "id:1,phase:1,deny,status:401"
        SecAction "id:2,phase:3,deny,status:502""#);
    let mut transaction = waf.transaction();
    let status = |verdict: secrule::internals::Verdict| verdict.intervention().map(|intervention| intervention.status());
    assert_eq!(status(transaction.process_request_headers()), Some(401));
    assert_eq!(status(transaction.take_verdict()), Some(401));
    assert_eq!(status(transaction.verdict()), None);
    assert_eq!(status(transaction.process_response_headers(401, "HTTP/1.1")), Some(502));
    assert!(transaction.was_stopped());
}

#[test]
fn a_protocol_is_written_with_or_without_its_name() {
    let rules = r#"SecRule REQUEST_PROTOCOL "!@streq HTTP/1.1" "id:1,phase:1,deny"
        SecRule REQUEST_LINE "!@streq GET / HTTP/1.1" "id:2,phase:1,deny"
        SecRule RESPONSE_PROTOCOL "!@streq HTTP/1.1" "id:3,phase:3,deny""#;
    for protocol in ["1.1", "HTTP/1.1"] {
        let mut transaction = waf(rules).transaction();
        let _ = transaction.process_uri(b"/", b"GET", protocol.as_bytes());
        let _ = transaction.process_request_headers();
        assert!(!transaction.process_response_headers(200, protocol).is_intervention(), "{protocol}: {:?}", ids(&transaction));
    }
}

#[test]
fn a_transaction_is_logged_once_when_it_is_asked_for_twice_or_dropped() {
    let folder = Folder::new();
    let path = folder.path("audit.log");
    let waf = waf(&format!(
        "SecAuditEngine On\nSecAuditLogParts AHZ\nSecAuditLog {path}\nSecAction \"id:1,phase:5,pass,log,msg:'logged at the end'\""
    ));
    let records = || std::fs::read_to_string(&path).unwrap_or_default().matches("-A--").count();
    drop(waf.transaction());
    assert_eq!(records(), 0, "nothing was received");
    let mut cancelled = waf.transaction();
    let _ = cancelled.process_connection("192.0.2.7", 40000, "192.0.2.1", 443);
    let _ = cancelled.process_uri(b"/cancelled", b"GET", b"1.1");
    drop(cancelled);
    assert_eq!(records(), 1);
    assert!(folder.read("audit.log").contains("logged at the end"), "phase 5 ran");
    let mut twice = waf.transaction();
    feed_blindly(&mut twice, "/twice");
    twice.process_logging();
    twice.process_logging();
    assert_eq!(ids(&twice), [1]);
    drop(twice);
    assert_eq!(records(), 2);
    let mut without = waf.transaction();
    feed_blindly(&mut without, "/without");
    without.forgo_logging();
    drop(without);
    assert_eq!(records(), 2);
}

#[test]
fn a_rule_that_would_stop_the_request_is_named_while_rules_only_detect() {
    let rules = r#"SecDefaultAction "phase:2,deny,status:403,log"
        SecRule ARGS "@contains evil" "id:1,phase:2,pass"
        SecRule ARGS "@contains evil" "id:2,phase:2,block"
        SecRule ARGS "@contains evil" "id:3,phase:2,deny""#;
    let waf = Waf::from_rules(rules).unwrap();
    let detected = |target| {
        let mut transaction = waf.transaction();
        feed_blindly(&mut transaction, target);
        assert!(!transaction.verdict().is_intervention());
        transaction.detected().and_then(|rule| waf.graph().rule(rule).map(|rule| rule.id))
    };
    assert_eq!((detected("/?q=evil"), detected("/?q=fine")), (Some(2), None));
}

#[test]
fn a_setting_that_an_earlier_load_overrules_gets_a_warning() {
    let loads = |settings: [&str; 2]| {
        let [first, second] = settings;
        let waf = Waf::builder().rules("first", first).rules("second", second).separate_loads().build().unwrap();
        waf.report().warnings().iter().map(|warning| warning.code.as_str()).collect::<Vec<_>>().join(" ")
    };
    for (settings, warnings) in [
        (["SecRuleEngine On", "SecRuleEngine DetectionOnly"], "W226"),
        (["SecRuleEngine On", "SecRuleEngine On"], ""),
        (["SecRuleEngine On\nSecRuleEngine DetectionOnly", "SecRuleEngine DetectionOnly"], ""),
        (["SecRuleEngine On", "SecArgumentsLimit 9\nSecArgumentsLimit 10"], ""),
        (["SecArgumentsLimit 10", "SecArgumentsLimit 9"], "W226"),
        (["SecAuditEngine On", "SecAuditEngine Off"], ""),
    ] {
        assert_eq!(loads(settings), warnings, "{settings:?}");
    }
}
