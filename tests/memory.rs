//! Transactions reuse the memory of earlier ones; nothing of one request reaches the next.

use secrule::internals::RuleMatch;
use secrule::{Intervention, Waf};
use secrule_testkit::host::Exchange;

/// The result of a request: the intervention, the matches, and all of TX.
type Ending = (Option<Intervention>, Vec<RuleMatch>, Vec<(String, String)>);

/// Rules that copy the values of every collection.
const SHOW_ALL: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES|FILES|FILES_NAMES|MULTIPART_PART_HEADERS|XML:/*|XML://@* "@unconditionalMatch" \
    "id:3,phase:2,pass,t:lowercase,t:base64Decode,log,logdata:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}',setvar:'tx.saw_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule REQUEST_BODY|REQUEST_LINE|QUERY_STRING|REQBODY_ERROR|FULL_REQUEST|ARGS_COMBINED_SIZE|HIGHEST_SEVERITY|MULTIPART_STRICT_ERROR "@rx ^(.*)$" \
    "id:4,phase:2,pass,capture,log,logdata:'%{TX.1}',multiMatch,t:removeWhitespace,severity:CRITICAL"
SecRule TX:/^saw_/|MATCHED_VARS|MATCHED_VARS_NAMES "@unconditionalMatch" "id:5,phase:2,pass,log,logdata:'%{MATCHED_VAR}'"
SecRule ARGS "@contains stop" "id:6,phase:2,deny,log,status:418,msg:'%{MATCHED_VAR}'"
SecRule RESPONSE_HEADERS|RESPONSE_BODY|RESPONSE_STATUS "@unconditionalMatch" "id:7,phase:4,pass,log,logdata:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule ARGS "@contains skip" "id:8,phase:5,pass,skipAfter:END,ctl:ruleRemoveById=9"
SecRule REQUEST_METHOD "@streq POST" "id:9,phase:5,pass,log,msg:'reached'"
SecMarker END
"#;

/// Content type, target and body of requests that leave much in memory, or would show what another left.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("", "/", ""),
    ("application/x-www-form-urlencoded", "/form?secret=first", "password=hunter2&note=a+long+text+that+fills+memory"),
    ("application/json", "/json", r#"{"card": "4111-1111", "list": [1, 2, {"deep": "secret"}]}"#),
    ("text/xml", "/xml", r#"<order id="7"><card>4222</card></order>"#),
    (
        "multipart/form-data; boundary=b",
        "/upload",
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"private.txt\"\r\n\r\nconfidential\r\n--b--\r\n",
    ),
    ("application/x-www-form-urlencoded", "/stop?a=stop", "b=1"),
    ("application/json", "/broken", r#"{"a": "#),
    ("", "/skip?a=skip&b=&c=%00", ""),
    ("", "/?x=1", ""),
];

fn judge(waf: &Waf, (content_type, target, body): (&str, &str, &str)) -> Ending {
    let mut transaction = waf.transaction_with_id("same");
    let cookie = format!("id={}", target.len());
    let mut exchange = Exchange { body: vec![body.as_bytes()], ..Exchange::new(b"POST", target.as_bytes()) }.header("Host", "shop.example");
    if !content_type.is_empty() {
        exchange = exchange.header("Content-Type", content_type).header("Cookie", &cookie);
    }
    let intervention = exchange.answered("text/plain", target.as_bytes()).run(&mut transaction);
    (intervention, transaction.rule_matches().to_vec(), transaction.tx_variables().collect())
}

#[test]
fn a_request_ends_as_if_it_were_the_first() {
    let rules = || Waf::from_rules(SHOW_ALL).unwrap_or_else(|error| panic!("{error}"));
    let alone: Vec<Ending> = REQUESTS.iter().map(|request| judge(&rules(), *request)).collect();
    let used = rules();
    // Every request runs after every other.
    for (first, first_alone) in REQUESTS.iter().zip(&alone) {
        for (second, second_alone) in REQUESTS.iter().zip(&alone) {
            assert_eq!(judge(&used, *first), *first_alone, "{} after others", first.1);
            assert_eq!(judge(&used, *second), *second_alone, "{} after {}", second.1, first.1);
        }
    }
}
