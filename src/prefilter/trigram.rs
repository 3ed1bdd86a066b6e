//! The bitmap that most bytes of a value fall through.
//!
//! Bytes belong to 64 classes, so that three bytes in a row, a [`Trigram`], are 18 bits: an index into a bitmap of 32 KiB, which fits the nearest cache.
//! A bit is set for each trigram that a literal is found by.

/// The bits of a class of bytes.
const CLASS_BITS: usize = 6;

/// The last class, of bytes for which no class of their own was left. Bytes that no literal holds are of class 0.
const LAST_CLASS: usize = (1 << CLASS_BITS) - 1;

/// The number of pairs of classes. The bitmap has a word for each of them, and in it a bit for each class that may follow.
const PAIRS: usize = 1 << (2 * CLASS_BITS);

/// A set of trigrams, and the classes of bytes that these are made of.
#[derive(Debug)]
pub(super) struct TrigramBitmap {
    class_of: [u8; 256],
    bits: [u64; PAIRS],
    /// The classes of which there is one byte, or the two cases of a letter.
    alone: ClassSet,
}

/// The classes of two bytes, the last one lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair(usize);

/// The classes of three bytes, the last one lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trigram {
    before: Pair,
    /// The class of the last byte.
    last: usize,
}

/// A set of classes, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClassSet(u64);

impl TrigramBitmap {
    /// Builds an empty bitmap. The 62 bytes most frequent in the literals get a class each; both cases of a letter share one, as do all control
    /// characters; all other bytes of literals share the last.
    pub(super) fn for_literals<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Box<Self> {
        let mut bytes = [0usize; 256];
        for byte in literals.flatten() {
            if let Some(count) = bytes.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        let mut counts = [0usize; 256];
        for (count, byte) in bytes.into_iter().zip(0..=u8::MAX) {
            counts.get_mut(usize::from(representative(byte))).into_iter().for_each(|sum| *sum += count);
        }
        let mut used: Vec<(usize, u8)> = counts.into_iter().zip(0..=u8::MAX).filter(|(count, _)| *count > 0).collect();
        used.sort_unstable_by(|one, other| other.cmp(one));
        let mut bitmap = Box::new(Self { class_of: [0; 256], bits: [0; PAIRS], alone: ClassSet::default() });
        for (class, (_, byte)) in (1..).zip(used) {
            bitmap.set_class(byte, LAST_CLASS.min(class));
        }
        (0..=u8::MAX).for_each(|byte| bitmap.set_class(byte, bitmap.class(representative(byte))));
        bitmap.alone = bitmap.find_alone();
        bitmap
    }

    /// The trigram of three bytes, or of two bytes after one of class 0.
    pub(super) fn trigram(&self, bytes: &[u8]) -> Trigram {
        bytes.iter().fold(Trigram::default(), |trigram, byte| self.next(trigram.last_pair(), *byte))
    }

    /// The trigram of a pair and the byte after it.
    #[inline]
    pub(super) fn next(&self, before: Pair, byte: u8) -> Trigram {
        Trigram { before, last: self.class(byte) }
    }

    /// Returns `true` if the set has the trigram.
    #[inline]
    pub(super) fn contains(&self, trigram: Trigram) -> bool {
        self.bits.get(trigram.word()).is_some_and(|word| word >> trigram.bit() & 1 == 1)
    }

    /// Adds a trigram to the set.
    pub(super) fn insert(&mut self, trigram: Trigram) {
        self.bits.get_mut(trigram.word()).into_iter().for_each(|word| *word |= 1 << trigram.bit());
    }

    /// Adds all trigrams that end with these two classes.
    pub(super) fn insert_pair(&mut self, pair: Pair) {
        let first_class = pair.0 >> CLASS_BITS;
        let words = self.bits.iter_mut().skip(first_class).step_by(1 << CLASS_BITS);
        words.for_each(|word| *word |= 1 << (pair.0 & LAST_CLASS));
    }

    /// The class of a byte as a set. The ends of a value, where there is no byte, have the class of bytes that no literal holds.
    pub(super) fn class_set(&self, byte: Option<&u8>) -> ClassSet {
        ClassSet(1 << (byte.map_or(0, |byte| self.class(*byte)) & LAST_CLASS))
    }

    /// Returns `true` if no byte but the two cases of this one is of its class.
    pub(super) fn is_alone(&self, byte: u8) -> bool {
        self.alone.meets(self.class_set(Some(&byte)))
    }

    /// Returns the classes of which there is one byte, or the two cases of a letter.
    fn find_alone(&self) -> ClassSet {
        let (mut once, mut twice) = (0, 0);
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_uppercase()) {
            let ClassSet(class) = self.class_set(Some(&byte));
            twice |= once & class;
            once |= class;
        }
        ClassSet(once & !twice)
    }

    fn set_class(&mut self, byte: u8, class: usize) {
        if let Some(known) = self.class_of.get_mut(usize::from(byte)) {
            *known = u8::try_from(class).unwrap_or(u8::MAX);
        }
    }

    #[inline]
    fn class(&self, byte: u8) -> usize {
        usize::from(self.class_of.get(usize::from(byte)).copied().unwrap_or(0))
    }
}

/// The byte whose class this one shares.
///
/// Control characters are many in literals and hardly occur in values: one class for all of them leaves more for other bytes.
fn representative(byte: u8) -> u8 {
    if byte.is_ascii_control() { b'\n' } else { byte.to_ascii_lowercase() }
}

impl Trigram {
    /// The classes of the last two bytes.
    #[inline]
    pub(super) fn last_pair(self) -> Pair {
        Pair((self.before.0 << CLASS_BITS | self.last) % PAIRS)
    }

    /// The three classes as a number.
    pub(super) fn key(self) -> u32 {
        (self.before.0 << CLASS_BITS | self.last) as u32
    }

    #[inline]
    fn word(self) -> usize {
        self.before.0
    }

    #[inline]
    fn bit(self) -> usize {
        self.last % (1 << CLASS_BITS)
    }
}

impl Pair {
    /// The number of pairs.
    pub(super) const COUNT: usize = PAIRS;

    /// The two classes as a number below [`COUNT`](Self::COUNT).
    #[inline]
    pub(super) fn number(self) -> usize {
        self.0
    }
}

impl ClassSet {
    /// All classes.
    pub(super) const ALL: Self = Self(u64::MAX);

    /// The classes of both sets.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns `true` if a class is in both sets.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
