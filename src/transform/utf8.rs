//! `utf8toUnicode`: characters beyond ASCII in the notation that `urlDecodeUni` reads.

use std::ops::RangeInclusive;

use super::hex;
use super::rewrite::{Step, position_of, replace_by, rewrite};

/// Bytes from here on begin what would be beyond the last character of Unicode.
const BEYOND_UNICODE: u8 = 0xf5;

const SURROGATES: RangeInclusive<u32> = 0xd800..=0xdfff;

/// Writes each UTF-8 character beyond ASCII as `%u` and at least four lowercase digits.
///
/// As in ModSecurity v3, an encoding that is too long or means a surrogate is written too, with its first byte after it; stray bytes stay.
/// Unlike there a NUL stays, and a byte that begins a character without its continuation: whoever looks for them behind this is to find them.
pub(super) fn to_unicode(input: &[u8], output: &mut Vec<u8>) -> Step {
    if find_special(input).is_none() {
        return Step::Unchanged;
    }
    // Six bytes for a character of two are the most that well-formed text grows by.
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
    // The bits of the first byte, the number of bytes to follow, and the least character that needs so many.
    let (bits, following, least) = match first {
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
    if character < least {
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
