//! The library as a host uses it: the order of calls, what may stream, what matched, reloads, exclusions, observers and logs.

use http::{Request, Response, Version};
use secrule::{
    Action, Answer, AuditFormat, AuditLog, Connection, DebugLog, Intervention, Limit, LoadError, LoadReport, Match, MemoryStore, Observer,
    Resolver, ScriptFailure, Stop, Transaction, Waf, audit_record,
};
use secrule_testkit::logged::Folder;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn connection() -> Connection {
    Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into())
}

fn waf(rules: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n{rules}")).unwrap()
}

fn get(target: &str) -> http::request::Parts {
    Request::get(target).header("host", "shop.example").body(()).unwrap().into_parts().0
}

fn html() -> http::response::Parts {
    Response::builder().header("content-type", "text/html").body(()).unwrap().into_parts().0
}

/// A transaction whose request head went through.
fn begun(waf: &Waf, target: &str) -> Transaction {
    let mut tx = waf.begin(connection());
    tx.request_head(&get(target)).unwrap();
    tx
}

fn misused(result: Result<(), Stop>) -> String {
    match result {
        Err(Stop::Misuse(misuse)) => misuse.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_out_of_order_is_misuse_and_does_nothing() {
    let waf = waf("SecAction \"id:1,phase:1,pass,nolog,setvar:tx.n=+1\"");
    let mut tx = waf.begin(connection());
    assert_eq!(
        misused(tx.request_body(b"a")),
        "`request_body` was called out of order; the next call is `request_head`, or `request_line`"
    );
    assert_eq!(
        misused(tx.response_head(&html())),
        "`response_head` was called out of order; the next call is `request_head`, or `request_line`"
    );
    tx.request_head(&get("/")).unwrap();
    assert!(misused(tx.request_head(&get("/"))).contains("the next call is `request_body` or `request_end`"));
    assert_eq!(tx.tx("n").as_deref(), Some("1"));
    tx.request_end().unwrap();
    assert!(misused(tx.request_end()).contains("the next call is `response_head`, or `finish`"));
    tx.response_head(&html()).unwrap();
    tx.response_end().unwrap();
    let stop = tx.response_body(b"a").unwrap_err();
    assert_eq!((stop.status(), stop.intervention().is_none()), (500, true));
}

#[test]
fn an_intervention_comes_again_with_each_call() {
    let waf = waf("SecRule REQUEST_URI \"@contains evil\" \"id:7,phase:1,redirect:'https://shop.example/sorry',status:303\"");
    let mut tx = waf.begin(connection());
    let stop = tx.request_head(&get("/evil")).unwrap_err();
    let intervention = stop.intervention().unwrap();
    assert_eq!(intervention.action(), &Action::Redirect { status: 303, location: "https://shop.example/sorry".to_owned() });
    assert_eq!((intervention.rule_id(), intervention.location()), (Some(7), Some("https://shop.example/sorry")));
    // Out of order as well, but the intervention is what counts.
    assert_eq!(tx.response_end().unwrap_err(), stop);
    assert_eq!(tx.request_end().unwrap_err(), stop);
    assert_eq!(tx.finish().intervention(), stop.intervention());
}

#[test]
fn a_rule_of_phase_0_stops_the_first_call() {
    let waf = waf("SecRule REMOTE_ADDR \"@ipMatch 192.0.2.0/24\" \"id:1,phase:0,drop\"");
    let stop = waf.begin(connection()).request_head(&get("/")).unwrap_err();
    assert_eq!(stop.intervention().unwrap().action().name(), "drop");
}

#[test]
fn logs_show_the_request_that_a_rule_of_phase_0_stopped() {
    let mut tx = waf("SecAction \"id:1,phase:0,deny\"").begin(connection());
    assert!(tx.request_head(&get("/evil")).is_err());
    assert_eq!((tx.target(), tx.request_headers().count()), (&b"/evil"[..], 1));
    assert!(tx.request_end().is_err());
}

#[test]
fn logs_show_the_status_that_the_client_received() {
    let waf = waf("SecRule RESPONSE_BODY \"@contains secret\" \"id:1,phase:4,deny,status:418\"\n\
        SecAction \"id:2,phase:5,pass,log,msg:'%{RESPONSE_STATUS}'\"\nSecAction \"id:3,phase:5,deny\"");
    let status = |body: &[u8], answer: Option<u16>| {
        let mut tx = begun(&waf, "/");
        tx.request_end().unwrap();
        tx.response_head(&html()).unwrap();
        tx.response_body(body).unwrap();
        let _ = tx.response_end();
        answer.into_iter().for_each(|status| tx.set_status(status));
        let outcome = tx.finish();
        let stopped = outcome.intervention().map(Intervention::status);
        (outcome.matches().find(|found| found.id() == 2).unwrap().message().into_owned(), stopped)
    };
    assert_eq!(status(b"fine", None), ("200".to_owned(), None));
    assert_eq!(status(b"secret", None), ("418".to_owned(), Some(418)));
    assert_eq!(status(b"secret", Some(302)), ("302".to_owned(), Some(418)));
}

#[test]
fn heads_of_http_types_reach_the_rules_as_a_connector_sends_them() {
    let rules =
        "SecAction \"id:1,phase:1,pass,log,msg:'%{REQUEST_METHOD} %{REQUEST_URI_RAW} %{REQUEST_PROTOCOL} %{REQUEST_HEADERS.host}'\"";
    let waf = waf(rules);
    let seen = |request: Request<()>| {
        let mut tx = waf.begin(connection());
        tx.request_head(&request.into_parts().0).unwrap();
        tx.matches().next().unwrap().message().into_owned()
    };
    assert_eq!(seen(Request::get("/a?b=1").header("host", "one").body(()).unwrap()), "GET /a?b=1 HTTP/1.1 one");
    let modern = Request::put("https://two/a?b").version(Version::HTTP_2).body(()).unwrap();
    assert_eq!(seen(modern), "PUT /a?b HTTP/2.0 two");
    let disguised = Request::get("https://two/").version(Version::HTTP_2).header("host", "other").body(()).unwrap();
    assert_eq!(seen(disguised), "GET / HTTP/2.0 two");
    let proxied = Request::get("http://three/a").header("host", "three").body(()).unwrap();
    assert_eq!(seen(proxied), "GET http://three/a HTTP/1.1 three");
    assert_eq!(seen(Request::options("*").header("host", "four").body(()).unwrap()), "OPTIONS * HTTP/1.1 four");
}

#[test]
fn only_a_body_that_a_rule_may_read_is_wanted() {
    let reads = "SecRule ARGS \"@contains evil\" \"id:1,phase:2,deny\"";
    let free = "SecAction \"id:2,phase:1,pass,nolog,ctl:ruleRemoveById=1\"";
    for (rules, limit, may_forward) in [
        ("", Some(0), true),
        ("SecRule REQUEST_URI \"@contains evil\" \"id:1,phase:2,deny\"", Some(0), false),
        (reads, None, false),
        (&format!("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction ProcessPartial\n{reads}"), Some(1001), false),
        (&format!("SecRuleEngine DetectionOnly\n{reads}"), None, true),
        (&format!("SecRuleEngine Off\n{reads}"), Some(0), true),
        (&format!("SecRequestBodyAccess Off\n{reads}"), Some(0), true),
        (&format!("SecRequestBodyAccess Off\nSecAction \"id:3,phase:1,pass,nolog,ctl:requestBodyAccess=On\"\n{reads}"), None, false),
        (&format!("{free}\n{reads}"), Some(0), true),
        (&format!("SecAction \"id:4,phase:1,nolog,allow\"\n{reads}"), Some(0), true),
        (&format!("SecAction \"id:4,phase:1,nolog,allow:phase\"\n{reads}"), None, false),
        ("SecRule REQUEST_BODY \"@rx x\" \"id:5,phase:5,pass\"", None, false),
        ("SecTransactionBudget 1000000 pass\nSecRule REQUEST_BODY \"@rx x\" \"id:5,phase:5,pass\"", None, true),
        ("SecTransactionBudget 1000000 pass\nSecAuditEngine On\nSecAuditLogParts ABCZ", None, true),
        ("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction Reject", Some(1001), false),
        ("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction Reject\nSecRuleEngine DetectionOnly", Some(0), true),
        (&format!("SecRequestBodyLimit 1000\n{reads}"), None, false),
        ("SecRule URLENCODED_ERROR \"@eq 1\" \"id:7,phase:2,deny\"", None, false),
        ("SecRule &LIMITS_EXCEEDED \"@gt 0\" \"id:7,phase:2,deny\"", None, false),
        ("SecRule TX:/^MSC_/ \"!@streq 0\" \"id:7,phase:2,deny\"", None, false),
        ("SecRule TX:score \"@gt 5\" \"id:7,phase:2,deny\"", Some(0), false),
        ("SecAction \"id:7,phase:2,pass,nolog,setuid:%{ARGS_POST.user},setvar:user.n=+1\"", None, false),
        ("SecRule REQUEST_URI \"@contains x\" \"id:7,phase:2,redirect:'https://e.example/?u=%{ARGS_POST.u}'\"", None, false),
        ("SecAuditEngine On\nSecAuditLogParts ABHZ", Some(0), true),
        ("SecAction \"id:6,phase:2,pass,log,msg:'%{REQUEST_BODY}',ctl:ruleEngine=On\"\nSecRuleEngine DetectionOnly", None, false),
    ] {
        let need = begun(&waf(rules), "/").request_body_need();
        assert_eq!((need.limit(), need.may_forward()), (limit, may_forward), "{rules}");
    }
}

#[test]
fn only_a_response_that_a_rule_may_read_is_wanted() {
    let reads = "SecRule RESPONSE_BODY \"@contains secret\" \"id:1,phase:4,deny\"";
    for (rules, kind, limit, may_forward) in [
        (reads, "text/html", None, false),
        (reads, "image/png", Some(0), true),
        ("", "text/html", Some(0), true),
        (&format!("SecResponseBodyAccess Off\n{reads}"), "text/html", Some(0), true),
        (
            &format!("SecRuleEngine DetectionOnly\nSecResponseBodyLimit 100\nSecResponseBodyLimitAction ProcessPartial\n{reads}"),
            "text/html",
            Some(101),
            true,
        ),
        ("SecResponseBodyAccess Off\nSecResponseBodyLimit 100\nSecResponseBodyLimitAction Reject", "text/html", Some(101), false),
        ("SecResponseBodyLimit 100\nSecResponseBodyLimitAction Reject", "image/png", Some(0), true),
        (&format!("SecAction \"id:2,phase:3,nolog,allow\"\n{reads}"), "text/html", Some(0), true),
        ("SecRule REQUEST_URI \"@contains secret\" \"id:3,phase:4,deny\"", "text/html", Some(0), false),
    ] {
        let waf = waf(&format!("SecResponseBodyMimeType text/html\n{rules}"));
        let mut tx = begun(&waf, "/");
        tx.request_end().unwrap();
        let early = tx.response_body_need();
        assert_eq!((early.limit(), early.may_forward()), (None, false), "{rules} {kind}");
        tx.response_head(&Response::builder().header("content-type", kind).body(()).unwrap().into_parts().0).unwrap();
        let need = tx.response_body_need();
        assert_eq!((need.limit(), need.may_forward()), (limit, may_forward), "{rules} {kind}");
    }
}

/// What a host does not hand over because nobody wants it changes no verdict.
#[test]
fn bytes_beyond_the_need_change_nothing() {
    let rules = "SecRequestBodyLimit 10\nSecRequestBodyLimitAction ProcessPartial\nSecRule REQUEST_BODY \"@rx b\" \"id:1,phase:2,deny\"\n\
        SecRule INBOUND_DATA_ERROR \"@eq 1\" \"id:2,phase:2,pass,log,msg:'cut'\"";
    let waf = waf(rules);
    for body in ["a".repeat(20) + "b", "a".repeat(9) + "b", "a".repeat(10)] {
        let judge = |hands_over_all: bool| {
            let mut tx = waf.begin(connection());
            let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded").body(()).unwrap().into_parts().0;
            tx.request_head(&head).unwrap();
            let needed = tx.request_body_need().limit().filter(|_| !hands_over_all).unwrap_or(usize::MAX);
            let _ = tx.request_body(&body.as_bytes()[..body.len().min(needed)]);
            let stopped = tx.request_end().is_err();
            (stopped, tx.finish().matches().map(|found| found.id()).collect::<Vec<_>>())
        };
        assert_eq!(judge(true), judge(false), "{body}");
    }
}

#[test]
fn a_match_names_each_value_its_transformations_its_score_and_the_rule() {
    let rules = "SecRule ARGS|!ARGS:token \"@contains evil\" \\\n    \"id:5,phase:2,pass,log,t:none,t:urlDecodeUni,t:lowercase,msg:'Found',\\\n\
        logdata:'%{MATCHED_VAR}',severity:'CRITICAL',tag:'a',tag:'b',setvar:tx.inbound_anomaly_score_pl1=+5\"";
    let waf = waf(rules);
    let mut tx = begun(&waf, "/?q=EVIL&token=evil&r=an%20evil");
    tx.request_end().unwrap();
    let outcome = tx.finish();
    let found = outcome.matches().next().unwrap();
    let values: Vec<_> = found.values().map(|value| format!("{}:{}={}", value.variable(), value.key().unwrap(), value.value())).collect();
    assert_eq!(values, ["ARGS:q=EVIL", "ARGS:r=an evil"]);
    assert_eq!(found.values().next().unwrap().transformations(), ["urlDecodeUni", "lowercase"]);
    assert_eq!((found.score(), outcome.score(), found.severity(), found.value_count()), (10, 10, Some(2), 2));
    let rule = found.rule().unwrap();
    assert_eq!((rule.id(), rule.file(), rule.line()), (5, "rules", 4));
    assert!(rule.text().starts_with("SecRule ARGS|!ARGS:token") && rule.text().ends_with("score_pl1=+5\""), "{}", rule.text());
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["matches"][0]["values"][1]["value"], "an evil");
    assert_eq!(json["matches"][0]["rule"]["line"], 4);
    assert_eq!(json["intervention"], serde_json::Value::Null);
}

#[test]
fn rules_that_only_detect_say_which_would_have_stopped_the_exchange() {
    let waf = waf("SecRuleEngine DetectionOnly\nSecRule REQUEST_URI \"@contains evil\" \"id:3,phase:1,deny\"");
    let outcome = begun(&waf, "/evil").finish();
    assert_eq!((outcome.detected().map(|rule| rule.id()), outcome.intervention()), (Some(3), None));
}

#[test]
fn later_rules_of_the_builder_replace_settings_of_earlier_ones() {
    let rules = |mode: &str| format!("SecRuleEngine {mode}\nSecRule REQUEST_URI \"@contains evil\" \"id:1,phase:1,deny\"");
    let waf = Waf::builder().rules("first", &rules("On")).rules("second", "SecRuleEngine DetectionOnly").build().unwrap();
    assert!(waf.begin(connection()).request_head(&get("/evil")).is_ok());
}

#[test]
fn rules_and_targets_are_removed_by_calls() {
    let rules = "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1,phase:1,deny,status:401\"\n\
        SecRule ARGS \"@contains evil\" \"id:2,phase:1,deny,status:402\"";
    let status = |waf: &Waf, target: &str| waf.begin(connection()).request_head(&get(target)).err().map(|stop| stop.status());
    let builder = || Waf::builder().rules("rules", rules);
    assert_eq!(status(&builder().build().unwrap(), "/?q=evil"), Some(401));
    assert_eq!(status(&builder().remove_rule(1).build().unwrap(), "/?q=evil"), Some(402));
    let without = builder().remove_target(1, "ARGS:q").remove_target(2, "ARGS:/^q/").build().unwrap();
    assert_eq!((status(&without, "/?q=evil"), status(&without, "/?r=evil")), (None, Some(401)));
    let error = builder().remove_target(1, "ARGS:a|REQUEST_BODY").build().unwrap_err().to_string();
    assert!(error.contains("this is not one target"), "{error}");
    let error = builder().remove_target(1, "NOTHING").build().unwrap_err();
    assert!(error.to_string().contains("WafBuilder::remove_rule and remove_target:1"), "{error}");
    let waf = builder().build().unwrap();
    let mut tx = waf.begin(connection());
    tx.remove_rules(1, 2);
    assert!(tx.request_head(&get("/?q=evil")).is_ok());
}

#[test]
fn a_level_that_is_none_and_a_folder_without_rules_are_errors_of_the_load() {
    let error = Waf::builder().starter_rules().paranoia(9).build().unwrap_err();
    assert_eq!(
        error.located().next().map(|found| (found.code, found.file, found.line)),
        Some(("E203", "WafBuilder::paranoia".to_owned(), 1))
    );
    let error = Waf::builder().crs("/nowhere").build().unwrap_err().to_string();
    assert!(error.contains("error[E001]") && error.contains("crs-setup.conf"), "{error}");
}

#[test]
fn the_core_rule_set_is_found_in_its_folder_with_plugins_and_a_level() {
    let folder = Folder::new();
    let place = |name: &str, text: &str| {
        let path = folder.path(name);
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let told = |id: u32| format!("SecAction \"id:{id},phase:1,pass,log,msg:'level %{{tx.blocking_paranoia_level}}'\"\n");
    place("crs-setup.conf.example", "SecAction \"id:900000,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=1\"\n");
    place("rules/REQUEST-901.conf", &told(2));
    place("rules/about.data", "");
    place("plugins/a-config.conf", &told(1));
    place("plugins/a-after.conf", &told(3));
    place("main.conf", "SecRuleEngine DetectionOnly\nSecAction \"id:4,phase:1,deny,log,msg:'main'\"");
    let waf = Waf::builder().crs(folder.path("")).paranoia(3).file(folder.path("main.conf")).build().unwrap();
    let mut tx = waf.begin(connection());
    tx.request_head(&get("/")).unwrap();
    let found: Vec<String> = tx.matches().map(|found| format!("{} {}", found.id(), found.message())).collect();
    assert_eq!(found, ["1 level 3", "2 level 3", "3 level 3", "4 main"]);
}

#[test]
fn a_reload_swaps_the_rules_and_keeps_bans_rates_and_running_exchanges() {
    let counts = |status: u16| {
        format!(
            "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{{REMOTE_ADDR}},setvar:ip.n=+1\"\n\
             SecRule IP:n \"@ge 2\" \"id:2,phase:1,deny,status:{status}\""
        )
    };
    let waf = Waf::from_rules(&counts(401)).unwrap();
    let (other, address) = (waf.clone(), IpAddr::from([203, 0, 113, 9]));
    waf.ban(address, 0, Duration::from_secs(60)).unwrap();
    let status = |waf: &Waf| waf.begin(connection()).request_head(&get("/")).err().map(|stop| stop.status());
    assert_eq!(status(&waf), None);
    let mut before = waf.begin(connection());
    other.reload(Waf::builder().rules("rules", &counts(402))).unwrap();
    assert_eq!(before.request_head(&get("/")).unwrap_err().status(), 401);
    assert_eq!(status(&waf), Some(402));
    assert!(waf.is_blacklisted(address, 0).unwrap());
    waf.ban(IpAddr::from([203, 0, 113, 10]), 0, Duration::MAX).unwrap();
    assert!(waf.is_blacklisted(IpAddr::from([203, 0, 113, 10]), 0).unwrap());
    assert!(waf.reload(Waf::builder().rules("rules", "SecNothing")).is_err());
    assert_eq!((status(&waf), waf.report().rules), (Some(402), 1));
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("; ")
    }
}

impl Observer for Heard {
    fn matched(&self, transaction: &Transaction, found: &Match<'_>) {
        self.note(format!("{} matched {}", transaction.id(), found.id()));
    }

    fn intervened(&self, _: &Transaction, intervention: &Intervention) {
        self.note(format!("stopped with {}", intervention.status()));
    }

    fn limit_exceeded(&self, _: &Transaction, limit: Limit) {
        self.note(format!("limit {}", limit.name()));
    }

    fn script_failed(&self, _: &Transaction, failure: &ScriptFailure) {
        self.note(format!("script {}", failure.script));
    }

    fn finished(&self, transaction: &Transaction) {
        self.note(format!("finished with {}", transaction.status()));
    }

    fn reloaded(&self, report: &LoadReport) {
        self.note(format!("reloaded {} rules", report.rules));
    }

    fn reload_failed(&self, error: &LoadError) {
        self.note(error.summary());
    }
}

#[test]
fn an_observer_hears_of_everything_once() {
    let heard = Arc::new(Heard::default());
    let rules = "SecRuleEngine On\nSecHeadersLimit 1\nSecRule REQUEST_URI \"@contains a\" \"id:1,phase:1,pass,log\"\n\
        SecRule ARGS:q \"@contains evil\" \"id:2,phase:2,deny\"\nSecAction \"id:3,phase:5,pass,log,msg:'over'\"";
    // Two, as one: each hears all.
    let second = Arc::new(Heard::default());
    let both: Vec<Arc<dyn Observer>> = vec![heard.clone(), second.clone()];
    let waf = Waf::builder().rules("rules", rules).observer(Arc::new(both)).build().unwrap();
    let mut tx = waf.begin(connection().id("x"));
    let head = Request::get("/a?q=evil").header("host", "a").header("accept", "b").body(()).unwrap().into_parts().0;
    tx.request_head(&head).unwrap();
    assert_eq!(heard.all(), "x matched 1; limit headers");
    assert!(tx.request_end().is_err() && tx.request_end().is_err());
    drop(tx);
    assert_eq!(heard.all(), "x matched 2; stopped with 403; x matched 3; finished with 403");
    waf.reload(Waf::builder().rules("rules", "SecRule ARGS \"@rx a\" \"id:1\"")).unwrap();
    assert!(waf.reload(Waf::builder().rules("rules", "SecNothing")).is_err());
    let reloads = "reloaded 1 rules; 1 error; nothing was loaded";
    assert_eq!(heard.all(), reloads);
    let all = ["x matched 1; limit headers", "x matched 2; stopped with 403; x matched 3; finished with 403", reloads].join("; ");
    assert_eq!(second.all(), all);
}

/// An audit log of the host, which keeps records in memory.
#[derive(Debug, Default)]
struct Records(Mutex<Vec<serde_json::Value>>);

impl AuditLog for Records {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        let record = audit_record(transaction, AuditFormat::Json);
        assert!(transaction.intervention().is_some());
        self.0.lock().unwrap().push(serde_json::from_slice(&record)?);
        Ok(())
    }
}

#[test]
fn audit_records_go_to_the_log_of_the_host_also_after_a_reload() {
    let records = Arc::new(Records::default());
    let rules = "SecRuleEngine On\nSecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^4\"\nSecAuditLogParts ABHZ\n\
        SecRule REQUEST_URI \"@contains evil\" \"id:1,phase:1,deny,status:418,log,auditlog\"";
    let waf = Waf::builder().rules("rules", rules).audit_log(records.clone()).build().unwrap();
    assert!(waf.begin(connection()).request_head(&get("/fine")).is_ok());
    assert!(waf.begin(connection().hostname("edge-1")).request_head(&get("/evil")).is_err());
    waf.reload(Waf::builder().rules("rules", rules)).unwrap();
    assert!(waf.begin(connection()).request_head(&get("/evil")).is_err());
    let written = records.0.lock().unwrap();
    let codes: Vec<_> = written.iter().map(|record| record["transaction"]["response"]["http_code"].as_u64()).collect();
    assert_eq!(codes, [Some(418), Some(418)]);
}

/// Counts what reaches a host.
#[derive(Debug, Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn made(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Observer for Calls {
    fn matched(&self, _: &Transaction, _: &Match<'_>) {
        self.count();
    }

    fn finished(&self, _: &Transaction) {
        self.count();
    }
}

impl AuditLog for Calls {
    fn write(&self, _: &Transaction) -> io::Result<()> {
        self.count();
        Ok(())
    }
}

impl DebugLog for Calls {
    fn level(&self) -> u8 {
        9
    }

    fn write(&self, _: u8, _: &str, _: &[u8], _: &str) {
        self.count();
    }
}

impl Resolver for Calls {
    fn resolve(&self, _: &str) -> Answer {
        self.count();
        Answer::Nothing
    }
}

#[test]
fn a_load_judges_nothing_that_a_host_or_a_later_request_notices() {
    let rules = "SecRuleEngine On\nSecAuditEngine On\nSecRequestBodyAccess On\n\
        SecAction \"id:1,phase:1,pass,log,auditlog,initcol:global=all,setvar:global.requests=+1\"\n\
        SecRule REMOTE_ADDR \"@rbl rbl.example\" \"id:2,phase:1,pass,log\"\n\
        SecRule GLOBAL:requests \"@gt 1\" \"id:3,phase:1,deny\"";
    let (calls, store) = (Arc::new(Calls::default()), Arc::new(MemoryStore::new()));
    let builder = || {
        let (observer, audit_log, debug_log, resolver) = (calls.clone(), calls.clone(), calls.clone(), calls.clone());
        let builder = Waf::builder().rules("rules", rules).store(store.clone()).observer(observer);
        builder.audit_log(audit_log).debug_log(debug_log).resolver(resolver)
    };
    let waf = builder().build().unwrap();
    waf.reload(builder()).unwrap();
    assert_eq!(calls.made(), 0);
    drop(begun(&waf, "/"));
    assert!(calls.made() > 3);
}
