//! Cuts the text of a statement into tokens.

use memchr::memchr;
use memchr::memmem::Finder;
use std::sync::LazyLock;

use super::lexicon::Lexicon;
use super::token::{Class, Token};

static COMMENT_START: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"/*"));
static COMMENT_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"*/"));

/// Syntax of comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `--` begins a comment, `#` is an operator.
    Ansi,
    /// `--` begins a comment only before a blank, `#` begins one.
    MySql,
}

/// Iterator over the tokens of a text.
pub(super) struct Tokens<'a> {
    pub(super) input: &'a [u8],
    pub(super) at: usize,
    pub(super) lexicon: &'static Lexicon,
    dialect: Dialect,
    /// The quote that is assumed before the text.
    inside: Option<u8>,
    /// Number of tokens so far.
    taken: usize,
    /// `true` if the dialects read a comment differently.
    disputed: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(input: &'a [u8], inside: Option<u8>, dialect: Dialect) -> Tokens<'a> {
        Tokens { input, at: 0, lexicon: Lexicon::shared(), dialect, inside, taken: 0, disputed: false }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn disputed(&self) -> bool {
        self.disputed
    }

    /// Returns the rest of the input.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Returns the byte `ahead` bytes away.
    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.input.get(self.at + ahead).copied()
    }

    /// Takes the next `length` bytes as the text of a token.
    pub(super) fn take(&mut self, class: Class, length: usize) -> Token<'a> {
        let text = self.rest().get(..length).unwrap_or(self.rest());
        self.at += length;
        Token::new(class, text)
    }

    fn token(&mut self, byte: u8) -> Token<'a> {
        use Class::*;
        match byte {
            b'\'' | b'"' => self.quoted(1, byte),
            b'#' => self.number_sign(),
            b'$' => self.dollar(),
            b'%' | b'^' | b'+' | b'~' => self.take(Operator, 1),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(byte),
            b'(' => self.take(LeftParenthesis, 1),
            b')' => self.take(RightParenthesis, 1),
            b',' => self.take(Comma, 1),
            b';' => self.take(Semicolon, 1),
            b'{' => self.take(LeftBrace, 1),
            b'}' => self.take(RightBrace, 1),
            b'?' | b']' => self.take(Unknown, 1),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'\\' if self.peek(1) == Some(b'N') => self.take(Number, 2),
            b'\\' => self.take(Backslash, 1),
            b'.' | b'0'..=b'9' => self.number(),
            b'@' => self.variable(),
            b'[' => self.bracketed(),
            b'`' => self.ticked(),
            b'b' | b'B' => self.digits_in_quotes(|digit| matches!(digit, b'0' | b'1' | 0)),
            b'x' | b'X' => self.digits_in_quotes(|digit| digit.is_ascii_hexdigit() || digit == 0),
            b'e' | b'E' => self.escaped_string(),
            b'n' | b'N' => self.national_string(),
            b'q' | b'Q' => self.chosen_quotes(0),
            b'u' | b'U' => self.unicode_string(),
            _ => self.word(),
        }
    }

    fn operator(&mut self, byte: u8) -> Token<'a> {
        if self.rest().starts_with(b"<=>") {
            return self.take(Class::Operator, 3);
        }
        let Some(pair) = self.rest().get(..2) else { return self.take(Class::Operator, 1) };
        match self.lexicon.find(pair).and_then(|pair| pair.class) {
            Some(class) => self.take(class, 2),
            None if byte == b':' => self.take(Class::Colon, 1),
            None => self.take(Class::Operator, 1),
        }
    }

    fn number_sign(&mut self) -> Token<'a> {
        self.disputed = true;
        match self.dialect {
            Dialect::Ansi => self.take(Class::Operator, 1),
            Dialect::MySql => self.line_comment(),
        }
    }

    fn dash(&mut self) -> Token<'a> {
        if self.peek(1) != Some(b'-') {
            return self.take(Class::Operator, 1);
        }
        if self.peek(2).is_none_or(is_blank) {
            return self.line_comment();
        }
        self.disputed = true;
        match self.dialect {
            Dialect::Ansi => self.line_comment(),
            Dialect::MySql => self.take(Class::Operator, 1),
        }
    }

    fn line_comment(&mut self) -> Token<'a> {
        let rest = self.rest();
        let end = memchr(b'\n', rest);
        let comment = self.take(Class::Comment, end.unwrap_or(rest.len()));
        self.at += usize::from(end.is_some());
        comment
    }

    fn slash(&mut self) -> Token<'a> {
        if self.peek(1) != Some(b'*') {
            return self.take(Class::Operator, 1);
        }
        let body = self.rest().get(2..).unwrap_or_default();
        let end = COMMENT_END.find(body);
        // PostgreSQL nests comments, and MySQL runs the content of `/*!`. The first byte of the end counts as inside, so that `/*/*/` nests.
        let nests = end.and_then(|end| body.get(..=end)).is_some_and(|body| COMMENT_START.find(body).is_some());
        let class = if nests || body.starts_with(b"!") { Class::Evil } else { Class::Comment };
        self.take(class, 2 + end.map_or(body.len(), |end| end + 2))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let quote = if self.at == 0 { self.inside } else { None };
        let token = match quote {
            Some(quote) => self.behind(quote),
            None => {
                self.at += self.rest().iter().position(|&byte| !is_skipped(byte))?;
                let byte = self.peek(0)?;
                self.token(byte)
            }
        };
        self.taken += 1;
        Some(token)
    }
}

/// Returns `true` if a byte only ends the token before it.
fn is_skipped(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7F | 0xA0)
}

/// Returns `true` if a byte is white space in some dialect: Oracle includes NUL, and Latin-1 0xA0.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xA0 | 0)
}
