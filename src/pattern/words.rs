//! Searches for many words at once, ignoring case.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use std::sync::OnceLock;

/// A set of words, compiled for a search in one pass.
#[derive(Debug)]
pub struct Words {
    /// All words, one after the other.
    bytes: Box<[u8]>,
    /// The end of each word in `bytes`; it starts where the one before ends.
    ends: Box<[u32]>,
    /// Built by the first search: prefilters keep most lists from being searched.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// Position of a word that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordMatch {
    /// Index of the word, in the order given.
    pub word: usize,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Error of a list with too many words for one automaton.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the words are {bytes} bytes long together, more than {MAX_BYTES}")]
pub struct WordsError {
    bytes: usize,
}

/// Maximum length of all words of a list together, in bytes: an automaton of that size can always be built.
const MAX_BYTES: usize = 16 << 20;

/// Maximum length of the words of a list that are searched for with a DFA, in bytes.
const MAX_BYTES_OF_DFA: usize = 200;

/// Maximum length of a value that is folded without an allocation.
const MAX_ON_STACK: usize = 1_024;

impl Words {
    /// Compiles `words`. ASCII letters match in either case; empty words are left out.
    ///
    /// # Errors
    /// If the words are too many or too long for an automaton.
    pub fn new<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> Result<Self, WordsError> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            bytes.extend_from_slice(word);
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        if bytes.len() > MAX_BYTES {
            return Err(WordsError { bytes: bytes.len() });
        }
        Ok(Self { bytes: bytes.into(), ends: ends.into(), automaton: OnceLock::new() })
    }

    /// Returns the match that ends first; of those that end at the same offset, the longest.
    #[must_use]
    pub fn find(&self, input: &[u8]) -> Option<WordMatch> {
        let automaton = self.automaton()?;
        let found = if !input.iter().any(u8::is_ascii_uppercase) {
            automaton.find(input)
        } else if let Some(folded) = [0; MAX_ON_STACK].get_mut(..input.len()) {
            folded.copy_from_slice(input);
            folded.make_ascii_lowercase();
            automaton.find(&*folded)
        } else {
            automaton.find(&input.to_ascii_lowercase())
        }?;
        Some(WordMatch { word: found.pattern().as_usize(), start: found.start(), end: found.end() })
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        let build = || {
            // Building a larger DFA takes longer than all searches together save.
            let kind = if self.bytes.len() > MAX_BYTES_OF_DFA { AhoCorasickKind::ContiguousNFA } else { AhoCorasickKind::DFA };
            // The values are folded instead of the words: an automaton that ignores case takes twice as long to build.
            let folded = Self { bytes: self.bytes.to_ascii_lowercase().into(), ends: self.ends.clone(), automaton: OnceLock::new() };
            AhoCorasickBuilder::new().match_kind(MatchKind::Standard).kind(Some(kind)).build(folded.iter()).ok()
        };
        self.automaton.get_or_init(build).as_ref()
    }

    /// Returns a word as it was given.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<&[u8]> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start as usize..*self.ends.get(index)? as usize)
    }

    /// Returns all words as they were given, without empty ones.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let word = self.bytes.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            word
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&[u8]], input: &[u8]) -> Option<(usize, usize, usize)> {
        let words = Words::new(words.iter().copied()).unwrap();
        words.find(input).map(|found| (found.word, found.start, found.end))
    }

    #[test]
    fn the_match_that_ends_first_wins() {
        assert_eq!(found(&[b"windmill", b"mil"], b"a windmill"), Some((1, 6, 9)));
    }

    #[test]
    fn the_longest_of_those_that_end_together_wins() {
        assert_eq!(found(&[b"mill", b"windmill"], b"a windmill"), Some((1, 2, 10)));
    }

    #[test]
    fn case_matters_neither_in_the_word_nor_in_the_input() {
        assert_eq!(found(&[b"Mill"], b"MILL"), Some((0, 0, 4)));
        assert_eq!(found(&["é".as_bytes()], "É".as_bytes()), None);
    }

    #[test]
    fn no_words_never_match() {
        assert_eq!(found(&[], b"mill"), None);
        assert_eq!(found(&[b""], b"mill"), None);
    }
}
