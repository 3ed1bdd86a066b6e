use super::super::loads::UNNAMED;
use super::*;
use secrule::Waf;
use secrule::internals::source::Memory;

fn refused(rules: &str) -> String {
    let error = Waf::builder().rules(UNNAMED, rules).build().unwrap_err();
    text(&error).lines().next().unwrap().to_owned()
}

fn expect(rules: &str, line: usize, column: usize, message: &str) {
    assert_eq!(refused(rules), format!("Rules error. File: {UNNAMED}. Line: {line}. Column: {column}. {message}"), "{rules}");
}

#[test]
fn what_cannot_be_read_is_shown_to_the_end_of_its_line() {
    expect("SecThing a\n", 1, 11, "Invalid input:  SecThing a");
    expect("SecRule HOUSE \"@rx a\" \"id:1\"\n", 1, 29, "Expecting a variable, got:  :  HOUSE \"@rx a\" \"id:1\"");
    expect("\nSecRule ARGS \"@rx a\" \"id:1,jump,pass\"\n", 2, 38, "Expecting an action, got:  jump,pass\"");
    expect("SecRule ARGS \"@rx a\" \"id:1,t:upside,pass\"\n", 1, 42, "Expecting an action, got:  t:upside,pass\"");
    expect("SecRule ARGS \"@rx a\" \"id:'7,pass\"\n", 1, 34, "Expecting an action, got:  id:'7,pass\"");
    expect("SecRule ARGS \"@rx a\" \"id:7',pass\"\n", 1, 34, "Expecting an action, got:  ',pass\"");
    expect("SecRule ARGS \"@rx a\" \"id:-7,pass\"\n", 1, 34, "Expecting an action, got:  id:-7,pass\"");
}

#[test]
fn actions_that_are_followed_by_something_are_what_is_wrong() {
    expect("SecRule ARGS \"@rx a\" pass \"id:1\"", 1, 33, "Expecting an action, got:  pass \"id:1\"");
    expect("SecRule ARGS \"@rx a\" \"id:1\" pass", 1, 33, "Expecting an action, got:  \"id:1\" pass");
}

#[test]
fn the_error_that_is_read_first_is_told_first() {
    let files = Memory::new().with("inner.conf", "SecInner");
    let error = Waf::builder().rules("outer", "Include inner.conf\nSecOuter").build_with(&files).unwrap_err();
    assert!(text(&error).starts_with("Rules error. File: inner.conf. Line: 1. Column: 9. Invalid input:  SecInner"));
}

#[test]
fn an_operator_without_a_name_counts_one_more() {
    expect("SecRule ARGS a \"id:1,skip:many\"\n", 1, 33, "Expecting an action, got:  skip:many\"");
}

#[test]
fn defaults_are_refused_at_the_end_of_the_statement_before() {
    expect("SecRuleEngine On\nSecDefaultAction \"phase:1,log\"", 1, 16, "SecDefaultAction must specify a disruptive action. ");
    let twice = "SecDefaultActions can only be placed once per phase and configuration context. Phase 2 was informed already. ";
    expect("SecDefaultAction \"phase:2,pass\"\nSecDefaultAction \"phase:2,pass\"", 1, 30, twice);
}

#[test]
fn ids_are_refused_in_words_of_their_own() {
    assert_eq!(refused("SecRule ARGS a \"id:5,phase:1\"\nSecRule ARGS b \"id:5,phase:1\""), "Rule id: 5 is duplicated");
    assert_eq!(refused("SecRule ARGS a \"phase:1\""), format!("Rules must have an ID. File: {UNNAMED} at line: 1"));
    let long = "9".repeat(80);
    assert!(
        refused(&format!("SecAction \"id:{long},phase:1\""))
            .contains(&format!("The input \"{long}\" does not seems to be a valid rule id."))
    );
}

#[test]
fn files_that_are_missing_are_named_with_the_paths_that_were_tried() {
    let message =
        format!("none.conf: Not able to open file. Looking at: 'none.conf', 'none.conf', '{UNNAMED}/none.conf', '{UNNAMED}/none.conf'.");
    expect("Include none.conf", 1, 17, &message);
    let looked = format!("Looking at: 'none', 'none', '{UNNAMED}/none', '{UNNAMED}/none'. ");
    expect("SecRule ARGS \"@ipMatchFromFile none\" \"id:1\"", 1, 12, &looked);
    expect("SecRule ARGS \"@pmFromFile none\" \"id:1\"", 1, 12, &format!("Failed to open file: none. {looked}"));
}

#[test]
fn every_error_follows_with_its_code_and_hint() {
    let error = Waf::builder().rules("a.conf", "SecThing\nSecRule ARGS \"@contain a\" \"id:1\"").build().unwrap_err();
    let text = text(&error);
    assert!(text.contains("\na.conf:1:1: E201 unknown directive"), "{text}");
    assert!(text.contains("\na.conf:2:16: E401 unknown operator `@contain`; did you mean `@contains`?"), "{text}");
}

#[test]
fn bytes_that_are_no_text_are_refused_at_their_place() {
    let input = secrule::internals::compile::Input::Bytes { name: UNNAMED.to_owned(), bytes: b"SecRuleEngine On\nSecMarker \xff".to_vec() };
    let refusal = text(&Waf::builder().input(input).build().unwrap_err());
    let shown = format!("Rules error. File: {UNNAMED}. Line: 2. Column: 10. The rules are not UTF-8 text.");
    assert_eq!(refusal.lines().next(), Some(shown.as_str()));
    assert!(refusal.contains("\ninline rules, line 2, column 11: E002 `inline rules` is not UTF-8 text; "), "{refusal}");
}

#[test]
fn addresses_from_which_nothing_comes_are_named() {
    let rules = "SecRuleEngine On\nSecRemoteRules key http://rules.example/waf.conf";
    expect(rules, 1, 16, "Failed to download: \"http://rules.example/waf.conf\"");
}
