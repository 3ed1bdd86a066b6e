//! Charsets and digits of encoded file names.

/// Returns `true` for a charset of which a file name can be shown to rules byte by byte, in letters of either case: UTF-8 and its part ASCII,
/// as all applications decode them, and ISO 8859-1. Others, such as UTF-16 and EBCDIC, would hide letters from rules.
pub(super) fn is_decoded(charset: &[u8]) -> bool {
    [&b"utf-8"[..], b"us-ascii", b"iso-8859-1"].iter().any(|known| known.eq_ignore_ascii_case(charset))
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn byte_of_hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
