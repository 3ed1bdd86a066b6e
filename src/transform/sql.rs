//! `sqlHexDecode`: hexadecimal literals of SQL.

use memchr::memchr_iter;

use super::hex;
use super::rewrite::{Step, rewrite};

/// Decodes `0x` and the pairs of hexadecimal digits after it, everywhere.
///
/// This is the behaviour of ModSecurity 3.0.13; 3.0.9 ends the value at a NUL and loses its last byte.
pub(super) fn decode_hex(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(input, output, find_literal, |literal, output| {
        let mut rest = literal.get(2..).unwrap_or_default();
        while let [high, low, tail @ ..] = rest
            && let Some(byte) = hex::pair(*high, *low)
        {
            output.push(byte);
            rest = tail;
        }
        rest
    })
}

fn find_literal(text: &[u8]) -> Option<usize> {
    memchr_iter(b'0', text).find(|&at| match text.get(at..) {
        Some([_, b'x' | b'X', high, low, ..]) => hex::pair(*high, *low).is_some(),
        _ => false,
    })
}
