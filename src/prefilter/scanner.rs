//! Finds which of many literals a value holds, in one pass whatever their number.
//!
//! For each byte of a value, the trigram that it ends is looked up in a bitmap. If the bit is set, [`verify`](Search::verify) compares the
//! literals in the bucket of that trigram with the value. A set bit alone proves nothing: several bytes share a class.

use super::literal::{Literal, Membership};
use super::trigram::{ClassSet, Pair, Trigram, TrigramBitmap};
use super::trigram_table::TrigramTable;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The bit that tells the two cases of an ASCII letter apart.
const CASE: u8 = 0x20;

/// How many bytes of a value each round of the loop reads.
const BLOCK: usize = 8;

/// Finds literals, each of at least two bytes, in any case of ASCII letters.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    bitmap: Box<TrigramBitmap>,
    /// The bucket of each trigram.
    bucket_of: TrigramTable,
    buckets: Vec<Bucket>,
    /// One more than the place in `pairs` of the literals of two bytes with these classes; empty if the scanner has none.
    pair_of: Vec<u16>,
    pairs: Vec<Content>,
    /// Numbers of literals of the table, by bucket.
    members: Vec<u32>,
    /// The literals of all scanners of the set.
    table: Arc<LiteralTable>,
}

/// The literals of a set, compiled once for all of its scanners.
#[derive(Debug, Default)]
pub(super) struct LiteralTable {
    literals: Vec<CompiledLiteral>,
    tails: Vec<u8>,
    lists: Vec<ListBits>,
}

/// The literals that are found by the same trigram.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The bytes that may precede the trigram, and follow it.
    neighbours: Neighbours,
    content: Content,
}

/// Literals, by their numbers in the table.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// The classes alone prove that a literal is there: it has two bytes, and no other byte is of their classes. Its lists are a range of
    /// [`LiteralTable::lists`].
    Proof(u32, u32),
    One(u32),
    /// A range of [`LiteralScanner::members`].
    Several(u32, u32),
}

/// The bytes of literals next to their trigrams.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    preceding: ClassSet,
    following: ClassSet,
}

/// A literal as it is compared: its head at once, then its tail. Rule sets have tens of thousands.
#[derive(Clone, Copy, Debug)]
struct CompiledLiteral {
    head: Head,
    /// Number of bytes of the head that count: eight, or fewer for a short literal.
    head_length: u32,
    /// The offset in the literal after its trigram.
    end_offset: u32,
    /// The bytes after the head: a range of [`LiteralTable::tails`].
    tail_start: u32,
    tail_end: u32,
    /// The lists that the literal is a member of: a range of [`LiteralTable::lists`].
    lists_start: u32,
    lists_end: u32,
}

/// The first bytes of a literal, compared at once with those of a value in any case of letters.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: u64,
    /// The bytes that count, if the literal has fewer than eight.
    mask: u64,
    /// The case bits of those bytes that are letters.
    case: u64,
}

/// Lists, as bits of one word.
#[derive(Clone, Copy, Debug)]
struct ListBits {
    word: u32,
    bits: u64,
}

impl Head {
    /// The most bytes that a head holds.
    const LENGTH: usize = 8;

    fn of(literal: &[u8]) -> Self {
        let mut head = Self::default();
        for (at, byte) in (0..u64::BITS).step_by(8).zip(literal) {
            head.bytes |= u64::from(*byte) << at;
            head.mask |= 0xFF << at;
            head.case |= u64::from(if byte.is_ascii_lowercase() { CASE } else { 0 }) << at;
        }
        head
    }

    /// Returns `true` if the value holds these bytes, of which `length` count, at `start`.
    fn matches(&self, length: u32, value: &[u8], start: usize) -> bool {
        (eight_bytes(value, start) | self.case) & self.mask == self.bytes && value.len() - start >= length as usize
    }
}

/// The eight bytes of a value from `start` on, the first one lowest, and zeros after its end.
fn eight_bytes(value: &[u8], start: usize) -> u64 {
    if let Some(bytes) = value.get(start..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*bytes);
    }
    let missing = (start + Head::LENGTH - value.len()) as u32 * u8::BITS;
    match value.last_chunk() {
        Some(last) => u64::from_le_bytes(*last).checked_shr(missing).unwrap_or(0),
        None => value.iter().skip(start).rev().fold(0, |bytes, byte| bytes << u8::BITS | u64::from(*byte)),
    }
}

impl CompiledLiteral {
    fn is_proven_by_its_classes(&self, bitmap: &TrigramBitmap) -> bool {
        self.head_length == 2 && self.head.bytes.to_le_bytes().iter().take(2).all(|byte| bitmap.is_alone(*byte))
    }
}

impl LiteralTable {
    /// Compiles literals with all their memberships, which are sorted by their literals.
    pub(super) fn new(literals: &[Literal<'_>], memberships: &[Membership]) -> Self {
        let same = memberships.chunk_by(|one, other| one.literal == other.literal);
        let mut compiler = Compiler::default();
        let compiled = literals.iter().zip(same).map(|(literal, same)| compiler.compile(literal, same)).collect();
        let Compiler { mut tails, mut lists, .. } = compiler;
        tails.shrink_to_fit();
        lists.shrink_to_fit();
        Self { literals: compiled, tails, lists }
    }

    /// Sets the bits of the lists that a literal is a member of. No rule asks for those that are not wanted of this value.
    #[inline]
    fn note(&self, start: u32, end: u32, seen: &mut [u64]) {
        for list in part(&self.lists, start, end) {
            if let Some(word) = seen.get_mut(list.word as usize) {
                *word |= list.bits;
            }
        }
    }

    /// Compares a literal whose trigram ends before `end`, and notes it.
    #[inline]
    fn compare(&self, literal: u32, value: &[u8], end: usize, seen: &mut [u64]) {
        let Some(literal) = self.literals.get(literal as usize) else { return };
        let Some(start) = end.checked_sub(literal.end_offset as usize) else { return };
        if literal.head.matches(literal.head_length, value, start) && self.tail_matches(literal, value, start + Head::LENGTH) {
            self.note(literal.lists_start, literal.lists_end, seen);
        }
    }

    /// Returns `true` if the value holds the tail of a literal at `start`.
    fn tail_matches(&self, literal: &CompiledLiteral, value: &[u8], start: usize) -> bool {
        let tail = part(&self.tails, literal.tail_start, literal.tail_end);
        tail.is_empty() || value.get(start..start + tail.len()).is_some_and(|found| found.eq_ignore_ascii_case(tail))
    }
}

impl LiteralScanner {
    /// Builds a scanner for some of the literals of a table, by their numbers, which are in order.
    pub(super) fn new(literals: &[Literal<'_>], table: &Arc<LiteralTable>, wanted: &[u32]) -> Self {
        let members = || wanted.iter().filter_map(|number| Some((literals.get(*number as usize)?, *number)));
        let mut scanner = Self {
            bitmap: TrigramBitmap::for_literals(members().map(|(literal, _)| literal.bytes)),
            bucket_of: TrigramTable::default(),
            buckets: Vec::new(),
            pair_of: Vec::new(),
            pairs: Vec::new(),
            members: Vec::new(),
            table: Arc::clone(table),
        };
        // Each literal by the key of its trigram, or the number of its pair, and by its number.
        let mut trigrams: Vec<(u32, u32, Neighbours)> = Vec::with_capacity(wanted.len());
        let mut pairs: Vec<(usize, u32)> = Vec::new();
        for (literal, number) in members() {
            match literal.trigram() {
                Some(bytes) => {
                    let trigram = scanner.bitmap.trigram(&bytes);
                    scanner.bitmap.insert(trigram);
                    trigrams.push((trigram.key(), number, scanner.neighbours(literal)));
                }
                None => {
                    let pair = scanner.bitmap.trigram(literal.bytes).last_pair();
                    scanner.bitmap.insert_pair(pair);
                    pairs.push((pair.number(), number));
                }
            }
        }
        scanner.fill_buckets(trigrams);
        scanner.fill_pairs(pairs);
        scanner.members.shrink_to_fit();
        scanner
    }

    /// Sets bit N of `seen` for each list N of which `value` holds a literal. Takes time linear in the value, and in the literals whose trigrams occur.
    #[inline(never)]
    pub(super) fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let bitmap = &*self.bitmap;
        let mut search = Search { scanner: self, value, seen };
        let mut pair = Pair::default();
        let mut read = |byte: u8, left: usize| {
            let trigram = bitmap.next(pair, byte);
            if bitmap.contains(trigram) {
                search.verify(trigram, left);
            }
            pair = trigram.last_pair();
        };
        // Read in blocks, a byte takes half the instructions that it takes one by one.
        let mut rest = value;
        while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
            (1..).zip(block).for_each(|(taken, byte)| read(*byte, rest.len() - taken));
            rest = behind;
        }
        (1..).zip(rest).for_each(|(taken, byte)| read(*byte, rest.len() - taken));
    }

    /// The bytes before and after the trigram of a literal. At its ends, any byte may be.
    fn neighbours(&self, Literal { bytes, end_offset, .. }: &Literal<'_>) -> Neighbours {
        let side = |byte: Option<&u8>| byte.map_or(ClassSet::ALL, |byte| self.bitmap.class_set(Some(byte)));
        Neighbours { preceding: side(end_offset.checked_sub(4).and_then(|at| bytes.get(at))), following: side(bytes.get(*end_offset)) }
    }

    /// Fills the buckets with literals, each with the key of its trigram and its neighbours.
    fn fill_buckets(&mut self, mut trigrams: Vec<(u32, u32, Neighbours)>) {
        trigrams.sort_by_key(|(key, ..)| *key);
        let same = || trigrams.chunk_by(|(one, ..), (other, ..)| one == other);
        self.bucket_of = TrigramTable::new(same().filter_map(|same| same.first()).map(|(key, ..)| *key));
        self.buckets = same()
            .map(|same| Bucket {
                neighbours: same.iter().map(|(.., neighbours)| *neighbours).reduce(Neighbours::union).unwrap_or(Neighbours::ALL),
                content: self.content(same.iter().map(|(_, number, _)| *number)),
            })
            .collect();
    }

    /// Adds the literals of two bytes, each with the number of its pair.
    fn fill_pairs(&mut self, mut pairs: Vec<(usize, u32)>) {
        if pairs.is_empty() {
            return;
        }
        self.pair_of = vec![0; Pair::COUNT];
        pairs.sort_unstable();
        for same in pairs.chunk_by(|(one, _), (other, _)| one == other) {
            let content = self.content(same.iter().map(|(_, number)| *number));
            self.pairs.push(content);
            let place = same.first().and_then(|(pair, _)| self.pair_of.get_mut(*pair));
            if let (Some(place), Ok(number)) = (place, u16::try_from(self.pairs.len())) {
                *place = number;
            }
        }
        self.pairs.shrink_to_fit();
    }

    /// Adds literals of the same trigram or pair, by their numbers.
    fn content(&mut self, numbers: impl Iterator<Item = u32>) -> Content {
        let start = self.members.len();
        self.members.extend(numbers);
        match self.members.get(start..) {
            Some([number]) => {
                let number = *number;
                self.members.truncate(start);
                match self.table.literals.get(number as usize).filter(|literal| literal.is_proven_by_its_classes(&self.bitmap)) {
                    Some(literal) => Content::Proof(literal.lists_start, literal.lists_end),
                    None => Content::One(number),
                }
            }
            _ => Content::Several(start as u32, self.members.len() as u32),
        }
    }
}

/// The search of a value. It is passed as one argument, so that the loop over all bytes keeps its variables in registers.
struct Search<'s> {
    scanner: &'s LiteralScanner,
    value: &'s [u8],
    seen: &'s mut [u64],
}

impl Search<'_> {
    /// Compares the literals that are found by a trigram, or by its last two bytes, with `left` bytes of the value behind it.
    #[inline(never)]
    fn verify(&mut self, trigram: Trigram, left: usize) {
        let pair = self.scanner.pair_of.get(trigram.last_pair().number()).copied().unwrap_or(0);
        match usize::from(pair).checked_sub(1) {
            Some(pair) => self.verify_pair(pair, trigram, left),
            None => self.verify_trigram(trigram, left),
        }
    }

    /// Compares the literals of two bytes, then those of the trigram. Not inlined, so that most trigrams need no registers saved.
    #[inline(never)]
    fn verify_pair(&mut self, pair: usize, trigram: Trigram, left: usize) {
        match self.scanner.pairs.get(pair) {
            // A third of the trigrams that are verified in clean traffic.
            Some(Content::Proof(start, end)) => self.scanner.table.note(*start, *end, self.seen),
            Some(content) => self.compare(*content, left),
            None => {}
        }
        self.verify_trigram(trigram, left);
    }

    /// Compares the literals that are found by a trigram.
    #[inline]
    fn verify_trigram(&mut self, trigram: Trigram, left: usize) {
        let Self { scanner, value, .. } = self;
        let Some(bucket) = scanner.bucket_of.get(trigram.key()).and_then(|bucket| scanner.buckets.get(bucket as usize)) else { return };
        let end = value.len() - left;
        let preceding = scanner.bitmap.class_set(end.checked_sub(4).and_then(|at| value.get(at)));
        if bucket.neighbours.admit(preceding, scanner.bitmap.class_set(value.get(end))) {
            self.compare(bucket.content, left);
        }
    }

    /// Compares literals whose trigram or pair ends there.
    #[inline(never)]
    fn compare(&mut self, content: Content, left: usize) {
        let Self { scanner, value, seen } = self;
        let end = value.len() - left;
        match content {
            Content::Proof(from, to) => scanner.table.note(from, to, seen),
            Content::One(literal) => scanner.table.compare(literal, value, end, seen),
            Content::Several(from, to) => {
                part(&scanner.members, from, to).iter().for_each(|literal| scanner.table.compare(*literal, value, end, seen));
            }
        }
    }
}

impl Neighbours {
    /// Returns `true` if one of the literals may be there, given the byte before the trigram and the one after it.
    #[inline]
    fn admit(self, preceding: ClassSet, following: ClassSet) -> bool {
        self.preceding.meets(preceding) && self.following.meets(following)
    }

    /// Any byte on both sides.
    const ALL: Self = Self { preceding: ClassSet::ALL, following: ClassSet::ALL };

    fn union(self, other: Self) -> Self {
        Self { preceding: self.preceding.union(other.preceding), following: self.following.union(other.following) }
    }
}

/// Compiles literals, and collects their tails and lists.
#[derive(Default)]
struct Compiler {
    tails: Vec<u8>,
    lists: Vec<ListBits>,
    /// For each list, the place of its bits. Most literals are of one list, and share them.
    single: FxHashMap<u32, u32>,
}

impl Compiler {
    fn compile(&mut self, literal: &Literal<'_>, memberships: &[Membership]) -> CompiledLiteral {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let tail_start = self.tails.len();
        self.tails.extend(literal.bytes.iter().skip(Head::LENGTH));
        let (lists_start, lists_end) = match memberships {
            [membership] => match self.single.get(&membership.list) {
                Some(start) => (*start, start + 1),
                None => {
                    let (start, end) = self.add_lists(memberships);
                    self.single.insert(membership.list, start);
                    (start, end)
                }
            },
            _ => self.add_lists(memberships),
        };
        CompiledLiteral {
            head: Head::of(literal.bytes),
            head_length: number(literal.bytes.len().min(Head::LENGTH)),
            end_offset: number(literal.end_offset),
            tail_start: number(tail_start),
            tail_end: number(self.tails.len()),
            lists_start,
            lists_end,
        }
    }

    /// Adds lists, and returns the range of their bits.
    fn add_lists(&mut self, memberships: &[Membership]) -> (u32, u32) {
        let start = self.lists.len();
        for Membership { list, .. } in memberships {
            let (word, bits) = (list / u64::BITS, 1 << (list % u64::BITS));
            match self.lists.get_mut(start..).unwrap_or_default().iter_mut().find(|known| known.word == word) {
                Some(known) => known.bits |= bits,
                None => self.lists.push(ListBits { word, bits }),
            }
        }
        (start as u32, self.lists.len() as u32)
    }
}

fn part<T>(all: &[T], start: u32, end: u32) -> &[T] {
    all.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefilter::literal::with_trigrams;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn seen(literals: &[Vec<u8>], value: &[u8]) -> Vec<bool> {
        let (known, memberships) = with_trigrams(literals.iter().map(Vec::as_slice).zip(0..));
        let mut seen = vec![0; literals.len().div_ceil(64)];
        let numbers: Vec<u32> = (0..known.len() as u32).collect();
        let table = Arc::new(LiteralTable::new(&known, &memberships));
        LiteralScanner::new(&known, &table, &numbers).scan(value, &mut seen);
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
