//! How logs show bytes: escaped as ModSecurity v3 does it, and cut where they are long.

use std::io::Write as _;

/// Appends bytes; what is not printable ASCII as `\xHH`.
pub fn printable(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| matches!(byte, b' '..=b'~'));
}

/// Appends bytes that stand in quotation marks; what is not printable ASCII, quotation marks and backslashes as `\xHH`.
pub fn quoted(bytes: &[u8], output: &mut Vec<u8>) {
    escape(bytes, output, |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
}

fn escape(bytes: &[u8], output: &mut Vec<u8>, stays: impl Fn(u8) -> bool) {
    for byte in bytes {
        if stays(*byte) {
            output.push(*byte);
        } else {
            // Writing to memory does not fail.
            let _ = write!(output, "\\x{byte:02x}");
        }
    }
}

/// A text of at most so many bytes; what was cut off is counted behind it.
pub fn cut(bytes: &[u8], most: usize) -> std::borrow::Cow<'_, [u8]> {
    match bytes.split_at_checked(most) {
        Some((kept, rest)) if !rest.is_empty() => {
            let mut text = kept.to_vec();
            let _ = write!(text, " ({} characters omitted)", rest.len());
            text.into()
        }
        _ => bytes.into(),
    }
}

/// Appends text for people: control characters and bytes that are no UTF-8 as `\xHH`.
pub fn legible(bytes: &[u8], output: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        escape(chunk.valid().as_bytes(), output, |byte| !byte.is_ascii_control());
        escape(chunk.invalid(), output, |_| false);
    }
}

/// Text for JSON: bytes that are no UTF-8 as `\xHH`.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}
