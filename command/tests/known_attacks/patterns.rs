//! Patterns that take long.

use crate::host::{GET, LONG, Request, judge, post, takes_as_long, waf};
use std::time::{Duration, Instant};

#[test]
fn cve_2020_15598_every_match_of_a_pattern() {
    let rules = waf(
        "SecRule ARGS \"@rxGlobal (?:(a+)+b|(a|aa)+c)\" \"id:1,phase:2,pass,capture\"\nSecRule ARGS \"@rx ^(?:a*)*d$\" \"id:2,phase:2,pass,capture\"\n",
    );
    let (attack, harmless) = (format!("/?q={}", "a".repeat(LONG)), format!("/?q={}", "x".repeat(LONG)));
    takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    assert_eq!(judge(&rules, Request { target: b"/?q=aaaab", ..GET }).ids, [1]);
}

#[test]
fn crs_4_28_patterns_that_backtrack() {
    // Alternatives within repetitions with a common first byte, as in the patterns that were fixed.
    let rules = waf("SecRule ARGS \"@rx call(?:\\s|/\\*.*\\*/|(?:#|//).*|\\s+)*\\(\" \"id:1,phase:2,pass\"\n\
        SecRule ARGS \"@rx (?:\\s*(?:\\\\?[\\s\\w'\\x22]+)*)*;stop\" \"id:2,phase:2,pass\"\n\
        SecRule ARGS \"@rx [a-z]+=[^;]*(?:u\\s*r\\s*l|(?:u|\\s)+)*\\(script:\" \"id:3,phase:2,pass\"\n");
    for piece in ["/**/", "%20%20", "%5c%20", "#//%20", "u%20"] {
        let [attack, harmless] =
            [format!("call{}x=", piece.repeat(LONG / piece.len())), "-".repeat(LONG)].map(|text| format!("/?q={text}"));
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    }
}

#[test]
fn patterns_that_turn_back() {
    let letters = "a".repeat(LONG);
    for (pattern, ending) in [("a++b", ""), ("(?>a+)b", "cab"), ("a(?!.*a)b", "cb"), ("a(?=.*b)c", "bdac"), (r"(a+)\1x", "cx")] {
        let rules = waf(&format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,pass\"\nSecRule ARGS \"@rx q\\d\" \"id:2,phase:2,pass\""));
        let [attack, harmless] = [format!("/?q={letters}{ending}"), format!("/?q={}", "-".repeat(LONG))];
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    }
}

#[test]
fn patterns_of_large_counted_repetitions() {
    let mixed: String = (0..200_000_u32).map(|at| if at.wrapping_mul(0x9E37_79B9) >> 31 == 0 { 'a' } else { 'b' }).collect();
    let rules = "SecRule ARGS \"@rx a(.{0,900})b(.{0,900})[^a]b$\" \"id:1,phase:2,pass,capture\"\n";
    let judged = post(rules, "application/x-www-form-urlencoded", format!("q={mixed}").as_bytes());
    assert_eq!(judged.status, Some(403), "the budget ends it");
}

#[test]
fn patterns_that_a_request_writes() {
    let rules = "SecRule ARGS \"@rx %{ARGS.p}\" \"id:1,phase:2,pass\"\nSecRule MSC_PCRE_LIMITS_EXCEEDED \"@eq 1\" \"id:2,phase:2,deny\"\n";
    let judged = post(rules, "application/x-www-form-urlencoded", b"p=(%3f:a{0,1000}){0,1000}b&a=aaa");
    assert_eq!(judged.status, Some(403), "the flag is set");
}

#[test]
fn a_macro_of_all_arguments() {
    let rules = waf("SecRule ARGS \"!@streq %{ARGS}\" \"id:1,phase:2,pass,nolog\"\n");
    let many = |count: usize| (0..count).map(|number| format!("a{number}=v&")).collect::<String>();
    let (attack, harmless) = (many(20_000), format!("a={}", "v".repeat(150_000)));
    let headers: &[(&str, &[u8])] = &[("Content-Type", b"application/x-www-form-urlencoded")];
    let [attack, harmless] = [&attack, &harmless].map(|body| Request { headers, body: body.as_bytes(), ..GET });
    let start = Instant::now();
    let _ = (judge(&rules, attack), judge(&rules, harmless));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
