//! What most bytes of a value fall through: classes of bytes, and which three of them in a row are worth a look.

/// How many bits tell the class of a byte.
const CLASS_BITS: usize = 6;

/// The last class: bytes that the others had no room for. Bytes that no literal holds are of class 0.
const LAST_CLASS: usize = (1 << CLASS_BITS) - 1;

/// The bits of a word of the table.
const WIDTH: usize = u64::BITS as usize;

/// The words of the table: it has a bit for every three classes in a row.
const WORDS: usize = (1 << (3 * CLASS_BITS)) / WIDTH;

/// Tells of every byte of a value, from it and the two before, whether it is worth a look.
#[derive(Debug)]
pub(super) struct Sieve {
    class_of: [u8; 256],
    table: [u64; WORDS],
    /// How many bits are set before each word of the table.
    before: [u32; WORDS],
}

/// The classes of the last bytes of what was read of a value, the last one lowest. The last three are a place of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

/// Classes of bytes, a bit for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Classes(u64);

impl Sieve {
    /// A sieve that lets all bytes through, for these literals in lower case: the bytes that most of them hold have classes of their own, but for
    /// both cases of a letter, and for control characters, which literals hold alike and hardly a value does.
    pub(super) fn of<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Box<Self> {
        let mut counts = [0usize; 256];
        for byte in literals.flatten() {
            if let Some(count) = counts.get_mut(usize::from(representative(*byte))) {
                *count += 1;
            }
        }
        let mut used: Vec<(usize, u8)> = counts.into_iter().zip(0..=u8::MAX).filter(|(count, _)| *count > 0).collect();
        used.sort_unstable_by(|one, other| other.cmp(one));
        let mut sieve = Box::new(Self { class_of: [0; 256], table: [0; WORDS], before: [0; WORDS] });
        for (class, (_, byte)) in (1..).zip(used) {
            sieve.set_class(byte, LAST_CLASS.min(class));
        }
        (0..=u8::MAX).for_each(|byte| sieve.set_class(byte, sieve.class(representative(byte))));
        sieve
    }

    /// The place of three bytes.
    pub(super) fn place(&self, bytes: [u8; 3]) -> Place {
        bytes.iter().fold(Place::default(), |place, byte| self.after(place, *byte))
    }

    /// The places that two bytes may end at, whatever stands before them.
    pub(super) fn places_of_two(&self, bytes: [u8; 2]) -> impl Iterator<Item = Place> + use<> {
        let Place(two) = bytes.iter().fold(Place::default(), |place, byte| self.after(place, *byte));
        (0..=LAST_CLASS).map(move |before| Place(before << (2 * CLASS_BITS) | two))
    }

    /// The place after one more byte.
    #[inline]
    pub(super) fn after(&self, Place(before): Place, byte: u8) -> Place {
        Place(before << CLASS_BITS | self.class(byte))
    }

    /// Whether a place is worth a look.
    #[inline]
    pub(super) fn keeps(&self, place: Place) -> bool {
        self.table.get(place.word()).is_some_and(|word| word >> place.bit() & 1 == 1)
    }

    /// Makes places worth a look.
    pub(super) fn keep(&mut self, places: impl Iterator<Item = Place>) {
        for place in places {
            if let Some(word) = self.table.get_mut(place.word()) {
                *word |= 1 << place.bit();
            }
        }
        let mut count = 0;
        for (before, word) in self.before.iter_mut().zip(&self.table) {
            *before = count;
            count += word.count_ones();
        }
    }

    /// The number of a place that is worth a look: how many others come before it.
    pub(super) fn number(&self, place: Place) -> usize {
        let (word, before) = (self.table.get(place.word()).copied().unwrap_or(0), self.before.get(place.word()).copied().unwrap_or(0));
        (before + (word & !(u64::MAX << place.bit())).count_ones()) as usize
    }

    /// The class of a byte, or of what stands before the first and behind the last: the class of bytes that no literal holds.
    pub(super) fn classes(&self, byte: Option<&u8>) -> Classes {
        Classes(1 << byte.map_or(0, |byte| self.class(*byte)))
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

/// The byte that stands for all of its class.
fn representative(byte: u8) -> u8 {
    if byte.is_ascii_control() { b'\n' } else { byte.to_ascii_lowercase() }
}

impl Place {
    /// The class of the byte before the three.
    pub(super) fn preceding(self) -> Classes {
        Classes(1 << (self.0 >> (3 * CLASS_BITS) & LAST_CLASS))
    }

    /// What the three classes are, as a number.
    pub(super) fn key(self) -> u64 {
        (self.0 % (WORDS * WIDTH)) as u64
    }

    #[inline]
    fn word(self) -> usize {
        self.0 / WIDTH % WORDS
    }

    #[inline]
    fn bit(self) -> usize {
        self.0 % WIDTH
    }
}

impl Classes {
    /// All classes.
    pub(super) const ALL: Self = Self(u64::MAX);

    /// The classes of both.
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is a class in both.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
