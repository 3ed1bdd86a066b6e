//! How often bytes and literals occur in the values of clean traffic: words, numbers, addresses, identifiers. A guess: it decides what is worth
//! looking for, never what matches.

use crate::pattern::ByteSet;
use rustc_hash::FxHashMap;

/// Values such as most requests and responses have.
const SAMPLE: &[u8] = include_bytes!("clean_traffic.txt");

/// The part of all values in which something occurs, from 0 to 1.
pub(super) type Chance = f64;

/// The length of the value that chances are told for.
const LENGTH: f64 = 24.0;

/// How many values hold the literal, which is in lower case.
pub(super) fn of_literal(literal: &[u8]) -> Chance {
    (literal.iter().map(|byte| of_byte(*byte)).product::<Chance>() * LENGTH).min(1.0)
}

/// How many values hold one of the bytes.
pub(super) fn of_bytes(set: ByteSet) -> Chance {
    let share: Chance = set.lowercase().ranges().flatten().map(of_byte).sum();
    1.0 - (1.0 - share.min(1.0)).powf(LENGTH)
}

/// The share of a byte among all bytes, letters in either case taken together.
pub(super) fn of_byte(byte: u8) -> Chance {
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
        b'A'..=b'Z' => of_byte(byte.to_ascii_lowercase()),
        b'\t' | b'\n' | b'\r' => 0.0005,
        0x80.. => 0.00005,
        _ => 0.0002,
    }
}

/// How often three bytes in a row occur, counted in a sample of clean traffic.
pub(super) struct Threes {
    counts: FxHashMap<[u8; 3], u32>,
}

impl Threes {
    /// Counts the sample.
    pub(super) fn count() -> Self {
        let mut counts = FxHashMap::default();
        for three in SAMPLE.windows(3).filter_map(|three| <[u8; 3]>::try_from(three).ok()) {
            *counts.entry(three.map(|byte| byte.to_ascii_lowercase())).or_insert(0) += 1;
        }
        Self { counts }
    }

    /// The share of three bytes, in lower case, among all places of all values.
    pub(super) fn share(&self, three: [u8; 3]) -> Chance {
        let counted = self.counts.get(&three).copied().unwrap_or(0);
        three.into_iter().map(of_byte).product::<Chance>() + f64::from(counted) / SAMPLE.len() as f64
    }
}
