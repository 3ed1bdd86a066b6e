//! A literal to look for, and which of its trigrams the scanner looks for first.
//!
//! The scanner compares a whole literal only where its trigram occurs. The best trigram is rare in clean traffic, and was chosen for few other literals:
//! `[php]` is found by `[ph`, and `processbuilder` by `sbu`.

use super::frequency::{Frequency, TrigramCounts, key_of};
use super::texts::ByLength;
use rustc_hash::{FxBuildHasher, FxHashMap};

/// A literal that scanners look for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal<'l> {
    /// At least two bytes, in lower case.
    pub bytes: &'l [u8],
    /// The offset in `bytes` after the trigram that the literal is found by, or the length of a literal of two bytes.
    pub end_offset: usize,
}

/// A literal, by its number, as a member of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub literal: u32,
    pub list: u32,
}

impl Literal<'_> {
    /// The trigram that the literal is found by; `None` for a literal of two bytes.
    pub(super) fn trigram(&self) -> Option<[u8; 3]> {
        self.bytes.get(self.end_offset.checked_sub(3)?..)?.first_chunk().copied()
    }
}

/// Chooses a trigram for each of these literals, which are in lower case and come with a list. Literals of fewer than two bytes are left out. Returns
/// the literals, each once, and in the same order the lists that they are members of.
pub(super) fn with_trigrams<'l>(members: impl Iterator<Item = (&'l [u8], u32)>) -> (Vec<Literal<'l>>, Vec<Membership>) {
    // The short ones first, as they have the fewest trigrams to choose from.
    let members = members.filter(|(bytes, _)| bytes.len() >= 2);
    let mut members: Vec<(ByLength, u32)> = members.map(|(bytes, list)| (ByLength::of(bytes), list)).collect();
    members.sort_unstable();
    let mut chooser = TrigramChooser::default();
    let mut literals: Vec<Literal> = Vec::new();
    let mut memberships = Vec::with_capacity(members.len());
    for (literal, same) in (0..).zip(members.chunk_by(|(one, _), (other, _)| one == other)) {
        memberships.extend(same.iter().map(|(_, list)| Membership { literal, list: *list }));
        literals.extend(same.first().map(|(ByLength { bytes, .. }, _)| Literal { bytes, end_offset: chooser.choose(bytes) }));
    }
    (literals, memberships)
}

struct TrigramChooser {
    counts: TrigramCounts,
    /// The trigrams of the literals so far, by their keys.
    rated: FxHashMap<u32, Rated>,
}

/// A trigram of some literal.
struct Rated {
    frequency: Frequency,
    /// One more than the number of literals that chose it.
    users: f64,
}

impl Default for TrigramChooser {
    fn default() -> Self {
        // The literals of the OWASP CRS have 12,000 trigrams.
        Self { counts: TrigramCounts::of_sample(), rated: FxHashMap::with_capacity_and_hasher(14_000, FxBuildHasher) }
    }
}

impl TrigramChooser {
    /// Chooses the trigram that costs least: its frequency times the literals to compare where it occurs. Returns the offset after it.
    fn choose(&mut self, literal: &[u8]) -> usize {
        let mut best = (Frequency::INFINITY, 0, literal.len());
        for (trigram, end_offset) in literal.windows(3).filter_map(|trigram| trigram.first_chunk().copied()).zip(3..) {
            let new = || Rated { frequency: self.counts.frequency(trigram), users: 1.0 };
            let rated = self.rated.entry(key_of(trigram)).or_insert_with(new);
            let cost = rated.frequency * rated.users;
            if cost < best.0 {
                best = (cost, key_of(trigram), end_offset);
            }
        }
        let (_, key, end_offset) = best;
        if let Some(rated) = self.rated.get_mut(&key) {
            rated.users += 1.0;
        }
        end_offset
    }
}
