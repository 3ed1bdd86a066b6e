//! Escapes what a request brings into a log: the one place for the debug log, the error log and the audit log.
//!
//! A byte or character that could end a line or a field, or that a terminal would obey, is written as `\xHH`, as ModSecurity v3 does it:
//!
//! | function | for | keeps |
//! | --- | --- | --- |
//! | [`printable`] | lines of the error log | printable ASCII |
//! | [`unquoted`] | text of such a line that no quotation mark may interrupt | the same without `"` |
//! | [`quoted`] | fields of such a line: `[msg "…"]` | the same without `"` and `\` |
//! | [`legible`] | lines of the debug log and of the audit log | text in any language, and tabs |
//! | [`legible_quoted`] | what stands in quotation marks in such lines | what `legible` keeps without `"` and `\` |
//! | [`legible_word`] | what a blank ends in such lines | the same without blanks and tabs |
//! | [`legible_lines`] | bodies | the same with line breaks |
//!
//! A value that holds nothing of the kind is written as it is.

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

/// Appends bytes; what is not printable ASCII, and quotation marks, as `\xHH`.
pub fn unquoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| is_printable(byte) && byte != b'"');
}

/// Appends text on one line; what [disturbs] and bytes that are not UTF-8 as `\xHH`.
pub fn legible(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, disturbs);
}

/// Appends text that stands in quotation marks: like [`legible`] without quotation marks and backslashes.
pub fn legible_quoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) || matches!(sign, '"' | '\\'));
}

/// Appends text that a blank ends: like [`legible_quoted`] without blanks.
pub fn legible_word(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) || sign.is_whitespace() || matches!(sign, '"' | '\\'));
}

/// Appends text of many lines: like [`legible`] with line breaks.
pub fn legible_lines(bytes: &[u8], output: &mut Vec<u8>) {
    escape_text(bytes, output, |sign| disturbs(sign) && !matches!(sign, '\r' | '\n'));
}

/// Returns `true` for a character that is no part of a text on one line: a control character other than a tab (DEL and U+0080 to U+009F are
/// some, which terminals obey too), a line separator, or a mark that changes the direction of what follows, so that a line reads otherwise
/// than it is.
pub fn disturbs(sign: char) -> bool {
    (sign.is_control() && sign != '\t') || matches!(sign, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text as [`legible`] text.
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

/// Appends text; characters that go, and bytes that are not UTF-8, as `\xHH` for each of their bytes.
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
