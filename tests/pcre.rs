//! Compares generated patterns with PCRE2: both must load, match and capture alike.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use secrule::internals::pattern::{Effort, Engine, Pattern, PatternOptions};
use std::cell::Cell;

type Groups = Vec<Option<(usize, usize)>>;

fn ours(pattern: &Pattern, input: &[u8]) -> Result<Option<Groups>, String> {
    let mut groups = Vec::new();
    match pattern.captures(input, 0, &mut groups, &mut Effort::default()) {
        Ok(true) => {
            // Trailing groups that took no part may be missing.
            groups.resize(pattern.groups() + 1, None);
            Ok(Some(groups.into_iter().map(|group| group.map(|range| (range.start, range.end))).collect()))
        }
        Ok(false) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn theirs(pattern: &pcre2::bytes::Regex, input: &[u8]) -> Result<Option<Groups>, String> {
    match pattern.captures(input) {
        Ok(None) => Ok(None),
        Ok(Some(found)) => Ok(Some((0..found.len()).map(|group| found.get(group).map(|part| (part.start(), part.end()))).collect())),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the results of both for a pattern and an input, if they differ.
fn difference(source: &str, input: &[u8], seen: &Seen) -> Option<String> {
    // The effect of verbs within look-behind, and which look-around that is not atomic is accepted, depend on the version, too.
    if VERBS.iter().any(|verb| source.contains(verb)) && (source.contains("(?<") || source.contains("(*napla")) {
        return None;
    }
    let peer = pcre2::bytes::RegexBuilder::new().dotall(true).multi_line(true).build(source);
    let pattern = Pattern::compile(source.as_bytes(), PatternOptions::default());
    // Which look-behind has a fixed length depends on the version: the engine follows 10.42, and the peer is a later one.
    let is_about_length =
        |error: &dyn std::fmt::Display| error.to_string().contains("look-behind") || error.to_string().contains("lookbehind");
    let (peer, pattern) = match (peer, pattern) {
        (Err(_), Err(_)) => return None,
        (Err(error), Ok(_)) if is_about_length(&error) => return None,
        (Ok(_), Err(error)) if is_about_length(&error) => return None,
        (Err(error), Ok(_)) => return Some(format!("{source:?} loads, but not with PCRE2: {error}")),
        (Ok(_), Err(error)) => return Some(format!("{source:?} does not load: {error}")),
        (Ok(peer), Ok(pattern)) => (peer, pattern),
    };
    let (one, other) = (ours(&pattern, input), theirs(&peer, input));
    let is_match = pattern.is_match(input, &mut Effort::default());
    let (Ok(one), Ok(other)) = (one, other) else {
        seen.given_up.set(seen.given_up.get() + 1);
        return None;
    };
    let counter = if pattern.engine() == Engine::Backtracking { &seen.backtracking } else { &seen.linear };
    counter.set(counter.get() + usize::from(one.is_some()));
    let agree = one == other && is_match == Ok(one.is_some());
    (!agree).then(|| format!("{source:?} on {:?}: {one:?}, {is_match:?}, but PCRE2 {other:?}", input.escape_ascii().to_string()))
}

/// Number of compared matches, by engine, and number of searches that were given up.
#[derive(Default)]
struct Seen {
    linear: Cell<usize>,
    backtracking: Cell<usize>,
    given_up: Cell<usize>,
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "c",
    "ab",
    "1",
    ".",
    "[ab]",
    "[^a]",
    r"[\Qa-\E]",
    r"\d",
    r"\w",
    r"\s",
    r"\N",
    r"\h",
    r"\R",
    r"\X",
    "^",
    "$",
    r"\b",
    r"\B",
    r"\A",
    r"\z",
    r"\Z",
    r"\G",
    r"\K",
    r"\x61",
    "(?i)a",
    "(?-m)$",
    "(?-s).",
    r"\p{L}",
    r"\P{N}",
    "[[:alpha:]]",
    "(?#x)",
    r"\Qa.\E",
    "\n",
    "é",
];

const REFERENCES: &[&str] = &[r"\1", r"\2", r"\g{-1}", "(?1)", "(?2)", "(?R)", "(?-1)"];

const VERBS: &[&str] = &["(*FAIL)", "(*ACCEPT)", "(*COMMIT)", "(*PRUNE)", "(*SKIP)", "(*THEN)", "(*MARK:m)", "(*SKIP:m)"];

const TIMES: &[&str] = &["*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "*?", "+?", "??", "{0,2}?", "*+", "++", "?+", "{1,2}+"];

fn pattern(pieces: Vec<&'static str>) -> impl Strategy<Value = String> {
    let grow = |inner: BoxedStrategy<String>| {
        let wrap = select(
            &["(", "(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?|", "(?(1)", "(?(?=a)", "(?(R)", "(?(?<!b)", "(*napla:"][..],
        );
        prop_oneof![
            4 => proptest::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            2 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner.clone(), select(TIMES)).prop_map(|(part, times)| format!("({part}){times}")),
            2 => (inner.clone(), select(TIMES)).prop_map(|(part, times)| format!("(?:{part}){times}")),
            2 => (wrap, inner.clone(), inner.clone()).prop_map(|(wrap, one, other)| format!("{wrap}{one}|{other})")),
            2 => (select(&["(", "(?>", "(?=", "(?!", "(?<=", "(?<!"][..]), inner).prop_map(|(wrap, part)| format!("{wrap}{part})")),
        ]
    };
    let options = select(&["", "", "", "", "(?i)", "(?U)", "(?x)", "(*UTF)", "(*UCP)", "(*UTF)(*UCP)(?i)", "(*NOTEMPTY)"][..]);
    let whole = select(pieces).prop_map(str::to_owned).prop_recursive(5, 30, 5, grow);
    (options, whole).prop_map(|(options, whole)| format!("(*NO_START_OPT){options}{whole}"))
}

fn input() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(&["a", "b", "c", "ab", "aab", "1", "A", "B", "\n", "\r\n", " ", "é", "É", "-"][..]), 0..9)
        .prop_map(|pieces| pieces.concat())
}

fn compare(pieces: Vec<&'static str>, cases: u32) -> Seen {
    let mut runner = TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let seen = Seen::default();
    let outcome = runner.run(&(pattern(pieces), input()), |(pattern, input)| {
        let found = difference(&pattern, input.as_bytes(), &seen);
        prop_assert!(found.is_none(), "{}", found.unwrap_or_default());
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    seen
}

#[test]
fn patterns_without_memory_match_and_capture_as_with_pcre2() {
    let seen = compare(PIECES.to_vec(), 20_000);
    assert!(seen.linear.get() > 500 && seen.backtracking.get() > 500, "{} {}", seen.linear.get(), seen.backtracking.get());
}

#[test]
fn references_and_calls_match_and_capture_as_with_pcre2() {
    let seen = compare([PIECES, REFERENCES, REFERENCES].concat(), 20_000);
    assert!(seen.backtracking.get() > 500, "{}", seen.backtracking.get());
}

#[test]
fn verbs_act_as_with_pcre2() {
    let seen = compare([&PIECES[..8], VERBS].concat(), 20_000);
    assert!(seen.backtracking.get() > 500, "{}", seen.backtracking.get());
}
