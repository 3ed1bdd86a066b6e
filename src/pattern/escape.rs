//! Walks the bytes of a PCRE pattern and reads escapes.

use super::byte_set::ByteSet;
use super::code_set::{CodeSet, Mode};
use super::error::PatternError;
use super::property::property;
use super::shorthand::shorthand;

/// A position in a pattern's source.
pub(super) struct Scanner<'p> {
    source: &'p [u8],
    position: usize,
    pub mode: Mode,
}

/// Meaning of an escape sequence.
pub(super) enum Escape<'p> {
    /// A byte, or the character of this code.
    Code(u32),
    Set(CodeSet),
    /// A simple assertion, by its letter: `b`, `B`, `A`, `z`, `Z` or `G`.
    Assertion(u8),
    /// `\K`: the match starts here.
    MatchStart,
    /// `\R`: any line ending.
    LineEnding,
    /// `\X`: an extended grapheme cluster.
    Cluster,
    /// `\N`: anything but a newline.
    NotNewline,
    BackReference(Reference<'p>),
    Call(Reference<'p>),
    QuoteStart,
    QuoteEnd,
}

/// The capturing group of a back-reference or a call.
#[derive(Clone, Copy)]
pub(super) enum Reference<'p> {
    Number(usize),
    /// Counted backwards from the reference: 1 is the last group opened.
    Back(usize),
    /// Counted forwards from the reference: 1 is the next group opened.
    Ahead(usize),
    Name(&'p [u8]),
}

impl<'p> Reference<'p> {
    /// Reads a number, a number with a sign, or a name.
    pub(super) fn read(text: &'p [u8]) -> Option<Self> {
        match text {
            [b'-', digits @ ..] => number(digits, 10).map(Self::Back),
            [b'+', digits @ ..] => number(digits, 10).map(Self::Ahead),
            [b'0'..=b'9', ..] => number(text, 10).map(Self::Number),
            _ => is_name(text).then_some(Self::Name(text)),
        }
    }
}

/// Returns `true` if a group may have this name: letters, digits and `_`, at most 32 bytes, not beginning with a digit.
pub(super) fn is_name(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| *byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii();
    text.len() <= LONGEST_NAME && text.iter().all(is_letter) && text.first().is_some_and(|first| !first.is_ascii_digit())
}

/// Maximum length of a group name in bytes, as in PCRE.
const LONGEST_NAME: usize = 32;

/// The highest code of a character.
const LAST_CHARACTER: usize = 0x10_FFFF;

impl<'p> Scanner<'p> {
    pub(super) const fn new(source: &'p [u8]) -> Self {
        Self { source, position: 0, mode: Mode { utf: false, ucp: false } }
    }

    pub(super) const fn position(&self) -> usize {
        self.position
    }

    pub(super) fn rest(&self) -> &'p [u8] {
        self.source.get(self.position..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.source.len());
    }

    pub(super) const fn rewind(&mut self, position: usize) {
        self.position = position;
    }

    /// Takes `expected` if it comes next.
    pub(super) fn take(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.position += expected.len();
        }
        found
    }

    /// Takes bytes as long as they are `wanted`, at most `max` of them.
    pub(super) fn take_while(&mut self, max: usize, wanted: impl Fn(u8) -> bool) -> &'p [u8] {
        let rest = self.rest();
        let count = rest.iter().take(max).take_while(|&&byte| wanted(byte)).count();
        self.skip(count);
        rest.get(..count).unwrap_or_default()
    }

    /// Takes everything before `close`, and `close` itself.
    pub(super) fn take_until(&mut self, close: u8) -> Option<&'p [u8]> {
        let rest = self.rest();
        let length = memchr::memchr(close, rest)?;
        self.skip(length + 1);
        rest.get(..length)
    }

    /// Takes a decimal number; `None` if there is none or it overflows.
    pub(super) fn take_number(&mut self) -> Option<usize> {
        number(self.take_while(usize::MAX, |byte| byte.is_ascii_digit()), 10)
    }

    /// Reads an escape outside a class; its backslash, at `at`, has been taken. `groups` were opened before it.
    pub(super) fn escape(&mut self, at: usize, groups: usize) -> Result<Escape<'p>, PatternError> {
        let Some(letter) = self.peek() else {
            return Err(PatternError::new("`\\` at the end of the pattern", at));
        };
        Ok(match letter {
            b'b' | b'B' | b'A' | b'z' | b'Z' | b'G' => {
                self.skip(1);
                Escape::Assertion(letter)
            }
            b'K' => {
                self.skip(1);
                Escape::MatchStart
            }
            b'R' => {
                self.skip(1);
                Escape::LineEnding
            }
            b'X' => {
                self.skip(1);
                Escape::Cluster
            }
            b'C' => {
                self.skip(1);
                Escape::Set(CodeSet::Bytes(ByteSet::ALL))
            }
            b'N' if self.mode.utf && self.take(b"N{U+") => self.code_until_brace(16, at)?,
            b'N' => {
                self.skip(1);
                Escape::NotNewline
            }
            b'g' | b'k' => {
                self.skip(1);
                self.reference(letter, at)?
            }
            b'1'..=b'9' => self.reference_or_octal(at, groups)?,
            _ => self.common_escape(at)?,
        })
    }

    /// Reads an escape inside a class; its backslash, at `at`, has been taken.
    pub(super) fn class_escape(&mut self, at: usize) -> Result<Escape<'p>, PatternError> {
        Ok(match self.peek() {
            None => return Err(PatternError::new("`\\` at the end of the pattern", at)),
            Some(b'b') => {
                self.skip(1);
                Escape::Code(0x08)
            }
            Some(b'1'..=b'7') => self.octal(3, at)?,
            Some(digit @ (b'8' | b'9' | b'g')) => {
                self.skip(1);
                Escape::Code(u32::from(digit))
            }
            Some(b'N' | b'R' | b'X' | b'B') => {
                return Err(PatternError::new("escape sequence is invalid in a character class", at));
            }
            Some(_) => self.common_escape(at)?,
        })
    }

    /// Reads the escapes with the same meaning inside and outside a class.
    fn common_escape(&mut self, at: usize) -> Result<Escape<'p>, PatternError> {
        let Some(letter) = self.next() else {
            return Err(PatternError::new("`\\` at the end of the pattern", at));
        };
        Ok(match letter {
            b'a' => Escape::Code(0x07),
            b'e' => Escape::Code(0x1b),
            b'f' => Escape::Code(0x0c),
            b'n' => Escape::Code(u32::from(b'\n')),
            b'r' => Escape::Code(u32::from(b'\r')),
            b't' => Escape::Code(u32::from(b'\t')),
            b'c' => match self.next() {
                Some(control @ b' '..=b'~') => Escape::Code(u32::from(control.to_ascii_uppercase() ^ 0x40)),
                _ => return Err(PatternError::new("`\\c` needs a printable ASCII character", at)),
            },
            b'0' => {
                let digits = self.take_while(2, is_octal);
                Escape::Code(self.code(number(digits, 8).or(Some(0)), at)?)
            }
            b'o' => self.braced_code(8, at)?,
            b'x' if self.peek() == Some(b'{') => self.braced_code(16, at)?,
            b'x' => {
                let digits = self.take_while(2, |byte| byte.is_ascii_hexdigit());
                Escape::Code(self.code(number(digits, 16).or(Some(0)), at)?)
            }
            b'Q' => Escape::QuoteStart,
            b'E' => Escape::QuoteEnd,
            b'p' | b'P' => {
                let name = if self.take(b"{") { self.take_until(b'}') } else { Some(self.take_while(1, |_| true)) };
                let set = property(self.mode, name.unwrap_or_default(), at)?;
                Escape::Set(if letter == b'P' { set.complement() } else { set })
            }
            _ => match shorthand(self.mode, letter) {
                Some(set) => Escape::Set(set),
                None if letter.is_ascii_alphanumeric() => {
                    return Err(PatternError::new("unknown escape sequence", at));
                }
                None if letter.is_ascii() => Escape::Code(u32::from(letter)),
                None => {
                    self.rewind(self.position.saturating_sub(1));
                    Escape::Code(self.next_code(at)?)
                }
            },
        })
    }

    /// `\1` to `\9`, and larger numbers of existing groups, are back-references; others are octal codes or digits.
    fn reference_or_octal(&mut self, at: usize, groups: usize) -> Result<Escape<'p>, PatternError> {
        let before = self.position;
        if let Some(wanted) = self.take_number() {
            let leads_no_octal = matches!(self.source.get(before), Some(b'8' | b'9'));
            if wanted < 10 || wanted <= groups || leads_no_octal {
                return Ok(Escape::BackReference(Reference::Number(wanted)));
            }
        }
        self.rewind(before);
        self.octal(3, at)
    }

    fn octal(&mut self, max: usize, at: usize) -> Result<Escape<'p>, PatternError> {
        let digits = self.take_while(max, is_octal);
        Ok(Escape::Code(self.code(number(digits, 8), at)?))
    }

    fn braced_code(&mut self, radix: u32, at: usize) -> Result<Escape<'p>, PatternError> {
        if !self.take(b"{") {
            return Err(PatternError::new("this escape needs digits", at));
        }
        self.code_until_brace(radix, at)
    }

    fn code_until_brace(&mut self, radix: u32, at: usize) -> Result<Escape<'p>, PatternError> {
        let digits = self.take_until(b'}');
        Ok(Escape::Code(self.code(digits.and_then(|digits| number(digits, radix)), at)?))
    }

    /// Returns the code if it is one of a byte, or with `(*UTF)` of a character.
    fn code(&self, value: Option<usize>, at: usize) -> Result<u32, PatternError> {
        let value = value.ok_or_else(|| PatternError::new("this escape needs digits", at))?;
        match self.mode.utf {
            false if value > usize::from(u8::MAX) => {
                Err(PatternError::new("character code above 255: patterns see bytes, unless they begin with `(*UTF)`", at))
            }
            true if value > LAST_CHARACTER || (0xD800..=0xDFFF).contains(&value) => {
                Err(PatternError::new("this code is not a Unicode character", at))
            }
            _ => u32::try_from(value).map_err(|_| PatternError::new("this code is not a character", at)),
        }
    }

    /// Returns the next byte, or with `(*UTF)` the next character.
    pub(super) fn next_code(&mut self, at: usize) -> Result<u32, PatternError> {
        let Some(byte) = self.next() else { return Err(PatternError::new("the pattern ends here", at)) };
        if byte.is_ascii() || !self.mode.utf {
            return Ok(u32::from(byte));
        }
        self.rewind(self.position.saturating_sub(1));
        let Some(char) = first_char(self.rest()) else { return Err(PatternError::new("the pattern is not UTF-8 here", self.position)) };
        self.skip(char.len_utf8());
        Ok(u32::from(char))
    }

    /// Reads what follows `\g` or `\k`.
    fn reference(&mut self, letter: u8, at: usize) -> Result<Escape<'p>, PatternError> {
        let close = match self.peek() {
            Some(b'{') => Some(b'}'),
            Some(b'<') => Some(b'>'),
            Some(b'\'') => Some(b'\''),
            _ => None,
        };
        let is_call = letter == b'g' && close.is_some_and(|close| close != b'}');
        let wanted = match close {
            Some(close) => {
                self.skip(1);
                self.take_until(close)
            }
            None if letter == b'g' => Some(self.take_while(usize::MAX, |byte| matches!(byte, b'-' | b'+') || byte.is_ascii_digit())),
            None => None,
        };
        let reference = wanted.and_then(Reference::read).filter(|reference| letter == b'g' || matches!(reference, Reference::Name(_)));
        let reference = reference.ok_or_else(|| PatternError::new("this reference names no group", at))?;
        Ok(if is_call { Escape::Call(reference) } else { Escape::BackReference(reference) })
    }
}

/// Returns the first character of a UTF-8 text.
pub(super) fn first_char(text: &[u8]) -> Option<char> {
    let start = text.get(..4.min(text.len()))?;
    match std::str::from_utf8(start) {
        Ok(text) => text.chars().next(),
        Err(error) => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?.chars().next(),
    }
}

const fn is_octal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'7')
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |value, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        value.checked_mul(radix as usize)?.checked_add(digit as usize)
    })
}
