use proptest::prelude::*;

use super::*;

fn flat(body: &[u8]) -> (Vec<(String, String)>, Result<(), JsonError>) {
    flat_within(body, &JsonLimits::default())
}

fn flat_within(body: &[u8], limits: &JsonLimits) -> (Vec<(String, String)>, Result<(), JsonError>) {
    let mut seen = Vec::new();
    let result = flatten(body, limits, &mut |name, value| {
        seen.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(&value).into_owned()));
        ControlFlow::Continue(())
    });
    (seen, result)
}

fn names(body: &[u8]) -> Vec<String> {
    flat(body).0.into_iter().map(|(name, _)| name).collect()
}

fn error(body: &[u8]) -> JsonError {
    flat(body).1.expect_err("the body is not valid JSON")
}

#[test]
fn members_and_elements_get_v3_names() {
    assert_eq!(
        names(br#"{"user":{"name":"x","tags":[1,[2],{"k":3}]},"":4,"last":{"":5}}"#),
        [
            "json.user.name",
            "json.user.tags.array_0",
            "json.user.tags.array_1.array_0",
            "json.user.tags.array_2.k",
            "json.empty-key",
            "json.last.empty-key"
        ]
    );
    assert_eq!(names(b"[true]"), ["json.array_0"]);
    assert_eq!(names(b"7"), ["json"]);
}

#[test]
fn empty_containers_give_nothing_but_count_as_elements() {
    assert_eq!(names(br#"[{},[],{"a":[]},9]"#), ["json.array_3"]);
}

#[test]
fn scalars_keep_their_text() {
    let (seen, result) = flat(br#"["a\nb", -1.50E+10, 123456789012345678901234567890, true, false, null]"#);
    let values: Vec<_> = seen.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["a\nb", "-1.50E+10", "123456789012345678901234567890", "true", "false", ""]);
    assert_eq!(result, Ok(()));
}

#[test]
fn clean_strings_are_borrowed() {
    let body = br#"["clean","\u0041"]"#;
    let mut borrowed = Vec::new();
    let result = flatten(body, &JsonLimits::default(), &mut |_, value| {
        borrowed.push(matches!(value, Cow::Borrowed(_)));
        ControlFlow::Continue(())
    });
    assert_eq!((result, borrowed), (Ok(()), vec![true, false]));
}

#[test]
fn repeated_keys_are_all_reported() {
    assert_eq!(names(br#"{"k":1,"k":2}"#), ["json.k", "json.k"]);
}

#[test]
fn values_before_an_error_are_kept() {
    let (seen, result) = flat(br#"{"a":1,"b":[2,?"#);
    assert_eq!(seen.len(), 2);
    assert_eq!(result, Err(JsonError::InvalidCharacter));
}

#[test]
fn broken_structure_is_named() {
    assert_eq!(error(b"[4,]"), JsonError::UnexpectedToken);
    assert_eq!(error(b"{4:1}"), JsonError::InvalidKey);
    assert_eq!(error(br#"{"a":4,}"#), JsonError::InvalidKey);
    assert_eq!(error(br#"{"a",4}"#), JsonError::MissingColon);
    assert_eq!(error(br#"{"a":4:"#), JsonError::UnfinishedObject);
    assert_eq!(error(b"[4 5]"), JsonError::UnfinishedArray);
    assert_eq!(error(b"[4"), JsonError::PrematureEnd);
    assert_eq!(error(b"\n"), JsonError::PrematureEnd);
    assert_eq!(error(br#"{"a":1}"b"#), JsonError::TrailingGarbage);
    assert_eq!(error(b"007"), JsonError::TrailingGarbage);
}

#[test]
fn broken_tokens_are_named() {
    assert_eq!(error(b"-x"), JsonError::DigitAfterMinus);
    assert_eq!(error(b"3."), JsonError::DigitAfterPoint);
    assert_eq!(error(b"3e-"), JsonError::DigitAfterExponent);
    assert_eq!(error(b"truth"), JsonError::InvalidWord);
    assert_eq!(error(b"/* */"), JsonError::Comment);
    assert_eq!(error(b"\"\n\""), JsonError::ControlCharacter);
    assert_eq!(error(br#""\q""#), JsonError::InvalidEscape);
    assert_eq!(error(br#""\u00g0""#), JsonError::InvalidUnicodeEscape);
    assert_eq!(error(b"\"\xff\""), JsonError::InvalidUtf8);
    assert_eq!(error(b"\"\xc3"), JsonError::InvalidUtf8);
    assert_eq!(error(b"\"open"), JsonError::PrematureEnd);
}

#[test]
fn an_empty_body_is_no_error() {
    assert_eq!(flat(b""), (Vec::new(), Ok(())));
}

#[test]
fn nesting_beyond_the_limit_stops_the_walk() {
    let limits = JsonLimits { depth: 2, ..JsonLimits::default() };
    assert_eq!(flat_within(br#"[1,{"a":2}]"#, &limits).1, Ok(()));
    let (seen, result) = flat_within(br#"[1,{"a":[2]}]"#, &limits);
    assert_eq!((seen.len(), result), (1, Err(JsonError::TooDeep)));
}

#[test]
fn the_sink_can_stop_the_walk() {
    let mut count = 0;
    let result = flatten(b"[1,2,3,4]", &JsonLimits::default(), &mut |_, _| {
        count += 1;
        if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((count, result), (2, Err(JsonError::Cancelled)));
}

#[test]
fn values_beyond_the_limit_stop_the_walk() {
    let limits = JsonLimits { nodes: 3, ..JsonLimits::default() };
    assert_eq!(flat_within(b"[1,{}]", &limits).1, Ok(()));
    let (seen, result) = flat_within(b"[1,{},2]", &limits);
    assert_eq!((seen.len(), result), (1, Err(JsonError::TooManyNodes)));
}

#[test]
fn ten_thousand_levels_are_read_where_the_limit_allows_them() {
    let body = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    assert_eq!(flat_within(body.as_bytes(), &JsonLimits { depth: 10_000, ..JsonLimits::default() }), (Vec::new(), Ok(())));
    assert_eq!(flat(body.as_bytes()), (Vec::new(), Err(JsonError::TooDeep)));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = flat(&body);
    }

    #[test]
    fn any_json_like_text_is_survived(body in r#"([\[\]{}:,"\\/ 019.eE+-]|true|nul|\\u|\\ud83d|"k":){0,60}"#) {
        let _ = flat(body.as_bytes());
    }
}
