//! What a body is read as does not depend on how it was cut into chunks.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule::internals::RuleMatch;
use secrule_fuzz::draw::Draw;
use secrule_testkit::host::Exchange;
use std::sync::LazyLock;

/// Writes down all that a body was read as.
const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 3000
SecRequestBodyLimitAction ProcessPartial
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule ARGS|ARGS_NAMES|FILES|FILES_NAMES|FILES_SIZES|XML:/*|XML://@*|REQUEST_BODY|MULTIPART_PART_HEADERS|MULTIPART_FILENAME|MULTIPART_NAME \
    "@unconditionalMatch" "id:3,phase:2,pass,log,setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule REQBODY_ERROR|REQBODY_ERROR_MSG|INBOUND_DATA_ERROR|MULTIPART_STRICT_ERROR|URLENCODED_ERROR|REQUEST_BODY_LENGTH|MULTIPART_INVALID_PART \
    "@unconditionalMatch" "id:4,phase:2,pass,log,setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
"#;

const TYPES: &[&str] = &[
    "application/x-www-form-urlencoded",
    "application/json",
    "text/xml",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\"--b c\"",
    "text/plain",
];

static WAF: LazyLock<Waf> = LazyLock::new(|| Waf::builder().without_logs().rules("rules", RULES).build().expect("the rules are valid"));

fuzz_target!(|data: &[u8]| {
    let mut draw = Draw::new(data);
    let content_type = draw.pick(TYPES);
    let sizes: Vec<_> = (0..draw.between(0, 6)).map(|_| draw.between(0, 40)).collect();
    let body = draw.rest();
    let (cut, whole) = (judge(content_type, body, &sizes), judge(content_type, body, &[]));
    assert_eq!(cut, whole, "{content_type} cut after {sizes:?}");
});

/// What the rules note of a body in chunks of these sizes, and the rest.
fn judge(content_type: &str, body: &[u8], sizes: &[usize]) -> (Vec<RuleMatch>, Vec<(String, String)>) {
    let mut transaction = WAF.transaction_with_id("same");
    let mut chunks = Vec::new();
    let mut rest = body;
    for size in sizes {
        let (chunk, behind) = rest.split_at((*size).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    let request = Exchange { body: chunks, ..Exchange::new(b"POST", b"/") };
    let _ = request.header("Content-Type", content_type).judge(&mut transaction);
    (transaction.rule_matches().to_vec(), transaction.tx_variables().collect())
}
