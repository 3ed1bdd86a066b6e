use super::*;

fn pattern(source: &str) -> Pattern {
    Pattern::compile(source.as_bytes(), PatternOptions::default()).unwrap()
}

/// The first match at or after `start` and its groups, as text; `-` for a group that took no part.
fn captured(source: &str, input: &str, start: usize) -> Option<Vec<String>> {
    let mut groups = Vec::new();
    let matched = pattern(source).captures(input.as_bytes(), start, &mut groups).unwrap();
    matched.then(|| groups.into_iter().map(|group| group.map_or("-".to_owned(), |range| input[range].to_owned())).collect())
}

#[test]
fn a_line_does_not_start_after_the_newline_that_ends_the_input() {
    for (source, input, expected) in [
        (r"b\n^", "b\n", false),
        (r"b\n^", "b\nc", true),
        (r"\n^$", "b\n\n", true),
        (r"\n\n^$", "b\n\n", false),
        (r"\A\n^|b", "\n", false),
        (r"^\s*$", "b\n", false),
        ("^", "\n", true),
        (r"(?:b\n^)*x?$", "b\n", true),
    ] {
        assert_eq!(pattern(source).is_match(input.as_bytes()), Ok(expected), "{source:?} on {input:?}");
        assert_eq!(captured(source, input, 0).is_some(), expected, "{source:?} on {input:?}");
    }
}

#[test]
fn the_exact_line_start_still_captures() {
    assert_eq!(captured(r"(b)(\n)(^)?", "b\n", 0).unwrap(), ["b\n", "b", "\n", "-"]);
    assert_eq!(captured(".+^", "b\nc\n", 0).unwrap(), ["b\n"]);
    assert_eq!(captured(r"(b)(\n)(^)?", "b\nc", 0).unwrap(), ["b\n", "b", "\n", ""]);
}

#[test]
fn bytes_match_as_bytes_in_both_engines() {
    for source in [&b"[\xe2\x80\x99]x"[..], b"[\xe2\x80\x99](?=x)", b"\x99x", b"\x99(?=x)", b"\\x99(?=x)"] {
        let pattern = Pattern::compile(source, PatternOptions::default()).unwrap();
        assert_eq!(pattern.is_match(b"\x99x"), Ok(true), "{source:?}");
        assert_eq!(pattern.is_match("\u{99}y".as_bytes()), Ok(false), "{source:?}");
    }
}

#[test]
fn searching_on_sees_what_lies_before() {
    assert_eq!(captured("^b|c", "abc", 1).unwrap(), ["c"]);
    assert_eq!(captured("(?<=a)b|c", "abc", 1).unwrap(), ["b"]);
    assert_eq!(captured("c", "abc", 9), None);
}

#[test]
fn a_pattern_that_backtracks_without_end_is_given_up_aloud() {
    let options = PatternOptions { step_limit: 1_000, ..PatternOptions::default() };
    let pattern = Pattern::compile(br"(?=(a+)+\1$)b", options).unwrap();
    assert_eq!(pattern.engine(), Engine::Backtracking);
    assert_eq!(pattern.is_match(&[b'a'; 100]), Err(LimitExceeded));
}

#[test]
fn repetitions_that_explode_are_refused() {
    assert!(Pattern::compile(b"((a{1000}){1000}){1000}", PatternOptions::default()).is_err());
}

#[test]
fn equal_patterns_are_shared_and_freed() {
    let options = PatternOptions::default();
    let first = Pattern::shared(b"shared by two rules", options).unwrap();
    let second = Pattern::shared(b"shared by two rules", options).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let weak = Arc::downgrade(&first);
    drop((first, second));
    assert!(weak.upgrade().is_none());
}
