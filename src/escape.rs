//! Escapes request data in logs: the debug log, the error log and the audit log all use this module.
//!
//! A byte or character that could end a line or a field, or control a terminal, is written as `\xHH`, as in ModSecurity v3:
//!
//! | function | for | keeps |
//! | --- | --- | --- |
//! | [`printable`] | lines of the error log | printable ASCII |
//! | [`unquoted`] | text without quotation marks in such a line | the same without `"` |
//! | [`quoted`] | fields of such a line: `[msg "…"]` | the same without `"` and `\` |
//! | [`legible`] | lines of the debug log and of the audit log | text in any language, and tabs |
//! | [`legible_quoted`] | text in quotation marks in such lines | what `legible` keeps without `"` and `\` |
//! | [`legible_word`] | words in such lines | the same without blanks and tabs |
//! | [`legible_lines`] | bodies | the same with line breaks |
//!
//! A value without such bytes is written unchanged.

use std::borrow::Cow;
use std::io::Write as _;

/// Number of bytes that are tested together.
const BLOCK: usize = 64;

/// Appends bytes, with `\xHH` for those that are not printable ASCII.
pub fn printable(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, is_printable);
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Appends bytes within quotation marks, with `\xHH` for those that are not printable ASCII, quotation marks and backslashes.
pub fn quoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
}

/// Appends bytes, with `\xHH` for those that are not printable ASCII, and for quotation marks.
pub fn unquoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| is_printable(byte) && byte != b'"');
}

/// Appends text on one line, with `\xHH` for characters that [disturb](disturbs) it and for bytes that are not UTF-8.
pub fn legible(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, disturbs);
}

/// Appends text within quotation marks: like [`legible`], but also escapes quotation marks and backslashes.
pub fn legible_quoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) || matches!(sign, '"' | '\\'));
}

/// Appends a word: like [`legible_quoted`], but also escapes blanks.
pub fn legible_word(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) || sign.is_whitespace() || matches!(sign, '"' | '\\'));
}

/// Appends text of many lines: like [`legible`], but keeps line breaks.
pub fn legible_lines(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) && !matches!(sign, '\r' | '\n'));
}

/// Returns `true` for a character that may not be in a line of text: a control character other than a tab (including DEL and U+0080 to U+009F, which
/// can control terminals too), a line separator, or a mark that changes the direction of text, which can disguise a line.
pub fn disturbs(sign: char) -> bool {
    (sign.is_control() && sign != '\t') || matches!(sign, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Converts text to [`legible`] text.
pub fn legible_text(shown: &str) -> Cow<'_, str> {
    match shown.contains(disturbs) {
        true => {
            let mut output = Vec::with_capacity(shown.len().saturating_add(16));
            legible(shown.as_bytes(), &mut output);
            text(&output).into()
        }
        false => shown.into(),
    }
}

/// Converts bytes to text, with `\xHH` for those that are not UTF-8.
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

/// Converts bytes to [`printable`] text of at most `max` characters.
pub fn shown(bytes: &[u8], max: usize) -> String {
    // Each byte gives at least one character: later bytes are only counted.
    let (first, rest) = bytes.split_at(max.min(bytes.len()));
    let mut shown = Vec::with_capacity(max + 4);
    printable(first, &mut shown);
    let omitted = shown.len().saturating_sub(max) + rest.iter().map(|byte| if is_printable(*byte) { 1 } else { 4 }).sum::<usize>();
    shown.truncate(max);
    if omitted > 0 {
        let _ = write!(shown, " ({omitted} characters omitted)");
    }
    text(&shown)
}

/// Returns at most `max` bytes, followed by the number of those that were cut off.
pub fn cut(bytes: &[u8], max: usize) -> Cow<'_, [u8]> {
    match bytes.split_at_checked(max) {
        Some((kept, rest)) if !rest.is_empty() => [kept, format!(" ({} characters omitted)", rest.len()).as_bytes()].concat().into(),
        _ => bytes.into(),
    }
}

/// Appends bytes, with `\xHH` for those that do not stay. Tests whole blocks first, because in most texts all bytes stay.
fn escape(bytes: &[u8], output: &mut Vec<u8>, stays: impl Fn(u8) -> bool) {
    for block in bytes.chunks(BLOCK) {
        match block.iter().fold(true, |all, byte| all & stays(*byte)) {
            true => output.extend_from_slice(block),
            false => escape_one_by_one(block, output, &stays),
        }
    }
}

/// Appends text, with `\xHH` for each byte of characters that go, and for bytes that are not UTF-8.
fn escape_text(bytes: &[u8], output: &mut Vec<u8>, goes: impl Fn(char) -> bool) {
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive(&goes) {
            let kept = part.trim_end_matches(&goes);
            output.extend_from_slice(kept.as_bytes());
            escape(part.as_bytes().get(kept.len()..).unwrap_or_default(), output, |_| false);
        }
        escape(chunk.invalid(), output, |_| false);
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
        assert!(matches!(legible_text("日本"), Cow::Borrowed("日本")));
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_in_every_form() {
        let hostile = "\0 \x1b[31m \x7f \u{9b}31m \u{85} \u{2028} \u{202e} \r\n".as_bytes();
        for write in [legible, legible_quoted, legible_word, legible_lines, printable, quoted, unquoted] {
            let shown = made(write, &[hostile, b"\x9b31m"].concat());
            assert!(!shown.contains(|sign| disturbs(sign) && !matches!(sign, '\r' | '\n')), "{shown:?}");
            assert!(shown.contains("\\x1b") && shown.contains("\\xc2\\x9b31m") && shown.contains("\\x9b31m"), "{shown:?}");
        }
        assert_eq!(legible_text("a\nb\u{9b}"), "a\\x0ab\\xc2\\x9b");
    }

    #[test]
    fn each_form_keeps_what_its_place_allows() {
        let value = b"a \"b\\\t\r\nc";
        assert_eq!(made(legible, value), "a \"b\\\t\\x0d\\x0ac");
        assert_eq!(made(legible_quoted, value), "a \\x22b\\x5c\t\\x0d\\x0ac");
        assert_eq!(made(legible_word, value), "a\\x20\\x22b\\x5c\\x09\\x0d\\x0ac");
        assert_eq!(made(legible_lines, value).as_bytes(), value);
        assert_eq!(made(unquoted, b"a \"b\\"), "a \\x22b\\");
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        assert_eq!(*cut(b"abcdef", 4), *b"abcd (2 characters omitted)");
        assert_eq!(*cut(b"abcd", 4), *b"abcd");
        assert_eq!(shown(b"ab\n", 3), "ab\\ (3 characters omitted)");
        assert_eq!(shown(b"abcd\n", 3), "abc (5 characters omitted)");
    }
}
