//! Operators that compare the input with a text, byte by byte and case-sensitively.

use super::findings::{Findings, Wanted};
use memchr::memmem;
use std::ops::Range;

/// Kinds of comparison of a text with the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    BeginsWith,
    Contains,
    ContainsWord,
    EndsWith,
    StrEq,
    StrMatch,
    Within,
}

impl Comparison {
    pub(super) fn evaluate(self, text: &[u8], input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
        let Some(found) = self.find(text, input) else { return false };
        if let (Some(range), Wanted::Findings) = (found, wanted) {
            findings.locate(&range);
        }
        true
    }

    /// Returns the position of a match: `Some(None)` for a match that v3 logs without an offset.
    fn find(self, text: &[u8], input: &[u8]) -> Option<Option<Range<usize>>> {
        match self {
            Self::BeginsWith => input.starts_with(text).then_some(Some(0..text.len())),
            Self::EndsWith => {
                let start = input.strip_suffix(text)?.len();
                Some(Some(start..input.len()))
            }
            Self::Contains => {
                let start = memmem::find(input, text)?;
                Some(Some(start..start.saturating_add(text.len())))
            }
            Self::StrMatch => memmem::find(input, text).map(|_| None),
            Self::StrEq => (text == input).then_some(None),
            Self::ContainsWord if text.is_empty() || text == input => Some(None),
            Self::ContainsWord => find_word(text, input).map(Some),
            Self::Within if input.is_empty() => Some(None),
            Self::Within => {
                let start = find_within(text, input)?;
                // The offset is that into the text, as in v3.
                Some(Some(start..start.saturating_add(input.len())))
            }
        }
    }
}

/// Longer lists than this are searched with the algorithm for long texts.
const SHORT_LIST: usize = 1024;

/// Returns a rank of a byte by its rarity in lists of names, such as those of headers and extensions. Separators have the lowest: a value such as
/// `/user-agent/` holds them too.
const fn rarity(byte: u8) -> u8 {
    match byte {
        b'a' | b'e' | b't' => 1,
        b'c' | b'i' | b'n' | b'o' | b'r' | b's' => 2,
        b'd' | b'h' | b'l' | b'p' | b'A'..=b'Z' => 3,
        b'f' | b'g' | b'm' | b'u' | b'0'..=b'9' => 4,
        b'b' | b'v' | b'w' | b'y' => 5,
        b'j' | b'k' | b'q' | b'x' | b'z' => 6,
        _ => 0,
    }
}

/// Number of places in a list that are compared at once.
const AT_ONCE: usize = 32;

/// Returns the offset of an input, which is not empty, in a list. For most lists, preparing a search would take longer than the search: two bytes next
/// to each other, of which one is rare, are compared at many places at once.
fn find_within(list: &[u8], input: &[u8]) -> Option<usize> {
    if list.len() > SHORT_LIST {
        return memmem::find(list, input);
    }
    let last = list.len().checked_sub(input.len())?;
    let middle = input.iter().enumerate().skip((input.len() / 2).saturating_sub(2)).take(4);
    let rarest = middle.max_by_key(|(_, byte)| rarity(**byte)).map_or(0, |(place, _)| place);
    let other = rarest.saturating_sub(1);
    let (one, two) = (*input.get(other)?, *input.get(rarest)?);
    let (ones, twos) = (list.get(other..=last + other)?, list.get(rarest..=last + rarest)?);
    let verify = |place: &usize| list.get(*place..).is_some_and(|rest| rest.starts_with(input));
    let is_at = |(first, second): (&u8, &u8)| (*first == one) & (*second == two);
    let find = |start: usize, ones: &[u8], twos: &[u8]| {
        let places = ones.iter().zip(twos).map(is_at).enumerate().filter(|(_, is_at)| *is_at);
        places.map(|(place, _)| start + place).find(verify)
    };
    let ((all_ones, _), (all_twos, _)) = (ones.as_chunks::<AT_ONCE>(), twos.as_chunks::<AT_ONCE>());
    for (at, (ones, twos)) in all_ones.iter().zip(all_twos).enumerate() {
        if any_pair(ones, twos, one, two)
            && let Some(found) = find(at * AT_ONCE, ones, twos)
        {
            return Some(found);
        }
    }
    // The last places, with some that were compared before.
    if let (Some(ones), Some(twos)) = (ones.last_chunk(), twos.last_chunk())
        && !any_pair(ones, twos, one, two)
    {
        return None;
    }
    let start = all_ones.len() * AT_ONCE;
    find(start, ones.get(start..)?, twos.get(start..)?)
}

/// Returns `true` if one byte and another are at the same place in two lists. As a function of its own it becomes a few vector instructions.
#[inline(never)]
fn any_pair(ones: &[u8; AT_ONCE], twos: &[u8; AT_ONCE], one: u8, two: u8) -> bool {
    ones.iter().zip(twos).fold(0, |any, (first, second)| any | u8::from(*first == one) & u8::from(*second == two)) != 0
}

/// Returns the first occurrence of `word` without a letter on either side; digits and all other bytes are boundaries.
fn find_word(word: &[u8], input: &[u8]) -> Option<Range<usize>> {
    let is_boundary = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphabetic());
    let finder = memmem::Finder::new(word);
    let mut start = 0;
    loop {
        start += finder.find(input.get(start..)?)?;
        let end = start.saturating_add(word.len());
        let before = start.checked_sub(1).and_then(|before| input.get(before));
        if is_boundary(before) && is_boundary(input.get(end)) {
            return Some(start..end);
        }
        start += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn offset(comparison: Comparison, text: &str, input: &str) -> Option<Option<Range<usize>>> {
        comparison.find(text.as_bytes(), input.as_bytes())
    }

    #[test]
    fn a_word_has_no_letters_beside_it() {
        assert_eq!(offset(Comparison::ContainsWord, "cat", "concat cat2"), Some(Some(7..10)));
        assert_eq!(offset(Comparison::ContainsWord, "cat", "concat cats"), None);
        assert_eq!(offset(Comparison::ContainsWord, "", "anything"), Some(None));
    }

    #[test]
    fn offsets_lie_in_the_input_but_those_of_within_in_the_text() {
        assert_eq!(offset(Comparison::EndsWith, ".php", "/index.php"), Some(Some(6..10)));
        assert_eq!(offset(Comparison::Contains, "index", "/index.php"), Some(Some(1..6)));
        assert_eq!(offset(Comparison::Within, "GET POST PUT", "POST"), Some(Some(4..8)));
    }

    proptest! {
        #[test]
        fn what_lies_within_is_found_where_it_first_stands(
            list in vec(proptest::sample::select(&b"ab/"[..]), 0..100),
            input in vec(proptest::sample::select(&b"ab/"[..]), 1..6),
        ) {
            let long = [vec![b'c'; SHORT_LIST], list.clone()].concat();
            prop_assert_eq!(find_within(&list, &input), memmem::find(&list, &input));
            prop_assert_eq!(find_within(&long, &input), memmem::find(&long, &input));
        }
    }

    #[test]
    fn an_empty_input_lies_within_any_text() {
        assert_eq!(offset(Comparison::Within, "GET", ""), Some(None));
        assert_eq!(offset(Comparison::Within, "", ""), Some(None));
        assert_eq!(offset(Comparison::Within, "", "GET"), None);
    }

    #[test]
    fn case_matters() {
        assert_eq!(offset(Comparison::StrEq, "Get", "GET"), None);
        assert_eq!(offset(Comparison::BeginsWith, "G", "get"), None);
    }
}
