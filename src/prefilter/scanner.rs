//! Finds which of many literals a value holds, in one pass whatever their number.
//!
//! Each literal is known by three bytes in it that are rare in clean traffic and in other literals. While the value is read, the classes of the
//! last three bytes name a bit in a table that fits the nearest cache; only where the bit is set the literals behind it are compared.

use super::literal::Sought;
use super::trigram::{Classes, Place, Sieve};

/// What tells the two cases of an ASCII letter apart.
const CASE: u8 = 0x20;

/// How many bytes of a value are taken in at once.
const BLOCK: usize = 8;

/// A pass over values that finds literals, each of two bytes at least, in any case of ASCII letters.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    sieve: Box<Sieve>,
    /// For each place that the sieve keeps, by its number, what stands behind it: many have the same, as what two bytes end at is 64 places.
    behind_of: Vec<u32>,
    behind: Vec<Behind>,
    anchored: Vec<Anchored>,
    tails: Vec<u8>,
    tells: Vec<Told>,
}

/// The literals that are known by the same three bytes.
#[derive(Clone, Copy, Debug)]
struct Behind {
    /// What may stand before these bytes, and behind them.
    neighbours: Neighbours,
    /// A range of `anchored`.
    first: u32,
    end: u32,
}

/// The bytes on both sides of those that a literal is known by, where the literal has any.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    preceding: Classes,
    following: Classes,
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
    /// A scanner for these literals.
    pub(super) fn new(literals: &[Sought<'_>]) -> Self {
        let mut scanner = Self {
            sieve: Sieve::of(literals.iter().map(|sought| sought.literal)),
            behind_of: Vec::new(),
            behind: Vec::new(),
            anchored: Vec::new(),
            tails: Vec::new(),
            tells: Vec::new(),
        };
        let known: Vec<(Neighbours, Anchored)> =
            literals.iter().map(|sought| (scanner.neighbours(sought), scanner.take_in(sought))).collect();
        let mut places = Vec::new();
        for (sought, number) in literals.iter().zip(0..) {
            match (sought.anchor(), sought.literal) {
                (Some(three), _) => places.push((scanner.sieve.place(three), number)),
                (None, [one, other]) => places.extend(scanner.sieve.places_of_two([*one, *other]).map(|place| (place, number))),
                (None, _) => {}
            }
        }
        scanner.keep_places(places, &known);
        scanner.anchored.shrink_to_fit();
        scanner.behind.shrink_to_fit();
        scanner
    }

    /// Sets the bit of each number that a literal in `value` tells: number N is bit N of `seen`. Time is linear in the value, and in the literals
    /// that are known by the same three bytes as one that may end there.
    #[inline(never)]
    pub(super) fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let sieve = &*self.sieve;
        let mut place = Place::default();
        let mut take = |at: usize, byte: u8| {
            place = sieve.after(place, byte);
            if sieve.keeps(place) {
                self.look_behind(place, value, at + 1, seen);
            }
        };
        // Block by block the bytes are taken in with half the instructions that they take one by one.
        let (blocks, rest) = value.as_chunks::<BLOCK>();
        for (start, block) in (0..).step_by(BLOCK).zip(blocks) {
            block.iter().enumerate().for_each(|(within, byte)| take(start + within, *byte));
        }
        (value.len() - rest.len()..).zip(rest).for_each(|(at, byte)| take(at, *byte));
    }

    /// Compares what stands behind a place that ends before `end`. It stands apart so that the loop over all bytes has the registers to itself.
    #[inline(never)]
    fn look_behind(&self, place: Place, value: &[u8], end: usize, seen: &mut [u64]) {
        if let Some(behind) = self.behind(place, value.get(end)) {
            self.compare(behind, value, end, seen);
        }
    }

    /// What stands behind a place, unless the byte before the three or the one behind them shows that none of it is there.
    #[inline(never)]
    fn behind(&self, place: Place, next: Option<&u8>) -> Option<&Behind> {
        let behind = self.behind.get(*self.behind_of.get(self.sieve.number(place))? as usize)?;
        let Neighbours { preceding, following } = behind.neighbours;
        (preceding.meets(place.preceding()) && following.meets(self.sieve.classes(next))).then_some(behind)
    }

    /// Compares literals that may end the bytes that they are known by before `end`.
    #[inline(never)]
    fn compare(&self, behind: &Behind, value: &[u8], end: usize, seen: &mut [u64]) {
        for known in part(&self.anchored, behind.first, behind.end) {
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

    /// What stands in a literal on both sides of the bytes that it is known by.
    fn neighbours(&self, Sought { literal, reach, .. }: &Sought<'_>) -> Neighbours {
        let side = |byte: Option<&u8>| byte.map_or(Classes::ALL, |byte| self.sieve.classes(Some(byte)));
        Neighbours { preceding: side(reach.checked_sub(4).and_then(|at| literal.get(at))), following: side(literal.get(*reach)) }
    }

    fn take_in(&mut self, Sought { literal, reach, tells }: &Sought<'_>) -> Anchored {
        let (first_tail, first_told) = (self.tails.len(), self.tells.len());
        self.tails.extend(literal.iter().skip(Head::LENGTH));
        for number in tells {
            let (word, bits) = (number / u64::BITS, 1 << (number % u64::BITS));
            match self.tells.get_mut(first_told..).unwrap_or_default().iter_mut().find(|told| told.word == word) {
                Some(told) => told.bits |= bits,
                None => self.tells.push(Told { word, bits }),
            }
        }
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Anchored {
            head: Head::of(literal),
            reach: number(*reach),
            first_tail: number(first_tail),
            end_tail: number(self.tails.len()),
            first_told: number(first_told),
            end_told: number(self.tells.len()),
        }
    }

    /// Keeps literals behind their places; each place comes with the number of a literal.
    fn keep_places(&mut self, mut places: Vec<(Place, u32)>, known: &[(Neighbours, Anchored)]) {
        self.sieve.keep(places.iter().map(|(place, _)| *place));
        places.sort_unstable_by_key(|(place, number)| place.key() << u32::BITS | u64::from(*number));
        // Where each literal stands behind a place alone.
        let mut alone = vec![None; known.len()];
        for alike in places.chunk_by(|(one, _), (other, _)| one == other) {
            let kept = match alike {
                [(_, number)] => alone.get_mut(*number as usize),
                _ => None,
            };
            let place = match kept {
                Some(kept) => *kept.get_or_insert_with(|| self.keep(alike, known)),
                None => self.keep(alike, known),
            };
            self.behind_of.push(place);
        }
    }

    /// Keeps literals that stand behind the same place, and says where.
    fn keep(&mut self, alike: &[(Place, u32)], known: &[(Neighbours, Anchored)]) -> u32 {
        let known = || alike.iter().filter_map(|(_, number)| known.get(*number as usize));
        let first = self.anchored.len() as u32;
        self.anchored.extend(known().map(|(_, anchored)| anchored));
        let neighbours = known().map(|(neighbours, _)| *neighbours).reduce(Neighbours::union);
        self.behind.push(Behind { neighbours: neighbours.unwrap_or(Neighbours::ALL), first, end: self.anchored.len() as u32 });
        self.behind.len() as u32 - 1
    }
}

impl Neighbours {
    /// Whatever may stand on both sides.
    const ALL: Self = Self { preceding: Classes::ALL, following: Classes::ALL };

    fn union(self, other: Self) -> Self {
        Self { preceding: self.preceding.union(other.preceding), following: self.following.union(other.following) }
    }
}

fn part<T>(all: &[T], start: u32, end: u32) -> &[T] {
    all.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefilter::literal::anchored;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn seen(literals: &[Vec<u8>], value: &[u8]) -> Vec<bool> {
        let sought = anchored(literals.iter().map(Vec::as_slice).zip((0..).map(|number| vec![number])));
        let mut seen = vec![0; literals.len().div_ceil(64)];
        LiteralScanner::new(&sought).scan(value, &mut seen);
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
        fn literals_of_any_bytes_and_lengths_are_found(
            literals in proptest::collection::btree_set(vec(any::<u8>().prop_map(|byte| byte.to_ascii_lowercase()), 2..14), 1..60),
            pieces in vec((any::<proptest::sample::Index>(), 0usize..14, vec(any::<u8>(), 0..4)), 0..12),
        ) {
            let literals: Vec<Vec<u8>> = literals.into_iter().collect();
            let piece = |(which, length, rest): &(proptest::sample::Index, usize, Vec<u8>)| {
                let literal = which.get(&literals);
                [&literal.to_ascii_uppercase()[..(*length).min(literal.len())], rest].concat()
            };
            let value: Vec<u8> = pieces.iter().flat_map(piece).collect();
            let lower = value.to_ascii_lowercase();
            let expected: Vec<bool> = literals.iter().map(|literal| memchr::memmem::find(&lower, literal).is_some()).collect();
            prop_assert_eq!(seen(&literals, &value), expected);
        }

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
