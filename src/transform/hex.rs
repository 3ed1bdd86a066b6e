//! `hexDecode`, `hexEncode`, and hexadecimal digits for other transformations.

use super::rewrite::Step;

/// Decodes pairs of digits; an unpaired last byte is dropped.
///
/// As in ModSecurity v3, other characters are not refused: each counts as the digit that its bits would give.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Step {
    let (pairs, _odd) = input.as_chunks::<2>();
    output.extend(pairs.iter().map(|&[high, low]| lenient_digit(high).wrapping_mul(16).wrapping_add(lenient_digit(low))));
    Step::Written
}

pub(super) fn encode(input: &[u8], output: &mut Vec<u8>) -> Step {
    output.reserve(input.len().saturating_mul(2));
    output.extend(input.iter().flat_map(|&byte| [lower_digit(byte >> 4), lower_digit(byte)]));
    Step::Written
}

/// Returns the value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Returns the byte of two hexadecimal digits.
pub(super) fn pair(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// Returns the number of four hexadecimal digits.
pub(super) fn quad([a, b, c, d]: [u8; 4]) -> Option<u16> {
    Some(u16::from_be_bytes([pair(a, b)?, pair(c, d)?]))
}

/// Returns the lowercase digit of the low four bits.
pub(super) fn lower_digit(bits: u8) -> u8 {
    match bits & 0x0f {
        value @ 0..=9 => b'0' + value,
        value => b'a' + (value - 10),
    }
}

fn lenient_digit(byte: u8) -> u8 {
    if byte >= b'A' { (byte & 0xdf).wrapping_sub(b'A').wrapping_add(10) } else { byte.wrapping_sub(b'0') }
}
