//! `utf8toUnicode`: characters beyond ASCII in the notation that `urlDecodeUni` reads.

use std::ops::RangeInclusive;

use super::hex;
use super::rewrite::{Step, position_of, replace_by, rewrite};

/// Lead bytes from here on encode nothing in Unicode.
const BEYOND_UNICODE: u8 = 0xf5;

const SURROGATES: RangeInclusive<u32> = 0xd800..=0xdfff;

/// Writes each UTF-8 character beyond ASCII as `%u` and at least four lowercase digits.
///
/// As in ModSecurity v3, an overlong encoding or a surrogate is written too, followed by its first byte; stray bytes stay. Unlike in v3, a NUL stays,
/// and so does a lead byte without its continuation, so that later transformations and the operator see them.
pub(super) fn to_unicode(input: &[u8], output: &mut Vec<u8>) -> Step {
    if find_special(input).is_none() {
        return Step::Unchanged;
    }
    // Well-formed text grows at most from two bytes to six for a character.
    output.reserve(input.len().saturating_mul(3));
    rewrite(input, output, find_special, decode_character)
}

fn find_special(text: &[u8]) -> Option<usize> {
    position_of(text, |byte| !byte.is_ascii())
}

fn decode_character<'a>(text: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    let Some((&first, rest)) = text.split_first() else {
        return text;
    };
    // The bits of the first byte, the number of bytes to follow, and the smallest character that needs so many.
    let (bits, following, min) = match first {
        0xc0..=0xdf => (first & 0x1f, 1, 0x80),
        0xe0..=0xef => (first & 0x0f, 2, 0x800),
        0xf0..=0xf7 => (first & 0x07, 3, 0x1_0000),
        _ => return replace_by(first, rest, output),
    };
    if first >= BEYOND_UNICODE {
        output.push(first);
    }
    let continued = rest.split_at_checked(following).filter(|(continuation, _)| continuation.iter().all(|byte| byte & 0xc0 == 0x80));
    let Some((continuation, after)) = continued else {
        if first < BEYOND_UNICODE {
            output.push(first);
        }
        return rest;
    };
    let character = continuation.iter().fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3f));
    write_notation(character, output);
    if SURROGATES.contains(&character) {
        output.push(first);
    }
    if character < min {
        output.push(first);
    }
    after
}

fn write_notation(character: u32, output: &mut Vec<u8>) {
    const FEWEST_DIGITS: u32 = 4;
    let digits = character.checked_ilog2().map_or(0, |bit| bit / 4 + 1).max(FEWEST_DIGITS);
    output.extend_from_slice(b"%u");
    output.extend((0..digits).rev().map(|place| hex::lower_digit((character >> (place * 4)) as u8)));
}
