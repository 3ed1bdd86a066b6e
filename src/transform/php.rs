//! `phpArgsNames`: the name under which PHP would store an argument.

use memchr::memchr;

use super::rewrite::Step;

/// Rewrites an argument's name as PHP's `$_GET` and `$_POST` show it, by the algorithm of ModSecurity v3.
///
/// Leading blanks are removed; blanks and dots before the first `[` become `_`. A first `[` without a `]` becomes `_` too, and the rest is kept.
/// Otherwise consecutive indices `[…]` are kept, `[ ]` as `[]`, and the rest is dropped. A name that starts with `[` or `=` becomes empty.
pub(super) fn argument_name(input: &[u8], output: &mut Vec<u8>) -> Step {
    if matches!(input, [b'[' | b'=', ..]) {
        return Step::Written;
    }
    let name = input.iter().position(|&byte| byte != b' ').and_then(|start| input.get(start..)).unwrap_or_default();
    let changes = |byte: &u8| matches!(byte, b' ' | b'.' | b'[');
    if name.len() == input.len() && !name.iter().any(changes) {
        return Step::Unchanged;
    }
    output.reserve(name.len());
    let bracket = memchr(b'[', name).unwrap_or(name.len());
    let (variable, indices) = name.split_at_checked(bracket).unwrap_or_default();
    output.extend(variable.iter().map(|&byte| if changes(&byte) { b'_' } else { byte }));
    match index(indices) {
        Some(_) => write_indices(indices, output),
        None => write_without_index(indices, output),
    }
    Step::Written
}

fn write_indices(mut indices: &[u8], output: &mut Vec<u8>) {
    while let Some((index, rest)) = index(indices) {
        output.extend_from_slice(if index == b"[ ]" { b"[]" } else { index });
        indices = rest;
    }
}

fn write_without_index(text: &[u8], output: &mut Vec<u8>) {
    if let [_bracket, rest @ ..] = text {
        output.push(b'_');
        output.extend_from_slice(rest);
    }
}

/// Returns the `[…]` that `text` starts with, and the rest. PHP reads up to a NUL.
fn index(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if !text.starts_with(b"[") {
        return None;
    }
    let end = memchr::memchr2(b']', 0, text).filter(|&end| text.get(end) == Some(&b']'))?;
    text.split_at_checked(end + 1)
}
