//! Words, variables and numbers.

use super::token::{Class, LONGEST_TEXT, Token};
use super::tokenizer::{Tokens, is_blank};

/// A byte within a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Letter,
    /// It may end a word of the lexicon, and belongs to any other.
    Split,
    End,
}

/// The part of each byte: words can be as long as the value, and a table takes a third of the instructions.
static PARTS: [Part; 256] = {
    let mut parts = [Part::Letter; 256];
    let mut rest: &mut [Part] = &mut parts;
    let mut byte = 0u8;
    while let Some((part, following)) = rest.split_first_mut() {
        if ends_word(byte) {
            *part = Part::End;
        } else if matches!(byte, b'.' | b'`') {
            *part = Part::Split;
        }
        rest = following;
        byte = byte.wrapping_add(1);
    }
    parts
};

impl<'a> Tokens<'a> {
    /// Reads a word: of the lexicon, or any name.
    pub(super) fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        let part = |byte: u8| PARTS.get(usize::from(byte)).copied().unwrap_or(Part::End);
        let mut end = rest.iter().position(|&byte| part(byte) != Part::Letter).unwrap_or(rest.len());
        let splits = rest.get(end).is_some_and(|&byte| part(byte) == Part::Split);
        if splits {
            let further = rest.get(end..).unwrap_or_default();
            end += further.iter().position(|&byte| part(byte) == Part::End).unwrap_or(further.len());
        }
        let text = rest.get(..end).unwrap_or_default();
        if let Some(word) = Some(text).filter(|_| splits).and_then(|text| self.word_within(text)) {
            return word;
        }
        let word = self.lexicon.find(text);
        let class = word.and_then(|word| word.class).unwrap_or(Class::Bareword);
        Token { leads: word.is_some_and(|word| word.leads), ..self.take(class, text.len()) }
    }

    /// Returns the word that a longer one begins with: `SELECT.1` and SELECT`a` are two tokens.
    fn word_within(&mut self, text: &[u8]) -> Option<Token<'a>> {
        let splits = text.iter().take(LONGEST_TEXT).enumerate().filter(|(_, byte)| matches!(byte, b'.' | b'`'));
        let mut words = splits.filter_map(|(at, _)| self.lexicon.find(text.get(..at)?));
        let (word, class) = words.find_map(|word| Some((word, word.class.filter(|class| *class != Class::Bareword)?)))?;
        Some(Token { leads: word.leads, ..self.take(class, word.text.len()) })
    }

    /// Reads `@name`, `@@name`, and either with a name in quotes.
    pub(super) fn variable(&mut self) -> Token<'a> {
        self.at += if self.peek(1) == Some(b'@') { 2 } else { 1 };
        let name = match self.peek(0) {
            Some(b'`') => self.ticked(),
            Some(quote @ (b'\'' | b'"')) => self.quoted(1, quote),
            _ => {
                let length = self.rest().iter().position(|&byte| ends_variable(byte)).unwrap_or(self.rest().len());
                self.take(Class::Variable, length)
            }
        };
        Token { class: Class::Variable, ..name }
    }

    /// Reads a number, `0x…` and `0b…`, or a dot.
    pub(super) fn number(&mut self) -> Token<'a> {
        match self.rest() {
            [b'0', b'x' | b'X', digits @ ..] => self.number_with_base(digits, |digit| digit.is_ascii_hexdigit()),
            [b'0', b'b' | b'B', digits @ ..] => self.number_with_base(digits, |digit| matches!(digit, b'0' | b'1')),
            rest => self.decimal(rest),
        }
    }

    fn number_with_base(&mut self, digits: &[u8], is_digit: impl Fn(u8) -> bool) -> Token<'a> {
        match digits.iter().take_while(|&&digit| is_digit(digit) || digit == 0).count() {
            0 => self.take(Class::Bareword, 2),
            count => self.take(Class::Number, 2 + count),
        }
    }

    fn decimal(&mut self, text: &[u8]) -> Token<'a> {
        let digits = |from: usize| text.iter().skip(from).take_while(|digit| digit.is_ascii_digit()).count();
        let mut length = digits(0);
        if text.get(length) == Some(&b'.') {
            length += 1 + digits(length + 1);
            if length == 1 {
                return self.take(Class::Dot, 1);
            }
        }
        let mut class = Class::Number;
        if matches!(text.get(length), Some(b'e' | b'E')) {
            length += 1;
            length += usize::from(matches!(text.get(length), Some(b'+' | b'-')));
            let exponent = digits(length);
            length += exponent;
            if exponent == 0 {
                class = Class::Bareword;
            }
        }
        // Oracle's suffix of a float or double; the last form is `1fUNION`.
        if matches!(text.get(length), Some(b'd' | b'D' | b'f' | b'F')) {
            let ends = text.get(length + 1).is_none_or(|&byte| is_blank(byte) || matches!(byte, b';' | b'u' | b'U'));
            length += usize::from(ends);
        }
        self.take(class, length)
    }
}

/// Returns `true` if a byte is not part of a word: blanks, and bytes other than letters, digits, `$`, `.`, `_` and the backtick.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, 0 | b'\t'..=b'\r' | b' '..=b'#' | b'%'..=b'-' | b'/' | b':'..=b'@' | b'['..=b'^' | b'{'..=b'~' | 0xA0)
}

fn ends_variable(byte: u8) -> bool {
    byte == b'`' || (ends_word(byte) && !matches!(byte, b'[' | b']' | b'{' | b'}' | 0xA0))
}
