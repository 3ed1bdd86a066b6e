//! The hash of ssdeep: context triggered piecewise hashing. Similar data have similar hashes.
//!
//! The data are cut where the last seven bytes have a certain sum, so that a change moves only the cuts beside it, and each piece becomes one
//! character. How often there is a cut depends on the *block size*: three bytes doubled until the hash has at most 64 characters. A hash holds the
//! characters for its block size and for twice as much, since only hashes of one block size can be compared:
//!
//! ```text
//! 96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO
//! size : for each piece of about 96 bytes                        : of about 192 bytes, at most 32 characters
//! ```
//!
//! It is written out here, and not taken from a library, because the libraries that have all of it are under the GPL.
//! The tests hold it to the program `ssdeep`, 2.14.1; Jesse Kornblum describes it in "Identifying almost identical files using
//! context triggered piecewise hashing" (Digital Investigation 3S, 2006).

/// Number of bytes that decide about a cut.
const WINDOW: usize = 7;

/// Smallest block size.
const MIN_BLOCK_SIZE: u64 = 3;

/// Number of block sizes.
const BLOCK_SIZES: u32 = 31;

/// Maximum number of characters for the block size of a hash; for twice that size there are half as many.
const MAX_CHARACTERS: usize = 64;

/// Longest run of one character that is compared.
const MAX_SAME: usize = 3;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A hash. Longer runs of one character are shortened, as ssdeep does before it compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PiecewiseHash {
    block_size: u64,
    /// The characters for the block size, and for twice the block size.
    characters: [Vec<u8>; 2],
}

impl PiecewiseHash {
    /// Reads a hash as ssdeep writes it, with or without a file name after a comma; `None` if it is invalid.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let block_size = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let (first, rest) = (parts.next()?, parts.next()?);
        let second = rest.split(|byte| *byte == b',').next().unwrap_or(rest);
        let is_hash = |text: &[u8]| text.len() <= MAX_CHARACTERS && text.iter().all(|byte| ALPHABET.contains(byte));
        let is_size = (0..BLOCK_SIZES).any(|size| block_size == MIN_BLOCK_SIZE << size);
        (is_size && is_hash(first) && is_hash(second)).then(|| Self::new(block_size, [first, second]))
    }

    /// Computes the hash of data.
    pub fn of(data: &[u8]) -> Self {
        let (block_size, [first, second]) = characters(data);
        Self::new(block_size, [&first, &second])
    }

    fn new(block_size: u64, characters: [&[u8]; 2]) -> Self {
        Self { block_size, characters: characters.map(without_long_rows) }
    }

    /// Prepares the hash for comparison with many others.
    pub fn compared(&self) -> ComparedHash<'_> {
        let parts = self.characters.each_ref().map(|characters| {
            let mut windows: Vec<u64> = windows(characters).collect();
            windows.sort_unstable();
            ComparedPart { characters, windows }
        });
        ComparedHash { hash: self, parts }
    }
}

/// A hash prepared for comparison with many others.
#[derive(Debug)]
pub struct ComparedHash<'h> {
    hash: &'h PiecewiseHash,
    parts: [ComparedPart<'h>; 2],
}

/// The characters for one block size.
#[derive(Debug)]
struct ComparedPart<'h> {
    characters: &'h [u8],
    /// All runs of seven of them, sorted.
    windows: Vec<u64>,
}

impl ComparedHash<'_> {
    /// Returns the similarity to another hash, 0 to 100.
    pub fn score(&self, other: &PiecewiseHash) -> u32 {
        let block_size = self.hash.block_size;
        let ([small, large], [other_small, other_large]) = (&self.parts, &other.characters);
        if self.hash == other {
            100
        } else if block_size == other.block_size {
            small.score(other_small, block_size).max(large.score(other_large, block_size * 2))
        } else if block_size * 2 == other.block_size {
            large.score(other_small, other.block_size)
        } else if other.block_size * 2 == block_size {
            small.score(other_large, block_size)
        } else {
            0
        }
    }
}

impl ComparedPart<'_> {
    /// Returns the similarity to the characters of another hash for the same block size, 0 to 100.
    fn score(&self, other: &[u8], block_size: u64) -> u32 {
        if !windows(other).any(|window| self.windows.binary_search(&window).is_ok()) {
            return 0;
        }
        let distance = distance(self.characters, other) * MAX_CHARACTERS / (self.characters.len() + other.len());
        let score = 100_u64.saturating_sub((100 * distance / MAX_CHARACTERS) as u64);
        // With small blocks a few equal characters are weak evidence.
        let evidence = block_size / MIN_BLOCK_SIZE * self.characters.len().min(other.len()) as u64;
        let is_enough = block_size >= 99_u64.div_ceil(WINDOW as u64) * MIN_BLOCK_SIZE;
        u32::try_from(if is_enough { score } else { score.min(evidence) }).unwrap_or(0)
    }
}

/// Returns each run of seven characters as a number.
fn windows(characters: &[u8]) -> impl Iterator<Item = u64> {
    characters.windows(WINDOW).map(|window| window.iter().fold(0, |number, character| number << 8 | u64::from(*character)))
}

/// The characters of the pieces for one block size.
#[derive(Debug, Clone)]
struct Pieces {
    /// At most 63; the last piece is added at the end.
    characters: Vec<u8>,
    /// The current piece.
    piece: PieceHash,
    /// The current piece of the hash with half as many characters: from the 32nd on all data are one piece.
    half_piece: PieceHash,
    /// The character of the piece that ends with the last cut, if there is no room for it.
    overflow: Option<u8>,
    half_overflow: Option<u8>,
}

/// The hash of one piece; its last six bits are a character.
#[derive(Debug, Clone, Copy)]
struct PieceHash(u32);

/// The rolling sum of the last bytes.
#[derive(Debug, Default)]
struct RollingSum {
    window: [u8; WINDOW],
    at: usize,
    sum: u32,
    weighted: u32,
    shifted: u32,
}

/// Returns the block size that suits the data, and the characters for it and for twice that size.
fn characters(data: &[u8]) -> (u64, [Vec<u8>; 2]) {
    let length = data.len() as u64;
    let mut sum = RollingSum::default();
    // By block size, from `smallest` on: smaller ones would have too many characters.
    let mut pieces = vec![Pieces::new()];
    let mut smallest = 0;
    for byte in data {
        sum.add(*byte);
        for pieces in &mut pieces {
            pieces.add(*byte);
        }
        let mut place = 0;
        while place < pieces.len() && sum.cuts(block_size(smallest, place)) {
            if let [.., last] = pieces.as_slice()
                && last.characters.is_empty()
                && place + 1 == pieces.len()
                && smallest + pieces.len() < BLOCK_SIZES as usize
            {
                pieces.push(Pieces { overflow: None, half_overflow: None, ..last.clone() });
            }
            if let Some(cut) = pieces.get_mut(place) {
                cut.end_piece();
            }
            place += 1;
        }
        let will_do = |pieces: &Pieces| pieces.characters.len() >= MAX_CHARACTERS / 2;
        if place > 0 && pieces.get(1).is_some_and(will_do) && block_size(smallest, 0) * (MAX_CHARACTERS as u64) < length {
            pieces.remove(0);
            smallest += 1;
        }
    }
    let has_rest = sum.value() != 0;
    let guess = (0..).find(|place| block_size(smallest, *place) * MAX_CHARACTERS as u64 >= length).unwrap_or(0);
    let mut chosen = guess.min(pieces.len() - 1);
    while chosen > 0 && pieces.get(chosen).is_none_or(|pieces| pieces.characters.len() < MAX_CHARACTERS / 2) {
        chosen -= 1;
    }
    let whole = |pieces: &Pieces| {
        let last = if has_rest { Some(pieces.piece.character()) } else { pieces.overflow };
        pieces.characters.iter().copied().chain(last).collect()
    };
    let half = |pieces: &Pieces| {
        let last = if has_rest { Some(pieces.half_piece.character()) } else { pieces.half_overflow };
        pieces.characters.iter().copied().take(MAX_CHARACTERS / 2 - 1).chain(last).collect()
    };
    let first = pieces.get(chosen).map(whole).unwrap_or_default();
    // Without any cut, the data are one piece for twice the block size as well.
    let second = match pieces.get(chosen + 1) {
        Some(pieces) => half(pieces),
        None => pieces.get(chosen).filter(|_| has_rest).map(|pieces| vec![pieces.piece.character()]).unwrap_or_default(),
    };
    (block_size(smallest, chosen), [first, second])
}

/// Returns the block size `place` steps above `smallest`.
fn block_size(smallest: usize, place: usize) -> u64 {
    MIN_BLOCK_SIZE << (smallest + place).min(BLOCK_SIZES as usize)
}

impl Pieces {
    fn new() -> Self {
        Self { characters: Vec::new(), piece: PieceHash::START, half_piece: PieceHash::START, overflow: None, half_overflow: None }
    }

    fn add(&mut self, byte: u8) {
        self.piece.add(byte);
        self.half_piece.add(byte);
    }

    fn end_piece(&mut self) {
        let (character, half) = (self.piece.character(), self.half_piece.character());
        self.half_overflow = Some(half);
        if self.characters.len() == MAX_CHARACTERS - 1 {
            self.overflow = Some(character);
            return;
        }
        self.characters.push(character);
        self.piece = PieceHash::START;
        if self.characters.len() < MAX_CHARACTERS / 2 {
            self.half_piece = PieceHash::START;
            self.half_overflow = None;
        }
    }
}

impl PieceHash {
    const START: Self = Self(0x2802_1967);

    fn add(&mut self, byte: u8) {
        self.0 = self.0.wrapping_mul(0x0100_0193) ^ u32::from(byte);
    }

    fn character(self) -> u8 {
        ALPHABET.get((self.0 & 63) as usize).copied().unwrap_or_default()
    }
}

impl RollingSum {
    fn add(&mut self, byte: u8) {
        let new = u32::from(byte);
        self.weighted = self.weighted.wrapping_sub(self.sum).wrapping_add(WINDOW as u32 * new);
        let Some(oldest) = self.window.get_mut(self.at) else { return };
        self.sum = self.sum.wrapping_add(new).wrapping_sub(u32::from(*oldest));
        *oldest = byte;
        self.at = (self.at + 1) % WINDOW;
        self.shifted = (self.shifted << 5) ^ new;
    }

    fn value(&self) -> u32 {
        self.sum.wrapping_add(self.weighted).wrapping_add(self.shifted)
    }

    fn cuts(&self, block_size: u64) -> bool {
        u64::from(self.value()) % block_size == block_size - 1
    }
}

/// Returns the edit distance with insertions and deletions.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, character) in one.iter().enumerate() {
        let mut before = place;
        let mut left = place + 1;
        for (above, same) in row.iter_mut().skip(1).zip(other.iter().map(|other| other == character)) {
            let here = if same { before } else { left.min(*above) + 1 };
            before = std::mem::replace(above, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn without_long_rows(characters: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(characters.len());
    for character in characters {
        let row = kept.iter().rev().take_while(|kept| *kept == character).count();
        if row < MAX_SAME {
            kept.push(*character);
        }
    }
    kept
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl std::fmt::Display for PiecewiseHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, second] = self.characters.each_ref().map(|characters| String::from_utf8_lossy(characters));
        write!(f, "{}:{first}:{second}", self.block_size)
    }
}
