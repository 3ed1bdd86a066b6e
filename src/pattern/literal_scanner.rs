//! Finds which of many literals a value holds, in one pass whatever their number.
//!
//! Each literal is known by three bytes in it that are rare in clean traffic and in other literals. While the value is read, the classes of the
//! last three bytes name a bit in a table that fits the nearest cache; only where the bit is set the literals behind it are compared.

use super::rarity::Threes;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// How many bits tell the class of a byte.
const CLASS_BITS: usize = 6;

/// The last class: bytes that the others had no room for. Bytes that no literal holds are of class 0.
const LAST_CLASS: usize = (1 << CLASS_BITS) - 1;

/// The places of the table: one for every three classes in a row.
const PLACES: usize = 1 << (3 * CLASS_BITS);

/// The bits of a word of the table.
const WIDTH: usize = u64::BITS as usize;

/// The words of the table.
const WORDS: usize = PLACES / WIDTH;

/// What tells the two cases of an ASCII letter apart.
const CASE: u8 = 0x20;

/// A pass over values that finds literals, each of two bytes at least, in any case of ASCII letters.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    class_of: Box<[u8; 256]>,
    /// The bit of a place is set where its classes stand in a literal, or end with a literal of two bytes.
    table: Box<[u64; WORDS]>,
    /// How many bits are set before each word of the table: what stands behind a bit is found by counting.
    before: Box<[u32; WORDS]>,
    /// The literals behind each bit that is set: a range of `anchored`.
    behind: Box<[(u32, u32)]>,
    anchored: Vec<Anchored>,
    tails: Vec<u8>,
    tells: Vec<Told>,
}

/// A literal and where in it the bytes stand that it is known by.
#[derive(Clone, Copy, Debug)]
struct Anchored {
    head: Head,
    /// How many of its bytes stand before the end of those that it is known by.
    reach: u32,
    /// Where what it has beyond its head stands in `tails`.
    first_tail: u32,
    end_tail: u32,
    /// What it tells: a range of `tells`.
    first_told: u32,
    end_told: u32,
}

/// The first bytes of a literal, compared at once with those of a value in any case of letters.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: u64,
    /// The bytes that count, if there are fewer than eight.
    mask: u64,
    /// The bit that tells the cases of a letter apart, where there is one.
    case: u64,
    /// How many bytes count.
    length: u32,
}

/// Numbers that a literal tells: bits of one word.
#[derive(Clone, Copy, Debug)]
struct Told {
    word: u32,
    bits: u64,
}

impl Head {
    /// How many bytes it holds at most.
    const LENGTH: usize = 8;

    fn of(literal: &[u8]) -> Self {
        let mut head = Self::default();
        for (at, byte) in (0..u64::BITS).step_by(8).zip(literal) {
            head.bytes |= u64::from(*byte) << at;
            head.mask |= 0xFF << at;
            head.case |= u64::from(if byte.is_ascii_lowercase() { CASE } else { 0 }) << at;
            head.length += 1;
        }
        head
    }

    /// Whether a value goes on like this from `start` on.
    fn begins(&self, value: &[u8], start: usize) -> bool {
        (eight(value, start) | self.case) & self.mask == self.bytes && value.len() - start >= self.length as usize
    }
}

/// The eight bytes of a value from `start` on, the first lowest; behind the end there are zeros.
fn eight(value: &[u8], start: usize) -> u64 {
    if let Some(bytes) = value.get(start..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*bytes);
    }
    let missing = (start + Head::LENGTH - value.len()) as u32 * u8::BITS;
    match value.last_chunk() {
        Some(last) => u64::from_le_bytes(*last).checked_shr(missing).unwrap_or(0),
        None => value.iter().skip(start).rev().fold(0, |bytes, byte| bytes << u8::BITS | u64::from(*byte)),
    }
}

impl LiteralScanner {
    /// A scanner for these literals, in lower case; each tells some numbers. Literals of fewer than two bytes are never found.
    pub(super) fn new(literals: &BTreeMap<Vec<u8>, Vec<u32>>) -> Self {
        let mut scanner = Self {
            class_of: classes(literals.keys()),
            table: Box::new([0; WORDS]),
            before: Box::new([0; WORDS]),
            behind: Box::default(),
            anchored: Vec::new(),
            tails: Vec::new(),
            tells: Vec::new(),
        };
        let mut placed: Vec<(usize, Anchored)> = Vec::new();
        let mut anchors = Anchors { shares: Threes::count(), taken: FxHashMap::default() };
        // The short ones first, as they have least to choose from.
        let mut sorted: Vec<_> = literals.iter().filter(|(literal, _)| literal.len() >= 2).collect();
        sorted.sort_by_key(|(literal, _)| literal.len());
        for (literal, told) in sorted {
            match anchors.choose(literal) {
                Some((three, reach)) => {
                    let place = scanner.place(&three);
                    placed.push((place, scanner.keep(literal, reach, told)));
                }
                None => {
                    let known = scanner.keep(literal, literal.len(), told);
                    let place = scanner.place(literal);
                    placed.extend((0..=LAST_CLASS).map(|before| (before << (2 * CLASS_BITS) | place, known)));
                }
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        scanner.keep_places(&placed);
        scanner
    }

    /// Sets the bit of each number that a literal in `value` tells: number N is bit N of `seen`. Time is linear in the value, and in the literals
    /// that are known by the same three bytes as one that may end there.
    #[inline(never)]
    pub(super) fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let (class_of, table) = (&*self.class_of, &*self.table);
        let mut place = 0;
        let mut bytes = value.iter();
        while let Some(byte) = bytes.next() {
            place = after(class_of, place, *byte);
            if table.get(word_of(place)).is_some_and(|word| word >> (place % WIDTH) & 1 == 1) {
                self.compare(value, value.len() - bytes.len(), place, seen);
            }
        }
    }

    /// Compares the literals behind the bit of a place, which may end their known bytes before `end`. It stands apart so that the loop over all
    /// bytes has the registers to itself.
    #[inline(never)]
    fn compare(&self, value: &[u8], end: usize, place: usize, seen: &mut [u64]) {
        let (Some(word), Some(before)) = (self.table.get(word_of(place)), self.before.get(word_of(place))) else { return };
        let index = before + ones(word & !(u64::MAX << (place % WIDTH)));
        let Some((first, last)) = self.behind.get(index as usize) else { return };
        for known in part(&self.anchored, *first, *last) {
            let Some(start) = end.checked_sub(known.reach as usize) else { continue };
            if known.head.begins(value, start) && self.ends(known, value, start + Head::LENGTH) {
                for told in part(&self.tells, known.first_told, known.end_told) {
                    if let Some(word) = seen.get_mut(told.word as usize) {
                        *word |= told.bits;
                    }
                }
            }
        }
    }

    /// Whether a value that begins like a literal goes on like it.
    fn ends(&self, known: &Anchored, value: &[u8], start: usize) -> bool {
        let tail = part(&self.tails, known.first_tail, known.end_tail);
        tail.is_empty() || value.get(start..start + tail.len()).is_some_and(|found| found.eq_ignore_ascii_case(tail))
    }

    fn place(&self, anchor: &[u8]) -> usize {
        anchor.iter().fold(0, |place, byte| after(&self.class_of, place, *byte))
    }

    fn keep(&mut self, literal: &[u8], reach: usize, told: &[u32]) -> Anchored {
        let (first_tail, first_told) = (self.tails.len(), self.tells.len());
        self.tails.extend(literal.iter().skip(Head::LENGTH));
        for number in told {
            let (word, bits) = (number / u64::BITS, 1 << (number % u64::BITS));
            match self.tells.get_mut(first_told..).unwrap_or_default().iter_mut().find(|told| told.word == word) {
                Some(told) => told.bits |= bits,
                None => self.tells.push(Told { word, bits }),
            }
        }
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Anchored {
            head: Head::of(literal),
            reach: number(reach),
            first_tail: number(first_tail),
            end_tail: number(self.tails.len()),
            first_told: number(first_told),
            end_told: number(self.tells.len()),
        }
    }

    /// Sets the bits of these places, which are sorted, and keeps what stands behind each.
    fn keep_places(&mut self, placed: &[(usize, Anchored)]) {
        let mut behind = Vec::new();
        for alike in placed.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((place, _)) = alike.first() else { continue };
            if let Some(word) = self.table.get_mut(word_of(*place)) {
                *word |= 1 << (place % WIDTH);
            }
            let first = self.anchored.len() as u32;
            self.anchored.extend(alike.iter().map(|(_, known)| known));
            behind.push((first, self.anchored.len() as u32));
        }
        self.behind = behind.into();
        let mut count = 0;
        for (before, word) in self.before.iter_mut().zip(self.table.iter()) {
            *before = count;
            count += word.count_ones();
        }
    }
}

/// The place after one more byte. Its lowest bits count; what is above them belongs to bytes further back.
fn after(class_of: &[u8; 256], place: usize, byte: u8) -> usize {
    place << CLASS_BITS | usize::from(class_of.get(usize::from(byte)).copied().unwrap_or(0))
}

/// The word of the table that a place has its bit in.
fn word_of(place: usize) -> usize {
    place / WIDTH % WORDS
}

/// How many bits are set. They are few: one by one they are counted sooner than by a formula for all.
fn ones(mut word: u64) -> u32 {
    let mut count = 0;
    while word != 0 {
        word &= word - 1;
        count += 1;
    }
    count
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
