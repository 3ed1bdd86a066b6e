//! The set of bytes, or of UTF-8 characters, of a class or an escape.

use super::byte_set::ByteSet;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// The input encoding of a pattern: the effect of `(*UTF)` and `(*UCP)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mode {
    /// The input is UTF-8 characters; otherwise bytes.
    pub utf: bool,
    /// `\w`, `\d`, `\s`, `\b`, POSIX names and case follow Unicode; otherwise ASCII.
    pub ucp: bool,
}

/// A set of bytes or of characters. For Unicode properties, bytes are Latin-1 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CodeSet {
    Bytes(ByteSet),
    Chars(ClassUnicode),
}

/// The highest code of a byte.
const LAST_BYTE: u32 = 0xFF;

impl CodeSet {
    pub(super) fn empty(mode: Mode) -> Self {
        Self::of(mode, ByteSet::EMPTY)
    }

    /// Returns the set of every byte or character.
    pub(super) fn all(mode: Mode) -> Self {
        Self::empty(mode).complement()
    }

    /// Returns the set of these bytes, or of the characters with the same codes.
    pub(super) fn of(mode: Mode, bytes: ByteSet) -> Self {
        if mode.utf { Self::Chars(chars_of(bytes)) } else { Self::Bytes(bytes) }
    }

    /// Returns the set of the codes from `start` to `end`, without surrogates.
    pub(super) fn range(mode: Mode, start: u32, end: u32) -> Self {
        let byte = |code: u32| u8::try_from(code).unwrap_or(u8::MAX);
        if !mode.utf {
            return if start > LAST_BYTE { Self::Bytes(ByteSet::EMPTY) } else { Self::Bytes(ByteSet::range(byte(start)..=byte(end))) };
        }
        let parts = [(start, end.min(0xD7FF)), (start.max(0xE000), end)];
        let parts = parts.into_iter().filter(|(start, end)| start <= end);
        let ranges = parts.filter_map(|(start, end)| Some(ClassUnicodeRange::new(char::from_u32(start)?, char::from_u32(end)?)));
        Self::Chars(ClassUnicode::new(ranges))
    }

    pub(super) fn one(mode: Mode, code: u32) -> Self {
        match u8::try_from(code) {
            Ok(byte) if !mode.utf => Self::Bytes(ByteSet::EMPTY.with(byte)),
            _ => Self::range(mode, code, code),
        }
    }

    /// Returns the set of the characters of a class that the mode can read.
    pub(super) fn of_chars(mode: Mode, chars: ClassUnicode) -> Self {
        if mode.utf { Self::Chars(chars) } else { Self::Bytes(bytes_of(&chars)) }
    }

    pub(super) fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => Self::Bytes(one.union(other)),
            (Self::Chars(mut one), Self::Chars(other)) => {
                one.union(&other);
                Self::Chars(one)
            }
            (Self::Chars(mut chars), Self::Bytes(bytes)) | (Self::Bytes(bytes), Self::Chars(mut chars)) => {
                chars.union(&chars_of(bytes));
                Self::Chars(chars)
            }
        }
    }

    pub(super) fn complement(self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.complement()),
            Self::Chars(mut chars) => {
                chars.negate();
                Self::Chars(chars)
            }
        }
    }

    /// Returns the set with the other cases of its letters added.
    pub(super) fn fold_case(self, mode: Mode) -> Self {
        match self {
            Self::Bytes(bytes) if mode.ucp => Self::Bytes(bytes_of(&folded(chars_of(bytes)))),
            Self::Bytes(bytes) => Self::Bytes(bytes.fold_case()),
            Self::Chars(chars) => Self::Chars(folded(chars)),
        }
    }

    /// Returns the set as bytes, if each member is one byte of the input.
    pub(super) fn single_bytes(&self) -> Option<ByteSet> {
        match self {
            Self::Bytes(bytes) => Some(*bytes),
            Self::Chars(chars) => chars.ranges().iter().all(|range| range.end().is_ascii()).then(|| bytes_of(chars)),
        }
    }
}

fn folded(mut chars: ClassUnicode) -> ClassUnicode {
    // Without case tables the set stays as it is; the dependency is built with them.
    if chars.try_case_fold_simple().is_err() {
        return chars;
    }
    chars
}

fn chars_of(bytes: ByteSet) -> ClassUnicode {
    ClassUnicode::new(bytes.ranges().map(|range| ClassUnicodeRange::new(char::from(*range.start()), char::from(*range.end()))))
}

fn bytes_of(chars: &ClassUnicode) -> ByteSet {
    let byte = |char: char| u8::try_from(u32::from(char));
    let ranges = chars.ranges().iter().filter_map(|range| Some(byte(range.start()).ok()?..=byte(range.end()).unwrap_or(u8::MAX)));
    ranges.map(ByteSet::range).fold(ByteSet::EMPTY, ByteSet::union)
}
