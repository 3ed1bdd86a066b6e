//! `htmlEntityDecode`: numeric entities and the five names that matter to filters.

use memchr::memchr;

use super::hex;
use super::rewrite::{Escapes, keep_first, replace_by};

/// `&#DDD` and `&#xHHH`, which stand for their low byte, and `&quot`, `&amp`, `&lt`, `&gt`, `&nbsp` (the byte A0) in either case; the semicolon may be
/// missing.
///
/// A name must be exactly one of the five. ModSecurity 3.0.13 takes any name that starts with one of them, so that `&ltx` loses its `x`.
pub(super) struct Entities;

impl Escapes for Entities {
    const CERTAIN: usize = 1 + BEYOND_LONGEST;

    fn find(&self, text: &[u8]) -> Option<usize> {
        memchr(b'&', text)
    }

    fn decode<'a>(&self, entity: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        match character(entity) {
            Some((byte, [b';', rest @ ..] | rest)) => replace_by(byte, rest, output),
            None => keep_first(entity, output),
        }
    }
}

/// One more than the length of the longest name.
const BEYOND_LONGEST: usize = 5;

/// Returns the byte of an entity, and the text after its name or number.
fn character(entity: &[u8]) -> Option<(u8, &[u8])> {
    match entity {
        [_, b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [_, b'#', digits @ ..] => number(digits, 10),
        [_, name @ ..] => named(name),
        [] => None,
    }
}

fn number(text: &[u8], radix: u8) -> Option<(u8, &[u8])> {
    let value = |byte| hex::digit(byte).filter(|&digit| digit < radix);
    let mut code: u64 = 0;
    let mut rest = text;
    while let [first, tail @ ..] = rest
        && let Some(digit) = value(*first)
    {
        code = code.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit));
        rest = tail;
    }
    // v3 reads the number with `strtol`, which saturates.
    let byte = code.min(i64::MAX.unsigned_abs()) as u8;
    (rest.len() < text.len()).then_some((byte, rest))
}

fn named(text: &[u8]) -> Option<(u8, &[u8])> {
    const NAMES: [(&[u8], u8); 5] = [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xa0)];
    let length = text.iter().take(BEYOND_LONGEST).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (name, rest) = text.split_at_checked(length)?;
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, byte)| (byte, rest))
}
