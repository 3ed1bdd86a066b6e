//! Random inputs for runs without instrumentation: the same for the same numbers.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;

/// The bytes of an input, of a length in a range.
pub fn bytes(seed: u64, number: u64, lengths: Range<u64>) -> Vec<u8> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let chunk = |part: u64| hasher.hash_one((seed, number, part));
    let length = (lengths.start + chunk(0) % (lengths.end - lengths.start)) / 8;
    (1..length).flat_map(|part| chunk(part).to_le_bytes()).collect()
}
