//! Walks the bytes of a PCRE pattern and reads what follows a backslash.

use super::byte_set::ByteSet;
use super::class::shorthand;
use super::error::PatternError;

/// A position in a pattern's source.
pub(super) struct Scanner<'p> {
    source: &'p [u8],
    position: usize,
}

/// What an escape sequence means.
pub(super) enum Escape<'p> {
    Byte(u8),
    Set(ByteSet),
    /// A simple assertion, by its letter: `b`, `B`, `A`, `z`, `Z` or `G`.
    Assertion(u8),
    /// `\K`: the match starts here.
    MatchStart,
    /// `\R`: any line ending.
    LineEnding,
    BackReference(Reference<'p>),
    QuoteStart,
    QuoteEnd,
}

/// The capturing group that a back-reference names.
#[derive(Clone, Copy)]
pub(super) enum Reference<'p> {
    Number(usize),
    /// Counted back from the place of the reference: 1 is the group opened last.
    Relative(usize),
    Name(&'p [u8]),
}

impl<'p> Scanner<'p> {
    pub(super) const fn new(source: &'p [u8]) -> Self {
        Self { source, position: 0 }
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

    /// Takes `expected` when it comes next.
    pub(super) fn take(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.position += expected.len();
        }
        found
    }

    /// Takes bytes as long as they are `wanted`, at most `most` of them.
    pub(super) fn take_while(&mut self, most: usize, wanted: impl Fn(u8) -> bool) -> &'p [u8] {
        let rest = self.rest();
        let count = rest.iter().take(most).take_while(|&&byte| wanted(byte)).count();
        self.skip(count);
        rest.get(..count).unwrap_or_default()
    }

    /// Takes what comes before `close`, and `close`.
    pub(super) fn take_until(&mut self, close: u8) -> Option<&'p [u8]> {
        let rest = self.rest();
        let length = memchr::memchr(close, rest)?;
        self.skip(length + 1);
        rest.get(..length)
    }

    /// Takes a decimal number; `None` when there is none or it is absurdly large.
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
            b'C' => {
                self.skip(1);
                Escape::Set(ByteSet::ALL)
            }
            b'N' => {
                self.skip(1);
                Escape::Set(ByteSet::of(b"\n").complement())
            }
            b'g' | b'k' => {
                self.skip(1);
                Escape::BackReference(self.reference(letter, at)?)
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
                Escape::Byte(0x08)
            }
            Some(b'1'..=b'7') => self.octal(3, at)?,
            Some(digit @ (b'8' | b'9')) => {
                self.skip(1);
                Escape::Byte(digit)
            }
            Some(b'N' | b'R' | b'X' | b'B') => {
                return Err(PatternError::new("escape sequence is invalid in a character class", at));
            }
            Some(_) => self.common_escape(at)?,
        })
    }

    /// The escapes that mean the same inside and outside a class.
    fn common_escape(&mut self, at: usize) -> Result<Escape<'p>, PatternError> {
        let Some(letter) = self.next() else {
            return Err(PatternError::new("`\\` at the end of the pattern", at));
        };
        Ok(match letter {
            b'a' => Escape::Byte(0x07),
            b'e' => Escape::Byte(0x1b),
            b'f' => Escape::Byte(0x0c),
            b'n' => Escape::Byte(b'\n'),
            b'r' => Escape::Byte(b'\r'),
            b't' => Escape::Byte(b'\t'),
            b'c' => match self.next() {
                Some(control @ b' '..=b'~') => Escape::Byte(control.to_ascii_uppercase() ^ 0x40),
                _ => return Err(PatternError::new("`\\c` needs a printable ASCII character", at)),
            },
            b'0' => {
                let digits = self.take_while(2, is_octal);
                Escape::Byte(code(number(digits, 8).or(Some(0)), at)?)
            }
            b'o' => self.braced_code(8, at)?,
            b'x' if self.peek() == Some(b'{') => self.braced_code(16, at)?,
            b'x' => {
                let digits = self.take_while(2, |byte| byte.is_ascii_hexdigit());
                Escape::Byte(code(number(digits, 16).or(Some(0)), at)?)
            }
            b'Q' => Escape::QuoteStart,
            b'E' => Escape::QuoteEnd,
            b'p' | b'P' | b'X' => {
                return Err(PatternError::new("Unicode properties are not supported: patterns see bytes", at));
            }
            _ => match shorthand(letter) {
                Some(set) => Escape::Set(set),
                None if letter.is_ascii_alphanumeric() => {
                    return Err(PatternError::new("unknown escape sequence", at));
                }
                None => Escape::Byte(letter),
            },
        })
    }

    /// `\1` to `\9`, and longer numbers of groups that exist already, refer back; others are octal or digits.
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

    fn octal(&mut self, most: usize, at: usize) -> Result<Escape<'p>, PatternError> {
        let digits = self.take_while(most, is_octal);
        Ok(Escape::Byte(code(number(digits, 8), at)?))
    }

    fn braced_code(&mut self, radix: u32, at: usize) -> Result<Escape<'p>, PatternError> {
        let digits = if self.take(b"{") { self.take_until(b'}') } else { None };
        Ok(Escape::Byte(code(digits.and_then(|digits| number(digits, radix)), at)?))
    }

    /// What follows `\g` or `\k`.
    fn reference(&mut self, letter: u8, at: usize) -> Result<Reference<'p>, PatternError> {
        let close = match self.peek() {
            Some(b'{') => Some(b'}'),
            Some(b'<') if letter == b'k' => Some(b'>'),
            Some(b'\'') if letter == b'k' => Some(b'\''),
            Some(b'<' | b'\'') => {
                return Err(PatternError::new("subroutine calls are not supported", at));
            }
            _ => None,
        };
        let wanted = match close {
            Some(close) => {
                self.skip(1);
                self.take_until(close)
            }
            None if letter == b'g' => Some(self.take_while(usize::MAX, |byte| byte == b'-' || byte.is_ascii_digit())),
            None => None,
        };
        let parsed = wanted.and_then(|wanted| {
            if let Some(back) = wanted.strip_prefix(b"-") {
                number(back, 10).map(Reference::Relative)
            } else if wanted.first()?.is_ascii_digit() {
                number(wanted, 10).map(Reference::Number)
            } else {
                Some(Reference::Name(wanted))
            }
        });
        parsed.ok_or_else(|| PatternError::new("this back-reference names no group", at))
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

fn code(value: Option<usize>, at: usize) -> Result<u8, PatternError> {
    let value = value.ok_or_else(|| PatternError::new("this escape needs digits", at))?;
    u8::try_from(value).map_err(|_| PatternError::new("character code above 255: patterns see bytes", at))
}
