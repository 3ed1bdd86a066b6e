//! A set of bytes, such as a character class of a pattern or the argument of `@validateByteRange`.

use std::ops::RangeInclusive;

/// A set of byte values, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ByteSet {
    low: u128,
    high: u128,
}

/// Distance between the two cases of a letter.
const CASE: u32 = 32;

/// From this length on, a set is gathered in a table, which costs less for each byte and more at the end.
const MANY: usize = 48;

/// `A` to `Z`, and `a` to `z`.
const UPPER_CASE: u128 = 0x03FF_FFFF << 65;
const LOWER_CASE: u128 = UPPER_CASE << CASE;

impl ByteSet {
    /// The empty set.
    pub const EMPTY: Self = Self { low: 0, high: 0 };
    /// The set of all 256 bytes.
    pub const ALL: Self = Self { low: u128::MAX, high: u128::MAX };

    /// Returns the set of the bytes in `range`.
    #[must_use]
    pub fn range(range: RangeInclusive<u8>) -> Self {
        let (start, end) = range.into_inner();
        if start > end { Self::EMPTY } else { Self::from_on(start).without(Self::behind(end)) }
    }

    /// The bytes that are at least `byte`.
    const fn from_on(byte: u8) -> Self {
        if byte < 128 { Self { low: u128::MAX << byte, high: u128::MAX } } else { Self { low: 0, high: u128::MAX << (byte - 128) } }
    }

    /// The bytes after `byte`.
    const fn behind(byte: u8) -> Self {
        match byte.checked_add(1) {
            Some(next) => Self::from_on(next),
            None => Self::EMPTY,
        }
    }

    const fn without(self, other: Self) -> Self {
        Self { low: self.low & !other.low, high: self.high & !other.high }
    }

    /// Returns the set of the bytes that occur in `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut words = [0u64; 4];
        if bytes.len() >= MANY {
            let mut seen = [0u8; 256];
            for byte in bytes {
                if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                    *seen = 1;
                }
            }
            let (words_seen, _) = seen.as_chunks::<64>();
            for (word, seen) in words.iter_mut().zip(words_seen) {
                let (eights, _) = seen.as_chunks();
                *word = (0..u64::BITS).step_by(8).zip(eights).fold(0, |word, (at, eight)| word | joined_bits(*eight) << at);
            }
        } else {
            for byte in bytes {
                if let Some(word) = words.get_mut(usize::from(byte >> 6)) {
                    *word |= 1 << (byte & 63);
                }
            }
        }
        let [first, second, third, fourth] = words.map(u128::from);
        Self { low: first | second << 64, high: third | fourth << 64 }
    }

    /// Returns this set with `byte` added.
    #[must_use]
    pub const fn with(self, byte: u8) -> Self {
        let bit = 1 << (byte & 127);
        if byte < 128 { Self { low: self.low | bit, ..self } } else { Self { high: self.high | bit, ..self } }
    }

    /// Returns `true` if `byte` is in the set.
    #[must_use]
    pub const fn contains(self, byte: u8) -> bool {
        let half = if byte < 128 { self.low } else { self.high };
        half >> (byte & 127) & 1 == 1
    }

    /// Returns the union of two sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self { low: self.low | other.low, high: self.high | other.high }
    }

    /// Returns `true` if the two sets have a byte in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.low & other.low != 0 || self.high & other.high != 0
    }

    /// Returns the set of the bytes that are not in this one.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self { low: !self.low, high: !self.high }
    }

    /// Returns the set with the other case of each of its ASCII letters added.
    #[must_use]
    pub const fn fold_case(self) -> Self {
        let (upper, lower) = (self.low & UPPER_CASE, self.low & LOWER_CASE);
        Self { low: self.low | upper << CASE | lower >> CASE, high: self.high }
    }

    /// Returns the set with its ASCII letters in lower case.
    #[must_use]
    pub const fn lowercase(self) -> Self {
        Self { low: (self.low & !UPPER_CASE) | (self.low & UPPER_CASE) << CASE, high: self.high }
    }

    /// Returns the ranges of consecutive bytes, lowest first.
    pub fn ranges(self) -> impl Iterator<Item = RangeInclusive<u8>> {
        const HALF: u32 = u128::BITS;
        let mut rest = self;
        std::iter::from_fn(move || {
            let (start, length) = if rest.low != 0 {
                let start = rest.low.trailing_zeros();
                let length = (rest.low >> start).trailing_ones();
                if start + length < HALF {
                    rest.low &= u128::MAX << (start + length);
                    (start, length)
                } else {
                    // The range goes on in the other half.
                    let more = rest.high.trailing_ones();
                    rest = Self { low: 0, high: rest.high & u128::MAX.unbounded_shl(more) };
                    (start, length + more)
                }
            } else if rest.high != 0 {
                let start = rest.high.trailing_zeros();
                let length = (rest.high >> start).trailing_ones();
                rest.high &= u128::MAX.unbounded_shl(start + length);
                (HALF + start, length)
            } else {
                return None;
            };
            Some(start as u8..=(start + length - 1) as u8)
        })
    }

    /// Returns the number of bytes in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.low.count_ones() + self.high.count_ones()) as usize
    }

    /// Returns `true` if the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.low == 0 && self.high == 0
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.ranges()).finish()
    }
}

/// Joins eight bytes, each of them 0 or 1, into the low bits of a number, the first one lowest.
fn joined_bits(bytes: [u8; 8]) -> u64 {
    // Moves bit 8 N to bit 56 + N.
    const SPREAD: u64 = 0x0102_0408_1020_4080;
    u64::from_le_bytes(bytes).wrapping_mul(SPREAD) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_both_halves_and_the_last_byte() {
        let set = ByteSet::range(120..=130).with(0).with(255);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [0..=0, 120..=130, 255..=255]);
        assert_eq!(ByteSet::ALL.ranges().collect::<Vec<_>>(), [0..=255]);
        assert_eq!(ByteSet::EMPTY.ranges().next(), None);
        assert_eq!(ByteSet::range(100..=127).with(200).with(202).ranges().collect::<Vec<_>>(), [100..=127, 200..=200, 202..=202]);
        assert_eq!(ByteSet::range(128..=255).ranges().collect::<Vec<_>>(), [128..=255]);
    }

    #[test]
    fn long_texts_give_the_same_set_as_short_ones() {
        let text: Vec<u8> = b"a\x80Z\xFF\x00".repeat(100);
        assert_eq!(ByteSet::of(&text), ByteSet::of(b"a\x80Z\xFF\x00"));
        for byte in 0..=u8::MAX {
            assert_eq!(ByteSet::of(&[byte; MANY]), ByteSet::of(&[byte]));
        }
    }

    #[test]
    fn folding_adds_the_other_case_and_nothing_else() {
        let folded = ByteSet::of(b"k-Z\xe9").fold_case();
        assert_eq!(folded, ByteSet::of(b"kK-zZ\xe9"));
        assert_eq!(folded.lowercase(), ByteSet::of(b"k-z\xe9"));
    }
}
