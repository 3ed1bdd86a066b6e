//! A literal to look for, and which of its trigrams the scanner looks for first.
//!
//! The scanner compares a whole literal only where its trigram occurs. The best trigram is rare in clean traffic, and was chosen for few other literals:
//! `[php]` is found by `[ph`, and `processbuilder` by `sbu`.

use super::frequency::{Frequency, TrigramCounts};
use rustc_hash::FxHashMap;

/// A literal that a scanner looks for.
#[derive(Clone, Debug)]
pub(super) struct Literal<'l> {
    /// At least two bytes, in lower case.
    pub bytes: &'l [u8],
    /// The offset in `bytes` after the trigram that the literal is found by, or the length of a literal of two bytes.
    pub end_offset: usize,
    /// The lists that the literal is a member of.
    pub lists: Vec<u32>,
}

impl Literal<'_> {
    /// The trigram that the literal is found by; `None` for a literal of two bytes.
    pub(super) fn trigram(&self) -> Option<[u8; 3]> {
        self.bytes.get(self.end_offset.checked_sub(3)?..)?.first_chunk().copied()
    }

    /// The same literal as a member of other lists.
    pub(super) fn with_lists(&self, lists: impl Iterator<Item = u32>) -> Self {
        Self { lists: lists.collect(), ..*self }
    }
}

/// Chooses a trigram for each of these literals, which are in lower case and come with their lists. Literals of fewer than two bytes are left out.
pub(super) fn with_trigrams<'l>(literals: impl IntoIterator<Item = (&'l [u8], Vec<u32>)>) -> Vec<Literal<'l>> {
    let mut chooser = TrigramChooser { counts: TrigramCounts::of_sample(), chosen: FxHashMap::default() };
    let mut literals: Vec<Literal> = literals.into_iter().map(|(bytes, lists)| Literal { bytes, end_offset: 2, lists }).collect();
    literals.retain(|literal| literal.bytes.len() >= 2);
    // The short ones first, as they have the fewest trigrams to choose from.
    literals.sort_by_key(|literal| literal.bytes.len());
    literals.iter_mut().for_each(|literal| literal.end_offset = chooser.choose(literal.bytes));
    literals
}

struct TrigramChooser {
    counts: TrigramCounts,
    /// How many literals each trigram was chosen for.
    chosen: FxHashMap<[u8; 3], u32>,
}

impl TrigramChooser {
    /// Chooses the trigram that costs least: its frequency times the literals to compare where it occurs. Returns the offset after it.
    fn choose(&mut self, literal: &[u8]) -> usize {
        let trigrams = literal.windows(3).filter_map(|trigram| <[u8; 3]>::try_from(trigram).ok()).zip(3..);
        let cost = |trigram: [u8; 3]| -> Frequency {
            self.counts.frequency(trigram) * f64::from(1 + self.chosen.get(&trigram).copied().unwrap_or(0))
        };
        let rated = trigrams.map(|(trigram, end_offset)| (cost(trigram), trigram, end_offset));
        let Some((_, trigram, end_offset)) = rated.min_by(|(one, ..), (other, ..)| one.total_cmp(other)) else { return literal.len() };
        *self.chosen.entry(trigram).or_insert(0) += 1;
        end_offset
    }
}
