//! `cssDecode`: the escapes of CSS 2.

use memchr::memchr;

use super::full_width;
use super::hex;
use super::rewrite::{Step, keep_first, replace_by, rewrite};

const MAX_DIGITS: usize = 6;

/// Decodes a backslash and one to six hexadecimal digits to the low byte of the character (full-width forms to ASCII), and skips one white space
/// after them. An escaped newline is removed. Any other backslash is removed, and the next byte is kept.
///
/// An escaped NUL is read like `\0`, with the white space after it. ModSecurity 3.0.9 ends the value at a NUL.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(
        input,
        output,
        |text| memchr(b'\\', text),
        |escape, output| {
            let escaped = escape.get(1..).unwrap_or_default();
            let digits = escaped.iter().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_hexdigit()).count();
            match escaped.split_at_checked(digits) {
                Some((digits @ [_, ..], rest)) => replace_by(character(digits), after_blank(rest), output),
                _ => match escaped {
                    [b'\n', rest @ ..] => rest,
                    [0, rest @ ..] => replace_by(0, after_blank(rest), output),
                    _ => keep_first(escaped, output),
                },
            }
        },
    )
}

fn character(digits: &[u8]) -> u8 {
    let code = digits.iter().filter_map(|&digit| hex::digit(digit)).fold(0, |code, digit| code << 4 | u32::from(digit));
    match u16::try_from(code) {
        Ok(code) => full_width::to_byte(code),
        Err(_) => code as u8,
    }
}

fn after_blank(text: &[u8]) -> &[u8] {
    match text {
        [b'\t'..=b'\r' | b' ', rest @ ..] => rest,
        _ => text,
    }
}
