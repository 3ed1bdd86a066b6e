//! `trim`, `trimLeft`, `trimRight`, `compressWhitespace`, `removeWhitespace`.

use memchr::memmem;

use super::rewrite::{self, ByteTable, Step, position_of};
use std::sync::LazyLock;

/// The no-break space in Latin-1, and the second of its two bytes in UTF-8.
const NO_BREAK_SPACE: u8 = 0xa0;

/// White space, and the bytes of a no-break space.
static WHITE: LazyLock<ByteTable> = LazyLock::new(|| ByteTable::new(is_removed));

pub(super) fn trim(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_end(without_start(input)), input, output)
}

pub(super) fn trim_left(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_start(input), input, output)
}

pub(super) fn trim_right(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_end(input), input, output)
}

/// Turns every run of white space into one blank. As in ModSecurity v2, and unlike v3, the no-break space is white space, in Latin-1 and in UTF-8,
/// because databases treat it as a blank. A byte A0 that is part of another UTF-8 character, as in `à`, stays.
pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Step {
    let other_than_blank = |byte| (is_space(byte) & (byte != b' ')) | (byte == NO_BREAK_SPACE);
    if position_of(input, other_than_blank).is_none() && memmem::find(input, b"  ").is_none() {
        return Step::Unchanged;
    }
    output.reserve(input.len());
    let white = &*WHITE;
    let (mut rest, mut in_run, mut before) = (input, false, 0u8);
    loop {
        let (plain, behind) = white.split(rest);
        if let Some(last) = plain.last() {
            output.extend_from_slice(plain);
            (in_run, before) = (false, *last);
        }
        let Some((&byte, behind)) = behind.split_first() else { break };
        let after = match (byte, behind) {
            (byte, _) if is_space(byte) => Some(behind),
            (NO_BREAK_SPACE, _) if in_run || before.is_ascii() => Some(behind),
            (0xc2, [NO_BREAK_SPACE, after @ ..]) => Some(after),
            _ => None,
        };
        match after {
            Some(_) if in_run => {}
            Some(_) => output.push(b' '),
            None => output.push(byte),
        }
        in_run = after.is_some();
        before = byte;
        rest = after.unwrap_or(behind);
    }
    Step::Written
}

/// Removes white space and, as ModSecurity v3 does, the bytes A0 and C2: a no-break space in Latin-1 and in UTF-8.
pub(super) fn remove(input: &[u8], output: &mut Vec<u8>) -> Step {
    let Some(first) = position_of(input, is_removed) else { return Step::Unchanged };
    let white = &*WHITE;
    rewrite::remove(input, first, output, |byte| white.contains(byte))
}

fn is_removed(byte: u8) -> bool {
    is_space(byte) | (byte == NO_BREAK_SPACE) | (byte == 0xc2)
}

/// Returns `true` for white space of C's `isspace`, which unlike Rust's ASCII white space includes the vertical tab.
fn is_space(byte: u8) -> bool {
    (byte == b' ') | (byte.wrapping_sub(b'\t') < 5)
}

fn without_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn without_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

fn keep(part: &[u8], input: &[u8], output: &mut Vec<u8>) -> Step {
    if part.len() == input.len() {
        return Step::Unchanged;
    }
    output.extend_from_slice(part);
    Step::Written
}
