//! `escapeSeqDecode`: the escape sequences of ANSI C, and the parts of them that JavaScript shares.

use memchr::memchr;

use super::hex;
use super::rewrite::{Step, keep_first, replace_by, rewrite};

/// Decodes `\a \b \f \n \r \t \v`, `\xHH` and up to three octal digits (their low byte). Any other backslash disappears
/// and leaves the next byte; one that ends the value stays.
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

/// What the letter after a backslash stands for: a control character, or itself.
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

/// The low byte of the octal number that `text` starts with, of at most `most_digits`, and what follows it.
pub(super) fn octal(text: &[u8], most_digits: usize) -> (u8, &[u8]) {
    let count = text.iter().take(most_digits).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    let (digits, rest) = text.split_at_checked(count).unwrap_or_default();
    (digits.iter().fold(0, |byte, digit| byte << 3 | (digit & 7)), rest)
}
