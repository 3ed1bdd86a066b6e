//! Secrets in logs: what `SecSanitise` and the `sanitise…` actions mask, where, and in which encodings.

use proptest::prelude::*;
use secrule::Waf;
use secrule::internals::record::error_log;
use secrule_testkit::host::{Exchange, Response};
use secrule_testkit::logged::Folder;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The logs of an exchange.
struct Logs {
    native: String,
    json: Value,
    json_text: String,
    ocsf: String,
    errors: String,
    debug: String,
    /// The matches as a host sees them.
    matches: String,
}

impl Logs {
    /// Returns all texts.
    fn all(&self) -> [&str; 6] {
        [&self.native, &self.json_text, &self.ocsf, &self.errors, &self.debug, &self.matches]
    }

    /// Asserts that no log has a text.
    fn lack(&self, secret: &str) {
        for text in self.all() {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                panic!("{secret:?} in {line}\n---\n{text}");
            }
        }
    }

    fn request(&self) -> &Value {
        &self.json["transaction"]["request"]
    }

    fn body(&self) -> &str {
        self.request()["body"].as_str().unwrap()
    }

    fn message(&self, at: usize) -> &Value {
        &self.json["transaction"]["messages"][at]
    }
}

const SETTINGS: &str =
    "SecRuleEngine On\nSecAuditEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecAuditLogParts ABCEFGHIJKZ\n";

/// Runs an exchange, once for each format of the audit log.
fn logs(rules: &str, exchange: &Exchange<'_>) -> Logs {
    logs_of(rules, exchange, 9)
}

fn logs_of(rules: &str, exchange: &Exchange<'_>, level: u8) -> Logs {
    let folder = Folder::new();
    let run = |format: &str| {
        let (audit, debug) = (folder.path(format), folder.path("debug"));
        let log = format!("SecAuditLog {audit}\nSecAuditLogFormat {format}\nSecDebugLog {debug}\nSecDebugLogLevel {level}");
        let waf = Waf::from_rules(&format!("{SETTINGS}{log}\n{rules}")).unwrap_or_else(|error| panic!("{error}"));
        let mut transaction = waf.transaction_with_id("id-1");
        let intervention = exchange.run(&mut transaction);
        let mut errors: Vec<String> = transaction.rule_matches().iter().map(|found| error_log::line(&transaction, found)).collect();
        errors.extend(intervention.iter().map(|decision| error_log::intervention(&transaction, decision)));
        errors.extend(intervention.iter().map(ToString::to_string));
        let matches: Vec<_> = transaction.matches().collect();
        (errors.join("\n"), serde_json::to_string(&matches).unwrap())
    };
    run("Native");
    run("OCSF");
    let (errors, matches) = run("JSON");
    let json_text = folder.read("JSON");
    let json = serde_json::from_str(&json_text).unwrap_or_else(|error| panic!("{error}: {json_text}"));
    Logs { native: folder.read("Native"), json, json_text, ocsf: folder.read("OCSF"), errors, debug: folder.read("debug"), matches }
}

/// A rule that shows everything that it matches.
const NOISY: &str = "SecRule ARGS|REQUEST_HEADERS|REQUEST_COOKIES|REQUEST_URI|REQUEST_URI_RAW|QUERY_STRING|REQUEST_LINE|REQUEST_BODY|XML:/*|\
    FULL_REQUEST \"@rx (?i)(.*)s[3]cr(.+)\" \"id:100,phase:2,pass,log,capture,msg:'m %{MATCHED_VAR} %{TX.0}',\
    logdata:'Matched Data: %{TX.0} %{TX.2} found within %{MATCHED_VAR_NAME}: %{MATCHED_VAR}',tag:'t/%{MATCHED_VAR}',setvar:'tx.kept=%{MATCHED_VAR}',t:none,t:lowercase\"
    SecRule TX:kept \"@rx .\" \"id:101,phase:2,pass,log,msg:'later %{tx.kept} %{ARGS.password}'\"\n";

fn noisy(rules: &str) -> String {
    format!("{rules}\n{NOISY}")
}

fn form(body: &str) -> Exchange<'_> {
    Exchange::of(b"/login", body.as_bytes()).header("Content-Type", "application/x-www-form-urlencoded")
}

fn json(body: &str) -> Exchange<'_> {
    Exchange::of(b"/login", body.as_bytes()).header("Content-Type", "application/json")
}

const JSON: &str = "SecAction \"id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n";
const XML: &str = "SecAction \"id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n";

#[test]
fn a_value_of_a_form_is_masked_byte_for_byte_in_every_log() {
    let logs = logs(&noisy("SecSanitise ARGS:password"), &form("user=jo&password=S3cret%20w%6frd&p%61ssword=s3cret2&x=1"));
    logs.lack("S3cret");
    logs.lack("s3cret");
    logs.lack("w%6frd");
    logs.lack("word ");
    assert_eq!(logs.body(), "user=jo&password=***************&p%61ssword=*******&x=1");
    assert!(logs.native.contains("\nuser=jo&password=***************&p%61ssword=*******&x=1\n"), "{}", logs.native);
    assert!(logs.debug.contains("name \"password\", value \"***********\""), "{}", logs.debug);
    let details = &logs.message(0)["details"];
    assert!(details["data"].as_str().unwrap().contains(": ***"), "{details}");
    assert!(details["match"].as_str().unwrap().contains("(Value: `***"), "{details}");
}

#[test]
fn a_value_of_the_query_is_masked_in_the_line_and_the_address_of_other_headers() {
    let exchange = Exchange::new(b"GET", b"/a?password=s3cretvalue&b=1#&password=s3cretother")
        .header("Referer", "http://x/?password=otherS3cret&q=1")
        .header("X-Next", "/?n=%2Fb%3Fp%3Ds3cretvalue")
        .header("Cookie", "a=s3cretvalue; b=2");
    let logs = logs(&noisy("SecSanitise ARGS_GET:password"), &exchange);
    logs.lack("s3cret");
    logs.lack("S3cret");
    assert_eq!(logs.request()["uri"], "/a?password=***********&b=1#&password=***********");
    assert_eq!(logs.request()["headers"]["Referer"], "http://x/?password=***********&q=1");
    assert_eq!(logs.request()["headers"]["X-Next"], "/?n=%2Fb%3Fp%3D***********");
    assert_eq!(logs.request()["headers"]["Cookie"], "a=***********; b=2");
    assert!(logs.debug.lines().any(|line| line.starts_with("[id-1] [/a?password=***********&b=1#")), "{}", logs.debug);
}

#[test]
fn json_stays_valid_json() {
    let body = r#"{"user":"jo","password":"s3cr\u0065t\"x","n":{"password":[12345,"s3cret"]},"pin":7,"other":"s3cret\"X"}"#;
    let logs = logs(&noisy(&format!("{JSON}SecSanitise ARGS:password ARGS:pin")), &json(body));
    logs.lack("s3cr");
    logs.lack("12345");
    let masked: Value = serde_json::from_str(logs.body()).unwrap();
    assert_eq!(masked["user"], "jo");
    assert_eq!(masked["password"], "**************");
    assert_eq!(masked["n"]["password"], serde_json::json!(["***", "******"]));
    assert_eq!(masked["pin"], 0);
    assert_eq!(masked["other"], "*********");
}

#[test]
fn a_body_that_cannot_be_read_is_masked_as_a_whole() {
    let body = r#"{"password":"s3cret","x":"#;
    let logs = logs(&format!("{JSON}SecSanitise ARGS:password"), &json(body));
    assert_eq!(logs.body(), "*".repeat(body.len()));
    for (content_type, body) in [
        ("text/plain", "password=s3cret"),
        ("application/x-www-form-urlencoded", "{\"password\":\"s3cret\"}"),
        ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns3cret"),
    ] {
        let exchange = Exchange::of(b"/", body.as_bytes()).header("Content-Type", content_type);
        let logs = self::logs("SecSanitise ARGS:password", &exchange);
        logs.lack("s3cret");
        assert_eq!(logs.body(), "*".repeat(body.len()));
        let logs = self::logs("SecSanitise ARGS_GET:password", &exchange);
        assert_eq!(logs.body(), body, "names of the query do not concern the body");
    }
}

#[test]
fn a_body_that_is_cut_hides_its_secret() {
    let rules = "SecRequestBodyLimit 20\nSecRequestBodyLimitAction ProcessPartial\nSecSanitise ARGS:password";
    let logs = self::logs(&noisy(rules), &form("x=1&password=s3cretvalue"));
    assert_eq!(logs.body(), "x=1&password=*******");
    logs.lack("s3cr");
    let json = self::logs(&noisy(&format!("{JSON}{rules}")), &json(r#"{"password":"s3cretvalue"}"#));
    assert_eq!(json.body(), "*".repeat(20));
}

#[test]
fn parts_of_a_multipart_body_are_masked() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns3cret\r\nline\r\n\
                --b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nvisible\r\n\
                --b\r\nContent-Disposition: form-data; name=\"password\"; filename=\"f\"\r\n\r\ns3cret of a file\r\n--b--\r\n";
    let exchange = Exchange::of(b"/", body.as_bytes()).header("Content-Type", "multipart/form-data; boundary=b");
    let is_masked = |logs: &Logs| logs.body().contains("\r\n\r\n************\r\n--b") && logs.body().contains("visible");
    let named = logs(&noisy("SecSanitise ARGS:password"), &exchange);
    named.lack("s3cret");
    assert!(is_masked(&named), "{}", named.body());
    let file = "SecRule FILES_TMP_CONTENT \"@rx s[3]\" \"id:1,phase:2,pass,log,logdata:'%{MATCHED_VAR}'\"
        SecAction \"id:2,phase:5,pass,nolog,sanitiseArg:password\"";
    let by_action = logs_of(file, &exchange, 3);
    assert!(is_masked(&by_action) && by_action.errors.contains("FILES_TMP_CONTENT"), "{}", by_action.native);
    [&by_action.native, &by_action.json_text].into_iter().for_each(|text| assert!(!text.contains("s3cret"), "{text}"));
}

#[test]
fn elements_and_nodes_of_xml_are_masked() {
    let body =
        "<?xml version=\"1.0\"?><l:login xmlns:l='u'><user>jo</user><l:password>s3cr&#101;t</l:password><x password='s3cret2'/></l:login>";
    let exchange = Exchange::of(b"/", body.as_bytes()).header("Content-Type", "text/xml");
    let named = logs(&noisy(&format!("{XML}SecSanitise ARGS:password")), &exchange);
    named.lack("s3cret");
    named.lack("s3cr&#101;t");
    assert!(named.body().contains("<l:password>***********</l:password><x password='*******'/>"), "{}", named.body());
    assert!(named.body().contains("<user>jo</user>"));
    let body = "<a><b>s3cret</b><c>s3<!-- -->cret</c></a>";
    let exchange = Exchange::of(b"/", body.as_bytes()).header("Content-Type", "text/xml");
    let selected = logs(&noisy(&format!("{XML}SecSanitise XML://b")), &exchange);
    assert_eq!(selected.body(), "<a><b>******</b><c>s3<!-- -->cret</c></a>");
    let scattered = logs(&noisy(&format!("{XML}SecSanitise XML://c")), &exchange);
    assert_eq!(scattered.body(), "*".repeat(body.len()), "the text of the node is in two places");
}

#[test]
fn xml_that_cannot_be_read_without_doubt_is_masked_as_a_whole() {
    let element = "<a><user>joe</user><password>s3cretvalue</password></a>";
    let bodies = [
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{element}"),
        format!("<!DOCTYPE a [<!ENTITY e \"x\">]>{element}"),
        "<a><user>joe</user><password>s3cr\u{1}et".to_owned(),
    ];
    for body in &bodies {
        let exchange = Exchange::of(b"/", body.as_bytes()).header("Content-Type", "text/xml");
        let rule = "SecRule XML:/* \"@rx (s3.*)\" \"id:1,phase:2,pass,log,capture,t:none,t:lowercase,logdata:'%{TX.1} in %{MATCHED_VAR}'\"";
        let logs = logs(&format!("{XML}SecSanitise ARGS:password\n{rule}"), &exchange);
        logs.lack("s3cr");
        assert_eq!(logs.body(), "*".repeat(body.len()));
    }
}

#[test]
fn headers_and_cookies_are_masked_by_name() {
    let mut exchange = Exchange::new(b"GET", b"/")
        .header("Authorization", "Basic am86czNjcmV0")
        .header("Cookie", "a=1; session=s3cretvalue; b=2")
        .header("X-Copy", "am86czNjcmV0 and s3cret")
        .answered("text/plain", b"session s3cretvalue");
    let response = exchange.response.as_mut().unwrap();
    response.headers.push((b"Set-Cookie", b"session=s3cretnew; Path=/"));
    response.headers.push((b"X-Token", b"t0ken"));
    let rules = "SecSanitise REQUEST_HEADERS:authorization REQUEST_COOKIES:session\nSecSanitise RESPONSE_HEADERS:X-Token";
    let logs = logs(&noisy(rules), &exchange);
    let blank = self::logs(rules, &Exchange::new(b"GET", b"/").header("Cookie", "a=1; session = s3cretvalue"));
    assert_eq!(blank.request()["headers"]["Cookie"], "a=1; session =************");
    blank.lack("s3cret");
    for secret in ["s3cret", "am86", "t0ken"] {
        logs.lack(secret);
    }
    let headers = &logs.request()["headers"];
    assert_eq!(headers["Authorization"], "******************");
    assert_eq!(headers["Cookie"], "a=1; session=***********; b=2");
    assert_eq!(headers["X-Copy"], "************ and ******");
    let response = &logs.json["transaction"]["response"];
    assert_eq!(response["headers"]["Set-Cookie"], "session=*********; Path=/");
    assert_eq!(response["headers"]["X-Token"], "*****");
    assert_eq!(response["body"], "session ***********");
}

#[test]
fn actions_mask_what_they_name_also_in_earlier_matches() {
    let rules = "
        SecRule ARGS:password \"@rx .\" \"id:1,phase:2,pass,log,msg:'early %{MATCHED_VAR}',logdata:'%{ARGS.password}'\"
        SecAction \"id:2,phase:2,pass,nolog,sanitiseArg:password,sanitizeRequestHeader:X-Key\"
        SecAction \"id:3,phase:5,pass,nolog,sanitiseArg:late,sanitiseResponseHeader:Set-Cookie\"";
    let exchange = form("password=s3cret&late=phasefive&pin=1").header("X-Key", "keyvalue").answered("text/plain", b"hello phasefive");
    let mut exchange = exchange;
    exchange.response.as_mut().unwrap().headers.push((b"Set-Cookie", b"sid=abcdef"));
    let logs = logs_of(rules, &exchange, 3);
    for secret in ["s3cret", "keyvalue", "phasefive", "abcdef"] {
        logs.lack(secret);
    }
    assert_eq!(logs.body(), "password=******&late=*********&pin=1");
    assert_eq!(logs.message(0)["message"], "early ******");
    assert_eq!(logs.message(0)["details"]["data"], "******");
}

#[test]
fn an_action_masks_all_of_a_body_that_may_have_been_read_wrongly() {
    let body = r#"{"user":"x","password":"s3cret"}"#;
    let rules = "SecRule ARGS_NAMES|ARGS \"@rx s[3]\" \"id:1,phase:2,pass,log,logdata:'%{MATCHED_VAR} %{MATCHED_VAR_NAME}'\"
        SecAction \"id:2,phase:2,nolog,pass,sanitiseArg:password\"";
    let logs = logs_of(rules, &form(body), 3);
    logs.lack("s3cret");
    assert_eq!(logs.body(), "*".repeat(body.len()));
}

#[test]
fn the_debug_log_hides_a_value_from_the_action_on() {
    let rules = "SecRule ARGS:a \"@rx s3\" \"id:1,phase:2,pass,log\"
        SecAction \"id:2,phase:2,pass,nolog,sanitiseArg:a\"
        SecRule ARGS:a \"@rx s3\" \"id:3,phase:2,pass,log,capture,setenv:e=%{TX.0},setvar:tx.b=%{MATCHED_VAR}\"";
    let logs = logs(rules, &form("a=s3cret"));
    let after = logs.debug.rsplit_once("(Rule: 2)").unwrap().1;
    assert!(logs.debug.contains("s3cret") && !after.contains("s3cret"), "{after}");
    assert!(after.contains("TX.0: **") && after.contains("e to **") && after.contains("TX:b with value: ******"), "{after}");
}

#[test]
fn matched_values_are_masked_by_their_names() {
    let rules = "
        SecRule REQUEST_COOKIES|REQUEST_HEADERS:X-Key|ARGS \"@contains attack\" \"id:1,phase:2,pass,log,sanitiseMatched,msg:'%{MATCHED_VAR}'\"
        SecRule ARGS_NAMES \"@streq named\" \"id:2,phase:2,pass,nolog,sanitiseMatched\"";
    let exchange = form("x=attackone&x=anotherx&named=byname&y=clear").header("X-Key", "attacktwo").header("Cookie", "c=attack3; d=clear");
    let logs = logs_of(rules, &exchange, 4);
    assert_eq!(logs.body(), "x=*********&x=********&named=******&y=clear");
    assert_eq!(logs.request()["headers"]["X-Key"], "*********");
    assert_eq!(logs.request()["headers"]["Cookie"], "c=*******; d=clear");
    for secret in ["attackone", "attacktwo", "attack3", "byname"] {
        [&logs.native, &logs.json_text, &logs.errors].into_iter().for_each(|text| assert!(!text.contains(secret), "{secret}: {text}"));
    }
}

#[test]
fn matched_bytes_are_masked_without_their_ends() {
    let rules = "SecRule ARGS|REQUEST_HEADERS:X-Card \"@rx \\d{13,16}\" \"id:1,phase:2,pass,log,sanitiseMatchedBytes:1/4,logdata:'%{MATCHED_VAR}'\"";
    let body = "card=no+4111111111111111!&b=1234567&c=%35111111111111111";
    let logs = logs_of(rules, &form(body).header("X-Card", "4111111111111111"), 3);
    assert_eq!(logs.body(), "card=no+4***********1111!&b=1234567&c=%35***********1111");
    assert_eq!(logs.request()["headers"]["X-Card"], "4***********1111");
    assert_eq!(logs.message(0)["details"]["data"], "4***********1111");
    logs.lack("11111111111111");
    let transformed = "SecRule ARGS \"@rx b+\" \"id:1,phase:2,pass,log,t:lowercase,sanitiseMatchedBytes\"";
    assert_eq!(logs_of(transformed, &form("a=xxBBcc&c=aabbcc"), 3).body(), "a=******&c=aa**cc");
}

#[test]
fn a_name_of_which_bytes_matched_masks_its_value() {
    let rules = "SecRule ARGS_NAMES|REQUEST_COOKIES_NAMES \"@rx ^pass\" \"id:1,phase:2,pass,log,t:none,sanitiseMatchedBytes\"";
    let logs = logs_of(rules, &form("password=s3cret&x=password").header("Cookie", "passkey=s3cret2; b=1"), 3);
    logs.lack("s3cret");
    assert_eq!(logs.body(), "password=******&x=password");
    assert_eq!(logs.request()["headers"]["Cookie"], "passkey=*******; b=1");
}

#[test]
fn more_names_than_are_kept_mask_the_whole_collection() {
    let body: String = (0..70).map(|number| format!("a{number}=s3cret{number}x&")).collect();
    let parts = "SecRule ARGS \"@rx s[3]cret\\d+\" \"id:1,phase:2,pass,log,sanitiseMatchedBytes\"";
    let exchange = form(&body).header("X-Copy", "s3cret2x s3cret69x");
    let logs = logs_of(parts, &exchange, 3);
    logs.lack("s3cret");
    let rules: String = (0..70)
        .map(|number| format!("SecRule XML://p{number} \"@rx .\" \"id:{},phase:2,pass,log,sanitiseMatched\"\n", number + 10))
        .collect();
    let nodes: String = (0..70).map(|number| format!("<p{number}>s3cret</p{number}>")).collect();
    let nodes = format!("<a><q>s3cret</q>{nodes}</a>");
    let xml = Exchange::of(b"/", nodes.as_bytes()).header("Content-Type", "text/xml");
    let logs = logs_of(&format!("{XML}SecSanitise XML://q\n{rules}"), &xml, 3);
    logs.lack("s3cret");
    assert_eq!(logs.body(), "*".repeat(nodes.len()));
}

#[test]
fn a_request_with_too_much_to_search_for_is_noticed() {
    let waf = Waf::from_rules(&format!("{SETTINGS}SecAuditLog /dev/null\nSecSanitise ARGS:password")).unwrap();
    let notices = |body: &str| {
        let mut transaction = waf.transaction_with_id("id");
        form(body).run(&mut transaction);
        transaction.notices().to_vec()
    };
    assert_eq!(notices("password=x&y=z"), [""; 0]);
    let notice = notices(&format!("password={}", "x".repeat((1 << 20) + 1)));
    assert!(matches!(&notice[..], [one] if one.contains("Logs show none of its texts")), "{notice:?}");
}

#[test]
fn a_chain_masks_what_each_rule_matched() {
    let rules = "SecRule ARGS:a \"@rx s3cret(.*)\" \"id:1,phase:2,deny,log,capture,chain,msg:'%{MATCHED_VAR}',logdata:'%{TX.1}'\"
        SecRule TX:1 \"@rx t\" \"sanitiseMatched,chain\"
        SecRule ARGS:b \"@rx .\" \"sanitiseMatched\"";
    let logs = logs_of(rules, &form("a=s3crettail9&b=other&c=tail9"), 3);
    assert_eq!(logs.body(), "a=s3cret*****&b=*****&c=*****");
    logs.lack("tail9");
    logs.lack("other");
    let first = "SecRule ARGS:a \"@rx (s[3])cret\" \"id:1,phase:2,deny,log,capture,chain,sanitiseMatched,logdata:'%{TX.1}'\"
        SecRule TX:1 \"@rx s\" \"t:none\"";
    let logs = logs_of(first, &form("a=s3cretvalue"), 3);
    logs.lack("s3");
    assert_eq!(logs.message(0)["details"]["data"], "**");
}

#[test]
fn short_values_are_masked_in_their_own_places_only() {
    let rules = "SecSanitise ARGS:pin\nSecRule ARGS:pin \"@rx .\" \"id:1,phase:2,pass,log,msg:'pin %{MATCHED_VAR}',logdata:'%{ARGS.pin} %{MATCHED_VAR_NAME}'\"";
    let logs = logs(rules, &form("pin=1&x=1"));
    assert_eq!(logs.body(), "pin=*&x=1");
    assert_eq!(logs.message(0)["message"], "pin *");
    assert_eq!(logs.message(0)["details"]["data"], "* ARGS:pin");
    assert!(logs.message(0)["details"]["match"].as_str().unwrap().ends_with("(Value: `*' )"));
    assert!(logs.debug.contains("Target value: \"*\" (Variable: ARGS:pin)"), "{}", logs.debug);
}

#[test]
fn patterns_and_exclusions_select_names() {
    let rules = "SecSanitise \"ARGS:/^pass/|ARGS_POST:'a b'\" ARGS_GET|!ARGS_GET:user";
    let exchange = Exchange { target: b"/?user=jo&q=queryvalue", ..form("password=s3cret&passwd=s3cret2&a+b=s3cret3&c=clear") };
    let logs = logs(rules, &exchange);
    assert_eq!(logs.body(), "password=******&passwd=*******&a+b=*******&c=clear");
    assert_eq!(logs.request()["uri"], "/?user=jo&q=**********");
}

#[test]
fn parts_that_are_added_for_a_transaction_are_masked() {
    let rules = "SecAuditLogParts ABFHZ\nSecSanitise ARGS:password\nSecAction \"id:1,phase:1,pass,nolog,ctl:auditLogParts=+CE\"";
    let logs = logs(rules, &form("password=s3cret").answered("text/plain", b"your s3cret"));
    assert_eq!(logs.body(), "password=******");
    assert_eq!(logs.json["transaction"]["response"]["body"], "your ******");
}

#[test]
fn whole_bodies_and_queries_can_be_masked() {
    let rules = "SecSanitise REQUEST_BODY RESPONSE_BODY QUERY_STRING";
    let exchange = Exchange { target: b"/a?b=c", ..form("x=y") }.answered("text/plain", b"hello");
    let logs = logs(rules, &exchange);
    assert_eq!((logs.body(), &logs.request()["uri"]), ("***", &Value::from("/a?***")));
    assert_eq!(logs.json["transaction"]["response"]["body"], "*****");
}

#[test]
fn values_that_come_from_a_masked_query_or_body_are_masked() {
    let rules = "SecSanitise QUERY_STRING REQUEST_BODY
        SecRule ARGS|ARGS_GET|ARGS_POST|REQUEST_HEADERS \"@rx s[3]\" \"id:1,phase:2,pass,log,logdata:'%{MATCHED_VAR} %{ARGS.p} %{ARGS_POST.p}'\"";
    let exchange = Exchange { target: b"/a?q=s3one", ..form("p=s3two&pin=1") }.header("Referer", "http://x/?q=s3three");
    let logs = logs(rules, &exchange);
    logs.lack("s3");
    assert_eq!(logs.request()["headers"]["Referer"], "http://x/?*********");
    let xml = Exchange::of(b"/", b"<a>s3</a>").header("Content-Type", "text/xml");
    let rule = "SecRule XML:/* \"@rx s[3]\" \"id:1,phase:2,pass,log,logdata:'%{MATCHED_VAR}'\"";
    self::logs(&format!("{XML}SecSanitise REQUEST_BODY\n{rule}"), &xml).lack("s3");
}

#[test]
fn the_index_of_concurrent_records_shows_no_secret() {
    let folder = Folder::new();
    let (index, storage) = (folder.path("index"), folder.path("records"));
    let rules = format!(
        "{SETTINGS}SecAuditLogType Concurrent\nSecAuditLog {index}\nSecAuditLogStorageDir {storage}\nSecSanitise ARGS:p REQUEST_HEADERS:Authorization"
    );
    let waf = Waf::from_rules(&rules).unwrap();
    let exchange = Exchange::new(b"GET", b"/?p=s3cret")
        .header("Referer", "/?p=s3cret2")
        .header("User-Agent", "s3cret")
        .header("Authorization", "Basic am86czNjcmV0");
    exchange.run(&mut waf.transaction_with_id("id"));
    let line = folder.read("index");
    assert!(line.contains("/?p=******") && !line.contains("s3cret") && !line.contains(" jo "), "{line}");
}

#[test]
fn a_rule_set_without_masks_logs_values() {
    let logs = logs(NOISY, &form("password=s3cret"));
    assert!(logs.all().iter().all(|text| text.contains("s3cret")));
}

/// Returns the time of an exchange, the lower one of two.
fn time_of(rules: &str, exchange: &Exchange<'_>) -> Duration {
    let waf = Waf::from_rules(&format!("{SETTINGS}SecAuditLog /dev/null\n{rules}")).unwrap_or_else(|error| panic!("{error}"));
    let run = || {
        let start = Instant::now();
        exchange.run(&mut waf.transaction_with_id("id"));
        start.elapsed()
    };
    run().min(run())
}

#[test]
fn masks_cost_no_more_than_in_proportion() {
    // Each of these took more than thirty times as long with masks when work was repeated for each member, macro, node or line.
    let names = "SecSanitise ARGS:password ARGS:b ARGS:c ARGS:d ARGS:e ARGS:f ARGS:g ARGS:h XML://p";
    let deep = format!("{}[{}1]{}", "{\"a\":".repeat(400), "1,".repeat(20_000), "}".repeat(400));
    let long = format!("password=s3cret&a={}", "xx%2541".repeat(20_000));
    let tags: String = (0..20).map(|number| format!(",tag:'t{number}'")).collect();
    let rule = |target: &str| format!("SecRule {target} \"@contains xx\" \"id:1,phase:2,pass,log{tags}\"\n");
    let many: String = (0..1500).map(|number| format!("a{number}=x&")).collect();
    let lines = "SecDebugLog /dev/null\nSecDebugLogLevel 4\nSecRule ARGS \"@contains x\" \"id:1,phase:2,pass,log\"\n";
    let nodes: String = (0..8000).map(|number| format!("<p>{number}</p>")).collect();
    let nodes = format!("<a>{nodes}</a>");
    let xml = Exchange::of(b"/", nodes.as_bytes()).header("Content-Type", "text/xml");
    for (what, rules, exchange) in [
        ("members of JSON", JSON, json(&deep)),
        ("a long value", &rule("ARGS"), form(&long)),
        ("a body", &rule("REQUEST_BODY"), form(&long)),
        ("lines of the debug log", lines, form(&many)),
        ("nodes of XML", &format!("{XML}SecRule XML://p \"@rx ^x\" \"id:1,phase:2,pass\"\n"), xml),
    ] {
        let [without, with] = ["", names].map(|names| time_of(&format!("{rules}{names}\n"), &exchange));
        assert!(with < without * 16 + Duration::from_millis(100), "{what}: {without:?} without masks, {with:?} with masks");
    }
}

#[test]
fn what_cannot_be_masked_is_an_error() {
    let error = |rules: &str| Waf::from_rules(rules).unwrap_err().to_string();
    for (rules, part) in [
        ("SecSanitise TX:a", "`SecSanitise` does not take `TX`"),
        ("SecSanitise &ARGS:a", "the number of `ARGS`"),
        ("SecSanitise ARGS_NAMES:a", "write ARGS:a"),
        ("SecSanitise XML", "needs the nodes of `XML`"),
        ("SecSanitise ARG:a", "unknown variable `ARG`"),
        ("SecSanitise", "needs a value"),
        ("SecAction \"id:1,phase:1,pass,sanitiseMatched\"", "this rule tests no value"),
        ("SecAction \"id:1,phase:1,pass,sanitiseArg\"", "`sanitiseArg` needs a value"),
        ("SecAction \"id:1,phase:1,pass,sanitizeArg:%{tx.a}\"", "takes a name without macros"),
        ("SecRule ARGS \"@rx a\" \"id:1,phase:1,pass,sanitiseMatchedBytes:x\"", "`x` is not a number of bytes"),
    ] {
        assert!(error(rules).contains(part), "{rules}: {}", error(rules));
    }
}

/// The bodies of the property test.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Form,
    Json,
    Multipart,
    Xml,
}

fn encoded(secret: &str, every: bool) -> String {
    let plain = |byte: u8| !every && byte.is_ascii_alphanumeric();
    secret.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn body_of(kind: Kind, secret: &str, other: &str) -> (String, &'static str) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let xml = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    match kind {
        Kind::Form => (format!("a={}&password={}&b=2", encoded(other, false), encoded(secret, true)), "application/x-www-form-urlencoded"),
        Kind::Json => (format!(r#"{{"a":[{},1],"l":{{"password":{}}}}}"#, quoted(other), quoted(secret)), "application/json"),
        Kind::Multipart => {
            let part = |name: &str, value: &str| format!("--bound\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            (format!("{}{}--bound--\r\n", part("a", other), part("password", secret)), "multipart/form-data; boundary=bound")
        }
        Kind::Xml => (format!("<l a=\"{}\"><password>{}</password></l>", xml(other), xml(secret)), "text/xml"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_log_holds_a_secret(
        kind in prop_oneof![Just(Kind::Form), Just(Kind::Json), Just(Kind::Multipart), Just(Kind::Xml)],
        secret in "Z[A-Za-z0-9%+&<\"'\\\\/=;é ]{3,40}Q",
        prefix in "[a-z &=%\"\\\\<]{0,12}",
        is_repeated in any::<bool>(),
        cut in proptest::option::of(0usize..120),
    ) {
        let other = if is_repeated { format!("{prefix}{secret}") } else { prefix };
        let (body, content_type) = body_of(kind, &secret, &other);
        let query = format!("/p?q={}&password={}", encoded(&other, false), encoded(&secret, false));
        let limit = cut.map_or(String::new(), |cut| format!("SecRequestBodyLimit {}\nSecRequestBodyLimitAction ProcessPartial\n", cut + 1));
        let processor = match kind { Kind::Json => JSON, Kind::Xml => XML, _ => "" };
        let answer = format!("echo {secret}");
        let mut exchange = Exchange { target: query.as_bytes(), ..Exchange::of(b"/", body.as_bytes()) }
            .header("Content-Type", content_type)
            .header("Referer", &query);
        exchange.response = Some(Response { status: 200, protocol: "HTTP/1.1", headers: vec![(b"X-Echo", secret.as_bytes())], body: vec![answer.as_bytes()] });
        let rules = "SecRule ARGS|REQUEST_URI|REQUEST_BODY|XML:/*|REQUEST_HEADERS \"@rx Z(.*)Q\" \"id:100,phase:2,pass,log,capture,\
            msg:'%{MATCHED_VAR}',logdata:'%{TX.0} in %{MATCHED_VAR}'\"\n";
        let logs = logs(&format!("{limit}{processor}SecSanitise ARGS:password\n{rules}"), &exchange);
        let middle = &secret[1..secret.len() - 1];
        let forms = [secret.clone(), encoded(&secret, false), encoded(&secret, true), serde_json::to_string(&secret).unwrap().trim_matches('"').to_owned()];
        for form in &forms {
            for text in logs.all() {
                prop_assert!(!text.contains(form.as_str()), "{form:?} ({middle:?}) in {text}");
            }
        }
        if let (Kind::Json, None) = (kind, cut) {
            prop_assert!(serde_json::from_str::<Value>(logs.body()).is_ok(), "{}", logs.body());
        }
    }
}

#[test]
fn defaults_and_updates_mask_too() {
    let updated =
        "SecRule ARGS \"@contains attack\" \"id:1,phase:2,pass,log,msg:'%{MATCHED_VAR}'\"\nSecRuleUpdateActionById 1 \"sanitiseMatched\"";
    let by_default =
        "SecDefaultAction \"phase:2,pass,log,sanitizeMatched\"\nSecRule ARGS \"@contains attack\" \"id:1,phase:2,msg:'%{MATCHED_VAR}'\"";
    for rules in [updated, by_default] {
        let logs = logs_of(rules, &form("a=attackone&b=clear"), 3);
        assert_eq!(logs.body(), "a=*********&b=clear", "{rules}");
        logs.lack("attackone");
    }
}

#[test]
fn a_rule_set_that_inherits_another_masks_as_well() {
    let folder = Folder::new();
    let log = folder.path("audit.log");
    let base =
        Waf::from_rules(&format!("{SETTINGS}SecAuditLog {log}\nSecRule ARGS:a \"@rx .\" \"id:1,phase:2,pass,log,msg:'%{{MATCHED_VAR}}'\""))
            .unwrap();
    for (rules, masked) in
        [("SecSanitise ARGS:a", true), ("SecAction \"id:2,phase:5,pass,nolog,sanitiseArg:a\"", true), ("SecMarker x", false)]
    {
        let waf = Waf::builder().base(&base).rules("own", rules).build().unwrap();
        let _ = form("a=s3cret").run(&mut waf.transaction_with_id("id"));
        assert_eq!(folder.read("audit.log").contains("s3cret"), !masked, "{rules}");
        std::fs::write(&log, "").unwrap();
    }
}
