//! Patterns that often need no search: those that match every input as a whole, those that begin with a literal at the start of a line, because most
//! inputs begin with another, and those that match wherever a literal occurs, if the input is short. `^$` begins with the empty literal, and most
//! inputs do not end there.

use super::byte_set::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The literal prefix of a pattern that begins with `^` or `\A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnchoredPrefix {
    pub bytes: Box<[FoldedByte]>,
    pub rest: Rest,
}

/// The rest of a pattern after its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// Only the end of a line, or with `false` that of the input.
    End { of_line: bool },
    /// Anything else.
    Other,
}

/// The literal of a pattern that matches wherever it occurs, like `"?literal.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainedLiteral(pub Box<[FoldedByte]>);

/// A byte, and the case bit of a letter that matches in either case, or 0.
pub(crate) type FoldedByte = (u8, u8);

/// The longest input that is compared with a contained literal at each place: longer ones take an automaton less time.
const MAX_COMPARED: usize = 64;

/// The bit that differs between the two cases of an ASCII letter.
const CASE: u8 = 0x20;

/// Returns `true` if a pattern matches every input from its first byte to its last, like `^.*$`.
pub(super) fn matches_everything(pattern: &Hir) -> bool {
    let parts = match pattern.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(pattern),
    };
    let parts = match parts {
        [start, rest @ ..] if matches!(start.kind(), HirKind::Look(Look::Start | Look::StartLF)) => rest,
        _ => parts,
    };
    let parts = match parts {
        [rest @ .., end] if matches!(end.kind(), HirKind::Look(Look::End | Look::EndLF)) => rest,
        _ => parts,
    };
    let [only] = parts else { return false };
    matches!(only.kind(), HirKind::Repetition(any) if any.min == 0 && any.max.is_none() && any.greedy && is_any_byte(&any.sub))
}

fn is_any_byte(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Class(Class::Bytes(class)) if matches!(class.ranges(), [all] if (all.start(), all.end()) == (0, u8::MAX)))
}

impl AnchoredPrefix {
    /// Returns the prefix of a pattern; `None` if it begins with something else, or may match in the middle of a line.
    pub(super) fn of(pattern: &Hir) -> Option<Self> {
        let HirKind::Concat(parts) = pattern.kind() else { return None };
        let [start, parts @ ..] = parts.as_slice() else { return None };
        if !matches!(start.kind(), HirKind::Look(Look::Start | Look::StartLF)) {
            return None;
        }
        let mut bytes = Vec::new();
        let literals = parts.iter().take_while(|part| adds_literal(part, &mut bytes)).count();
        let rest = match parts.get(literals..).unwrap_or_default() {
            [] => Rest::Nothing,
            [end] if matches!(end.kind(), HirKind::Look(Look::End | Look::EndLF)) => {
                Rest::End { of_line: matches!(end.kind(), HirKind::Look(Look::EndLF)) }
            }
            _ => Rest::Other,
        };
        (!bytes.is_empty() || matches!(rest, Rest::End { .. })).then(|| Self { bytes: bytes.into(), rest })
    }

    /// Returns `true` if the pattern matches, `false` if it does not; `None` if the start of the input does not decide it. A later line may begin
    /// with the prefix if the first does not.
    pub(super) fn decide(&self, input: &[u8]) -> Option<bool> {
        let matches = match self.rest {
            _ if !begins_with(input, &self.bytes) => false,
            Rest::Nothing => true,
            Rest::End { of_line } => match input.get(self.bytes.len()) {
                None => true,
                Some(next) => of_line && *next == b'\n',
            },
            Rest::Other => return None,
        };
        if matches {
            return Some(true);
        }
        memchr::memchr(b'\n', input).is_none().then_some(false)
    }
}

impl ContainedLiteral {
    /// Returns the literal of a pattern; `None` if a match needs more than one literal.
    pub(super) fn of(pattern: &Hir) -> Option<Self> {
        let parts = match pattern.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(pattern),
        };
        // A part around the literal that may be empty decides nothing.
        let is_needed = |part: &Hir| part.properties().minimum_len() != Some(0) || !part.properties().look_set().is_empty();
        let first = parts.iter().position(is_needed)?;
        let last = parts.iter().rposition(is_needed)?;
        let mut bytes = Vec::new();
        parts.get(first..=last)?.iter().all(|part| adds_literal(part, &mut bytes)).then(|| Self(bytes.into()))
    }

    /// Returns `true` if the literal occurs in an input, `false` if not; `None` if the input is too long to be compared.
    pub(super) fn decide(&self, input: &[u8]) -> Option<bool> {
        let Self(bytes) = self;
        (input.len() <= MAX_COMPARED).then(|| input.windows(bytes.len()).any(|part| begins_with(part, bytes)))
    }
}

#[inline]
fn begins_with(input: &[u8], bytes: &[FoldedByte]) -> bool {
    input.len() >= bytes.len() && bytes.iter().zip(input).all(|((byte, case), found)| found | case == *byte)
}

/// Adds the bytes of a part that is a literal, or a letter in either case. Returns `false` if it is something else.
fn adds_literal(part: &Hir, bytes: &mut Vec<FoldedByte>) -> bool {
    match part.kind() {
        HirKind::Literal(literal) => bytes.extend(literal.0.iter().map(|byte| (*byte, 0))),
        HirKind::Class(Class::Bytes(class)) => match class.ranges() {
            [upper, lower] if is_letter_in_both_cases((upper.start(), upper.end()), (lower.start(), lower.end())) => {
                bytes.push((lower.start(), CASE));
            }
            _ => return false,
        },
        _ => return false,
    }
    true
}

/// Returns the bytes that a match of a pattern may begin with; `None` if a match may be empty.
pub(super) fn first_bytes(pattern: &Hir) -> Option<ByteSet> {
    let mut set = ByteSet::EMPTY;
    adds_first_bytes(pattern, &mut set).then_some(set)
}

/// Adds the bytes that a match of a part may begin with. Returns `false` if a match may be empty.
fn adds_first_bytes(part: &Hir, set: &mut ByteSet) -> bool {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => {
            *set = set.union(ByteSet::of(literal.0.get(..1).unwrap_or_default()));
            !literal.0.is_empty()
        }
        HirKind::Class(Class::Bytes(class)) => {
            *set = class.ranges().iter().map(|range| ByteSet::range(range.start()..=range.end())).fold(*set, ByteSet::union);
            true
        }
        HirKind::Class(Class::Unicode(class)) => {
            let first = |char: char| char.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or(0);
            *set = class.ranges().iter().map(|range| ByteSet::range(first(range.start())..=first(range.end()))).fold(*set, ByteSet::union);
            true
        }
        HirKind::Capture(capture) => adds_first_bytes(&capture.sub, set),
        HirKind::Repetition(repetition) => adds_first_bytes(&repetition.sub, set) && repetition.min > 0,
        HirKind::Concat(parts) => parts.iter().any(|part| adds_first_bytes(part, set)),
        HirKind::Alternation(parts) => {
            // Uses `count`, because each branch must add its bytes, even after one that may be empty.
            let empty = parts.iter().filter(|part| !adds_first_bytes(part, set)).count();
            empty == 0
        }
    }
}

fn is_letter_in_both_cases(upper: (u8, u8), lower: (u8, u8)) -> bool {
    upper.0 == upper.1 && lower.0 == lower.1 && upper.0.is_ascii_uppercase() && upper.0 | CASE == lower.0
}

#[cfg(test)]
mod tests {
    use crate::pattern::{Effort, Pattern, PatternOptions};
    use proptest::prelude::*;

    const PATTERNS: [&str; 15] =
        ["^_ab", r"\Aab", "^ab$", "^a(?:b|c)", "^A-b", "^ab*", "^a[bB]", r"^a@", r"^\x60a", "^$", r"\A$", r"^\z", r"^a\z", "^a$b", "^$\n"];

    proptest! {
        #[test]
        fn an_anchored_prefix_answers_as_the_whole_pattern_does(
            pattern in proptest::sample::select(&PATTERNS[..]),
            case_insensitive: bool,
            input in proptest::collection::vec(proptest::sample::select(&b"abABc_-@`\n"[..]), 0..7),
        ) {
            let options = PatternOptions { case_insensitive, ..PatternOptions::default() };
            let matches = |source: &str| Pattern::compile(source.as_bytes(), options).unwrap().is_match(&input, &mut Effort::default()).unwrap();
            // A group around the whole hides the start.
            prop_assert_eq!(matches(pattern), matches(&format!("(?:{pattern}|[^\\x00-\\xff])")));
        }

        #[test]
        fn a_contained_literal_answers_as_the_whole_pattern_does(
            pattern in proptest::sample::select(&["ab", "a", r"b?\x60A.*", "a-b_*", "(b?)a(b*)", ".*a[bB].?", r"\ba", "(*UTF)ab?", "a$", "[ab]a*", "a?"][..]),
            case_insensitive: bool,
            input in proptest::collection::vec(proptest::sample::select(&b"abABc_-@`\n"[..]), 0..70),
        ) {
            let options = PatternOptions { case_insensitive, ..PatternOptions::default() };
            let matches = |source: &str| Pattern::compile(source.as_bytes(), options).unwrap().is_match(&input, &mut Effort::default()).unwrap();
            // A group around the whole hides the literal.
            let (verb, rest) = pattern.strip_prefix("(*UTF)").map_or(("", pattern), |rest| ("(*UTF)", rest));
            prop_assert_eq!(matches(pattern), matches(&format!("{verb}(?:{rest}|c_c_c_c_c)")));
        }

        #[test]
        fn what_matches_everything_matches_what_a_search_finds(
            pattern in proptest::sample::select(&["^.*$", ".*", "^.*", r"\A.*\z", ".*?", "^.*?$", "^.+$", "^.*$a", "^[^\n]*$"][..]),
            input in proptest::collection::vec(proptest::sample::select(&b"ab\n\x00\xFF"[..]), 0..5),
        ) {
            let found = |source: &str| {
                let mut groups = Vec::new();
                let found = Pattern::compile(source.as_bytes(), PatternOptions::default()).unwrap().captures(&input, 0, &mut groups, &mut Effort::default()).unwrap();
                found.then(|| groups[0].clone())
            };
            prop_assert_eq!(found(pattern), found(&format!("(?:{pattern}|[^\\x00-\\xff])")));
        }
    }
}
