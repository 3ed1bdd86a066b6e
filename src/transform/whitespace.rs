//! `trim`, `trimLeft`, `trimRight`, `compressWhitespace`, `removeWhitespace`.

use memchr::memmem;

use super::rewrite::{self, Step, position_of};
use std::sync::LazyLock;

pub(super) fn trim(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_end(without_start(input)), input, output)
}

pub(super) fn trim_left(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_start(input), input, output)
}

pub(super) fn trim_right(input: &[u8], output: &mut Vec<u8>) -> Step {
    keep(without_end(input), input, output)
}

/// Turns every run of white space into one blank.
pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Step {
    let other_than_blank = |byte| is_space(byte) & (byte != b' ');
    if position_of(input, other_than_blank).is_none() && memmem::find(input, b"  ").is_none() {
        return Step::Unchanged;
    }
    output.reserve(input.len());
    let mut in_run = false;
    for &byte in input {
        let space = is_space(byte);
        if !space {
            output.push(byte);
        } else if !in_run {
            output.push(b' ');
        }
        in_run = space;
    }
    Step::Written
}

/// Removes white space, and as ModSecurity v3 also the bytes A0 and C2: a no-break space in Latin-1 and in UTF-8.
pub(super) fn remove(input: &[u8], output: &mut Vec<u8>) -> Step {
    static REMOVED: LazyLock<[bool; 256]> = LazyLock::new(|| std::array::from_fn(|byte| is_removed(byte as u8)));
    let Some(first) = position_of(input, is_removed) else { return Step::Unchanged };
    let removed = &*REMOVED;
    rewrite::remove(input, first, output, |byte| removed.get(usize::from(byte)) == Some(&true))
}

fn is_removed(byte: u8) -> bool {
    is_space(byte) | (byte == 0xa0) | (byte == 0xc2)
}

/// White space as C's `isspace` has it: unlike Rust's ASCII white space, with the vertical tab.
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
