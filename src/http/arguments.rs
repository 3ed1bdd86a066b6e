//! Arguments of query strings and URL-encoded bodies.

use std::borrow::Cow;

use memchr::memchr;

use super::url;

/// An argument as written, before decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawArgument<'a> {
    /// The bytes before the first `=`, or the whole segment if it has none.
    pub name: &'a [u8],
    /// The bytes after the first `=`; empty if the segment has none.
    pub value: &'a [u8],
    /// Offset of the name in the text that was split, in bytes.
    pub offset: usize,
}

/// An argument with `%XX` and `+` decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'a> {
    /// The decoded name.
    pub name: Cow<'a, [u8]>,
    /// The decoded value.
    pub value: Cow<'a, [u8]>,
    /// Offset of the raw name in the text that was split, in bytes.
    pub offset: usize,
    /// `true` if name or value has an invalid `%` escape (`URLENCODED_ERROR`).
    pub invalid_encoding: bool,
}

impl Argument<'_> {
    /// Returns the offset of the value in v3's log references, in bytes of the text that was split: one byte after the *decoded* name, with or
    /// without an `=`.
    pub fn value_offset(&self) -> usize {
        self.offset.saturating_add(self.name.len()).saturating_add(1)
    }
}

impl<'a> RawArgument<'a> {
    /// Decodes name and value.
    pub fn decode(&self) -> Argument<'a> {
        let name = url::decode_form(self.name);
        let value = url::decode_form(self.value);
        Argument { name: name.bytes, value: value.bytes, offset: self.offset, invalid_encoding: name.invalid || value.invalid }
    }
}

/// Splits `text` into arguments at each `separator` (`&` unless `SecArgumentSeparator` says otherwise).
///
/// As in v3 an empty segment is an argument with empty name and value, except an empty last one:
/// `a&&b&` has three arguments, and an empty text has none.
pub fn split(text: &[u8], separator: u8) -> Split<'_> {
    Split { rest: text, offset: 0, separator }
}

/// The iterator that [`split`] returns.
#[derive(Debug, Clone)]
pub struct Split<'a> {
    rest: &'a [u8],
    offset: usize,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = RawArgument<'a>;

    fn next(&mut self) -> Option<RawArgument<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (segment, rest) = cut_at(self.rest, self.separator).unwrap_or((self.rest, b""));
        let (name, value) = cut_at(segment, b'=').unwrap_or((segment, b""));
        let argument = RawArgument { name, value, offset: self.offset };
        self.offset = self.offset.saturating_add(segment.len()).saturating_add(1);
        self.rest = rest;
        Some(argument)
    }
}

/// Returns the bytes before and after the first `byte`.
pub(super) fn cut_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(memchr(byte, text)?)?;
    Some((before, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        split(text.as_bytes(), b'&').map(|raw| (text_of(raw.name), text_of(raw.value), raw.offset)).collect()
    }

    fn pair(name: &str, value: &str, offset: usize) -> (String, String, usize) {
        (name.to_owned(), value.to_owned(), offset)
    }

    #[test]
    fn names_and_values_are_cut_at_the_first_equals_sign() {
        assert_eq!(pairs("a=1&b==2&c"), [pair("a", "1", 0), pair("b", "=2", 4), pair("c", "", 9)]);
    }

    #[test]
    fn empty_segments_count_except_the_last() {
        assert_eq!(pairs("&&x&"), [pair("", "", 0), pair("", "", 1), pair("x", "", 2)]);
        assert_eq!(pairs("&"), [pair("", "", 0)]);
        assert_eq!(pairs("="), [pair("", "", 0)]);
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn the_separator_is_a_setting() {
        let values: Vec<_> = split(b"a=1;b=2&3", b';').map(|raw| raw.value).collect();
        assert_eq!(values, [&b"1"[..], b"2&3"]);
    }

    #[test]
    fn decoding_flags_invalid_escapes_in_name_or_value() {
        let decoded: Vec<_> = split(b"%61+b=%41&%zz=1&x=%", b'&').map(|raw| raw.decode()).collect();
        assert_eq!(decoded[0].name.as_ref(), b"a b");
        assert_eq!(decoded[0].value.as_ref(), b"A");
        assert_eq!(decoded[0].value_offset(), 4);
        let flags: Vec<_> = decoded.iter().map(|argument| argument.invalid_encoding).collect();
        assert_eq!(flags, [false, true, true]);
    }
}
