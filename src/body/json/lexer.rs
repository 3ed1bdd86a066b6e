//! Cuts JSON text into tokens, exactly as YAJL does.

use std::borrow::Cow;

use crate::http::blank::is_blank;

use super::error::JsonError;
use super::string;

/// A token; strings and numbers point into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    OpenObject,
    CloseObject,
    OpenArray,
    CloseArray,
    Colon,
    Comma,
    String(RawString<'a>),
    Number(&'a [u8]),
    True,
    False,
    Null,
}

/// The content of a string literal whose escapes are known to be well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawString<'a> {
    text: &'a [u8],
    escaped: bool,
}

impl<'a> RawString<'a> {
    /// Returns the string without escapes; copied only if it has escapes.
    pub(super) fn unescaped(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.text);
        }
        let mut unescaped = Vec::with_capacity(self.text.len());
        self.append_to(&mut unescaped);
        Cow::Owned(unescaped)
    }

    /// Appends the string without escapes.
    pub(super) fn append_to(&self, buffer: &mut Vec<u8>) {
        if self.escaped {
            string::unescape(self.text, buffer);
        } else {
            buffer.extend_from_slice(self.text);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the string as written.
    pub(super) fn raw(&self) -> &'a [u8] {
        self.text
    }
}

/// Reads tokens in order.
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Lexer { rest: text }
    }

    /// Returns the next token; `None` at the end of the text, also if a string is still open there.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, JsonError> {
        self.skip_blanks();
        let Some((first, after)) = self.rest.split_first() else { return Ok(None) };
        let token = match first {
            b'{' => Token::OpenObject,
            b'}' => Token::CloseObject,
            b'[' => Token::OpenArray,
            b']' => Token::CloseArray,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(after),
            b'-' | b'0'..=b'9' => return self.number().map(Some),
            b't' => return self.word(b"true", Token::True).map(Some),
            b'f' => return self.word(b"false", Token::False).map(Some),
            b'n' => return self.word(b"null", Token::Null).map(Some),
            b'/' => return Err(JsonError::Comment),
            _ => return Err(JsonError::InvalidCharacter),
        };
        self.rest = after;
        Ok(Some(token))
    }

    /// Returns `true` if only blanks are left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.is_empty()
    }

    /// Returns the number of bytes after the last token.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn skip_blanks(&mut self) {
        while let [first, rest @ ..] = self.rest
            && is_blank(*first)
        {
            self.rest = rest;
        }
    }

    fn word(&mut self, word: &[u8], token: Token<'a>) -> Result<Token<'a>, JsonError> {
        self.rest = self.rest.strip_prefix(word).ok_or(JsonError::InvalidWord)?;
        Ok(token)
    }

    fn string(&mut self, inside: &'a [u8]) -> Result<Option<Token<'a>>, JsonError> {
        let Some(scanned) = string::scan(inside)? else {
            self.rest = b"";
            return Ok(None);
        };
        let Some((text, [_quote, after @ ..])) = inside.split_at_checked(scanned.length) else { return Ok(None) };
        self.rest = after;
        Ok(Some(Token::String(RawString { text, escaped: scanned.escaped })))
    }

    /// Takes the longest number: `01` is `0` followed by `1`.
    fn number(&mut self) -> Result<Token<'a>, JsonError> {
        let text = self.rest;
        let is_negative = text.first() == Some(&b'-');
        let mut end = usize::from(is_negative);
        // A `0` must be the only digit before a decimal point.
        let digits = if text.get(end) == Some(&b'0') { 1 } else { digits(text, end) };
        if is_negative && digits == 0 {
            return Err(JsonError::DigitAfterMinus);
        }
        end += digits;
        if text.get(end) == Some(&b'.') {
            end = after_digits(text, end + 1).ok_or(JsonError::DigitAfterPoint)?;
        }
        if matches!(text.get(end), Some(b'e' | b'E')) {
            end += if matches!(text.get(end + 1), Some(b'+' | b'-')) { 2 } else { 1 };
            end = after_digits(text, end).ok_or(JsonError::DigitAfterExponent)?;
        }
        let (number, rest) = text.split_at_checked(end).unwrap_or((text, b""));
        self.rest = rest;
        Ok(Token::Number(number))
    }
}

/// Returns the number of digits from an offset on.
fn digits(text: &[u8], from: usize) -> usize {
    text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Returns the offset after the digits from an offset on; `None` if there are none.
fn after_digits(text: &[u8], from: usize) -> Option<usize> {
    let count = digits(text, from);
    (count > 0).then_some(from + count)
}
