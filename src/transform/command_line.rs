//! `cmdLine`: normalises the spellings that a shell or `cmd.exe` accepts for one command.

use memchr::memchr_iter;

use super::rewrite::{Step, position_of};

/// Drops `"`, `'`, `\` and `^`. Replaces each run of blanks, tabs, line ends, `,` and `;` by one blank, or by none before `/` or `(`. Lowercases
/// ASCII letters.
pub(super) fn normalise(input: &[u8], output: &mut Vec<u8>) -> Step {
    if position_of(input, always_changes).is_none() && !has_surplus_blank(input) {
        return Step::Unchanged;
    }
    output.reserve(input.len());
    let mut after_blank = false;
    for &byte in input {
        if is_dropped(byte) {
            continue;
        }
        let blank = byte == b' ' || becomes_blank(byte);
        if blank && !after_blank {
            output.push(b' ');
        } else if !blank {
            if after_blank && swallows_blank(byte) {
                output.pop();
            }
            output.push(byte.to_ascii_lowercase());
        }
        after_blank = blank;
    }
    Step::Written
}

fn always_changes(byte: u8) -> bool {
    byte.is_ascii_uppercase() | is_dropped(byte) | becomes_blank(byte)
}

fn is_dropped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\' | b'^')
}

fn becomes_blank(byte: u8) -> bool {
    matches!(byte, b',' | b';' | b'\t' | b'\r' | b'\n')
}

fn swallows_blank(byte: u8) -> bool {
    matches!(byte, b'/' | b'(')
}

fn has_surplus_blank(input: &[u8]) -> bool {
    memchr_iter(b' ', input).any(|at| input.get(at + 1).is_some_and(|&next| next == b' ' || swallows_blank(next)))
}
