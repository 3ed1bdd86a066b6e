//! `urlDecode`, `urlDecodeUni`, `urlEncode`.

use memchr::memchr2;

use super::full_width;
use super::hex;
use super::rewrite::{Step, keep_first, position_of, replace_by, rewrite};
use super::unicode_map::UnicodeMap;

/// Decodes `%HH`, and `+` to a blank. Invalid escapes stay.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(input, output, find_escape, decode_escape)
}

/// Also decodes `%uHHHH`: to the byte of the code page if there is one, otherwise to the low byte (full-width forms to ASCII).
pub(super) fn decode_unicode(input: &[u8], output: &mut Vec<u8>, unicode: Option<&UnicodeMap>) -> Step {
    rewrite(input, output, find_escape, |escape, output| match escape {
        [b'%', b'u' | b'U', a, b, c, d, rest @ ..] => match hex::quad([*a, *b, *c, *d]) {
            Some(character) => {
                let mapped = unicode.and_then(|map| map.byte(character));
                replace_by(mapped.unwrap_or_else(|| full_width::to_byte(character)), rest, output)
            }
            None => keep_first(escape, output),
        },
        _ => decode_escape(escape, output),
    })
}

/// Keeps ASCII letters, digits and `*`; writes a blank as `+` and any other byte as `%hh`.
pub(super) fn encode(input: &[u8], output: &mut Vec<u8>) -> Step {
    let Some((safe, rest)) = position_of(input, |byte| !is_safe(byte)).and_then(|at| input.split_at_checked(at)) else {
        return Step::Unchanged;
    };
    output.reserve(safe.len().saturating_add(rest.len().saturating_mul(3)));
    output.extend_from_slice(safe);
    for &byte in rest {
        match byte {
            b' ' => output.push(b'+'),
            _ if is_safe(byte) => output.push(byte),
            _ => output.extend_from_slice(&[b'%', hex::lower_digit(byte >> 4), hex::lower_digit(byte)]),
        }
    }
    Step::Written
}

fn find_escape(text: &[u8]) -> Option<usize> {
    // An escape is often followed by another.
    if let Some(b'%' | b'+') = text.first() { Some(0) } else { memchr2(b'%', b'+', text) }
}

fn decode_escape<'a>(escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    if let [b'%', high, low, rest @ ..] = escape
        && let Some(byte) = hex::pair(*high, *low)
    {
        return replace_by(byte, rest, output);
    }
    match escape {
        [b'+', rest @ ..] => replace_by(b' ', rest, output),
        _ => keep_first(escape, output),
    }
}

fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'*')
}
