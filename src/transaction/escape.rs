//! How logs show bytes: escaped as ModSecurity v3 does it, and cut where they are long.

use std::borrow::Cow;
use std::io::Write as _;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// Appends bytes; what is not printable ASCII as `\xHH`.
pub fn printable(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, is_printable);
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Appends bytes that stand in quotation marks; what is not printable ASCII, quotation marks and backslashes as `\xHH`.
pub fn quoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
}

/// Appends text for people: control characters and bytes that are no UTF-8 as `\xHH`.
pub fn legible(bytes: &[u8], output: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        escape(chunk.valid().as_bytes(), output, |byte| !byte.is_ascii_control());
        escape(chunk.invalid(), output, |_| false);
    }
}

/// Bytes as text; those that are no UTF-8 as `\xHH`.
pub fn text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Bytes as [`printable`] text of at most so many characters.
pub fn shown(bytes: &[u8], most: usize) -> String {
    // No byte is shown shorter than it is: those behind are only counted.
    let (first, rest) = bytes.split_at(most.min(bytes.len()));
    let mut shown = Vec::with_capacity(most + 4);
    printable(first, &mut shown);
    let omitted = shown.len().saturating_sub(most) + rest.iter().map(|byte| if is_printable(*byte) { 1 } else { 4 }).sum::<usize>();
    shown.truncate(most);
    if omitted > 0 {
        let _ = write!(shown, " ({omitted} characters omitted)");
    }
    text(&shown)
}

/// At most so many bytes; what was cut off is counted behind them.
pub fn cut(bytes: &[u8], most: usize) -> Cow<'_, [u8]> {
    match bytes.split_at_checked(most) {
        Some((kept, rest)) if !rest.is_empty() => [kept, format!(" ({} characters omitted)", rest.len()).as_bytes()].concat().into(),
        _ => bytes.into(),
    }
}

/// Appends bytes; those that do not stay as `\xHH`. Many in a row that stay are seen at once, as in most texts all do.
fn escape(bytes: &[u8], output: &mut Vec<u8>, stays: impl Fn(u8) -> bool) {
    for block in bytes.chunks(BLOCK) {
        match block.iter().fold(true, |all, byte| all & stays(*byte)) {
            true => output.extend_from_slice(block),
            false => escape_one_by_one(block, output, &stays),
        }
    }
}

fn escape_one_by_one(bytes: &[u8], output: &mut Vec<u8>, stays: impl Fn(u8) -> bool) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| !stays(*byte)) {
        let (kept, from) = rest.split_at(at);
        output.extend_from_slice(kept);
        let Some((byte, behind)) = from.split_first() else { break };
        // Writing to memory does not fail.
        let _ = write!(output, "\\x{byte:02x}");
        rest = behind;
    }
    output.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(write: impl Fn(&[u8], &mut Vec<u8>), bytes: &[u8]) -> String {
        let mut output = Vec::new();
        write(bytes, &mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_byte_is_shown_in_printable_letters() {
        let all: Vec<u8> = (0..=255).collect();
        assert!(made(printable, &all).bytes().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(made(printable, b"a\n\"\xff"), "a\\x0a\"\\xff");
        assert_eq!(made(quoted, b"a\"b\\"), "a\\x22b\\x5c");
    }

    #[test]
    fn text_in_any_language_stays_legible() {
        assert_eq!(made(legible, "é\n".as_bytes()), "é\\x0a");
        assert_eq!(made(legible, b"\xe9"), "\\xe9");
        assert_eq!(text(b"\xe9\n"), "\\xe9\n");
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        assert_eq!(*cut(b"abcdef", 4), *b"abcd (2 characters omitted)");
        assert_eq!(*cut(b"abcd", 4), *b"abcd");
        assert_eq!(shown(b"ab\n", 3), "ab\\ (3 characters omitted)");
        assert_eq!(shown(b"abcd\n", 3), "abc (5 characters omitted)");
    }
}
