//! `escapeSeqDecode`: the escape sequences of ANSI C, and those of them that JavaScript shares.

use memchr::memchr;

use super::hex;
use super::rewrite::{Step, keep_first, replace_by, rewrite};

/// Decodes `\a \b \f \n \r \t \v`, `\xHH` and up to three octal digits (their low byte). Any other backslash is removed, and the next byte is kept;
/// one that ends the value stays.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(input, output, |text| memchr(b'\\', text), decode_escape)
}

fn decode_escape<'a>(escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    if let [_, b'x' | b'X', high, low, rest @ ..] = escape
        && let Some(byte) = hex::pair(*high, *low)
    {
        return replace_by(byte, rest, output);
    }
    match escape {
        [_, digits @ ..] if starts_octal(digits) => {
            let (byte, rest) = octal(digits, 3);
            replace_by(byte, rest, output)
        }
        [_, escaped, rest @ ..] => replace_by(control_character(*escaped), rest, output),
        _ => keep_first(escape, output),
    }
}

/// Returns the control character of the letter after a backslash, or the letter itself.
pub(super) fn control_character(letter: u8) -> u8 {
    match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        other => other,
    }
}

pub(super) fn starts_octal(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'7', ..])
}

/// Returns the low byte of the octal number of at most `max_digits` that `text` starts with, and the rest.
pub(super) fn octal(text: &[u8], max_digits: usize) -> (u8, &[u8]) {
    let count = text.iter().take(max_digits).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    let (digits, rest) = text.split_at_checked(count).unwrap_or_default();
    (digits.iter().fold(0, |byte, digit| byte << 3 | (digit & 7)), rest)
}
