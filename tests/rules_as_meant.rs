//! Rules that do not say what their author intended: each is an error with a remedy or a warning at load, or is read as ModSecurity v3 reads it.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use secrule::internals::compile::Input;
use secrule::{Transaction, Waf};

/// Returns the codes and lines of the warnings of a load, as `W220:2`.
fn warnings(rules: &str) -> Vec<String> {
    let waf = Waf::from_rules(rules).map_err(|error| error.to_string()).unwrap();
    let report = waf.report();
    let shown = report.warnings().iter().map(|warning| warning.located(report.texts()));
    shown.map(|warning| format!("{}:{}", warning.code, warning.line)).collect()
}

/// Checks that the load is refused with this code at this place, and with this text.
#[track_caller]
fn refused(rules: &str, code_and_place: &str, words: &str) {
    let error = Waf::from_rules(rules).expect_err(rules).to_string();
    let (code, place) = code_and_place.split_once(' ').unwrap();
    assert!(error.contains(&format!("error[{code}]: ")) && error.contains(&format!("--> rules:{place}\n")), "{error}");
    assert!(error.contains(words), "{error}");
}

fn transaction(waf: &Waf, target: &str) -> Transaction {
    let mut transaction = waf.transaction();
    let _ = transaction.process_uri(target.as_bytes(), b"GET", b"1.1");
    transaction
}

/// Returns `true` if a request is denied in phase 1, and the warnings of the rules.
#[track_caller]
fn denies(rules: &str, target: &str) -> bool {
    let waf = Waf::from_rules(&format!("SecRuleEngine On\n{rules}")).map_err(|error| error.to_string()).unwrap();
    transaction(&waf, target).process_request_headers().is_intervention()
}

/// Returns the messages of the rules that match in phase 1.
#[track_caller]
fn messages(rules: &str, target: &str) -> Vec<String> {
    let waf = Waf::from_rules(&format!("SecRuleEngine On\n{rules}")).map_err(|error| error.to_string()).unwrap();
    let mut transaction = transaction(&waf, target);
    let _ = transaction.process_request_headers();
    transaction.rule_matches().iter().map(|found| String::from_utf8_lossy(&found.message).into_owned()).collect()
}

#[test]
fn a_macro_that_is_not_closed_is_refused_wherever_macros_stand() {
    for actions in [
        "setvar:'tx.score=+%{tx.crit'",
        "setvar:tx.score=%{tx.crit",
        "setvar:tx.%{tx.a=1",
        "setvar:'tx.a=%{tx.b}%{'",
        "msg:'a %{tx.b'",
        "logdata:'%{tx.b'",
        "tag:'%{tx.b'",
        "redirect:'https://h/%{tx.b'",
        "setenv:a=%{tx.b",
        "initcol:ip=%{REMOTE_ADDR",
        "expirevar:'ip.a=%{tx.b'",
    ] {
        refused(&format!("SecAction \"id:1,phase:1,pass,{actions}\""), &place_of(actions, "%{", "E607"), "never closed");
    }
    for operator in ["@ge %{tx.limit", "@streq %{tx.a}%{tx.b", "@rx ^%{tx.a", "@within %{ tx.a"] {
        let rules = format!("SecRule ARGS \"{operator}\" \"id:1,phase:2,deny\"");
        let column = rules.rfind("%{").unwrap() + 1;
        refused(&rules, &format!("E607 1:{column}"), "never closed");
    }
}

/// Returns the place of the last character in the actions of `SecAction "id:1,phase:1,pass,…"`.
fn place_of(actions: &str, mark: &str, code: &str) -> String {
    format!("{code} 1:{}", "SecAction \"id:1,phase:1,pass,".len() + actions.rfind(mark).unwrap() + 1)
}

#[test]
fn percent_signs_and_braces_that_begin_no_macro_are_text() {
    assert!(denies("SecRule ARGS:a \"@contains %{\" \"id:1,phase:1,deny\"", "/?a=x%25%7by"));
    assert!(denies("SecRule ARGS:a \"@rx ^%[0-9a-f]{2}$\" \"id:1,phase:1,deny\"", "/?a=%2541"));
}

#[test]
fn a_macro_without_a_key_or_with_blanks_is_refused() {
    refused("SecAction \"id:1,phase:1,pass,msg:'%{tx.}'\"", "E607 1:37", "needs a key");
    refused("SecAction \"id:1,phase:1,pass,msg:'%{ tx.a }'\"", "E607 1:37", "write %{tx.a}");
}

#[test]
fn macros_and_quotes_are_no_selectors() {
    refused("SecRule TX:%{tx.k} \"@eq 5\" \"id:1,phase:1,pass\"", "E304 1:12", "macro");
    refused("SecRule &ARGS:x-%{tx.k} \"@eq 0\" \"id:1,phase:1,pass\"", "E304 1:15", "macro");
    refused("SecRule ARGS:/%{tx.k}/ \"@eq 0\" \"id:1,phase:1,pass\"", "E304 1:15", "macro");
    refused("SecRule ARGS:\"q\" \"@eq 0\" \"id:1,phase:1,pass\"", "E304 1:14", "quotes");
    refused("SecAction \"id:1,phase:1,pass,ctl:ruleRemoveTargetById=1;ARGS:%{tx.k}\"", "E304 1:62", "macro");
}

#[test]
fn a_pattern_of_keys_needs_both_slashes_and_a_key_may_begin_with_one_in_quotes() {
    refused("SecRule ARGS:/^x \"@rx a\" \"id:1,phase:1,deny\"", "E304 1:14", "closing /");
    refused("SecRule REQUEST_URI:/admin \"@rx a\" \"id:1,phase:1,deny\"", "E303 1:21", "selector");
    assert!(denies("SecRule ARGS:'/x' \"@streq 1\" \"id:1,phase:1,deny\"", "/?/x=1"));
}

#[test]
fn exclamation_marks_stand_once_and_before_the_at() {
    refused("SecRule ARGS \"!!@rx a\" \"id:1,phase:1,deny\"", "E102 1:16", "\"!@rx !");
    refused("SecRule ARGS \"! !@rx a\" \"id:1,phase:1,deny\"", "E102 1:17", "write one !");
    refused("SecRule ARGS \"@!rx foo\" \"id:1,phase:1,deny\"", "E401 1:15", "write \"!@rx …\"");
    refused("SecRule ARGS \"@! streq foo\" \"id:1,phase:1,deny\"", "E401 1:15", "write \"!@streq …\"");
    refused("SecRule ARGS \"@ streq foo\" \"id:1,phase:1,deny\"", "E401 1:15", "write \"@streq …\"");
    assert!(denies("SecRule ARGS:a \"! @streq x\" \"id:1,phase:1,deny\"", "/?a=y"));
    assert!(denies("SecRule ARGS:a \"@[a-z]+\" \"id:1,phase:1,deny\"", "/?a=b@c"));
}

#[test]
fn ranges_of_bytes_are_decimal_numbers() {
    for nonsense in ["0x20-0x7e", "abc", "1-2-3", "126-32", "10-", "-10", "1;2", "300", ","] {
        let rules = format!("SecRule ARGS \"@validateByteRange {nonsense}\" \"id:1,phase:1,pass\"");
        refused(&rules, "E404 1:34", "32-126");
    }
}

#[test]
fn a_chain_goes_on_in_the_next_file_and_not_in_the_next_load() {
    let open = "SecRuleEngine On\nSecRule ARGS:a \"x\" \"id:1,phase:1,deny,chain\"";
    assert_eq!(warnings(open), ["W202:2"]);
    let text = |name: &str, text: &str| Input::Text { name: name.to_owned(), text: text.to_owned() };
    let parts = || vec![text("one", open), text("two", "SecRule ARGS:b \"y\" \"id:2,phase:1,log\"")];
    let apart = parts().into_iter().fold(Waf::builder().separate_loads(), |builder, part| builder.input(part)).build().unwrap();
    assert!(!transaction(&apart, "/?a=x&b=y").process_request_headers().is_intervention());
    let waf = Waf::builder().input(Input::Group(parts().into())).build().unwrap();
    assert!(transaction(&waf, "/?a=x&b=y").process_request_headers().is_intervention());
    assert!(!transaction(&waf, "/?b=y").process_request_headers().is_intervention());
}

#[test]
fn blanks_behind_the_colon_are_no_part_of_a_value() {
    assert!(denies("SecRule ARGS:a \"@streq x\" \"id: 1,phase: 1,deny,status:  403,t: none\"", "/?a=x"));
    let jump = "SecAction \"id:1,phase:1,pass,nolog,skipAfter: END\"\nSecAction \"id:2,phase:1,deny\"\nSecMarker END\n";
    assert!(!denies(jump, "/"));
    assert_eq!(warnings(jump), [""; 0]);
    assert_eq!(messages("SecAction \"id:1,phase:1,pass,log,msg: 'a, b'\"", "/"), ["a, b"]);
    assert!(denies("SecAction \"id:1,phase:1,pass,nolog,setvar: tx.a=1\"\nSecRule TX:a \"@eq 1\" \"id:2,phase:1,deny\"", "/"));
}

#[test]
fn a_single_quote_that_the_list_ends_is_taken_with_a_warning() {
    let rules = "SecRule ARGS:a \"@streq x\" \"id:1,phase:1,pass,log,msg:'a message\"";
    assert_eq!(messages(rules, "/?a=x"), ["a message"]);
    assert_eq!(warnings(rules), ["W101:1"]);
    assert_eq!(messages("SecAction \"id:1,phase:1,pass,log,msg:'Hello, world\"", "/"), ["Hello, world"]);
    // Otherwise the rule would let the request pass.
    let swallows = "SecRule ARGS:a \"@streq x\" \"id:1,phase:1,msg:'a message,deny\"";
    refused(swallows, "E101 1:45", "`deny` would be part of the text");
}

#[test]
fn a_list_of_actions_without_its_quote_ends_with_its_line() {
    let rules = "SecRule ARGS:a \"@streq x\" \"id:1,phase:1,deny,tag:abc\nSecRule ARGS:b \"@streq y\" \"id:2,phase:1,deny\"";
    assert!(denies(rules, "/?a=x") && denies(rules, "/?b=y"));
    assert_eq!(warnings(rules), ["W101:1"]);
    for list in ["SecAction \"id:1,phase:1,pass", "SecDefaultAction \"phase:1,pass,log"] {
        assert_eq!(warnings(&format!("{list}\nSecRuleEngine On\n")), ["W101:1"], "{list}");
    }
    refused("SecRule ARGS:a \"@streq x\" \"id:1,phase:1,\n    deny\"", "E101 1:27", "end the line with \\");
    refused("SecAction \"id:1,phase:1,pass,msg:'abc\nSecRuleEngine On", "E101 1:34", "nor is the list");
    refused("SecRule ARGS \"@rx abc\nSecRuleEngine On", "E101 1:14", "never closed");
}

#[test]
fn quotes_around_the_value_of_a_variable_are_a_part_of_it() {
    let rules = |set: &str| format!("SecAction \"id:1,phase:1,pass,nolog,{set}\"\nSecAction \"id:2,phase:1,pass,log,msg:'%{{tx.a}}'\"");
    for (set, value) in
        [("setvar:tx.a='x'", "'x'"), ("setvar:tx.a='b,c'", "'b,c'"), ("setvar:tx.a='+5'", "'+5'"), ("setvar:'tx.a=x y'", "x y")]
    {
        assert_eq!(messages(&rules(set), "/"), [value], "{set}");
    }
}

#[test]
fn what_a_phase_does_not_have_yet_is_warned_of() {
    let rule = |targets: &str, phase: &str| warnings(&format!("SecRule {targets} \"@streq x\" \"id:1,{phase}deny\""));
    for (targets, phase) in [
        ("REQUEST_BODY", "phase:1,"),
        ("ARGS_POST:a", "phase:request,phase:1,"),
        ("&FILES", "phase:1,"),
        ("XML:/*", "phase:1,"),
        ("REQUEST_URI|RESPONSE_STATUS", "phase:2,"),
        ("RESPONSE_BODY", "phase:3,"),
        ("REQUEST_BODY", ""),
        ("ARGS", ""),
        ("ARGS_NAMES:/a/", ""),
    ] {
        assert_eq!(rule(targets, phase), ["W220:1"], "{targets} {phase}");
    }
    for (targets, phase) in [
        ("ARGS", "phase:1,"),
        ("ARGS|!ARGS_POST", "phase:1,"),
        ("ARGS_GET|REQUEST_HEADERS|TX:a", ""),
        ("REQUEST_BODY", "phase:2,"),
        ("REQUEST_BODY", "phase:5,"),
        ("RESPONSE_BODY", "phase:4,"),
    ] {
        assert_eq!(rule(targets, phase), [""; 0], "{targets} {phase}");
    }
    let chain = "SecRule REQUEST_URI \"x\" \"id:1,phase:1,deny,chain\"\nSecRule REQUEST_BODY \"y\" \"phase:2\"";
    assert_eq!(warnings(chain), ["W220:2"]);
    assert_eq!(warnings(&chain.replace("phase:1", "phase:2")), [""; 0]);
}

#[test]
fn numbers_that_are_none_and_operators_without_their_mark_are_warned_of() {
    let rule = |operator: &str| warnings(&format!("SecRule ARGS:a \"{operator}\" \"id:1,phase:2,deny\""));
    for operator in ["@gt abc", "!@eq 1.5", "@lt 5x", "@ge 0x10", "@le -"] {
        assert_eq!(rule(operator), ["W221:1"], "{operator}");
    }
    for operator in ["contains foo", "!streq a", "rx ^a$", "detectSQLi", "pmFromFile words"] {
        assert_eq!(rule(operator), ["W222:1"], "{operator}");
    }
    for operator in
        ["@gt 5", "@eq  -7 ", "@ge %{tx.limit}", "containsfoo bar", "within", "detectSQLi x", "@rx contains foo", "a contains b"]
    {
        assert_eq!(rule(operator), [""; 0], "{operator}");
    }
}

#[test]
fn of_several_decisions_the_last_counts_with_a_warning() {
    assert_eq!(warnings("SecRule ARGS:a \"x\" \"id:1,phase:1,deny,status:403,pass\""), ["W223:1"]);
    assert_eq!(warnings("SecDefaultAction \"phase:1,deny,log,pass\""), ["W223:1"]);
    assert_eq!(warnings("SecRule ARGS:a \"x\" \"id:1,phase:1,block,deny,nolog\""), [""; 0]);
}

#[test]
fn limits_of_bodies_say_what_happens_beyond_them() {
    assert_eq!(warnings("SecRequestBodyLimit 10"), ["W224:1"]);
    assert_eq!(warnings("SecRequestBodyLimitAction Reject\nSecRequestBodyLimit 10"), [""; 0]);
    assert_eq!(warnings("SecResponseBodyLimit 10\nSecRequestBodyLimitAction Reject"), ["W224:1"]);
}

#[test]
fn removals_that_mean_no_rule_are_warned_of_once_a_rule() {
    let removal =
        |actions: &str| warnings(&format!("SecAction \"id:1,phase:1,pass,{actions}\"\nSecAction \"id:2,phase:1,pass,tag:'a',msg:'m'\""));
    assert_eq!(removal("ctl:ruleRemoveById=3,ctl:ruleRemoveByTag=b,ctl:ruleRemoveTargetById=4-9;ARGS"), ["W203:1"]);
    assert_eq!(removal("ctl:ruleRemoveById=2,ctl:ruleRemoveByTag=a,ctl:ruleRemoveTargetById=2-9;ARGS,ctl:ruleRemoveByMsg=m"), [""; 0]);
    let waf = Waf::from_rules("SecRuleRemoveById \"5 7-9\"\n").unwrap();
    let report = waf.report();
    let message = &report.warnings().first().unwrap().message;
    assert_eq!(message, "no rule has the id 5 or an id from 7 to 9");
}

#[test]
fn directives_of_other_engines_that_change_no_verdict_are_warned_of() {
    for directive in [
        "SecRequestBodyInMemoryLimit 131072",
        "SecRxPreFilter On",
        "SecCacheTransformations On \"minlen:0\"",
        "SecIgnoreRuleCompilationErrors Off",
        "SecParseXmlIntoArgs Off",
        "SecServerSignature \"Apache\"",
        "SecHashKey rand KeyOnly",
    ] {
        assert_eq!(warnings(directive), ["W201:1"], "{directive}");
    }
    for directive in ["SecParseXmlIntoArgs On", "SecIgnoreRuleCompilationErrors On", "SecDisableBackendCompression On"] {
        refused(directive, &format!("E203 1:{}", directive.len() - 1), "write Off: ");
    }
    refused("SecUnicodeCodePage 20127", "E202 1:1", "SecUnicodeMapFile");
}

#[test]
fn bytes_that_are_not_utf8_are_taken_in_comments_only() {
    let load = |bytes: &[u8]| Waf::builder().input(Input::Bytes { name: "rules".to_owned(), bytes: bytes.to_vec() }).build();
    for comment in
        [&b"# gepr\xfcft\nSecRuleEngine On"[..], b"SecRuleEngine On # gepr\xfcft", b"#SecRule ARGS \\\n  caf\xe9\nSecRuleEngine On"]
    {
        let waf = load(comment).map_err(|error| error.to_string()).unwrap();
        let codes: Vec<_> = waf.report().warnings().iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, ["W102"], "{}", String::from_utf8_lossy(comment));
    }
    for rules in [
        &b"SecAction \"id:1,msg:'caf\xe9'\""[..],
        b"SecRule ARGS \\\n# caf\xe9 \\\nx",
        b"\xffSecRuleEngine On",
        b"# \xfc\nSecAction \"id:1,tag:'\xe9'\"",
    ] {
        let error = load(rules).expect_err("bytes that decide something").to_string();
        assert!(error.contains("error[E002]") && error.contains("iconv -f"), "{error}");
    }
}

#[test]
fn sections_of_web_servers_are_never_widened() {
    for section in
        ["<LocationMatch \"/editor\">", "<Location /a>", "</Location>", "<Directory \"/srv\">", "<Files *.php>", "<VirtualHost *:80>"]
    {
        let error = Waf::from_rules(&format!("SecRuleEngine On\n{section}\n")).unwrap_err().to_string();
        assert!(error.contains("ctl:ruleRemoveById") && !error.contains("take"), "{error}");
    }
    refused("<IfModule mod_security2.c>", "E102 1:1", "remove the lines that open and close it");
}

#[test]
fn mistakes_of_writing_are_named() {
    refused("SecRule ARGS “@contains test” “id:1,phase:1,deny”", "E102 1:14", "typographic quotation mark");
    refused("SecRuleEngine “On”", "E102 1:15", "straight");
    refused("SecRule ARGS \"x\" \"id:1,phase:2 deny,log\"", "E603 1:30", "a comma is missing after `2`");
    refused("SecRule ARGS \"x\" \"id:1,phase:2,deny log\"", "E102 1:37", "a comma is missing after `deny`");
    refused("SecRule ARGS \"x\" \\\n\"id:1,phase:2,\\\n deny\\\n log\"", "E102 4:2", "a comma is missing at the end of line 3");
    refused("SecRule ARGS | X \"y\" \"id:1\"", "E102 1:14", "without blanks around the |");
    refused("SecRule ARGS \"@rx a \"id:1,phase:2,deny\"", "E102 1:22", "between this and the \" that ended the argument");
    refused("SecRule ARGS \"x\" \\\n# why \\\n\"id:1\"", "E102 2:1", "move the comment before");
    refused("SecRuleUpdateTargetById 15 16 \"!ARGS:a\"", "E102 1:28", "one id or one range");
    refused("SecAction \"id:1,phase:1,initcol:ip.x=60\"", "E603 1:33", "initcol:ip=%{REMOTE_ADDR}");
    refused("SecAction \"id:1,phase:1,msg:hello, world\"", "E601 1:36", "msg:'hello, world …'");
    refused("LoadModule security2_module modules/mod_security2.so", "E201 1:1", "the web server's configuration");
    refused("SecRule ARGS \"@ipMatch 10.0.0\" \"id:1,phase:1,deny\"", "E404 1:24", "10.0.0.0/8");
    refused("SecRule ARGS \"@rx ab(c\" \"id:1,phase:1,deny\"", "E404 1:21", "invalid regular expression");
    refused("SecRule XML:/a/b[ \"x\" \"id:1,phase:2,deny\"", "E304 1:13", "close each [");
}
