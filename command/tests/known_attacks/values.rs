//! Transformations and operators, and what they are told.

use crate::host::{GET, LONG, Request, get, judge, takes_as_long, waf};
use secrule::Waf;
use secrule::internals::source::Memory;

#[test]
fn cve_2023_38285_transformations_that_take_bytes_away() {
    for (steps, attack) in [
        ("removeWhitespace", "%20"),
        ("removeNulls", "%00"),
        ("replaceNulls", "%00"),
        ("removeCommentsChar", "%2f*"),
        ("compressWhitespace", "%20"),
        ("replaceComments", "%2f*"),
        ("removeComments", "%2f*"),
    ] {
        let rules = waf(&format!("SecRule ARGS \"@contains never\" \"id:1,phase:2,deny,t:none,t:{steps}\"\n"));
        let harmless = "a".repeat(attack.len());
        let [attack, harmless] = [attack, &harmless].map(|text| format!("/?q={}", text.repeat(LONG)));
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    }
}

#[test]
fn cve_2025_27110_entities_with_many_zeros() {
    let rules = "SecRule ARGS \"@streq <script>\" \"id:1,phase:2,deny,t:none,t:htmlEntityDecode\"\n";
    for bracket in
        ["%26%2360;", "%26%230000000000000000000000000000000000000000000060;", "%26%23x000000000000000000000000000000000000000003c;"]
    {
        assert_eq!(get(rules, &format!("/?q={bracket}script>")).status, Some(403), "{bracket}");
    }
}

#[test]
fn cve_2026_30923_one_hexadecimal_digit() {
    let rules = "SecRule ARGS \"@streq A\" \"id:1,phase:2,deny,t:none,t:hexDecode\"\nSecRule ARGS \"@rx .\" \"id:2,phase:2,pass,t:none,t:sqlHexDecode\"\n";
    for target in ["/?q=4", "/?q=", "/?q", "/?4", "/?q=g", "/?q=0x"] {
        assert_eq!(get(rules, target).status, None, "{target}");
    }
    assert_eq!(get(rules, "/?q=41").status, Some(403));
}

#[test]
fn cve_2026_42268_numbers_that_end_too_early() {
    for (operator, valid) in [("verifySSN", "078-05-1120"), ("verifyCPF", "529.982.247-25"), ("verifySVNR", "1237010180")] {
        // The pattern matches anything, so that the operator sees all lengths.
        let rules = format!("SecRule ARGS \"@{operator} [-.0-9]*\" \"id:1,phase:2,deny\"\n");
        for length in 0..valid.len() {
            let target = format!("/?q={}", &valid[..length]);
            assert_eq!(get(&rules, &target).status, None, "{operator} {target}");
        }
        assert_eq!(get(&rules, &format!("/?q={valid}")).status, Some(403), "{operator}");
    }
}

#[test]
fn words_of_a_file_with_carriage_returns() {
    let rules = "SecRuleEngine On\r\nSecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\r\n";
    for words in ["# commands\r\ncurl\r\n\r\nwget\r\n", "\u{feff}curl\r\nwget"] {
        let files = Memory::new().with("main.conf", rules).with("words.data", words);
        let waf = Waf::builder().file("main.conf").build_with(&files).unwrap();
        for (target, status) in [("/?q=curl%20x", Some(403)), ("/?q=wget", Some(403)), ("/?q=fine%0d", None)] {
            let request = Request { target: target.as_bytes(), ..GET };
            assert_eq!(judge(&waf, request).status, status, "{target} {words:?}");
        }
    }
}

#[test]
fn a_range_of_bytes_above_255() {
    for range in ["0-300", "300", "1-99999999999999999999", "256"] {
        let error = Waf::from_rules(&format!("SecRule ARGS \"@validateByteRange {range}\" \"id:1,phase:2,deny\"\n")).unwrap_err();
        assert!(error.to_string().contains(range), "{error}");
    }
    assert_eq!(get("SecRule ARGS \"@validateByteRange 0-255\" \"id:1,phase:2,deny\"\n", "/?q=%ff%00").status, None);
}

#[test]
fn a_nul_behind_utf8_to_unicode() {
    let rule = "SecRule ARGS \"@validateByteRange 1-255\" \"id:1,phase:2,deny,t:none,t:utf8toUnicode,t:urlDecodeUni\"\n";
    assert_eq!((get(rule, "/?file=shell.php%00.jpg").status, get(rule, "/?file=shell.php.jpg").status), (Some(403), None));
}
