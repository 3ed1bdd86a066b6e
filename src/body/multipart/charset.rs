//! Charsets and digits of encoded file names.

/// Returns `true` for a charset in which rules can read a file name byte by byte, in either case: UTF-8 and its subset ASCII, which all applications
/// decode, and ISO 8859-1. Others, such as UTF-16 and EBCDIC, would hide letters from rules.
pub(super) fn is_decoded(charset: &[u8]) -> bool {
    [&b"utf-8"[..], b"us-ascii", b"iso-8859-1"].iter().any(|known| known.eq_ignore_ascii_case(charset))
}

/// Returns the byte of two hexadecimal digits.
pub(super) fn byte_of_hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
