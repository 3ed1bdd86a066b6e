//! Percent-decoding as ModSecurity v3 applies it to the request target and to arguments.

use std::borrow::Cow;

use memchr::memchr2_iter;

/// Bytes after percent-decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The decoded bytes; borrowed if nothing changed.
    pub bytes: Cow<'a, [u8]>,
    /// `true` if a `%` was not followed by two hexadecimal digits. Such a `%` is kept.
    pub invalid: bool,
}

/// Decodes `%XX`; a `+` stays a `+`. v3 decodes the request target in this way.
pub fn decode(text: &[u8]) -> Decoded<'_> {
    decode_with(text, b'%')
}

/// Decodes `%XX` and turns `+` into a blank, as in `application/x-www-form-urlencoded`. v3 decodes names and values of arguments in this way.
pub fn decode_form(text: &[u8]) -> Decoded<'_> {
    decode_with(text, b'+')
}

/// Decodes `%XX`, and `+` if `plus` is `+`. To decode `%XX` alone, `plus` is `%`.
fn decode_with(text: &[u8], plus: u8) -> Decoded<'_> {
    let mut decoded = Vec::new();
    let mut copied = 0;
    let mut invalid = false;
    for at in memchr2_iter(b'%', plus, text) {
        let Some((byte, length)) = text.get(at..).and_then(unescape) else {
            invalid = true;
            continue;
        };
        decoded.extend_from_slice(text.get(copied..at).unwrap_or_default());
        decoded.push(byte);
        copied = at.saturating_add(length);
    }
    if copied == 0 {
        return Decoded { bytes: Cow::Borrowed(text), invalid };
    }
    decoded.extend_from_slice(text.get(copied..).unwrap_or_default());
    Decoded { bytes: Cow::Owned(decoded), invalid }
}

/// Returns the byte of the escape at the start of `text`, and the length of the escape.
fn unescape(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'+', ..] => Some((b' ', 1)),
        [b'%', high, low, ..] => Some((hex_digit(*high)? << 4 | hex_digit(*low)?, 3)),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> (Vec<u8>, bool) {
        let decoded = decode_form(text.as_bytes());
        (decoded.bytes.into_owned(), decoded.invalid)
    }

    #[test]
    fn clean_text_is_borrowed() {
        assert!(matches!(decode_form(b"plain").bytes, Cow::Borrowed(b"plain")));
        assert!(matches!(decode(b"one+two").bytes, Cow::Borrowed(b"one+two")));
        assert!(matches!(decode(b"50% off").bytes, Cow::Borrowed(b"50% off")));
    }

    #[test]
    fn escapes_are_decoded_in_both_cases() {
        assert_eq!(form("%4a%4B+%00"), (b"JK \0".to_vec(), false));
    }

    #[test]
    fn invalid_escapes_are_kept_and_flagged() {
        assert_eq!(form("%g1%41"), (b"%g1A".to_vec(), true));
        assert_eq!(form("%%41"), (b"%A".to_vec(), true));
        assert_eq!(form("x%4"), (b"x%4".to_vec(), true));
        assert_eq!(form("+%"), (b" %".to_vec(), true));
        assert_eq!(form("%u0041"), (b"%u0041".to_vec(), true));
    }

    #[test]
    fn plus_means_blank_in_forms_only() {
        assert_eq!(form("a+b").0, b"a b");
        assert_eq!(decode(b"a+b%20").bytes.as_ref(), b"a+b ");
    }
}
