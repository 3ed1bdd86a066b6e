//! How often bytes, literals and trigrams occur in the values of clean traffic: words, numbers, addresses, identifiers.
//!
//! The figures are estimates. They decide which literals are worth looking for, and never what matches: a bad estimate costs time only. Those of
//! bytes are round numbers for English text and URLs; those of trigrams are counted in `clean_traffic.txt`, headers and arguments as browsers and
//! programs send them.

use crate::pattern::ByteSet;
use rustc_hash::FxHashMap;

/// Values such as most requests and responses have.
const SAMPLE: &[u8] = include_bytes!("clean_traffic.txt");

/// The share of values, or of bytes, in which something occurs: from 0 to 1.
pub(super) type Frequency = f64;

/// The length of the value that frequencies are estimated for, in bytes.
const VALUE_LENGTH: f64 = 24.0;

/// The share of values that hold a literal, which is in lower case.
pub(super) fn of_literal(literal: &[u8]) -> Frequency {
    (literal.iter().map(|byte| of_byte(*byte)).product::<Frequency>() * VALUE_LENGTH).min(1.0)
}

/// The share of values that hold one of the bytes.
pub(super) fn of_bytes(set: ByteSet) -> Frequency {
    let share: Frequency = set.lowercase().ranges().flatten().map(of_byte).sum();
    1.0 - (1.0 - share.min(1.0)).powf(VALUE_LENGTH)
}

/// The share of each byte.
static SHARES: [Frequency; 256] = {
    let mut shares = [0.0; 256];
    let mut rest: &mut [Frequency] = &mut shares;
    let mut byte = 0u8;
    while let Some((share, following)) = rest.split_first_mut() {
        *share = estimate(byte);
        rest = following;
        byte = byte.wrapping_add(1);
    }
    shares
};

/// The share of a byte among all bytes, both cases of a letter taken together.
pub(super) fn of_byte(byte: u8) -> Frequency {
    SHARES.get(usize::from(byte)).copied().unwrap_or(0.0)
}

const fn estimate(byte: u8) -> Frequency {
    match byte {
        b'e' => 0.085,
        b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 0.05,
        b'l' | b'c' | b'd' | b'h' | b'u' | b'm' | b'p' => 0.025,
        b'g' | b'f' | b'b' | b'y' | b'w' | b'v' | b'k' => 0.015,
        b'j' | b'x' | b'q' | b'z' => 0.005,
        b'0'..=b'9' => 0.012,
        b' ' => 0.08,
        b'-' | b'_' | b'.' | b'/' => 0.012,
        b',' | b'=' | b':' | b';' | b'(' | b')' | b'+' | b'&' => 0.004,
        b'"' | b'\'' | b'?' | b'%' | b'*' | b'@' | b'#' | b'!' => 0.001,
        b'A'..=b'Z' => estimate(byte.to_ascii_lowercase()),
        b'\t' | b'\n' | b'\r' => 0.0005,
        0x80.. => 0.00005,
        _ => 0.0002,
    }
}

/// How often each trigram occurs, counted in a sample of clean traffic.
pub(super) struct TrigramCounts {
    /// By the key of the trigram.
    counts: FxHashMap<u32, u32>,
}

/// Returns a trigram as one number, which is hashed at once.
pub(super) const fn key_of([first, second, third]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, first, second, third])
}

impl TrigramCounts {
    /// Counts the sample.
    pub(super) fn of_sample() -> Self {
        let mut counts = FxHashMap::default();
        for trigram in SAMPLE.windows(3).filter_map(|trigram| <[u8; 3]>::try_from(trigram).ok()) {
            *counts.entry(key_of(trigram.map(|byte| byte.to_ascii_lowercase()))).or_insert(0) += 1;
        }
        Self { counts }
    }

    /// The share of a trigram, in lower case, among all trigrams. One that the sample lacks has the product of the shares of its bytes.
    pub(super) fn frequency(&self, trigram: [u8; 3]) -> Frequency {
        let counted = self.counts.get(&key_of(trigram)).copied().unwrap_or(0);
        trigram.into_iter().map(of_byte).product::<Frequency>() + f64::from(counted) / SAMPLE.len() as f64
    }
}
