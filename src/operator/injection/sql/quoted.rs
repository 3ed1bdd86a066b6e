//! Tokens within quotes of any kind.

use memchr::memchr;
use memchr::memmem;

use super::token::{Class, Token};
use super::tokenizer::Tokens;

impl<'a> Tokens<'a> {
    /// Reads the rest of a string whose opening quote is before the input.
    pub(super) fn behind(&mut self, quote: u8) -> Token<'a> {
        Token { opened: None, ..self.quoted(0, quote) }
    }

    /// Reads a string that begins `opening` bytes ahead, after its opening quote.
    pub(super) fn quoted(&mut self, opening: usize, quote: u8) -> Token<'a> {
        self.at += opening;
        let end = closing_quote(self.rest(), quote);
        self.string(quote, end, 1)
    }

    /// Reads a word in MySQL's backticks: it names a function, or anything.
    pub(super) fn ticked(&mut self) -> Token<'a> {
        let token = self.quoted(1, b'`');
        let word = self.lexicon.find(token.text);
        let class = if word.and_then(|word| word.class) == Some(Class::Function) { Class::Function } else { Class::Bareword };
        Token { class, leads: word.is_some_and(|word| word.leads), ..token }
    }

    /// Reads a column in the brackets of Transact-SQL.
    pub(super) fn bracketed(&mut self) -> Token<'a> {
        let end = memchr(b']', self.rest());
        self.take(Class::Bareword, end.map_or(self.rest().len(), |end| end + 1))
    }

    /// Reads `b'01'` and `x'0f'` as numbers.
    pub(super) fn digits_in_quotes(&mut self, is_digit: impl Fn(u8) -> bool) -> Token<'a> {
        let Some([_, b'\'', digits @ ..]) = self.rest().get(..) else { return self.word() };
        let length = digits.iter().take_while(|&&digit| is_digit(digit)).count();
        if digits.get(length) != Some(&b'\'') {
            return self.word();
        }
        self.take(Class::Number, length + 3)
    }

    /// Reads `E'…'` of PostgreSQL.
    pub(super) fn escaped_string(&mut self) -> Token<'a> {
        match self.rest() {
            [_, b'\'', _, ..] => self.quoted(2, b'\''),
            _ => self.word(),
        }
    }

    /// Reads `N'…'`, and `NQ'(…)'` of Oracle.
    pub(super) fn national_string(&mut self) -> Token<'a> {
        match self.rest() {
            [_, b'\'', _, ..] => self.quoted(2, b'\''),
            _ => self.chosen_quotes(1),
        }
    }

    /// Reads `U&'…'`.
    pub(super) fn unicode_string(&mut self) -> Token<'a> {
        if self.rest().get(1..3) != Some(b"&'") {
            return self.word();
        }
        let token = self.quoted(3, b'\'');
        Token { opened: Some(b'u'), closed: token.closed.map(|_| b'u'), ..token }
    }

    /// Reads `Q'(…)'` of Oracle, `prefix` bytes ahead, with any delimiter.
    pub(super) fn chosen_quotes(&mut self, prefix: usize) -> Token<'a> {
        let Some(&[b'q' | b'Q', b'\'', open @ b'!'..=0x7F, ..]) = self.rest().get(prefix..) else { return self.word() };
        let close = match open {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            _ => open,
        };
        self.at += prefix + 3;
        let end = memmem::find(self.rest(), &[close, b'\'']);
        self.string(b'q', end, 2)
    }

    /// Reads `$$…$$` and `$tag$…$tag$` of PostgreSQL, sums of money, or a single `$`.
    pub(super) fn dollar(&mut self) -> Token<'a> {
        let behind = self.rest().get(1..).unwrap_or_default();
        let digits = behind.iter().take_while(|&&byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | 0)).count();
        match (digits, behind) {
            (0, [b'$', text @ ..]) => {
                self.at += 2;
                self.string(b'$', memmem::find(text, b"$$"), 2)
            }
            (0, _) => self.tagged(behind),
            (1, [b'.', ..]) => self.word(),
            _ => self.take(Class::Number, 1 + digits),
        }
    }

    fn tagged(&mut self, behind: &'a [u8]) -> Token<'a> {
        let letters = behind.iter().take_while(|&&byte| byte.is_ascii_alphabetic() || byte == 0).count();
        if letters == 0 || behind.get(letters) != Some(&b'$') {
            return self.take(Class::Bareword, 1);
        }
        let tag = self.rest().get(..letters + 2).unwrap_or_default();
        self.at += tag.len();
        let end = memmem::find(self.rest(), tag);
        self.string(b'$', end, tag.len())
    }

    /// Returns the string that ends `end` bytes ahead with `closing` bytes of closing quotes; without an end, the rest.
    fn string(&mut self, quote: u8, end: Option<usize>, closing: usize) -> Token<'a> {
        let token = self.take(Class::String, end.unwrap_or(self.rest().len()));
        self.at += if end.is_some() { closing } else { 0 };
        Token { opened: Some(quote), closed: end.map(|_| quote), ..token }
    }
}

/// Returns the offset of the quote that is neither escaped by a backslash nor doubled.
fn closing_quote(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(quote, text.get(from..)?)?;
        let backslashes = text.get(..at)?.iter().rev().take_while(|&&byte| byte == b'\\').count();
        if backslashes % 2 == 1 {
            from = at + 1;
        } else if text.get(at + 1) == Some(&quote) {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}
