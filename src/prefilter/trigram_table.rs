//! A hash table of trigrams, whose misses are found as fast as its hits.

/// Maps the keys of trigrams to numbers.
#[derive(Debug)]
pub(super) struct TrigramTable {
    /// A key, and below it its number. At least half of them are [`FREE`].
    entries: Box<[u64]>,
    /// The shift of a hash that leaves a place in `entries`.
    shift: u32,
}

const FREE: u64 = u64::MAX;

/// An odd number with well distributed bits.
const SPREAD: u32 = 0x9E37_79B9;

impl Default for TrigramTable {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl TrigramTable {
    /// Numbers different keys in their order.
    pub(super) fn new(keys: impl Iterator<Item = u32> + Clone) -> Self {
        let size = (2 * keys.clone().count()).next_power_of_two().max(2);
        let mut table = Self { entries: vec![FREE; size].into(), shift: size.leading_zeros() + 1 - (usize::BITS - u32::BITS) };
        for (key, number) in keys.zip(0..) {
            let (before, after) = table.entries.split_at_mut(table.first(key));
            if let Some(free) = after.iter_mut().chain(before).find(|entry| **entry == FREE) {
                *free = u64::from(key) << u32::BITS | number;
            }
        }
        table
    }

    /// Returns the number of a key.
    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<u32> {
        let mut at = self.first(key);
        loop {
            match *self.entries.get(at)? {
                FREE => return None,
                entry if (entry >> u32::BITS) as u32 == key => return Some(entry as u32),
                _ => at = (at + 1) & (self.entries.len() - 1),
            }
        }
    }

    /// Returns the place from which on a key is looked for.
    #[inline]
    fn first(&self, key: u32) -> usize {
        key.wrapping_mul(SPREAD).wrapping_shr(self.shift) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_are_found_and_no_others() {
        for count in [0, 1, 2, 3, 100, 5000] {
            let table = TrigramTable::new((0..count).map(|number| number * 37));
            for key in 0..count * 37 + 40 {
                assert_eq!(table.get(key), Some(key / 37).filter(|number| key % 37 == 0 && *number < count));
            }
        }
    }
}
