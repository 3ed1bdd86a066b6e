//! `@validateByteRange`, `@validateUrlEncoding` and `@validateUtf8Encoding`: they match input that is *not* valid.

use super::error::OperatorError;
use super::findings::{Findings, Wanted};
use crate::pattern::ByteSet;

/// Reads the ranges of `@validateByteRange`, such as `9, 10, 32-126`.
///
/// Empty entries are left out. Every other entry is a decimal number up to 255, or two of them, the smaller first. With any other entry ModSecurity
/// v3 allows no byte, so that the rule matches every value.
pub(super) fn byte_ranges(argument: &[u8]) -> Result<ByteSet, OperatorError> {
    let invalid = |entry: &[u8]| OperatorError::ByteRange(String::from_utf8_lossy(entry).into_owned());
    if argument.is_empty() {
        // Rules without an argument were refused before.
        return Ok(ByteSet::EMPTY);
    }
    let mut allowed = None;
    for entry in argument.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty()) {
        let mut bounds = entry.split(|&byte| byte == b'-').map(byte);
        let range = match (bounds.next().flatten(), bounds.next(), bounds.next()) {
            (Some(only), None, None) => only..=only,
            (Some(first), Some(Some(last)), None) if first <= last => first..=last,
            _ => return Err(invalid(entry)),
        };
        allowed = Some(allowed.unwrap_or(ByteSet::EMPTY).union(ByteSet::range(range)));
    }
    allowed.ok_or_else(|| invalid(argument))
}

/// Reads a byte as a decimal number.
fn byte(text: &[u8]) -> Option<u8> {
    let digits = text.trim_ascii();
    let number = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    number.parse().ok()
}

/// Returns `true` if the input has a byte that is not allowed; locates every such byte.
pub(super) fn byte_outside(allowed: ByteSet, input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let mut outside = (0..).zip(input).filter(|&(_, &byte)| !allowed.contains(byte)).map(|(at, _)| at).peekable();
    let matched = outside.peek().is_some();
    if wanted == Wanted::Findings {
        findings.offsets.extend(outside.map(|at| (at, 1)));
    }
    matched
}

/// Returns `true` if a `%` in the input is not followed by two hexadecimal digits; locates the first.
///
/// As in v3, the located length is that of the whole input.
pub(super) fn invalid_url_encoding(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let invalid = memchr::memchr_iter(b'%', input).find(|&at| {
        let digits = input.get(at.saturating_add(1)..at.saturating_add(3));
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if let (Some(at), Wanted::Findings) = (invalid, wanted) {
        findings.offsets.push((at, input.len()));
    }
    invalid.is_some()
}

/// Returns `true` if the input is not UTF-8 as in RFC 3629; locates the first invalid sequence.
///
/// As in v3, the located length is that of the whole input, and a sequence that the end of the input cuts off is not located. Unlike v3, this rejects
/// code points above U+10FFFF (`F4 90 80 80`).
pub(super) fn invalid_utf8(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let Err(error) = std::str::from_utf8(input) else { return false };
    let at = error.valid_up_to();
    let rest = input.get(at..).unwrap_or_default();
    let length = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    if wanted == Wanted::Findings && rest.len() >= length {
        findings.offsets.push((at, input.len()));
    }
    true
}

/// Returns the fault of an invalid UTF-8 sequence, in the words of ModSecurity v3's debug log.
pub fn utf8_fault(rest: &[u8]) -> &'static str {
    let length = match rest.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        Some(0xf5..=0xf7) => return "use of restricted character",
        _ => return "invalid byte value in character",
    };
    match rest.get(..length) {
        None => "not enough bytes in character",
        Some([_, more @ ..]) if more.iter().any(|byte| byte & 0xc0 != 0x80) => "invalid byte value in character",
        Some([0xed, 0xa0..=0xff, ..] | [0xf4, 0x90..=0xff, ..]) => "use of restricted character",
        Some(_) => "overlong character detected",
    }
}

/// Returns the fault of the `%` at an offset, in the words of ModSecurity v3's debug log.
pub fn url_encoding_fault(input: &[u8], at: usize) -> &'static str {
    match input.get(at.saturating_add(1)..at.saturating_add(3)) {
        Some(_) => "Non-hexadecimal digits used",
        None => "Not enough characters at the end of input",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_the_words_of_v3() {
        for (bytes, fault) in [
            (&b"\xc3"[..], "not enough bytes in character"),
            (b"\xe2\x82", "not enough bytes in character"),
            (b"\xc3A", "invalid byte value in character"),
            (b"\xff", "invalid byte value in character"),
            (b"\x80", "invalid byte value in character"),
            (b"\xc0\x80", "overlong character detected"),
            (b"\xe0\x80\x80", "overlong character detected"),
            (b"\xed\xa0\x80", "use of restricted character"),
            (b"\xf5\x80\x80\x80", "use of restricted character"),
        ] {
            assert_eq!(utf8_fault(bytes), fault, "{bytes:?}");
        }
        assert_eq!(url_encoding_fault(b"%zz", 0), "Non-hexadecimal digits used");
        assert_eq!(url_encoding_fault(b"%4", 0), "Not enough characters at the end of input");
    }

    fn offsets(test: impl Fn(&[u8], Wanted, &mut Findings) -> bool, input: impl AsRef<[u8]>) -> Option<Vec<(usize, usize)>> {
        let mut findings = Findings::default();
        let matched = test(input.as_ref(), Wanted::Findings, &mut findings);
        assert_eq!(matched, test(input.as_ref(), Wanted::Verdict, &mut Findings::default()));
        matched.then_some(findings.offsets)
    }

    #[test]
    fn every_byte_outside_the_ranges_is_located() {
        let allowed = byte_ranges(b"97 - 99, 10,100,").unwrap();
        let test = |input: &[u8], wanted, findings: &mut _| byte_outside(allowed, input, wanted, findings);
        assert_eq!(offsets(test, "abcd\n"), None);
        assert_eq!(offsets(test, "a1b2"), Some(vec![(1, 1), (3, 1)]));
        assert_eq!(offsets(test, ""), None);
    }

    #[test]
    fn what_is_not_a_range_of_bytes_is_an_error() {
        for argument in [
            " ",
            ",",
            "x",
            "10-",
            "-10",
            "x-10",
            "20-10",
            "0x20-0x7e",
            "1-2-3",
            "+1",
            "1,abc",
            "1;2",
            "1 2",
            "0-256",
            "1,99999999999999999999",
        ] {
            assert!(byte_ranges(argument.as_bytes()).is_err(), "{argument}");
        }
        assert_eq!(byte_ranges(b"7-7").unwrap(), ByteSet::EMPTY.with(7));
    }

    #[test]
    fn a_percent_sign_needs_two_digits() {
        assert_eq!(offsets(invalid_url_encoding, "a%2Fb%00"), None);
        assert_eq!(offsets(invalid_url_encoding, "a%2Fb%0"), Some(vec![(5, 7)]));
        assert_eq!(offsets(invalid_url_encoding, "%%41"), Some(vec![(0, 4)]));
    }

    #[test]
    fn utf8_must_be_complete_shortest_and_in_range() {
        assert_eq!(offsets(invalid_utf8, "naïve €"), None);
        assert_eq!(offsets(invalid_utf8, b"a\xc0\xaf"), Some(vec![(1, 3)]));
        assert_eq!(offsets(invalid_utf8, b"\xed\xa0\x80"), Some(vec![(0, 3)]));
        assert_eq!(offsets(invalid_utf8, b"\xf4\x90\x80\x80"), Some(vec![(0, 4)]));
        assert_eq!(offsets(invalid_utf8, b"ab\xe2\x82"), Some(vec![]));
    }
}
