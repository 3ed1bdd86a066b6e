//! Searches a value for literals as they stand before a transformation that only removes bytes: other bytes may lie between theirs.
//!
//! Rule 955300 of the OWASP CRS searches every response for `<title>punkholicshell</title>` after `t:removeWhitespace`. To remove the white space of a
//! page and to scan the rest takes 24 instructions a byte, which is a third of what a page of 16 kB costs. Instead the page is searched for `<`, and
//! each is compared with its neighbours, white space left out: 1 instruction a byte.

use super::frequency::of_byte;
use crate::pattern::ByteSet;
use memchr::memchr2_iter;

/// A few literals, in any case of ASCII letters.
#[derive(Debug)]
pub struct SpreadLiterals {
    literals: Box<[SpreadLiteral]>,
}

/// A literal around its rarest byte.
#[derive(Debug)]
struct SpreadLiteral {
    /// The bytes before it, the nearest one first.
    before: Box<[u8]>,
    rarest: u8,
    after: Box<[u8]>,
}

impl SpreadLiterals {
    /// The most literals for which several searches cost less than one for all of them.
    pub(super) const MAX: usize = 4;

    /// Compiles literals in lower case.
    pub(super) fn new<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Self {
        Self { literals: literals.filter_map(SpreadLiteral::new).collect() }
    }

    /// Returns `true` if the value holds one of the literals once these bytes are removed. Takes time linear in the value, and for values that repeat
    /// large parts of a literal up to the length of the literal as a factor.
    pub fn are_in(&self, value: &[u8], removed: ByteSet) -> bool {
        self.literals.iter().any(|literal| literal.is_in(value, removed))
    }
}

impl SpreadLiteral {
    fn new(literal: &[u8]) -> Option<Self> {
        let (place, rarest) = literal.iter().enumerate().min_by(|(_, one), (_, other)| of_byte(**one).total_cmp(&of_byte(**other)))?;
        let (before, after) = literal.split_at_checked(place)?;
        Some(Self { before: before.iter().rev().copied().collect(), rarest: *rarest, after: after.get(1..)?.into() })
    }

    fn is_in(&self, value: &[u8], removed: ByteSet) -> bool {
        let is_around = |place: usize| {
            let (before, after) = value.split_at_checked(place).unwrap_or_default();
            begins(after.iter().skip(1), removed, &self.after) && begins(before.iter().rev(), removed, &self.before)
        };
        // A byte that is removed is in no literal afterwards.
        !removed.contains(self.rarest) && memchr2_iter(self.rarest, self.rarest.to_ascii_uppercase(), value).any(is_around)
    }
}

/// Returns `true` if bytes begin with a text once some of them are removed.
fn begins<'v>(bytes: impl Iterator<Item = &'v u8>, removed: ByteSet, text: &[u8]) -> bool {
    let mut rest = bytes.filter(|byte| !removed.contains(**byte));
    text.iter().all(|wanted| rest.next().is_some_and(|byte| byte.to_ascii_lowercase() == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    proptest! {
        #[test]
        fn a_literal_is_found_where_it_is_after_the_removal(
            literals in vec(vec(select(&b"ab< "[..]), 2..5), 1..4),
            value in vec(select(&b"abAB< \t"[..]), 0..30),
        ) {
            let removed = ByteSet::of(b" \t");
            let kept: Vec<u8> = value.iter().filter(|byte| !removed.contains(**byte)).map(u8::to_ascii_lowercase).collect();
            let is_in = |literal: &Vec<u8>| kept.windows(literal.len()).any(|part| part == literal);
            let spread = SpreadLiterals::new(literals.iter().map(Vec::as_slice));
            prop_assert_eq!(spread.are_in(&value, removed), literals.iter().any(is_in));
        }
    }
}
