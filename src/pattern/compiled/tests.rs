use super::*;

fn pattern(source: &str) -> Pattern {
    Pattern::compile(source.as_bytes(), PatternOptions::default()).unwrap()
}

/// The first match at or after `start` and its groups, as text; `-` for a group that took no part.
fn captured(source: &str, input: &str, start: usize) -> Option<Vec<String>> {
    let mut groups = Vec::new();
    let matched = pattern(source).captures(input.as_bytes(), start, &mut groups, &mut Effort::default()).unwrap();
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
        assert_eq!(pattern(source).is_match(input.as_bytes(), &mut Effort::default()), Ok(expected), "{source:?} on {input:?}");
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
        assert_eq!(pattern.is_match(b"\x99x", &mut Effort::default()), Ok(true), "{source:?}");
        assert_eq!(pattern.is_match("\u{99}y".as_bytes(), &mut Effort::default()), Ok(false), "{source:?}");
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
    let pattern = Pattern::compile(br"^(?:(a+)\1?)+$", options).unwrap();
    assert_eq!(pattern.engine(), Engine::Backtracking);
    assert_eq!(pattern.is_match(&[&[b'a'; 100][..], b"b"].concat(), &mut Effort::default()), Err(LimitExceeded));
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

#[test]
fn the_last_round_of_a_repetition_captures_nothing_if_it_is_empty() {
    assert_eq!(captured(r"^(\d*)+", "12x", 0).unwrap(), ["12", ""]);
    assert_eq!(captured(r"(?:(a)|b*)*", "ab", 0).unwrap(), ["ab", "a"]);
}

#[test]
fn without_memory_of_captures_time_is_linear() {
    let work_of_byte = |source: &str, input: &str| {
        let mut effort = Effort::default();
        pattern(source).is_match(input.as_bytes(), &mut effort).unwrap();
        effort.used / input.len()
    };
    let many = "a".repeat(40_000);
    for (source, ending) in [
        ("(?>a+)b", "cb"),
        ("a++b", "cab"),
        (r"a(?!.*a)b", "cb"),
        (r"a(?=.*b)c", "bdac"),
        ("a(?=[^b]*b)c", "bac"),
        ("(?=(?:a|aa)+$)ab", "b"),
        ("(?:a(?=.*b))*c", "bdc"),
        ("(?=(a*)*b)c", "bc"),
    ] {
        assert!(work_of_byte(source, &(many.clone() + ending)) < 200, "{source}");
    }
}

#[test]
fn searches_that_have_no_end_are_given_up_after_their_steps() {
    let (input, options) = ("a".repeat(40_000) + "cx", PatternOptions { step_limit: 10_000, ..PatternOptions::default() });
    for source in [r"(a+)\1x", r"(a(?1)?)x", r"^(a+)\1+$"] {
        let mut effort = Effort::default();
        let pattern = Pattern::compile(source.as_bytes(), options).unwrap();
        assert_eq!(pattern.is_match(input.as_bytes(), &mut effort), Err(LimitExceeded), "{source}");
        assert!(effort.used < 8 * (10_000 + 64 * input.len() + 10_000), "{source} {effort:?}");
    }
}

#[test]
fn counted_repetitions_cost_their_size_where_many_are_under_way() {
    let pattern = pattern("a(.{0,900})b(.{0,900})[^a]b$");
    // Letters in an order without a pattern.
    let mixed: Vec<u8> = (0..30_000_u32).map(|at| if at.wrapping_mul(0x9E37_79B9) >> 31 == 0 { b'a' } else { b'b' }).collect();
    let mut effort = Effort { limit: 100_000_000, ..Effort::default() };
    assert_eq!(pattern.is_match(&mixed, &mut effort), Err(LimitExceeded));
    assert!(effort.used > effort.limit);
    let mut effort = Effort::default();
    assert_eq!(pattern.is_match(&b"no letter of these is the first ".repeat(1000)[..], &mut effort), Ok(false));
    assert_eq!(effort.used, 0);
}
