//! `urlDecode`, `urlDecodeUni`, `urlEncode`.

use memchr::memchr2;

use super::full_width;
use super::hex;
use super::rewrite::{Escapes, Step, keep_first, position_of, replace_by};
use super::unicode_map::UnicodeMap;

/// `%HH`, and `+` for a blank. Invalid escapes stay.
pub(super) struct UrlEscapes;

impl Escapes for UrlEscapes {
    const CERTAIN: usize = 3;

    fn find(&self, text: &[u8]) -> Option<usize> {
        find_escape(text)
    }

    fn decode<'a>(&self, escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        decode_escape(escape, output)
    }
}

/// These, and `%uHHHH`: the byte of the code page if there is one, otherwise the low byte (full-width forms to ASCII).
pub(super) struct UnicodeEscapes<'m>(pub(super) Option<&'m UnicodeMap>);

impl Escapes for UnicodeEscapes<'_> {
    const CERTAIN: usize = 6;

    fn find(&self, text: &[u8]) -> Option<usize> {
        find_escape(text)
    }

    fn decode<'a>(&self, escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        match escape {
            [b'%', b'u' | b'U', a, b, c, d, rest @ ..] => match hex::quad([*a, *b, *c, *d]) {
                Some(character) => {
                    let mapped = self.0.and_then(|map| map.byte(character));
                    replace_by(mapped.unwrap_or_else(|| full_width::to_byte(character)), rest, output)
                }
                None => keep_first(escape, output),
            },
            _ => decode_escape(escape, output),
        }
    }
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
