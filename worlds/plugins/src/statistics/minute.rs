//! Closes a minute: the blocks of its seconds → a block of its most frequent keys.
//!
//! Works through the keys in 256 parts by their highest bits, so that the sums of one part stay small, and visits can be counted between two
//! parts: three million entries take 70 ms. A flood of distinct keys fills a minute with entries of one visit: the candidates are cut to the
//! most frequent ones whenever there are twice as many as the minute keeps.

use super::block::{Block, BlockWriter, PREFIX_BITS, entry_bytes, whole_key};
use super::counts::Counts;
use super::limits::Limits;
use crate::key_map::{KeyMap, map_bytes};

/// A minute that is being closed.
#[derive(Debug)]
pub struct Closing {
    /// Number of the minute.
    pub minute: u64,
    /// Number of parts that are done.
    parts: u64,
    sums: KeyMap<Counts>,
    frequent: Frequent,
}

impl Closing {
    /// Begins to close a minute.
    pub fn new(minute: u64, limits: &Limits) -> Self {
        Self { minute, parts: 0, sums: KeyMap::default(), frequent: Frequent::new(limits.keys_of_a_minute) }
    }

    /// Works through the next part of the keys in these blocks, the same ones in each call. Returns `true` if no part is left.
    pub fn do_part<'b>(&mut self, seconds: impl Iterator<Item = &'b Block>) -> bool {
        for (lowest, counts) in seconds.flat_map(|second| second.entries_of(self.parts)) {
            self.sums.entry(lowest).or_default().add(&counts);
        }
        for (lowest, counts) in self.sums.drain() {
            self.frequent.add(whole_key(self.parts, lowest), counts);
        }
        self.frequent.end_part();
        self.parts += 1;
        self.parts >= 1 << PREFIX_BITS
    }

    /// Returns the block of the minute, after all parts.
    pub fn finish(self, limits: &Limits) -> Block {
        let mut candidates = self.frequent.finish();
        cut_to_size(&mut candidates, limits.bytes_of_a_minute);
        candidates.sort_unstable_by_key(|(key, _)| *key);
        let mut writer = BlockWriter::new(candidates.len());
        for (key, counts) in &candidates {
            writer.push(*key, counts);
        }
        writer.finish()
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> usize {
        let entry = size_of::<(u64, Counts)>();
        map_bytes(self.sums.capacity(), entry) + self.frequent.candidates.capacity() * entry
    }
}

/// Finds the keys with the most visits, from parts of the keys in the order of their numbers.
#[derive(Debug)]
struct Frequent {
    limit: usize,
    candidates: Vec<(u64, Counts)>,
    /// Keys with fewer visits are not among the most frequent ones.
    min_visits: u64,
}

impl Frequent {
    fn new(limit: usize) -> Self {
        Self { limit, candidates: Vec::new(), min_visits: 0 }
    }

    fn add(&mut self, key: u64, counts: Counts) {
        if counts.visits() < self.min_visits {
            return;
        }
        self.candidates.push((key, counts));
    }

    /// Ends a part of the keys: all others have larger numbers.
    fn end_part(&mut self) {
        if self.candidates.len() >= self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    fn finish(mut self) -> Vec<(u64, Counts)> {
        self.cut();
        self.candidates
    }

    /// Cuts the candidates to the most frequent ones.
    fn cut(&mut self) {
        if self.candidates.len() <= self.limit {
            return;
        }
        if let Some(last) = self.limit.checked_sub(1) {
            let (_, (_, last), _) = self.candidates.select_nth_unstable_by_key(last, rank);
            // Of two keys with as many visits the one with the smaller number is kept, and those to come have larger ones.
            self.min_visits = last.visits() + 1;
        }
        self.candidates.truncate(self.limit);
    }
}

/// Sorts by visits, the most first. Keys of as many visits are sorted by their numbers, so that each minute keeps the same ones.
fn rank((key, counts): &(u64, Counts)) -> (std::cmp::Reverse<u64>, u64) {
    (std::cmp::Reverse(counts.visits()), *key)
}

/// Removes the least frequent candidates until the others fit.
fn cut_to_size(candidates: &mut Vec<(u64, Counts)>, max: usize) {
    let mut bytes = candidates.iter().map(|(_, counts)| entry_bytes(counts)).sum::<usize>();
    if bytes > max {
        candidates.sort_unstable_by_key(rank);
        while bytes > max
            && let Some((_, counts)) = candidates.pop()
        {
            bytes -= entry_bytes(&counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn merge(seconds: &[Block], limits: Limits) -> Block {
        let mut closing = Closing::new(0, &limits);
        while !closing.do_part(seconds.iter()) {}
        closing.finish(&limits)
    }

    fn block(entries: &std::collections::BTreeMap<u64, u32>) -> Block {
        let mut writer = BlockWriter::new(entries.len());
        for (key, visits) in entries {
            writer.push(*key, &counts(*visits));
        }
        writer.finish()
    }

    fn counts(visits: u32) -> Counts {
        Counts { classes: [0, 0, visits, 0, 0, 0], micros: visits.into() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_minute_keeps_the_sums_of_its_most_frequent_keys(
            seconds in prop::collection::vec(prop::collection::btree_map((0_u64..300).prop_map(|key| key << 39), 1_u32..9, 0..150), 0..8),
            limit in 0_usize..200,
        ) {
            let mut sums = std::collections::BTreeMap::new();
            for (key, visits) in seconds.iter().flatten() {
                *sums.entry(*key).or_insert(0) += visits;
            }
            let blocks = seconds.iter().map(block).collect::<Vec<_>>();
            let minute = merge(&blocks, Limits { keys_of_a_minute: limit, ..Limits::default() });
            let mut sorted = sums.into_iter().collect::<Vec<_>>();
            sorted.sort_by_key(|(key, visits)| (std::cmp::Reverse(*visits), *key));
            for (place, (key, visits)) in sorted.into_iter().enumerate() {
                prop_assert_eq!(minute.find(key), (place < limit).then(|| counts(visits)));
            }
        }
    }

    #[test]
    fn a_minute_that_is_too_large_keeps_its_most_frequent_keys() {
        let entries = (0..1_000).map(|key| (key << 36, 1 + (key % 100 == 0) as u32)).collect();
        let minute = merge(&[block(&entries)], Limits { bytes_of_a_minute: 100, ..Limits::default() });
        let kept = entries.iter().filter(|(key, _)| minute.find(**key).is_some()).map(|(_, visits)| *visits).collect::<Vec<_>>();
        assert_eq!(kept.iter().filter(|visits| **visits == 2).count(), 10);
        assert!((11..=14).contains(&kept.len()), "{}", kept.len());
    }
}
