//! Finds which of many literals a value holds, in one pass whatever their number.
//!
//! Each literal is known by three bytes in it that are rare in clean traffic and in other literals. While the value is read, the classes of the last three bytes name a bit in a table
//! that fits the nearest cache; only where the bit is set the literals behind it are compared.

use super::rarity::Threes;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// How many bits tell the class of a byte.
const CLASS_BITS: usize = 6;

/// The last class: bytes that the others had no room for. Bytes that no literal holds are of class 0.
const LAST_CLASS: usize = (1 << CLASS_BITS) - 1;

/// The places of the table: one for every three classes in a row.
const PLACES: usize = 1 << (3 * CLASS_BITS);

/// The places for every two classes in a row.
const PAIRS: usize = 1 << (2 * CLASS_BITS);

/// The words of the table.
const WORDS: usize = PLACES / u64::BITS as usize;

/// A pass over values that finds literals, each of two bytes at least, in any case of ASCII letters.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    class_of: Box<[u8; 256]>,
    /// The bit of a place is set where its classes stand in a literal, or end with a literal of two bytes.
    table: Box<[u64; WORDS]>,
    /// The literals known by three bytes: a hash table with as many free entries as used ones, searched from the hash onwards.
    threes: Box<[Bucket]>,
    /// The literals of two bytes, by their classes: where they stand in `pairs`, and none at 0.
    pair_at: Box<[u16; PAIRS]>,
    pairs: Vec<Vec<Anchored>>,
    anchored: Vec<Anchored>,
    bytes: Vec<u8>,
    tells: Vec<u32>,
}

/// The literals known by the same three classes: a range of `anchored`, empty in a free entry.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    place: u32,
    first: u32,
    end: u32,
    /// The classes of which one stands before the three in each literal, one bit each; all where a literal begins with them.
    before: u64,
    /// The classes of which one stands behind the three in each literal, one bit each; all where a literal ends with them.
    behind: u64,
}

/// A literal and the bytes in it that it is known by.
#[derive(Clone, Copy, Debug)]
struct Anchored {
    /// Where it stands in `bytes`.
    start: u32,
    length: u32,
    /// How many of its bytes stand before the end of those that it is known by.
    reach: u32,
    /// What it tells: a range of `tells`.
    first_told: u32,
    end_told: u32,
}

impl LiteralScanner {
    /// A scanner for these literals, in lower case; each tells some numbers. Literals of fewer than two bytes are never found.
    pub(super) fn new(literals: &BTreeMap<Vec<u8>, Vec<u32>>) -> Self {
        let class_of = classes(literals.keys());
        let mut scanner = Self {
            class_of,
            table: Box::new([0; WORDS]),
            threes: Box::default(),
            pair_at: Box::new([0; PAIRS]),
            pairs: vec![Vec::new()],
            anchored: Vec::new(),
            bytes: Vec::new(),
            tells: Vec::new(),
        };
        let mut by_place: BTreeMap<usize, Vec<Anchored>> = BTreeMap::new();
        let mut anchors = Anchors { shares: Threes::count(), taken: FxHashMap::default() };
        // The short ones first, as they have least to choose from.
        let mut sorted: Vec<_> = literals.iter().filter(|(literal, _)| literal.len() >= 2).collect();
        sorted.sort_by_key(|(literal, _)| literal.len());
        for (literal, told) in sorted {
            match anchors.choose(literal) {
                Some((three, reach)) => {
                    let known = scanner.keep(literal, reach, told);
                    by_place.entry(scanner.place(&three)).or_default().push(known);
                }
                None => {
                    let known = scanner.keep(literal, literal.len(), told);
                    scanner.keep_pair(scanner.place(literal), known);
                }
            }
        }
        scanner.keep_threes(by_place);
        scanner
    }

    /// Sets the bit of each number that a literal in `value` tells: number N is bit N of `seen`. Time is linear in the value and in the literals
    /// found.
    pub(super) fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let mut place = 0;
        for (at, byte) in value.iter().enumerate() {
            place = self.after(place, *byte);
            if self.is_set(place) {
                self.compare(value, at + 1, place, seen);
            }
        }
    }

    /// Compares the literals that may end their known bytes before `end`.
    fn compare(&self, value: &[u8], end: usize, place: usize, seen: &mut [u64]) {
        let pair = self.pair_at.get(place % PAIRS).copied().unwrap_or(0);
        if pair != 0 {
            for known in self.pairs.get(usize::from(pair)).into_iter().flatten() {
                self.compare_one(value, end, known, seen);
            }
        }
        if let Some(bucket) = self.bucket(place) {
            let class = |at: usize| value.get(at).and_then(|byte| self.class_of.get(usize::from(*byte))).copied().unwrap_or(0);
            if bucket.before >> class(end.wrapping_sub(4)) & 1 == 1 && bucket.behind >> class(end) & 1 == 1 {
                for known in part(&self.anchored, bucket.first, bucket.end) {
                    self.compare_one(value, end, known, seen);
                }
            }
        }
    }

    fn compare_one(&self, value: &[u8], end: usize, known: &Anchored, seen: &mut [u64]) {
        let Some(start) = end.checked_sub(known.reach as usize) else { return };
        let Some(found) = value.get(start..start + known.length as usize) else { return };
        let literal = part(&self.bytes, known.start, known.start + known.length);
        // Most differ in the first byte already.
        let begins_alike = found.first().map(u8::to_ascii_lowercase) == literal.first().copied();
        if begins_alike && found.eq_ignore_ascii_case(literal) {
            for told in part(&self.tells, known.first_told, known.end_told) {
                if let Some(word) = seen.get_mut((told / u64::BITS) as usize) {
                    *word |= 1 << (told % u64::BITS);
                }
            }
        }
    }

    fn bucket(&self, place: usize) -> Option<&Bucket> {
        let mut at = self.hash(place);
        loop {
            let bucket = self.threes.get(at).filter(|bucket| bucket.end > bucket.first)?;
            if bucket.place as usize == place {
                return Some(bucket);
            }
            at = (at + 1) & (self.threes.len() - 1);
        }
    }

    fn hash(&self, place: usize) -> usize {
        place.wrapping_mul(0x9E37_79B1) >> 7 & self.threes.len().saturating_sub(1)
    }

    fn after(&self, place: usize, byte: u8) -> usize {
        let class = self.class_of.get(usize::from(byte)).copied().unwrap_or(0);
        (place << CLASS_BITS | usize::from(class)) & (PLACES - 1)
    }

    fn is_set(&self, place: usize) -> bool {
        self.table.get(place / u64::BITS as usize).is_some_and(|word| word >> (place % u64::BITS as usize) & 1 == 1)
    }

    fn set(&mut self, place: usize) {
        if let Some(word) = self.table.get_mut(place / u64::BITS as usize) {
            *word |= 1 << (place % u64::BITS as usize);
        }
    }

    fn place(&self, anchor: &[u8]) -> usize {
        anchor.iter().fold(0, |place, byte| self.after(place, *byte))
    }

    fn keep(&mut self, literal: &[u8], reach: usize, told: &[u32]) -> Anchored {
        let (start, first_told) = (self.bytes.len(), self.tells.len());
        self.bytes.extend_from_slice(literal);
        self.tells.extend_from_slice(told);
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Anchored {
            start: number(start),
            length: number(literal.len()),
            reach: number(reach),
            first_told: number(first_told),
            end_told: number(self.tells.len()),
        }
    }

    fn keep_pair(&mut self, place: usize, known: Anchored) {
        for before in 0..=LAST_CLASS {
            self.set(before << (2 * CLASS_BITS) | place);
        }
        let Some(at) = self.pair_at.get_mut(place) else { return };
        if *at == 0 {
            *at = u16::try_from(self.pairs.len()).unwrap_or(0);
            self.pairs.push(Vec::new());
        }
        self.pairs.get_mut(usize::from(*at)).into_iter().for_each(|pair| pair.push(known));
    }

    fn keep_threes(&mut self, by_place: BTreeMap<usize, Vec<Anchored>>) {
        self.threes = vec![Bucket::default(); (2 * by_place.len() + 1).next_power_of_two()].into_boxed_slice();
        for (place, all) in by_place {
            self.set(place);
            let first = self.anchored.len() as u32;
            let neighbours = |offset: fn(&Anchored) -> Option<u32>| {
                let class = |known: &Anchored| {
                    let byte =
                        offset(known).and_then(|offset| part(&self.bytes, known.start, known.start + known.length).get(offset as usize));
                    byte.and_then(|byte| self.class_of.get(usize::from(*byte))).map_or(u64::MAX, |class| 1 << class)
                };
                all.iter().map(class).fold(0, |classes, class| classes | class)
            };
            let (before, behind) = (neighbours(|known| known.reach.checked_sub(4)), neighbours(|known| Some(known.reach)));
            self.anchored.extend(all);
            let mut at = self.hash(place);
            while self.threes.get(at).is_some_and(|bucket| bucket.end > bucket.first) {
                at = (at + 1) & (self.threes.len() - 1);
            }
            if let Some(free) = self.threes.get_mut(at) {
                *free = Bucket { place: place as u32, first, end: self.anchored.len() as u32, before, behind };
            }
        }
    }
}

/// The class of every byte: the bytes that most literals hold have one of their own; both cases of a letter have the same.
fn classes<'l>(literals: impl Iterator<Item = &'l Vec<u8>>) -> Box<[u8; 256]> {
    let mut counts = [0usize; 256];
    for byte in literals.flatten() {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let mut used: Vec<(usize, u8)> = counts.into_iter().zip(0..=u8::MAX).filter(|(count, _)| *count > 0).collect();
    used.sort_unstable_by(|one, other| other.cmp(one));
    let mut class_of = Box::new([0; 256]);
    for (class, (_, byte)) in (1..).zip(used) {
        for case in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
            if let Some(known) = class_of.get_mut(usize::from(case)) {
                *known = u8::try_from(LAST_CLASS.min(class)).unwrap_or(u8::MAX);
            }
        }
    }
    class_of
}

/// Chooses what literals are known by.
struct Anchors {
    shares: Threes,
    /// How many literals are known by the same bytes.
    taken: FxHashMap<[u8; 3], u32>,
}

impl Anchors {
    /// Three bytes in a row of a literal that cost least to look behind, and how many of its bytes stand before their end. Nothing for a literal
    /// of two.
    fn choose(&mut self, literal: &[u8]) -> Option<([u8; 3], usize)> {
        let threes = literal.windows(3).filter_map(|three| <[u8; 3]>::try_from(three).ok()).zip(3..);
        let cost = |three: &[u8; 3]| self.shares.share(*three) * f64::from(1 + self.taken.get(three).copied().unwrap_or(0));
        let chosen = threes.min_by(|(one, _), (other, _)| cost(one).total_cmp(&cost(other)))?;
        *self.taken.entry(chosen.0).or_insert(0) += 1;
        Some(chosen)
    }
}

fn part<T>(all: &[T], start: u32, end: u32) -> &[T] {
    all.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn seen(literals: &[Vec<u8>], value: &[u8]) -> Vec<bool> {
        let told = literals.iter().cloned().zip((0..).map(|number| vec![number])).collect();
        let mut seen = vec![0; literals.len().div_ceil(64)];
        LiteralScanner::new(&told).scan(value, &mut seen);
        (0..literals.len()).map(|number| seen[number / 64] >> (number % 64) & 1 == 1).collect()
    }

    #[test]
    fn literals_of_two_bytes_are_found_everywhere() {
        let literals = [b"--".to_vec(), b"ab".to_vec()];
        assert_eq!(seen(&literals, b"--"), [true, false]);
        assert_eq!(seen(&literals, b"x--"), [true, false]);
        assert_eq!(seen(&literals, b"-AB-"), [false, true]);
    }

    #[test]
    fn more_different_bytes_than_classes_are_told_apart() {
        let literals: Vec<Vec<u8>> = (0x80..=0xFF).map(|byte| vec![b'x', byte, b'y']).collect();
        let found = seen(&literals, b"x\xA0y x\xFFy");
        assert_eq!(found.iter().filter(|found| **found).count(), 2);
        assert!(found[0x20] && found[0x7F]);
    }

    proptest! {
        #[test]
        fn exactly_the_literals_in_a_value_are_found(
            literals in proptest::collection::btree_set(vec(proptest::sample::select(&b"abc-\xE9"[..]), 2..6), 1..90),
            value in vec(proptest::sample::select(&b"abcABC-\xE9"[..]), 0..40),
        ) {
            let literals: Vec<Vec<u8>> = literals.into_iter().collect();
            let lower = value.to_ascii_lowercase();
            let expected: Vec<bool> = literals.iter().map(|literal| memchr::memmem::find(&lower, literal).is_some()).collect();
            prop_assert_eq!(seen(&literals, &value), expected);
        }
    }
}
