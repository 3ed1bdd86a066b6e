//! `jsDecode`: the escapes of JavaScript strings.

use memchr::memchr;

use super::escape_sequence::{control_character, octal, starts_octal};
use super::full_width;
use super::hex;
use super::rewrite::{Escapes, keep_first, replace_by};

/// `\uHHHH`, which stands for the low byte (full-width forms for ASCII), `\xHH`, octal up to `\377`, and `\a \b \f \n \r \t \v`. Any other backslash is
/// removed, and the next byte is kept; one that ends the value stays.
pub(super) struct ScriptEscapes;

impl Escapes for ScriptEscapes {
    const CERTAIN: usize = 6;

    fn find(&self, text: &[u8]) -> Option<usize> {
        memchr(b'\\', text)
    }

    fn decode<'a>(&self, escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        decode_escape(escape, output)
    }
}

fn decode_escape<'a>(escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    if let [_, b'u', a, b, c, d, rest @ ..] = escape
        && let Some(character) = hex::quad([*a, *b, *c, *d])
    {
        return replace_by(full_width::to_byte(character), rest, output);
    }
    if let [_, b'x', high, low, rest @ ..] = escape
        && let Some(byte) = hex::pair(*high, *low)
    {
        return replace_by(byte, rest, output);
    }
    match escape {
        [_, digits @ ..] if starts_octal(digits) => {
            // Three digits only if they fit into a byte.
            let max_digits = if matches!(digits, [b'0'..=b'3', ..]) { 3 } else { 2 };
            let (byte, rest) = octal(digits, max_digits);
            replace_by(byte, rest, output)
        }
        [_, escaped, rest @ ..] => replace_by(control_character(*escaped), rest, output),
        _ => keep_first(escape, output),
    }
}
