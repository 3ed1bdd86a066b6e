//! A body is read while it arrives. However it is cut into chunks, the results and the work are those of a body that comes at once, before phase 1.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use secrule::internals::RuleMatch;
use secrule::{Transaction, Waf};

/// Texts that rules look for, parts of these, and texts that their transformations act on.
const PIECES: &[&str] = &[
    "<script>",
    "<scr",
    "ipt>",
    "%3cscript%3e",
    "%u003cscript>",
    "%u00",
    "%",
    "+",
    "&lt;script&gt;",
    "&lt",
    "&#x3c",
    "&#60;",
    "&",
    ";",
    "\\x3cscript",
    "\\u003c",
    "\\",
    "un\0ion se lect",
    "UNION SELECT",
    "%53elect",
    "&#x53;elect",
    "/etc/passwd",
    "/etc",
    "/passwd",
    "\r\n",
    "\n--",
    "--b\r\n",
    "--b",
    "\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    "\r\n--b--\r\n",
    "\0",
    " ",
    "é",
    "0000000000000000000000000000000000",
];

/// The chains of the rules: those that work on a body that arrives, and others.
const CHAINS: &[&str] = &[
    "none",
    "none,t:urlDecodeUni",
    "none,t:urlDecodeUni,t:htmlEntityDecode,t:lowercase",
    "none,t:htmlEntityDecode,t:jsDecode,t:removeNulls",
    "none,t:removeWhitespace,t:urlDecode",
    "none,t:urlDecodeUni,multiMatch,t:removeNulls,t:jsDecode",
    "none,t:replaceNulls,t:compressWhitespace",
    "none,t:base64Decode",
];

const OPERATORS: &[&str] = &["@rx (?i)<script", "@contains select", "@pm union /etc/passwd", "@rx %3c|&lt", "!@rx [0-9]{3}"];

const SETTINGS: &str =
    "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n";

/// Few literals are searched for after these transformations.
const FEW_LITERALS: &str = "SecRule REQUEST_BODY \"@contains union\" \"id:1,phase:2,pass,log,t:none,t:removeWhitespace,t:lowercase\"\n\
    SecRule RESPONSE_BODY \"@contains /etc/passwd\" \"id:2,phase:4,pass,log,t:none,t:removeNulls\"\n";

fn many_rules() -> String {
    let rules = CHAINS.iter().flat_map(|chain| OPERATORS.iter().map(move |operator| (chain, operator))).zip(1..);
    let rules = rules.map(|((chain, operator), id)| {
        let rule = |variable, phase, id| format!("SecRule {variable} \"{operator}\" \"id:{id},phase:{phase},pass,log,t:{chain}\"\n");
        [rule("REQUEST_BODY|ARGS", 2, id), rule("RESPONSE_BODY", 4, id + 1000)].concat()
    });
    rules.collect()
}

/// The results of an exchange, and the work that they cost.
#[derive(Debug, PartialEq)]
struct Outcome {
    matches: Vec<RuleMatch>,
    tx: Vec<(String, String)>,
    budget_left: usize,
}

/// Judges an exchange whose bodies come in chunks; the request's before phase 1, if `early`.
fn judge(mut transaction: Transaction, content_type: &str, chunks: &[&[u8]], early: bool) -> Outcome {
    let _ = transaction.process_connection("192.0.2.7", 4711, "192.0.2.1", 80);
    let _ = transaction.process_uri(b"/", b"POST", b"1.1");
    transaction.add_request_header(b"Content-Type", content_type.as_bytes());
    let append = |transaction: &mut Transaction| chunks.iter().for_each(|chunk| drop(transaction.append_request_body(chunk)));
    if early {
        append(&mut transaction);
    }
    let _ = transaction.process_request_headers();
    if !early {
        append(&mut transaction);
    }
    let _ = transaction.process_request_body();
    transaction.add_response_header(b"Content-Type", b"text/html");
    let _ = transaction.process_response_headers(200, "HTTP/1.1");
    chunks.iter().for_each(|chunk| drop(transaction.append_response_body(chunk)));
    let _ = transaction.process_response_body();
    transaction.process_logging();
    Outcome {
        matches: transaction.rule_matches().to_vec(),
        tx: transaction.tx_variables().collect(),
        budget_left: transaction.budget_left(),
    }
}

/// The length of the parts in which a body is scanned.
const PART: usize = 48 << 10;

/// A body with pieces at the ends of parts, and the length of the chunks in which it comes.
fn chunked() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let filling = select(vec!["x", "lorem ipsum, ", "a=b,", "0"]);
    let pieces = vec(select(PIECES), 1..4).prop_map(|pieces| pieces.concat().into_bytes());
    let part = (filling, pieces, any::<proptest::sample::Index>());
    let body = vec(part, 3..6).prop_map(|parts| {
        let mut body = Vec::new();
        for ((filling, pieces, cut), number) in parts.into_iter().zip(1..) {
            let place = number * PART - cut.index(pieces.len());
            body.extend(filling.bytes().cycle().take(place - body.len()));
            body.extend(pieces);
        }
        body
    });
    (body, select(vec![5_000, 16 << 10, PART, 100_000, 1_000_000]))
}

/// Judges bodies in chunks, and the same bodies at once.
fn compare(rules: &str, cases: u32) {
    let waf = Waf::builder().rules("rules", &[SETTINGS, rules].concat()).without_logs().build().unwrap();
    let types = select(vec!["text/plain", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"]);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(chunked(), types), |((body, length), content_type)| {
        let chunks: Vec<&[u8]> = body.chunks(length).collect();
        let transaction = || waf.transaction_with_id("same");
        let at_once = judge(transaction(), content_type, &[&body], true);
        prop_assert_eq!(judge(transaction(), content_type, &chunks, false), at_once);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn chunks_change_neither_results_nor_work() {
    compare(&many_rules(), 20);
}

#[test]
fn chunks_change_nothing_where_few_literals_are_searched_for() {
    compare(FEW_LITERALS, 30);
}
