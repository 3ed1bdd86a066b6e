//! Chooses by which of its bytes each literal is known: three in a row that are rare in clean traffic, and in other literals.

use super::frequency::Threes;
use rustc_hash::FxHashMap;

/// A literal that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Sought<'l> {
    /// At least two bytes, in lower case.
    pub literal: &'l [u8],
    /// How many of its bytes stand before the end of those that it is known by: the last three of these, or both bytes of a literal of two.
    pub reach: usize,
    /// The numbers that it tells where it is found.
    pub tells: Vec<u32>,
}

impl Sought<'_> {
    /// The three bytes that it is known by; nothing for a literal of two.
    pub(super) fn anchor(&self) -> Option<[u8; 3]> {
        self.literal.get(self.reach.checked_sub(3)?..)?.first_chunk().copied()
    }

    /// The same literal where it tells these numbers.
    pub(super) fn telling(&self, numbers: impl Iterator<Item = u32>) -> Self {
        Self { tells: numbers.collect(), ..*self }
    }
}

/// Chooses for these literals in lower case, each with the numbers that it tells. Those of fewer than two bytes are left out.
pub(super) fn anchored<'l>(literals: impl IntoIterator<Item = (&'l [u8], Vec<u32>)>) -> Vec<Sought<'l>> {
    let mut anchors = Anchors { shares: Threes::count(), taken: FxHashMap::default() };
    let mut sought: Vec<Sought> = literals.into_iter().map(|(literal, tells)| Sought { literal, reach: 2, tells }).collect();
    sought.retain(|sought| sought.literal.len() >= 2);
    // The short ones first, as they have least to choose from.
    sought.sort_by_key(|sought| sought.literal.len());
    sought.iter_mut().for_each(|sought| sought.reach = anchors.reach(sought.literal));
    sought
}

/// What literals are known by so far.
struct Anchors {
    shares: Threes,
    /// How many literals are known by the same bytes.
    taken: FxHashMap<[u8; 3], u32>,
}

impl Anchors {
    /// Where the three bytes of a literal end that cost least to look behind.
    fn reach(&mut self, literal: &[u8]) -> usize {
        let threes = literal.windows(3).filter_map(|three| <[u8; 3]>::try_from(three).ok()).zip(3..);
        let cost = |three: [u8; 3]| self.shares.share(three) * f64::from(1 + self.taken.get(&three).copied().unwrap_or(0));
        let rated = threes.map(|(three, reach)| (cost(three), three, reach));
        let Some((_, three, reach)) = rated.min_by(|(one, ..), (other, ..)| one.total_cmp(other)) else { return literal.len() };
        *self.taken.entry(three).or_insert(0) += 1;
        reach
    }
}
