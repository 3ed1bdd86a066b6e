//! Counts of many keys that no longer change, in about ten bytes each.
//!
//! Keys are numbers of 48 bits. A block puts them into buckets by their highest bits, 8 to 16 to a bucket, so that a look-up reads two places of
//! memory. An entry is the lowest 40 bits of its key, a byte that tells which counts follow, and these counts:
//!
//! ```text
//! key, lowest 40 bits   head       counts of the classes that the head names   time of the backend
//! 5 bytes               1 byte     1 to 5 bytes each, 7 bits to a byte          1 to 10 bytes, 7 bits to a byte
//!
//! 3f 21 b0 07 9c        0100 0100  (one 2xx: the head says that each is one)    a0 1f (4000 µs)
//! ```
//!
//! The lowest six bits of the head name the classes, [`ONES`] says that each of their counts is 1, [`TIMELESS`] that the time is 0.

use super::counts::{CLASSES, Counts};

/// Number of bits of a key.
const KEY_BITS: u32 = 48;

/// Number of bits of a key that an entry has. The bucket has the others.
const ENTRY_KEY_BITS: u32 = 40;

/// Number of highest bits of a key that all blocks have a bucket for, or several.
pub const PREFIX_BITS: u32 = KEY_BITS - ENTRY_KEY_BITS;

/// Number of bytes of a key that an entry has.
const ENTRY_KEY_BYTES: usize = 5;

/// Maximum number of entries in a bucket, on average. At least it is half of that.
const BUCKET_ENTRIES: usize = 16;

/// Flag of a head: each count is 1.
const ONES: u8 = 0x40;

/// Flag of a head: the time is 0.
const TIMELESS: u8 = 0x80;

/// Flag of a byte of a number: another one follows.
const MORE: u8 = 0x80;

/// Counts of many keys.
#[derive(Debug)]
pub struct Block {
    /// Begin of each bucket within the entries, and the end of the last one.
    buckets: Box<[u32]>,
    bucket_bits: u32,
    entries: Box<[u8]>,
}

impl Block {
    /// Returns the counts of a key.
    pub fn find(&self, key: u64) -> Option<Counts> {
        let bucket = usize::try_from(key >> (KEY_BITS - self.bucket_bits)).ok()?;
        let mut entries = Entries { rest: self.between(bucket, bucket + 1) };
        let wanted = key & ((1 << ENTRY_KEY_BITS) - 1);
        loop {
            let key = entries.next_key()?;
            if key == wanted {
                return entries.next_counts();
            }
            if key > wanted {
                return None;
            }
            entries.skip_counts()?;
        }
    }

    /// Returns the entries whose keys begin with these [`PREFIX_BITS`], with the lowest 40 bits of their keys, in order.
    pub fn entries_of(&self, prefix: u64) -> Entries<'_> {
        let shift = self.bucket_bits - PREFIX_BITS;
        match (usize::try_from(prefix << shift), usize::try_from((prefix + 1) << shift)) {
            (Ok(first), Ok(end)) => Entries { rest: self.between(first, end) },
            _ => Entries { rest: &[] },
        }
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> usize {
        self.buckets.len() * size_of::<u32>() + self.entries.len()
    }

    /// Returns the bytes of the buckets from the first one to the one before `end`.
    fn between(&self, first: usize, end: usize) -> &[u8] {
        let bounds = self.buckets.get(first).zip(self.buckets.get(end));
        bounds.and_then(|(start, end)| self.entries.get(*start as usize..*end as usize)).unwrap_or_default()
    }
}

/// Returns the key of a prefix and the lowest 40 bits.
pub fn whole_key(prefix: u64, lowest: u64) -> u64 {
    prefix << ENTRY_KEY_BITS | lowest
}

/// Entries of a block.
#[derive(Clone, Debug)]
pub struct Entries<'b> {
    rest: &'b [u8],
}

impl Iterator for Entries<'_> {
    type Item = (u64, Counts);

    fn next(&mut self) -> Option<(u64, Counts)> {
        Some((self.next_key()?, self.next_counts()?))
    }
}

impl Entries<'_> {
    fn next_key(&mut self) -> Option<u64> {
        let (bytes, rest) = self.rest.split_first_chunk::<ENTRY_KEY_BYTES>()?;
        self.rest = rest;
        let [a, b, c, d, e] = *bytes;
        Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }

    fn next_counts(&mut self) -> Option<Counts> {
        let head = self.next_byte()?;
        let mut counts = Counts::default();
        for (class, count) in counts.classes.iter_mut().enumerate() {
            if head & (1 << class) != 0 {
                *count = if head & ONES != 0 { 1 } else { u32::try_from(self.next_number()?).ok()? };
            }
        }
        if head & TIMELESS == 0 {
            counts.micros = self.next_number()?;
        }
        Some(counts)
    }

    fn skip_counts(&mut self) -> Option<()> {
        let head = self.next_byte()?;
        let classes = if head & ONES != 0 { 0 } else { (head & !(ONES | TIMELESS)).count_ones() };
        let numbers = classes + u32::from(head & TIMELESS == 0);
        for _ in 0..numbers {
            while self.next_byte()? & MORE != 0 {}
        }
        Some(())
    }

    fn next_number(&mut self) -> Option<u64> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.next_byte()?;
            number |= u64::from(byte & !MORE).checked_shl(shift)?;
            if byte & MORE == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }
}

/// Writes a block.
#[derive(Debug)]
pub struct BlockWriter {
    buckets: Vec<u32>,
    bucket_bits: u32,
    entries: Vec<u8>,
}

impl BlockWriter {
    /// Begins a block of about this number of entries.
    pub fn new(expected: usize) -> Self {
        let bucket_bits = expected.div_ceil(BUCKET_ENTRIES).max(1).next_power_of_two().ilog2().clamp(PREFIX_BITS, 16);
        Self { buckets: Vec::with_capacity((1 << bucket_bits) + 1), bucket_bits, entries: Vec::with_capacity(expected.saturating_mul(10)) }
    }

    /// Adds an entry. Its key is larger than all before.
    pub fn push(&mut self, key: u64, counts: &Counts) {
        self.begin_buckets(key >> (KEY_BITS - self.bucket_bits));
        let [_, _, _, key @ ..] = key.to_be_bytes();
        self.entries.extend_from_slice(&key);
        let head = head(counts);
        self.entries.push(head);
        if head & ONES == 0 {
            for count in counts.classes.into_iter().filter(|count| *count != 0) {
                self.push_number(count.into());
            }
        }
        if head & TIMELESS == 0 {
            self.push_number(counts.micros);
        }
    }

    /// Returns the block.
    pub fn finish(mut self) -> Block {
        self.begin_buckets(1 << self.bucket_bits);
        Block { buckets: self.buckets.into(), bucket_bits: self.bucket_bits, entries: self.entries.into() }
    }

    /// Begins this bucket and those before that have not begun.
    fn begin_buckets(&mut self, bucket: u64) {
        let begin = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        while self.buckets.len() as u64 <= bucket {
            self.buckets.push(begin);
        }
    }

    fn push_number(&mut self, mut number: u64) {
        while number >= u64::from(MORE) {
            self.entries.push(number as u8 | MORE);
            number >>= 7;
        }
        self.entries.push(number as u8);
    }
}

/// Returns the bytes that an entry takes.
pub fn entry_bytes(counts: &Counts) -> usize {
    let number_bytes = |number: u64| (number.max(1).ilog2() / 7) as usize + 1;
    let head = head(counts);
    let classes =
        counts.classes.iter().filter(|count| **count != 0 && head & ONES == 0).map(|count| number_bytes((*count).into())).sum::<usize>();
    let time = if head & TIMELESS == 0 { number_bytes(counts.micros) } else { 0 };
    ENTRY_KEY_BYTES + 1 + classes + time
}

fn head(counts: &Counts) -> u8 {
    const { assert!(CLASSES == 6, "a bit for each below `ONES`") };
    let mut head = ONES;
    for (class, count) in counts.classes.iter().enumerate() {
        if *count != 0 {
            head |= 1 << class;
        }
        if *count > 1 {
            head &= !ONES;
        }
    }
    if counts.micros == 0 {
        head |= TIMELESS;
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn any_count() -> impl Strategy<Value = u32> {
        prop_oneof![4 => Just(0), 4 => Just(1), 2 => 2_u32..300, 1 => any::<u32>()]
    }

    fn any_counts() -> impl Strategy<Value = Counts> {
        let micros = prop_oneof![Just(0), 1_u64..100_000, any::<u64>()];
        (prop::array::uniform6(any_count()), micros).prop_map(|(classes, micros)| Counts { classes, micros })
    }

    fn any_key() -> impl Strategy<Value = u64> {
        // Some keys differ in their lowest or highest bits only.
        prop_oneof![0_u64..1 << KEY_BITS, 0_u64..64, (0_u64..64).prop_map(|high| high << (KEY_BITS - 6))]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn a_block_finds_and_lists_what_was_put_into_it(
            entries in prop::collection::btree_map(any_key(), any_counts(), 0..300),
            expected in prop_oneof![0_usize..400, Just(20_000)],
            others in prop::collection::vec(any_key(), 0..50),
        ) {
            let mut writer = BlockWriter::new(expected);
            for (key, counts) in &entries {
                writer.push(*key, counts);
            }
            let block = writer.finish();
            for key in entries.keys().chain(&others) {
                prop_assert_eq!(block.find(*key), entries.get(key).copied());
            }
            let listed = (0..1 << PREFIX_BITS)
                .flat_map(|prefix| block.entries_of(prefix).map(move |(lowest, counts)| (whole_key(prefix, lowest), counts)));
            prop_assert_eq!(listed.collect::<BTreeMap<_, _>>(), entries.clone());
            prop_assert_eq!(block.entries.len(), entries.values().map(entry_bytes).sum::<usize>());
        }
    }

    #[test]
    fn an_entry_of_one_visit_takes_nine_bytes() {
        let mut counts = Counts::default();
        counts.add_visit(200, std::time::Duration::from_millis(20));
        assert_eq!(entry_bytes(&counts), 9);
    }
}
