//! Maps from numbers that are hashes already.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map from the number of a key.
pub(crate) type KeyMap<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

/// A set of numbers of keys.
pub(crate) type KeySet = HashSet<u64, BuildHasherDefault<Spread>>;

/// Spreads the bits of a number that cannot be guessed. Maps look at the highest bits, and shortened numbers have none there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Returns the bytes that a map of this capacity takes: at most 7 of 8 places are full, their number is a power of two, and each has a byte of
/// its own.
pub(crate) fn map_bytes(capacity: usize, entry: usize) -> usize {
    match capacity {
        0 => 0,
        _ => (capacity.saturating_mul(8) / 7).next_power_of_two().saturating_mul(entry + 1),
    }
}
