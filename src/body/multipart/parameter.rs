//! Reads the parameters of a `Content-Disposition` header: names, blanks, tokens and quoted values.

use std::borrow::Cow;
use std::ops::Range;

use super::malformed::Malformed;

/// A parameter's value and the offset of its text.
pub(super) struct Value<'a> {
    /// Without its quotes, `\"` and `\\` unescaped.
    pub(super) text: Cow<'a, [u8]>,
    /// Offset of the text in the header's value.
    pub(super) offset: usize,
    pub(super) quoting: Quoting,
    /// The value as RFC 9110 unescapes it, if that differs from `text`: each backslash is removed, and the byte after it kept.
    pub(super) fully_unescaped: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    None,
    Complete,
    /// The last byte before the closing quote is a backslash, itself escaped. PHP and Rack read this quote as an escaped one.
    BackslashBeforeEnd,
    /// The closing quote is missing.
    Unfinished,
}

/// Reads a header's value.
pub(super) struct Reader<'text, 'a> {
    text: &'text Cow<'a, [u8]>,
    at: usize,
}

impl<'text, 'a> Reader<'text, 'a> {
    pub(super) fn new(text: &'text Cow<'a, [u8]>) -> Self {
        Reader { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn require_more(&self, otherwise: Malformed) -> Result<(), Malformed> {
        if self.is_at_end() { Err(otherwise) } else { Ok(()) }
    }

    pub(super) fn skip(&mut self, length: usize) {
        self.at = self.at.saturating_add(length);
    }

    /// Skips blanks and tabs; returns `true` if there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        !self.take_while(|byte| matches!(byte, b' ' | b'\t')).is_empty()
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.rest().first() == Some(&byte);
        if eaten {
            self.skip(1);
        }
        eaten
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Range<usize> {
        let start = self.at;
        self.skip(self.rest().iter().take_while(|byte| wanted(**byte)).count());
        start..self.at
    }

    /// Returns a piece of the text, borrowed if the text is.
    pub(super) fn piece(&self, range: Range<usize>) -> Cow<'a, [u8]> {
        match self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_vec()),
        }
    }

    /// Reads the name of a parameter, up to and including its `=`.
    ///
    /// A blank or tab on either side of the `=` is malformed. ModSecurity v3 skips them; PHP, Rack and CGI.pm then do not recognise the parameter, so
    /// that `filename ="a"` would be a file here and a field there. After `filename*=` blanks are skipped as in v3: rules see both its name and that
    /// in `filename`, whichever an application uses.
    pub(super) fn name(&mut self) -> Result<Range<usize>, Malformed> {
        let name = self.take_while(|byte| !matches!(byte, b'=' | b' ' | b'\t'));
        self.require_more(Malformed::EndsInName)?;
        let blanks_before = self.skip_blanks();
        self.require_more(Malformed::EndsAfterName)?;
        if blanks_before || !self.eat(b'=') {
            return Err(Malformed::EqualsAfterName);
        }
        let blanks_behind = self.skip_blanks();
        self.require_more(Malformed::EndsBeforeValue)?;
        let both_are_seen = self.text.get(name.clone()) == Some(b"filename*");
        if blanks_behind && !both_are_seen { Err(Malformed::EqualsAfterName) } else { Ok(name) }
    }

    pub(super) fn value(&mut self, invalid_quoting: &mut bool) -> Result<Value<'a>, Malformed> {
        match self.rest().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let quote = *quote;
                *invalid_quoting |= quote == b'\'';
                self.skip(1);
                self.quoted(quote)
            }
            _ => {
                let offset = self.at;
                let token = self.take_while(is_token_character);
                Ok(Value { text: self.piece(token), offset, quoting: Quoting::None, fully_unescaped: None })
            }
        }
    }

    /// Reads up to the closing quote. A backslash is an escape only before a quote or a backslash: browsers send Windows paths unescaped.
    fn quoted(&mut self, quote: u8) -> Result<Value<'a>, Malformed> {
        self.require_more(Malformed::EndsAfterQuote)?;
        let offset = self.at;
        let mut unescaped: Option<Unescaped> = None;
        let mut ends_with_backslash = false;
        loop {
            let plain = self.take_while(|byte| byte != quote && byte != b'\\');
            ends_with_backslash &= plain.is_empty();
            let (literal, length) = match self.rest() {
                [] => return Ok(self.finish(offset, plain, unescaped, Quoting::Unfinished)),
                [b'\\'] => return Err(Malformed::EndsAfterBackslash),
                [b'\\', escaped, ..] if *escaped == b'\\' || *escaped == quote => (Some(*escaped), 2),
                [b'\\', ..] => (None, 1),
                _ => {
                    let quoting = if ends_with_backslash { Quoting::BackslashBeforeEnd } else { Quoting::Complete };
                    let value = self.finish(offset, plain, unescaped, quoting);
                    self.skip(1);
                    return Ok(value);
                }
            };
            let text = unescaped.get_or_insert_default();
            text.append(self.text.get(plain).unwrap_or_default());
            text.append_escaped(literal);
            ends_with_backslash = literal == Some(b'\\');
            self.skip(length);
        }
    }

    fn finish(&self, offset: usize, last: Range<usize>, unescaped: Option<Unescaped>, quoting: Quoting) -> Value<'a> {
        let Some(mut unescaped) = unescaped else {
            return Value { text: self.piece(last), offset, quoting, fully_unescaped: None };
        };
        unescaped.append(self.text.get(last).unwrap_or_default());
        let fully_unescaped = (unescaped.fully != unescaped.text).then_some(unescaped.fully);
        Value { text: Cow::Owned(unescaped.text), offset, quoting, fully_unescaped }
    }

    /// Flags a quoted value with adjacent text; returns the text from the quote on.
    pub(super) fn stray_quote(&self) -> Option<Cow<'a, [u8]>> {
        let quote_at = self.at.saturating_sub(1);
        let ends_with_quote = self.text.get(quote_at) == Some(&b'"');
        let sticks = self.rest().first().is_some_and(|next| !matches!(next, b';' | b' ' | b'\t'));
        (ends_with_quote && sticks).then(|| self.piece(quote_at..self.text.len()))
    }
}

/// A quoted value in both readings of a backslash.
#[derive(Default)]
struct Unescaped {
    text: Vec<u8>,
    fully: Vec<u8>,
}

impl Unescaped {
    fn append(&mut self, plain: &[u8]) {
        self.text.extend_from_slice(plain);
        self.fully.extend_from_slice(plain);
    }

    /// Appends an escape; `None` is a backslash before some other byte, which comes next.
    fn append_escaped(&mut self, literal: Option<u8>) {
        self.text.push(literal.unwrap_or(b'\\'));
        self.fully.extend(literal);
    }
}

/// Returns `true` for the characters of a token in RFC 2045.
pub(super) fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}
