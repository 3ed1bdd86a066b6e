//! `cmdLine`: normalises the spellings that a shell or `cmd.exe` accepts for one command.

use memchr::memchr_iter;

use super::rewrite::{ByteTable, Step, position_of};
use std::sync::LazyLock;

/// The bytes on which more than their case depends.
static ACTING: LazyLock<ByteTable> = LazyLock::new(|| ByteTable::new(|byte| is_dropped(byte) || is_blank(byte) || swallows_blank(byte)));

/// Drops `"`, `'`, `\` and `^`. Replaces each run of blanks, tabs, line ends, `,` and `;` by one blank, or by none before `/` or `(`. Lowercases
/// ASCII letters.
pub(super) fn normalise(input: &[u8], output: &mut Vec<u8>) -> Step {
    if position_of(input, always_changes).is_none() && !has_surplus_blank(input) {
        return Step::Unchanged;
    }
    output.reserve(input.len());
    let acting = &*ACTING;
    let (mut rest, mut after_blank) = (input, false);
    loop {
        let (plain, behind) = acting.split(rest);
        if !plain.is_empty() {
            output.extend_from_slice(plain);
            after_blank = false;
        }
        let Some((&byte, behind)) = behind.split_first() else { break };
        rest = behind;
        if is_blank(byte) {
            if !after_blank {
                output.push(b' ');
            }
            after_blank = true;
        } else if swallows_blank(byte) {
            if after_blank {
                output.pop();
            }
            output.push(byte);
            after_blank = false;
        }
    }
    output.make_ascii_lowercase();
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

fn is_blank(byte: u8) -> bool {
    byte == b' ' || becomes_blank(byte)
}

fn swallows_blank(byte: u8) -> bool {
    matches!(byte, b'/' | b'(')
}

fn has_surplus_blank(input: &[u8]) -> bool {
    memchr_iter(b' ', input).any(|at| input.get(at + 1).is_some_and(|&next| next == b' ' || swallows_blank(next)))
}
