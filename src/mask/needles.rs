//! Secret values, and the search for them.

use super::places::Mask;
use super::views::{self, Decoding, View};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::ops::Range;
use std::sync::OnceLock;

/// Number of leading bytes of a value that are searched for; the rest is compared.
const PREFIX: usize = 32;

/// Maximum number of values and of their bytes. If there are more, whole texts are covered.
const MAX_VALUES: usize = 4096;
const MAX_BYTES: usize = 1 << 20;

/// Maximum number of comparisons for each byte of a text, beyond those of [`FREE`]. A text that takes more is covered as a whole.
const WORK: usize = 64;
const FREE: usize = 1 << 16;

/// Texts that are secret, wherever they appear. They are compared without regard to ASCII case, because transformations change it.
#[derive(Debug, Default)]
pub struct Needles {
    values: Vec<Needle>,
    bytes: usize,
    overflows: bool,
    searcher: OnceLock<Option<Searcher>>,
}

/// Numbers of bytes at the ends of a value that stay, as in `sanitiseMatchedBytes:1/4`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Bytes at its start.
    pub first: usize,
    /// Bytes at its end.
    pub last: usize,
}

/// The part of a named value that is secret.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'n> {
    /// None of it.
    Clear,
    /// All of it.
    Whole,
    /// These texts in it.
    Parts(&'n Needles),
}

#[derive(Debug, PartialEq, Eq)]
struct Needle {
    /// In lower case.
    text: Box<[u8]>,
    kept: Kept,
}

#[derive(Debug)]
struct Searcher {
    prefixes: AhoCorasick,
    /// The positions of the values with each prefix.
    values: Vec<Vec<usize>>,
}

impl Kept {
    /// Returns the part of a value that is covered: all of it, if it is not longer than what should stay.
    pub fn covered(self, value: Range<usize>) -> Range<usize> {
        let length = value.end.saturating_sub(value.start);
        match self.first.saturating_add(self.last) < length {
            true => value.start.saturating_add(self.first)..value.end.saturating_sub(self.last),
            false => value,
        }
    }
}

impl Needles {
    /// Adds a value. Returns `true` if it is new.
    pub fn add(&mut self, text: &[u8], kept: Kept) -> bool {
        let needle = Needle { text: text.to_ascii_lowercase().into(), kept };
        if text.is_empty() || self.overflows || self.values.contains(&needle) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(text.len());
        self.overflows = self.values.len() >= MAX_VALUES || self.bytes > MAX_BYTES;
        self.values.push(needle);
        self.searcher = OnceLock::new();
        true
    }

    /// Returns `true` if there are too many, so that every text is covered as a whole.
    pub fn are_too_many(&self) -> bool {
        self.overflows
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Covers the values in a text, as they are and in its usual encodings.
    pub fn cover(&self, mask: &mut Mask<'_>) {
        if self.is_empty() {
            return;
        }
        let text = mask.text();
        self.search(text, mask, |range| range);
        for decodings in views::ALL {
            if let Some(view) = View::of(text, decodings) {
                self.search(&view.bytes, mask, |range| view.range(range));
            }
        }
    }

    /// Covers the values in a range of a text, as they are and decoded.
    pub fn cover_in(&self, mask: &mut Mask<'_>, within: Range<usize>, decoding: Decoding) {
        let text = mask.text().get(within.clone()).unwrap_or_default();
        let shifted = |range: Range<usize>| range.start.saturating_add(within.start)..range.end.saturating_add(within.start);
        self.search(text, mask, shifted);
        if let Some(view) = View::of(text, &[decoding]) {
            self.search(&view.bytes, mask, |range| shifted(view.range(range)));
        }
    }

    /// Returns `true` if a text is a part of one of the values.
    pub fn contain(&self, part: &[u8]) -> bool {
        let part = part.to_ascii_lowercase();
        let finder = memchr::memmem::Finder::new(&part);
        !part.is_empty() && (self.overflows || self.values.iter().any(|needle| finder.find(&needle.text).is_some()))
    }

    fn search(&self, text: &[u8], mask: &mut Mask<'_>, place: impl Fn(Range<usize>) -> Range<usize>) {
        let Some(searcher) = self.searcher.get_or_init(|| self.searcher()) else { return };
        if self.overflows {
            return mask.cover_all();
        }
        let mut work_left = text.len().saturating_mul(WORK).saturating_add(FREE);
        for found in searcher.prefixes.find_overlapping_iter(text) {
            for needle in searcher.values.get(found.pattern().as_usize()).into_iter().flatten().filter_map(|at| self.values.get(*at)) {
                let end = found.start().saturating_add(needle.text.len());
                let Some(left) = work_left.checked_sub(needle.text.len()) else { return mask.cover_all() };
                work_left = left;
                if text.get(found.start()..end).is_some_and(|text| text.eq_ignore_ascii_case(&needle.text)) {
                    mask.cover(place(needle.kept.covered(found.start()..end)));
                }
            }
        }
    }

    /// Builds the search; `None` if it cannot be built, which the limits exclude.
    fn searcher(&self) -> Option<Searcher> {
        let mut prefixes: Vec<&[u8]> = Vec::new();
        let mut values: Vec<Vec<usize>> = Vec::new();
        let mut numbers = rustc_hash::FxHashMap::default();
        for (at, needle) in self.values.iter().enumerate() {
            let prefix = needle.text.get(..PREFIX).unwrap_or(&needle.text);
            let number = *numbers.entry(prefix).or_insert_with(|| {
                prefixes.push(prefix);
                values.push(Vec::new());
                values.len().saturating_sub(1)
            });
            values.get_mut(number).into_iter().for_each(|list| list.push(at));
        }
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let prefixes = AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(prefixes).ok()?;
        Some(Searcher { prefixes, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(values: &[(&str, Kept)], text: &str) -> String {
        let mut needles = Needles::default();
        for (value, kept) in values {
            needles.add(value.as_bytes(), *kept);
        }
        let mut mask = Mask::new(text.as_bytes());
        needles.cover(&mut mask);
        String::from_utf8(mask.finish().into_owned()).unwrap()
    }

    #[test]
    fn a_value_is_covered_in_every_encoding() {
        let all = |text: &str| covered(&[("p@ss w\"rd", Kept::default())], text);
        assert_eq!(all("a=p@ss w\"rd!"), "a=*********!");
        assert_eq!(all("a=p%40ss+w%22rd&b"), "a=*************&b");
        assert_eq!(all("a=p%2540ss%20w%22rd&b"), "a=*****************&b");
        assert_eq!(all(r#"{"a":"P\u0040ss w\"rd"}"#), r#"{"a":"***************"}"#);
        assert_eq!(all("<a>p&#64;ss w&quot;rd</a>"), "<a>******************</a>");
        assert_eq!(all("p@ss word"), "p@ss word");
    }

    #[test]
    fn values_that_overlap_are_all_covered() {
        let plain = Kept::default();
        assert_eq!(covered(&[("abcdef", plain), ("defghi", plain)], "xabcdefghix"), "x*********x");
        assert_eq!(covered(&[("aaaa", plain)], "aaaaaaab"), "*******b");
    }

    #[test]
    fn the_ends_stay_where_that_is_asked_for() {
        let kept = Kept { first: 1, last: 4 };
        assert_eq!(covered(&[("4111111111111111", kept)], "card=4111111111111111"), "card=4***********1111");
        assert_eq!(covered(&[("41111", kept)], "card=41111"), "card=*****");
    }

    #[test]
    fn a_text_that_takes_too_much_work_is_covered() {
        let mut needles = Needles::default();
        needles.add(&[b'a'; 100_000], Kept::default());
        let text = [b'a'; 300_000];
        let mut mask = Mask::new(&text);
        needles.cover(&mut mask);
        assert!(mask.finish().iter().all(|byte| *byte == b'*'));
    }

    #[test]
    fn too_many_values_cover_everything() {
        let mut needles = Needles::default();
        for number in 0..=MAX_VALUES {
            needles.add(format!("value{number}").as_bytes(), Kept::default());
        }
        let mut mask = Mask::new(b"other");
        needles.cover(&mut mask);
        assert_eq!(mask.finish().as_ref(), b"*****");
    }
}
