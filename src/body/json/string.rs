//! The inside of JSON string literals: checked first, unescaped when somebody wants the value.

use super::error::JsonError;

/// What a scan over the inside of a string found.
pub(super) struct Scanned {
    /// Bytes before the closing quote.
    pub(super) length: usize,
    /// Whether there are escapes among them.
    pub(super) escaped: bool,
}

/// Checks the text behind an opening quote up to the closing one; `None` when there is none.
///
/// As YAJL does, this checks only the shape of UTF-8 sequences (overlong forms and surrogates
/// pass), and judges what the text's end cuts off as if a blank followed it.
pub(super) fn scan(inside: &[u8]) -> Result<Option<Scanned>, JsonError> {
    let mut escaped = false;
    let mut rest = inside;
    loop {
        let plain = plain_length(rest);
        rest = rest.get(plain..).unwrap_or_default();
        rest = match rest {
            [] => return Ok(None),
            [b'"', ..] => return Ok(Some(Scanned { length: inside.len().saturating_sub(rest.len()), escaped })),
            [b'\\', b'u', tail @ ..] => {
                escaped = true;
                match tail.split_at_checked(4) {
                    Some((digits, tail)) if digits.iter().all(u8::is_ascii_hexdigit) => tail,
                    _ => return Err(JsonError::InvalidUnicodeEscape),
                }
            }
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', tail @ ..] => {
                escaped = true;
                tail
            }
            [b'\\', ..] => return Err(JsonError::InvalidEscape),
            [0..=0x1f, ..] => return Err(JsonError::ControlCharacter),
            [lead, tail @ ..] => continuation_count(*lead)
                .and_then(|count| tail.split_at_checked(count))
                .filter(|(continuation, _)| continuation.iter().all(|byte| byte >> 6 == 0b10))
                .map(|(_, tail)| tail)
                .ok_or(JsonError::InvalidUtf8)?,
        };
    }
}

/// How many bytes at the beginning stand for themselves. Whole blocks are looked at at once.
fn plain_length(text: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let blocks = text.chunks_exact(BLOCK).take_while(|block| block.iter().fold(true, |all, byte| all & is_plain(*byte))).count();
    let rest = text.get(blocks * BLOCK..).unwrap_or_default();
    blocks * BLOCK + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

/// Appends the meaning of checked text.
///
/// A high surrogate joins with any `\u` behind it, paired or not; without one it becomes `?`. A lone
/// low surrogate becomes three bytes. Both are YAJL's answers.
pub(super) fn unescape(text: &[u8], buffer: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((plain, escape)) = memchr::memchr(b'\\', rest).and_then(|at| rest.split_at_checked(at)) {
        buffer.extend_from_slice(plain);
        rest = match escape {
            [b'\\', b'u', tail @ ..] => append_unicode(tail, buffer),
            [b'\\', letter, tail @ ..] => {
                buffer.push(match letter {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    itself => *itself,
                });
                tail
            }
            _ => b"",
        };
    }
    buffer.extend_from_slice(rest);
}

/// Appends the character whose digits `text` starts with; returns what follows them.
fn append_unicode<'a>(text: &'a [u8], buffer: &mut Vec<u8>) -> &'a [u8] {
    let (unit, rest) = hex_unit(text);
    if unit & 0xfc00 != 0xd800 {
        append_utf8(unit, buffer);
        return rest;
    }
    let Some(second) = rest.strip_prefix(b"\\u") else {
        buffer.push(b'?');
        return rest;
    };
    let (low, rest) = hex_unit(second);
    append_utf8(0x10000 + ((unit & 0x3ff) << 10 | low & 0x3ff), buffer);
    rest
}

/// The number that four hexadecimal digits make, and what follows them.
fn hex_unit(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, b""));
    let unit = digits.iter().fold(0, |unit, digit| unit << 4 | char::from(*digit).to_digit(16).unwrap_or(0));
    (unit, rest)
}

/// Appends a code point in UTF-8's scheme, surrogates included.
fn append_utf8(code: u32, buffer: &mut Vec<u8>) {
    let six_bits = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => buffer.push(code as u8),
        0x80..0x800 => buffer.extend([0xc0 | (code >> 6) as u8, six_bits(0)]),
        0x800..0x10000 => buffer.extend([0xe0 | (code >> 12) as u8, six_bits(6), six_bits(0)]),
        _ => buffer.extend([0xf0 | (code >> 18) as u8, six_bits(12), six_bits(6), six_bits(0)]),
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7f) && byte != b'"' && byte != b'\\'
}

fn continuation_count(lead: u8) -> Option<usize> {
    match lead {
        0xc0..=0xdf => Some(1),
        0xe0..=0xef => Some(2),
        0xf0..=0xf7 => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> Vec<u8> {
        let mut buffer = Vec::new();
        unescape(text.as_bytes(), &mut buffer);
        buffer
    }

    #[test]
    fn escapes_become_what_they_mean() {
        assert_eq!(meaning(r#"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\u0000"#), "\"\\/\u{8}\u{c}\n\r\tAé€\0".as_bytes());
    }

    #[test]
    fn surrogate_pairs_join() {
        assert_eq!(meaning(r"\ud83e\udd80!"), "🦀!".as_bytes());
    }

    #[test]
    fn lone_surrogates_are_read_as_yajl_reads_them() {
        assert_eq!(meaning(r"\ud83ex"), b"?x");
        assert_eq!(meaning(r"\udd80"), b"\xed\xb6\x80");
        assert_eq!(meaning(r"\ud800\u0041"), "\u{10041}".as_bytes());
    }
}
