//! Query strings and cookies are split as a plain second version splits them. The first line is the one, the rest the other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule_testkit::host::Exchange;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const RULES: &str = r#"
SecRule ARGS_GET|REQUEST_COOKIES "@unconditionalMatch" "id:1,phase:1,pass,nolog,setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule &ARGS_GET "@unconditionalMatch" "id:2,phase:1,pass,nolog,setvar:'tx.arguments=%{MATCHED_VAR}'"
SecRule &REQUEST_COOKIES "@unconditionalMatch" "id:3,phase:1,pass,nolog,setvar:'tx.cookies=%{MATCHED_VAR}'"
"#;

static WAF: LazyLock<Waf> = LazyLock::new(|| Waf::builder().without_logs().rules("rules", RULES).build().expect("the rules are valid"));

type Pairs = Vec<(String, String)>;

fuzz_target!(|text: &str| {
    let (query, cookies) = text.split_once('\n').unwrap_or((text, ""));
    if query.contains('#') {
        return;
    }
    let (Some(arguments), cookies_found) = (split_query(query), split_cookies(cookies)) else { return };
    let mut expected = BTreeMap::new();
    for (collection, pairs) in [("ARGS_GET", &arguments), ("REQUEST_COOKIES", &cookies_found)] {
        for (name, value) in pairs {
            expected.insert(format!("{collection}:{name}").to_ascii_lowercase(), value.clone());
        }
    }
    expected.insert("arguments".to_owned(), arguments.len().to_string());
    expected.insert("cookies".to_owned(), cookies_found.len().to_string());
    let mut transaction = WAF.transaction();
    let _ = Exchange::of(format!("/?{query}").as_bytes(), b"").header("Cookie", cookies).judge(&mut transaction);
    let found: BTreeMap<_, _> = transaction.tx_variables().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    assert_eq!(found, expected, "{query:?} {cookies:?}");
});

/// Nothing where a part does not decode to text.
fn split_query(query: &str) -> Option<Pairs> {
    let mut segments: Vec<&str> = query.split('&').collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    let pairs = segments.iter().map(|segment| segment.split_once('=').unwrap_or((segment, "")));
    pairs.map(|(name, value)| Some((decode(name)?, decode(value)?))).collect()
}

fn split_cookies(header: &str) -> Pairs {
    let blanks = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];
    let header = header.strip_suffix(';').unwrap_or(header).trim_end_matches(blanks);
    let pairs = header.split(';').map(|cookie| cookie.split_once('=').unwrap_or((cookie, "")));
    let named = pairs.map(|(name, value)| (name.trim_start_matches(blanks).to_owned(), value.to_owned()));
    named.filter(|(name, _)| !name.is_empty()).collect()
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match (bytes[at], digits) {
            (b'%', Some(digits)) => {
                decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                at += 3;
            }
            (byte, _) => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}
