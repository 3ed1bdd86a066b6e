//! The content of JSON string literals: checked first, unescaped on request.

use super::error::JsonError;

/// Result of scanning the content of a string.
pub(super) struct Scanned {
    /// Number of bytes before the closing quote.
    pub(super) length: usize,
    /// `true` if they include escapes.
    pub(super) escaped: bool,
}

/// Checks the text after an opening quote up to the closing one; `None` if there is none.
///
/// Invalid UTF-8 (overlong forms, surrogates, code points beyond U+10FFFF) is an error, and so is half of a surrogate pair. YAJL accepts the former,
/// and joins the latter with any following escape. Applications drop such bytes, or read the escape by itself, and then have a text that no rule saw.
/// A sequence that the end of the text cuts off is checked as if a blank followed it, as YAJL does.
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
                after_unicode(tail)?
            }
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', tail @ ..] => {
                escaped = true;
                tail
            }
            [b'\\', ..] => return Err(JsonError::InvalidEscape),
            [0..=0x1f, ..] => return Err(JsonError::ControlCharacter),
            _ => rest.get(character_length(rest).ok_or(JsonError::InvalidUtf8)?..).unwrap_or_default(),
        };
    }
}

/// Returns the number of leading bytes that are literal. Eight bytes are checked at once.
fn plain_length(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(block) = text.get(length..).and_then(|rest| rest.first_chunk()) {
        let others = others(u64::from_le_bytes(*block));
        if others != 0 {
            return length + (others.trailing_zeros() / u8::BITS) as usize;
        }
        length += block.len();
    }
    length + text.iter().skip(length).take_while(|byte| is_plain(**byte)).count()
}

/// Sets the highest bit of the first byte that is not plain, and of no byte before it: a borrow only reaches later bytes.
fn others(block: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    let is_below = |block: u64, limit: u8| block.wrapping_sub(ONES * u64::from(limit)) & !block;
    let is = |byte: u8| is_below(block ^ (ONES * u64::from(byte)), 1);
    (block | is_below(block, b' ') | is(b'"') | is(b'\\')) & HIGHEST
}

/// Returns the text after the digits of a `\u`, or after the pair of escapes of a surrogate pair.
fn after_unicode(text: &[u8]) -> Result<&[u8], JsonError> {
    let (unit, rest) = hex_unit(text)?;
    match unit {
        0xd800..0xdc00 => {
            let second = rest.strip_prefix(b"\\u").ok_or(JsonError::LoneSurrogate)?;
            match hex_unit(second)? {
                (0xdc00..0xe000, rest) => Ok(rest),
                _ => Err(JsonError::LoneSurrogate),
            }
        }
        0xdc00..0xe000 => Err(JsonError::LoneSurrogate),
        _ => Ok(rest),
    }
}

/// Returns the number of four hexadecimal digits, and the rest.
fn hex_unit(text: &[u8]) -> Result<(u32, &[u8]), JsonError> {
    let (digits, rest) = text.split_at_checked(4).ok_or(JsonError::InvalidUnicodeEscape)?;
    let append = |unit, digit: &u8| Some(unit << 4 | char::from(*digit).to_digit(16)?);
    Ok((digits.iter().try_fold(0, append).ok_or(JsonError::InvalidUnicodeEscape)?, rest))
}

/// Appends the unescaped form of checked text.
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

/// Appends the character whose digits `text` starts with; returns the rest.
fn append_unicode<'a>(text: &'a [u8], buffer: &mut Vec<u8>) -> &'a [u8] {
    let Ok((mut code, mut rest)) = hex_unit(text) else { return b"" };
    if let 0xd800..0xdc00 = code
        && let Some(Ok((low, behind))) = rest.strip_prefix(b"\\u").map(hex_unit)
    {
        code = 0x10000 + ((code & 0x3ff) << 10 | low & 0x3ff);
        rest = behind;
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    buffer.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7f) && byte != b'"' && byte != b'\\'
}

/// Returns the length of the multi-byte character that a text begins with, if it is UTF-8 (RFC 3629, section 4).
fn character_length(text: &[u8]) -> Option<usize> {
    match text {
        [0xc2..=0xdf, 0x80..=0xbf, ..] => Some(2),
        [0xe0, 0xa0..=0xbf, 0x80..=0xbf, ..]
        | [0xe1..=0xec | 0xee..=0xef, 0x80..=0xbf, 0x80..=0xbf, ..]
        | [0xed, 0x80..=0x9f, 0x80..=0xbf, ..] => Some(3),
        [0xf0, 0x90..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..]
        | [0xf1..=0xf3, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..]
        | [0xf4, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, ..] => Some(4),
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
    fn blocks_end_where_their_bytes_do() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for first in &bytes {
            for second in &bytes {
                for at in 0..10 {
                    let mut text = [b'a'; 12];
                    (text[at], text[at + 1]) = (*first, *second);
                    let expected = text.iter().take_while(|byte| is_plain(**byte)).count();
                    assert_eq!(plain_length(&text), expected, "{text:x?}");
                }
            }
        }
    }

    fn error(inside: &[u8]) -> Option<JsonError> {
        scan(&[inside, b"\""].concat()).err()
    }

    #[test]
    fn halves_of_surrogate_pairs_are_errors() {
        for half in
            [r"\ud83ex", r"\ud83e", r"\udd80", r"\ud800\u0041", r"\ud800\ud800\udc00", r"\udc00\ud800", r"\ud800\n", r"\uDBFF\uE000"]
        {
            assert_eq!(error(half.as_bytes()), Some(JsonError::LoneSurrogate), "{half}");
        }
        assert_eq!(error(br"\ud800\udc0"), Some(JsonError::InvalidUnicodeEscape));
        assert_eq!(error(br"\uD800\uDC00\udbff\udfff"), None);
    }

    #[test]
    fn only_utf_8_is_read() {
        for code in ['\u{80}', '\u{7ff}', '\u{800}', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{10ffff}'] {
            assert_eq!(error(code.to_string().as_bytes()), None, "{code:?}");
        }
        let wrong: &[&[u8]] = &[
            b"\x80",
            b"\xc0\x80",
            b"\xc1\xbf",
            b"\xc3",
            b"\xc3\x28",
            b"\xe0\x80\x80",
            b"\xe0\x9f\xbf",
            b"\xed\xa0\x80",
            b"\xed\xbf\xbf",
            b"\xe2\x82",
            b"\xf0\x80\x80\x80",
            b"\xf0\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"\xff",
        ];
        for bytes in wrong {
            assert_eq!(error(bytes), Some(JsonError::InvalidUtf8), "{bytes:x?}");
        }
    }
}
