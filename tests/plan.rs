//! A plan changes only the time of a verdict: the same requests, judged with and without it, have equal results in every detail.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use secrule::internals::compile::Planning;
use secrule::internals::graph::PlanPart;
use secrule::{Intervention, Transaction, Waf};
use secrule_testkit::ending::Pair;
use secrule_testkit::host::Exchange;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([
        trial!(the_starter_rules_answer_alike_with_and_without_a_plan),
        trial!(a_plan_without_one_part_answers_as_a_whole_one),
        trial!(the_core_rule_set_answers_alike_with_and_without_a_plan, [Needs::Shared("crs")]),
        trial!(rules_that_look_at_every_stage_answer_alike_with_and_without_a_plan),
        trial!(rules_on_large_values_answer_alike_with_and_without_a_plan),
        trial!(a_marker_that_stands_twice_ends_a_jump_at_its_next_place),
        trial!(a_count_is_called_as_its_rule_spells_it),
        trial!(a_value_that_is_remembered_is_charged_as_a_new_one),
        trial!(a_literal_is_found_in_a_body_whose_white_space_is_removed),
        trial!(rules_on_tx_in_any_order_answer_alike_with_and_without_a_plan),
        trial!(a_run_of_rules_on_tx_leaves_no_matched_variable),
    ])
}

/// Pieces of values: texts that rules look for, parts of these, and texts that rules must ignore.
const PIECES: &[&str] = &[
    "hello",
    " ",
    "the quick brown fox",
    "42",
    "-1",
    "'",
    "\"",
    "1' OR '1'='1",
    " UNION SELECT a FROM b--",
    "select",
    "sleep(5)",
    "/*!50000*/",
    "<script>",
    "alert(1)",
    "</script>",
    "<img src=x onerror=",
    "javascript:",
    "&lt;",
    "&#x3c;",
    "%3c",
    "%253C",
    "%u003c",
    "\\x3c",
    "\\u0041",
    "../",
    "..\\",
    "/etc/passwd",
    "%2e%2e%2f",
    "C:\\windows",
    ".git/config",
    ";",
    "|",
    "`id`",
    "$(cat x)",
    "; ls -la",
    "cmd.exe",
    "powershell",
    "${jndi:ldap://a}",
    "${${lower:j}ndi",
    "http://169.254.169.254/",
    "file:///",
    "gopher://",
    "php://input",
    "<?php",
    "eval(",
    "system(",
    "java.lang.Runtime",
    "ProcessBuilder",
    "O:8:\"a\":0:{}",
    "{{7*7}}",
    "__proto__",
    "constructor",
    "\r\nSet-Cookie: a",
    "\n",
    "\t",
    "\0",
    "é",
    "%",
    "%zz",
    "+",
    "=",
    "[]",
    "{",
    "}",
    "(",
    ")",
    "#",
    "--",
    "a=b",
    "&",
    "SQL syntax",
    "ROOT",
    "base64,PHNjcmlwdD4=",
];

/// A request: pieces of its target, headers and body.
#[derive(Clone, Debug)]
struct Request {
    path: String,
    arguments: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    kind: usize,
    body: String,
}

fn value() -> impl Strategy<Value = String> {
    vec(select(PIECES), 0..5).prop_map(|pieces| pieces.concat())
}

fn request() -> impl Strategy<Value = Request> {
    let name = select(vec!["User-Agent", "Referer", "Cookie", "X-Forwarded-For", "Accept", "X-Test", "Content-Encoding", "Range"]);
    let (arguments, headers) = (vec((value(), value()), 0..4), vec((name, value()), 0..4));
    (value(), arguments, headers, 0usize..5, value()).prop_map(|(path, arguments, headers, kind, body)| Request {
        path,
        arguments,
        headers,
        kind,
        body,
    })
}

fn lead(mut transaction: Transaction, request: &Request) -> (Transaction, Vec<Intervention>) {
    let types = ["text/plain", "application/x-www-form-urlencoded", "application/json", "text/xml", "multipart/form-data; boundary=b"];
    let escaped = |text: &str| text.replace(' ', "+").replace(['\0', '\r', '\n'], "%0a");
    let query: Vec<String> = request.arguments.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    let target = format!("/{}?{}", escaped(&request.path), query.join("&"));
    let body = match request.kind {
        2 => format!("{{\"a\":[\"{}\",1],\"b\":{{\"c\":\"x\"}}}}", request.body.replace(['"', '\\', '\n', '\r', '\t', '\0'], "")),
        3 => format!("<a b=\"{0}\">{0}</a>", request.body.replace(['<', '>', '&', '"', '\0'], "")),
        4 => format!("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{0}\"\r\n\r\n{0}\r\n--b--\r\n", request.body),
        _ => request.body.clone(),
    };
    let length = body.len().to_string();
    let exchange = Exchange::new(b"POST", target.as_bytes()).header("Host", "shop.example").header("Content-Type", types[request.kind]);
    let exchange = Exchange { body: vec![body.as_bytes()], ..exchange }.header("Content-Length", &length).headers(&request.headers);
    let intervention = exchange.answered("text/html", request.body.as_bytes()).run(&mut transaction);
    (transaction, intervention.into_iter().collect())
}

/// Judges random requests with a rule set and its twin without a plan; `PROPTEST_CASES` sets their number.
fn compare(rules: &Pair, cases: u32) {
    compare_requests(rules, cases, request());
}

fn compare_requests(rules: &Pair, cases: u32, requests: impl Strategy<Value = Request>) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&requests, |request| {
        let (planned, unplanned) = rules.endings(|transaction| lead(transaction, &request));
        prop_assert_eq!(planned, unplanned);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn the_starter_rules_answer_alike_with_and_without_a_plan() {
    compare(&Pair::load(|| Waf::builder().starter_rules()).unwrap(), 400);
}

fn the_core_rule_set_answers_alike_with_and_without_a_plan() {
    let crs = secrule_testkit::shared("crs");
    let settings = "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n\
        SecRule REQUEST_HEADERS:Content-Type \"@rx json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule REQUEST_HEADERS:Content-Type \"@rx xml\" \"id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
        SecAction \"id:3,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=4,setvar:tx.detection_paranoia_level=4\"\n";
    let rules = format!("{settings}Include {0}/crs-setup.conf.example\nInclude {0}/rules/*.conf\n", crs.display());
    compare(&Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap(), 200);
}

fn a_plan_without_one_part_answers_as_a_whole_one() {
    for part in [PlanPart::Prefilters, PlanPart::TxSteps, PlanPart::ScanMemo, PlanPart::EarlyBodies, PlanPart::WarmUp] {
        compare(&Pair::with_other_plan(|| Waf::builder().starter_rules(), Planning::Without(part)).unwrap(), 50);
    }
}

/// Rules with `multiMatch`, which test a value at every stage of its transformations: with and without a prefilter, and negated.
fn rules_of_many() -> String {
    let operators = ["@rx <script|select", "!@rx a+", "@contains ../", "@pm union sleep", "@detectSQLi", "@validateByteRange 32-126"];
    let chains = ["urlDecodeUni,t:base64Decode", "lowercase,t:removeWhitespace", "htmlEntityDecode,t:jsDecode,t:removeNulls", "none"];
    let rules = chains.iter().flat_map(|chain| operators.iter().map(move |operator| (operator, chain))).zip(1..);
    let rule = |((operator, chain), id)| {
        let actions = format!("id:{id},phase:2,pass,log,multiMatch,t:none,t:{chain},setvar:tx.found{id}=+1");
        format!("SecRule ARGS|REQUEST_HEADERS|REQUEST_COOKIES|FILES \"{operator}\" \"{actions}\"\n")
    };
    rules.map(rule).collect()
}

fn rules_that_look_at_every_stage_answer_alike_with_and_without_a_plan() {
    let rules = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{}", rules_of_many());
    compare(&Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap(), 300);
}

fn rules_on_large_values_answer_alike_with_and_without_a_plan() {
    let rules = rules_of_many();
    let rules = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n{rules}{}",
        rules.replace("multiMatch,", "").replace("id:", "id:10")
    );
    let large = |text: String| text.repeat(2000_usize.div_ceil(text.len().max(1)));
    let requests = request().prop_map(move |request| Request {
        arguments: request.arguments.into_iter().map(|(name, value)| (name, large(value))).collect(),
        body: large(request.body),
        ..request
    });
    compare_requests(&Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap(), 100, requests);
}

/// Rules that gave different results in fuzzing.
fn end_alike(rules: &str, target: &str) {
    let rules = format!("SecRuleEngine On\n{rules}");
    let pair = Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap();
    let (planned, unplanned) = pair.endings(|mut transaction| {
        let decisions = Exchange::of(target.as_bytes(), b"").run_through(&mut transaction);
        (transaction, decisions)
    });
    assert_eq!(planned, unplanned);
}

fn a_marker_that_stands_twice_ends_a_jump_at_its_next_place() {
    let rules = "SecAction \"id:1,phase:2,pass,skipAfter:HERE\"\n\
        SecMarker HERE\n\
        SecAction \"id:2,phase:2,pass,log,setvar:tx.seen=1\"\n\
        SecMarker HERE\n";
    end_alike(rules, "/");
}

fn a_count_is_called_as_its_rule_spells_it() {
    let rule = |id, key| format!("SecRule &ARGS_POST:{key} \"!@eq 1\" \"id:{id},phase:2,pass,log\"\n");
    end_alike(&[rule(1, "a"), rule(2, "A")].concat(), "/?a=1");
}

fn a_value_that_is_remembered_is_charged_as_a_new_one() {
    let is_stopped = |budget: usize| {
        let rules = format!(
            "SecRuleEngine On\nSecTransactionBudget {budget} deny\n\
            SecRule ARGS \"@rx script\" \"id:1,phase:1,pass,nolog,t:urlDecodeUni,t:removeWhitespace\"\n\
            SecRule ARGS|REQUEST_HEADERS \"@rx onload\" \"id:2,phase:1,pass,nolog,t:urlDecodeUni,t:htmlEntityDecode,multiMatch\"\n"
        );
        let waf = Waf::builder().rules("rules", &rules).build().unwrap();
        let target = b"/?name=a%2541%20b+c&other=%26lt;d";
        let judge = || Exchange::of(target, b"").run(&mut waf.transaction_with_id("same")).is_some();
        let (first, again) = (judge(), judge());
        assert_eq!(first, again, "budget {budget}");
        first
    };
    let verdicts: Vec<bool> = (1..120).map(|step| is_stopped(step * 25)).collect();
    assert!(verdicts.contains(&true) && verdicts.contains(&false), "no budget tells the work");
    assert!(verdicts.is_sorted_by(|one, other| one >= other), "less work needs a larger budget: {verdicts:?}");
}

fn a_literal_is_found_in_a_body_whose_white_space_is_removed() {
    let rules = "SecRuleEngine On\nSecResponseBodyAccess On\n\
        SecRule RESPONSE_BODY \"@contains <title>shell\" \"id:1,phase:4,deny,log,t:none,t:removeWhitespace,t:lowercase\"\n\
        SecRule RESPONSE_BODY \"@rx (?i)a(?:b|c)shell\" \"id:2,phase:4,deny,log,t:none,t:removeNulls\"\n";
    let pair = Pair::load(|| Waf::builder().rules("rules", rules)).unwrap();
    let judge = |body: &[u8]| {
        let (planned, unplanned) = pair.endings(|mut transaction| {
            let stop = Exchange::new(b"GET", b"/").answered("text/html", body).run(&mut transaction);
            assert_eq!(stop.is_some(), body.starts_with(b"-"), "{body:?}");
            (transaction, stop.into_iter().collect())
        });
        assert_eq!(planned, unplanned);
    };
    let bodies: [&[u8]; 8] = [
        b"-<title>shell",
        b"-< t i\nT\tle > s\x0bHe\xc2\xa0LL",
        b"-<title>\xa0shell <title>",
        b"-a\0B\0\0shell\0",
        b"<title> shel",
        b"<title>.shell",
        b"<title>\0shell",
        b"a bshell \0",
    ];
    bodies.into_iter().for_each(judge);
}

/// Actions and tests of rules on TX: those that a plan runs without evaluating them, and others between them.
const ON_TX: &[&str] = &[
    "SecAction \"id:{id},phase:{phase},pass,nolog,setvar:tx.a=3,setvar:tx.b=%{tx.a},setvar:tx.c=+%{tx.b}\"",
    "SecAction \"id:{id},phase:{phase},pass,nolog,setvar:tx.a=-1,setvar:tx.b=+2,setvar:!tx.d\"",
    "SecAction \"id:{id},phase:{phase},pass,nolog,setvar:tx.d_%{tx.a}=x%{tx.b}y,setvar:tx.c=+%{tx.d}\"",
    "SecAction \"id:{id},phase:{phase},nolog,setvar:tx.e=%{MATCHED_VAR}%{RULE.id},setvar:tx.a=+%{tx.e}\"",
    "SecAction \"id:{id},phase:{phase},pass,log,msg:'%{tx.a} %{tx.b} %{tx.c}',setvar:tx.d=%{tx.c}\"",
    "SecRule TX:a \"@lt 2\" \"id:{id},phase:{phase},pass,nolog,skipAfter:ONE\"",
    "SecRule TX:b \"@ge %{tx.c}\" \"id:{id},phase:{phase},pass,nolog,skipAfter:TWO\"",
    "SecRule TX:c \"!@eq %{tx.none}\" \"id:{id},phase:{phase},pass,nolog,setvar:tx.b=7x\"",
    "SecRule &TX:d \"@eq 0\" \"id:{id},phase:{phase},pass,nolog,setvar:tx.d=4294967296\"",
    "SecRule &TX:d \"@eq %{tx.a}\" \"id:{id},phase:{phase},pass,nolog,setvar:tx.d=%{tx.d}%{tx.d}\"",
    "SecRule TX:d \"@eq 0\" \"id:{id},phase:{phase},pass,log,msg:'eq %{MATCHED_VAR_NAME}',tag:'t',setvar:tx.c=-%{tx.d}\"",
    "SecRule TX:a \"@gt 1\" \"id:{id},phase:{phase},pass,nolog,tag:'t',setvar:tx.a=-1,chain\"\nSecRule TX:b \"@le %{tx.d}\" \"setvar:tx.c=+5\"",
    "SecRule TX:a \"@ge 9\" \"id:{id},phase:{phase},deny,status:418,log,msg:'%{tx.a}'\"",
    "SecRule TX:a|TX:b \"@ge 2\" \"id:{id},phase:{phase},pass,log,multiMatch\"",
    "SecRule TX:/^d/ \"@within %{tx.b}\" \"id:{id},phase:{phase},pass,log,capture,setvar:tx.%{MATCHED_VAR}=1\"",
    "SecRule MATCHED_VAR|MATCHED_VARS_NAMES \"@rx (.*)\" \"id:{id},phase:{phase},pass,log,capture\"",
    "SecRule ARGS \"@rx ^([0-9]*)\" \"id:{id},phase:{phase},pass,log,capture,setvar:tx.a=%{tx.1},setvar:tx.b=+%{tx.1}\"",
    "SecRule ARGS_NAMES \"@rx (.*)\" \"id:{id},phase:{phase},pass,log,capture,setvar:tx.name_%{tx.0}=/%{tx.0}/,chain\"\nSecRule TX:/^name_/ \"@within /first/\"",
    "SecRule ARGS:first \"@eq 1\" \"id:{id},phase:{phase},pass,nolog,ctl:ruleRemoveByTag=t\"",
    "SecRule ARGS:first \"@eq 2\" \"id:{id},phase:{phase},pass,nolog,ctl:ruleRemoveTargetById=1-50;TX:a\"",
    "SecRule ARGS:first \"@eq 3\" \"id:{id},phase:{phase},pass,nolog,ctl:ruleRemoveById=5-15\"",
    "SecAction \"id:{id},phase:{phase},pass,nolog,status:409,skip:2\"",
    "SecAction \"id:{id},phase:{phase},block,nolog,setvar:tx.c=0\"",
    "SecMarker ONE",
    "SecMarker TWO",
];

fn rules_on_tx_in_any_order_answer_alike_with_and_without_a_plan() {
    let rule = (select(ON_TX), 1usize..3);
    let values = select(vec!["", "0", "1", "2", "3", "9", "-4", "99999999999999999999", "5x", "a"]);
    let requests = vec(vec((select(vec!["first", "second", "Name"]), values), 0..3), 1..3);
    let engine = select(vec!["On", "DetectionOnly"]);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(300);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(engine, vec(rule, 1..24), requests), |(engine, rules, requests)| {
        let rules = rules.iter().zip(1..).map(|((rule, phase), id): (_, u32)| {
            format!("{}\n", rule.replace("{id}", &id.to_string()).replace("{phase}", &phase.to_string()))
        });
        let defaults = "SecDefaultAction \"phase:2,deny,log,status:403\"";
        let rules = format!("SecRuleEngine {engine}\n{defaults}\n{}SecMarker ONE\nSecMarker TWO\n", rules.collect::<String>());
        let pair = Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap();
        for request in requests {
            let query: Vec<String> = request.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let target = format!("/?{}", query.join("&"));
            let (planned, unplanned) = pair.endings(|mut transaction| {
                let decisions = Exchange::of(target.as_bytes(), b"").run_through(&mut transaction);
                (transaction, decisions)
            });
            prop_assert_eq!(planned, unplanned, "{}\n{}", rules, target);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn a_run_of_rules_on_tx_leaves_no_matched_variable() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,log,setvar:tx.a=%{MATCHED_VAR}\"\n\
        SecRule TX:a \"@ge 1\" \"id:2,phase:2,pass,nolog,setvar:tx.b=1\"\n\
        SecAction \"id:3,phase:2,pass,nolog,setvar:tx.c=+%{tx.a}\"\n\
        SecRule MATCHED_VARS \"@rx .\" \"id:4,phase:2,pass,log\"\n\
        SecAction \"id:5,phase:2,pass,log,msg:'[%{MATCHED_VAR}] %{tx.b} %{tx.c}'\"\n";
    end_alike(rules, "/?first=5");
}
