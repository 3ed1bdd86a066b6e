//! JSON bodies.

use crate::host::{FLAGS, GET, JSON, LONG, Request, in_little_memory, judge, post, takes_as_long, waf};

#[test]
fn cve_2021_42717_json_within_json() {
    let rules = format!("{JSON}{FLAGS}");
    let deep = "[".repeat(LONG) + &"]".repeat(LONG);
    let flat = format!("[{}0]", "0,".repeat(LONG));
    assert_eq!(post(&rules, "application/json", deep.as_bytes()).status, Some(400));
    let waf = waf(&rules);
    let body = |body| Request { headers: &[("Content-Type", b"application/json")], body, ..GET };
    takes_as_long(&waf, body(deep.as_bytes()), body(flat.as_bytes()));
    let request = |body: String| format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{body}");
    assert!(in_little_memory("json", &rules, request("{\"a\":".repeat(1_000_000)).as_bytes()).contains("400"));
    // The name of each value contains the names of all containers.
    let rules = format!("{rules}SecRule ARGS|ARGS_NAMES \"@contains attack\" \"id:1,phase:2,deny\"\n");
    let long_name = format!("{{\"{}\":[{}0]}}", "a".repeat(LONG), "0,".repeat(LONG));
    for body in ["[1,".repeat(LONG), long_name] {
        assert!(in_little_memory("names", &rules, request(body).as_bytes()).contains("400"));
    }
}

#[test]
fn cve_2025_47947_and_48866_as_many_arguments_as_fit() {
    let many = format!("[{}\"long\"]", "\"long\",".repeat(LONG / 4));
    let harmless = many.replace('o', "x");
    let log = "SecAuditEngine On\nSecAuditLogParts ABCFHZ\nSecAuditLog /dev/null\n";
    for action in ["sanitiseMatchedBytes", "sanitiseMatched", "sanitiseArg:array_7", "sanitizeArg:a"] {
        let rules = format!("{JSON}{log}SecRule ARGS \"@rx o\" \"id:1,phase:2,pass,log,{action}\"\n");
        let waf = waf(&rules);
        let body = |body| Request { headers: &[("Content-Type", b"application/json")], body, ..GET };
        assert_eq!(judge(&waf, body(many.as_bytes())).ids.first(), Some(&1));
        takes_as_long(&waf, body(many.as_bytes()), body(harmless.as_bytes()));
        let request = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{many}");
        let _ = in_little_memory("masks", &rules, request.as_bytes());
    }
    let rules = format!("{JSON}SecRule ARGS \"@contains a\" \"id:1,phase:2,pass,capture,log,logdata:'%{{MATCHED_VAR}}'\"\n");
    let many = format!("[{}\"a\"]", "\"a\",".repeat(LONG / 4));
    let waf = waf(&rules);
    let body = |body| Request { headers: &[("Content-Type", b"application/json")], body, ..GET };
    // In the attack each match is logged.
    let harmless = many.replace('a', "b");
    assert_eq!(judge(&waf, body(many.as_bytes())).ids.first(), Some(&1));
    takes_as_long(&waf, body(many.as_bytes()), body(harmless.as_bytes()));
    let request = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{many}");
    let _ = in_little_memory("arguments", &rules, request.as_bytes());
}

fn json_rules() -> String {
    format!("{JSON}{FLAGS}SecRule ARGS|ARGS_NAMES \"@contains attack\" \"id:1,phase:2,deny\"\n")
}

#[test]
fn half_of_a_surrogate_pair_hides_no_escape() {
    for text in [r"\ud800\u0061ttack", r"att\ud800ack", r"att\udc00ack", r"\udc00\ud800", r"\ud800\ud800\udc00", r"\ud800", r"\udbff\n"] {
        for body in [format!("{{\"a\":\"{text}\"}}"), format!("{{\"{text}\":1}}"), format!("\"{text}\"")] {
            assert_eq!(post(&json_rules(), "application/json", body.as_bytes()).ids, [901], "{body}");
        }
    }
    assert_eq!(post(&json_rules(), "application/json", br#"["\ud83e\udd80\u0061ttack"]"#).ids, [1]);
    assert_eq!(post(&json_rules(), "application/json", br#"["\ud83e\udd80 \uffff"]"#).status, None);
}

#[test]
fn json_that_is_not_utf_8() {
    let wrong: &[&[u8]] = &[
        b"\x80",
        b"\xc0\x80",
        b"\xc1\x94",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ];
    for bytes in wrong {
        for body in [[b"[\"att", *bytes, b"ack\"]"].concat(), [b"{\"att", *bytes, b"ack\":1}"].concat()] {
            assert_eq!(post(&json_rules(), "application/json", &body).ids, [901], "{bytes:x?}");
        }
    }
    assert_eq!(post(&json_rules(), "application/json", "[\"é€🦀\u{10ffff}\"]".as_bytes()).status, None);
}
