//! The classes of words, and the fingerprints of injections.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;

use super::token::{Class, LONGEST_TEXT};

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(include_str!("words.txt"), include_str!("fingerprints.txt")));

/// Size of the hash table: a power of two, about three times the number of words.
const PLACES: usize = 4096;

/// The known words, phrases and fingerprints.
pub(super) struct Lexicon {
    words: Vec<Word>,
    places: Box<[Place; PLACES]>,
    fingerprints: FxHashSet<u64>,
}

/// A word or phrase, in upper case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) text: &'static [u8],
    /// Its class; `None` if it only begins phrases.
    pub(super) class: Option<Class>,
    /// `true` if a longer phrase begins with it.
    pub(super) leads: bool,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Bits of the word's hash; 0 marks a free entry.
    mark: u16,
    /// Its index in `words`.
    word: u16,
}

impl Lexicon {
    pub(super) fn shared() -> &'static Lexicon {
        &LEXICON
    }

    /// Returns the word or phrase, ignoring case.
    pub(super) fn find(&self, text: &[u8]) -> Option<&Word> {
        let hash = Hash::of(text)?;
        let mark = hash.mark();
        // There are free entries.
        let mut at = hash.first();
        loop {
            let place = self.places.get(at)?;
            if place.mark == mark {
                let word = self.words.get(usize::from(place.word))?;
                if word.text.eq_ignore_ascii_case(text) {
                    return Some(word);
                }
            } else if place.mark == 0 {
                return None;
            }
            at = (at + 1) % PLACES;
        }
    }

    /// Returns the phrase of two texts with a space between them.
    pub(super) fn phrase(&self, first: &[u8], second: &[u8]) -> Option<&Word> {
        let mut phrase = [0; LONGEST_TEXT];
        let length = first.len() + 1 + second.len();
        let room = phrase.get_mut(..length)?;
        room.get_mut(..first.len())?.copy_from_slice(first);
        *room.get_mut(first.len())? = b' ';
        room.get_mut(first.len() + 1..)?.copy_from_slice(second);
        self.find(room).filter(|word| word.class.is_some())
    }

    /// Returns `true` if the letters of at most five tokens are the fingerprint of an injection.
    pub(super) fn lists(&self, fingerprint: &[u8]) -> bool {
        self.fingerprints.contains(&key(fingerprint))
    }

    fn read(words: &'static str, fingerprints: &'static str) -> Lexicon {
        let fingerprints = lines(fingerprints).flat_map(|line| line.split(' ')).map(|fingerprint| key(fingerprint.as_bytes())).collect();
        let mut lexicon = Lexicon { words: words_of(words), places: Box::new([Place::default(); PLACES]), fingerprints };
        for (word, index) in lexicon.words.iter().zip(0..) {
            let Some(hash) = Hash::of(word.text) else { continue };
            let (before, after) = lexicon.places.split_at_mut(hash.first());
            if let Some(place) = after.iter_mut().chain(before).find(|place| place.mark == 0) {
                *place = Place { mark: hash.mark(), word: index };
            }
        }
        lexicon
    }
}

/// The hash of a word of 1 to [`LONGEST_TEXT`] bytes, ignoring case.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn of(text: &[u8]) -> Option<Hash> {
        // The first and last bytes, at most eight of each, distinguish words well enough: a hit is compared as a whole.
        let (head, tail) = match text {
            [] => return None,
            [first, .., before, last] if text.len() < 4 => (u64::from(*first), u64::from(*before) << 8 | u64::from(*last)),
            [first, ..] if text.len() < 4 => (u64::from(*first), text.last().copied().map_or(0, u64::from)),
            _ if text.len() < 8 => {
                (u64::from(u32::from_le_bytes(*text.first_chunk()?)), u64::from(u32::from_le_bytes(*text.last_chunk()?)))
            }
            _ if text.len() <= LONGEST_TEXT => (u64::from_le_bytes(*text.first_chunk()?), u64::from_le_bytes(*text.last_chunk()?)),
            _ => return None,
        };
        let folded = (head & WITHOUT_CASE).wrapping_mul(SPREAD).rotate_left(29) ^ (tail & WITHOUT_CASE) ^ text.len() as u64;
        Some(Hash(folded.wrapping_mul(SPREAD)))
    }

    /// Returns the mark, which is never 0.
    fn mark(self) -> u16 {
        (self.0 >> 32) as u16 | 1
    }

    /// Returns the first entry to probe. The next ones follow.
    fn first(self) -> usize {
        (self.0 >> 48) as usize % PLACES
    }
}

/// Clears the bit that differs between `a` and `A` in each of eight bytes.
const WITHOUT_CASE: u64 = u64::from_ne_bytes([0xDF; 8]);
/// An odd number with well distributed bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Returns the words of the table, and the beginnings of phrases.
fn words_of(text: &'static str) -> Vec<Word> {
    let mut words: BTreeMap<&[u8], Word> = BTreeMap::new();
    for line in lines(text) {
        let Some((class, listed)) = line.split_once(' ') else { continue };
        let class = class.bytes().next().and_then(Class::of_words);
        for word in listed.split(',') {
            words.entry(word.as_bytes()).or_insert(Word::of(word)).class = class;
            for (beginning, _) in word.match_indices(' ').map(|(at, _)| word.split_at(at)) {
                words.entry(beginning.as_bytes()).or_insert(Word::of(beginning)).leads = true;
            }
        }
    }
    words.into_values().collect()
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

/// Returns a fingerprint as a number, ignoring case.
fn key(fingerprint: &[u8]) -> u64 {
    fingerprint.iter().fold(0, |key, letter| key << 8 | u64::from(letter.to_ascii_uppercase()))
}

impl Word {
    fn of(text: &'static str) -> Word {
        Word { text: text.as_bytes(), class: None, leads: false }
    }
}
