//! The `Content-Disposition` header of a part, with v3's numbers for what can be wrong.

use std::borrow::Cow;
use std::ops::Range;

use super::note::Note;

/// What a readable header says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Disposition<'a> {
    pub(super) name: Option<Cow<'a, [u8]>>,
    /// Where the name's text starts in the header's value.
    pub(super) name_offset: usize,
    pub(super) file_name: Option<Cow<'a, [u8]>>,
    /// Where the file name's text starts in the header's value.
    pub(super) file_name_offset: usize,
    extended_file_name: Option<Cow<'a, [u8]>>,
}

/// What v3 calls "-N" for a header that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) i8);

const NOT_FORM_DATA: Malformed = Malformed(-1);
const SEMICOLON_AFTER_TYPE: Malformed = Malformed(-2);
const PARAMETER_MISSING: Malformed = Malformed(-3);
const ENDS_IN_NAME: Malformed = Malformed(-4);
const ENDS_AFTER_NAME: Malformed = Malformed(-5);
const ENDS_BEFORE_VALUE: Malformed = Malformed(-6);
const ENDS_AFTER_QUOTE: Malformed = Malformed(-7);
const ENDS_AFTER_BACKSLASH: Malformed = Malformed(-8);
const UNKNOWN_PARAMETER: Malformed = Malformed(-11);
const SEMICOLON_AFTER_VALUE: Malformed = Malformed(-12);
const EQUALS_AFTER_NAME: Malformed = Malformed(-13);
const DUPLICATE_NAME: Malformed = Malformed(-14);
const DUPLICATE_FILE_NAME: Malformed = Malformed(-15);
const CHARSET: Malformed = Malformed(-16);
const LANGUAGE: Malformed = Malformed(-17);
const PERCENT_ENCODING: Malformed = Malformed(-18);
const EXTENDED_CHARACTER: Malformed = Malformed(-19);
const DUPLICATE_EXTENDED_FILE_NAME: Malformed = Malformed(-20);
const ONLY_EXTENDED_FILE_NAME: Malformed = Malformed(-21);

/// Reads the header's value. Sets `invalid_quoting` for quotes where none belong.
///
/// Only `name`, `filename` and `filename*` are known, in lower case; anything else is malformed, so that
/// no other parser can see a different name or file name.
pub(super) fn parse<'a>(
    value: &Cow<'a, [u8]>,
    invalid_quoting: &mut bool,
    notes: &mut Vec<Note<'a>>,
) -> Result<Disposition<'a>, Malformed> {
    let mut reader = Reader { text: value, at: 0 };
    let mut disposition = Disposition::default();
    if !reader.rest().starts_with(b"form-data") {
        return Err(NOT_FORM_DATA);
    }
    reader.skip(b"form-data".len());
    reader.skip_blanks();
    if reader.is_at_end() {
        return Ok(disposition);
    }
    if !reader.eat(b';') {
        return Err(SEMICOLON_AFTER_TYPE);
    }
    while !reader.is_at_end() {
        reader.skip_blanks();
        reader.require_more(PARAMETER_MISSING)?;
        let name = reader.take_while(|byte| !matches!(byte, b'=' | b' ' | b'\t'));
        reader.require_more(ENDS_IN_NAME)?;
        reader.skip_blanks();
        reader.require_more(ENDS_AFTER_NAME)?;
        if !reader.eat(b'=') {
            return Err(EQUALS_AFTER_NAME);
        }
        reader.skip_blanks();
        reader.require_more(ENDS_BEFORE_VALUE)?;
        let parameter = value.get(name).unwrap_or_default();
        if parameter == b"filename*" {
            let file_name = reader.extended_value()?;
            if disposition.extended_file_name.is_some() {
                notes.push(Note::DuplicateExtendedFileName(file_name));
                return Err(DUPLICATE_EXTENDED_FILE_NAME);
            }
            notes.push(Note::ExtendedFileName(file_name.clone()));
            disposition.extended_file_name = Some(file_name);
        } else {
            let value = reader.value(invalid_quoting)?;
            let unfinished = value.quoting == Quoting::Unfinished;
            disposition.keep(parameter, value, invalid_quoting, notes)?;
            if unfinished {
                return Err(SEMICOLON_AFTER_VALUE);
            }
            reader.report_stray_quote(invalid_quoting, notes);
        }
        reader.skip_blanks();
        if !reader.is_at_end() && !reader.eat(b';') {
            return Err(SEMICOLON_AFTER_VALUE);
        }
    }
    match (&disposition.file_name, &disposition.extended_file_name) {
        (None, Some(extended)) => {
            notes.push(Note::OnlyExtendedFileName(extended.clone()));
            Err(ONLY_EXTENDED_FILE_NAME)
        }
        _ => Ok(disposition),
    }
}

/// A parameter's value and where its text starts.
struct Value<'a> {
    text: Cow<'a, [u8]>,
    offset: usize,
    quoting: Quoting,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Complete,
    /// The closing quote is missing.
    Unfinished,
}

impl<'a> Disposition<'a> {
    fn keep(&mut self, parameter: &[u8], value: Value<'a>, invalid_quoting: &mut bool, notes: &mut Vec<Note<'a>>) -> Result<(), Malformed> {
        if !matches!(parameter, b"name" | b"filename") {
            return Err(UNKNOWN_PARAMETER);
        }
        if value.quoting == Quoting::None && value.text.contains(&b'\'') {
            *invalid_quoting = true;
            notes.push(Note::InvalidQuoting { text: value.text.clone() });
        }
        match parameter {
            b"name" => {
                if let Some(previous) = &self.name {
                    notes.push(Note::DuplicateName { name: value.text, previous: previous.clone() });
                    return Err(DUPLICATE_NAME);
                }
                notes.push(Note::Name(value.text.clone()));
                self.name = Some(value.text);
                self.name_offset = value.offset;
            }
            _ => {
                if self.file_name.is_some() {
                    notes.push(Note::DuplicateFileName(value.text));
                    return Err(DUPLICATE_FILE_NAME);
                }
                notes.push(Note::FileName(value.text.clone()));
                self.file_name = Some(value.text);
                self.file_name_offset = value.offset;
            }
        }
        Ok(())
    }
}

struct Reader<'text, 'a> {
    text: &'text Cow<'a, [u8]>,
    at: usize,
}

impl<'a> Reader<'_, 'a> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    fn require_more(&self, otherwise: Malformed) -> Result<(), Malformed> {
        if self.is_at_end() { Err(otherwise) } else { Ok(()) }
    }

    fn skip(&mut self, length: usize) {
        self.at = self.at.saturating_add(length);
    }

    fn skip_blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.rest().first() == Some(&byte);
        if eaten {
            self.skip(1);
        }
        eaten
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Range<usize> {
        let start = self.at;
        self.skip(self.rest().iter().take_while(|byte| wanted(**byte)).count());
        start..self.at
    }

    /// A piece of the text, borrowed when the text itself is.
    fn piece(&self, range: Range<usize>) -> Cow<'a, [u8]> {
        match self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_vec()),
        }
    }

    fn value(&mut self, invalid_quoting: &mut bool) -> Result<Value<'a>, Malformed> {
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
                Ok(Value { text: self.piece(token), offset, quoting: Quoting::None })
            }
        }
    }

    /// Reads up to the closing quote. Only a backslash before a quote or a backslash is an escape:
    /// browsers send Windows paths as they are.
    fn quoted(&mut self, quote: u8) -> Result<Value<'a>, Malformed> {
        self.require_more(ENDS_AFTER_QUOTE)?;
        let offset = self.at;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let plain = self.take_while(|byte| byte != quote && byte != b'\\');
            let literal = match self.rest() {
                [] => return Ok(self.finish(offset, plain, unescaped, Quoting::Unfinished)),
                [b'\\'] => return Err(ENDS_AFTER_BACKSLASH),
                [b'\\', escaped, ..] if *escaped == b'\\' || *escaped == quote => Some(*escaped),
                [b'\\', ..] => None,
                _ => {
                    let value = self.finish(offset, plain, unescaped, Quoting::Complete);
                    self.skip(1);
                    return Ok(value);
                }
            };
            let text = unescaped.get_or_insert_default();
            text.extend_from_slice(self.text.get(plain).unwrap_or_default());
            text.push(literal.unwrap_or(b'\\'));
            self.skip(if literal.is_some() { 2 } else { 1 });
        }
    }

    fn finish(&self, offset: usize, last: Range<usize>, unescaped: Option<Vec<u8>>, quoting: Quoting) -> Value<'a> {
        let text = match unescaped {
            None => self.piece(last),
            Some(mut text) => {
                text.extend_from_slice(self.text.get(last).unwrap_or_default());
                Cow::Owned(text)
            }
        };
        Value { text, offset, quoting }
    }

    /// `charset'language'value` of RFC 5987; gives the value, still percent-encoded.
    fn extended_value(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        if self.take_while(is_charset_character).is_empty() || !self.eat(b'\'') {
            return Err(CHARSET);
        }
        self.take_while(|byte| byte != b'\'');
        if !self.eat(b'\'') {
            return Err(LANGUAGE);
        }
        let start = self.at;
        loop {
            self.take_while(is_attribute_character);
            match self.rest() {
                [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => self.skip(3),
                [b'%', ..] => return Err(PERCENT_ENCODING),
                [] | [b';', ..] => return Ok(self.piece(start..self.at)),
                _ => return Err(EXTENDED_CHARACTER),
            }
        }
    }

    /// Flags a quoted value that something sticks to.
    fn report_stray_quote(&mut self, invalid_quoting: &mut bool, notes: &mut Vec<Note<'a>>) {
        let quote_at = self.at.saturating_sub(1);
        let ends_with_quote = self.text.get(quote_at) == Some(&b'"');
        if ends_with_quote && self.rest().first().is_some_and(|next| !matches!(next, b';' | b' ' | b'\t')) {
            *invalid_quoting = true;
            notes.push(Note::InvalidQuoting { text: self.piece(quote_at..self.text.len()) });
        }
    }
}

/// The characters of a token in RFC 2045.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

/// The characters of a charset's name in RFC 5987.
fn is_charset_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&+-^_`{}~".contains(&byte)
}

/// The characters that RFC 5987 allows unencoded.
fn is_attribute_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> (Result<Disposition<'_>, Malformed>, bool) {
        let mut invalid_quoting = false;
        let result = parse(&Cow::Borrowed(value.as_bytes()), &mut invalid_quoting, &mut Vec::new());
        (result, invalid_quoting)
    }

    fn names(value: &str) -> (Vec<u8>, Vec<u8>) {
        let disposition = read(value).0.expect("the header is valid");
        (disposition.name.unwrap_or_default().into_owned(), disposition.file_name.unwrap_or_default().into_owned())
    }

    fn code(value: &str) -> i8 {
        read(value).0.expect_err("the header is malformed").0
    }

    #[test]
    fn names_are_read_quoted_or_not() {
        assert_eq!(names("form-data; name=one"), (b"one".to_vec(), Vec::new()));
        assert_eq!(names("form-data ;name = \"a;b\" ; filename=\"x.png\";"), (b"a;b".to_vec(), b"x.png".to_vec()));
    }

    #[test]
    fn only_quotes_and_backslashes_are_unescaped() {
        assert_eq!(names(r#"form-data; name="say \"x\" \\ C:\dir""#).0, br#"say "x" \ C:\dir"#);
    }

    #[test]
    fn offsets_point_at_the_text() {
        let disposition = read("form-data; name=\"n\"; filename=f").0.expect("the header is valid");
        assert_eq!((disposition.name_offset, disposition.file_name_offset), (17, 30));
    }

    #[test]
    fn odd_quoting_is_flagged() {
        assert!(read("form-data; name='n'").1);
        assert!(read("form-data; name=it's").1);
        assert!(read("form-data; name=\"n\"x").1);
        assert!(!read("form-data; name=\"it's\"").1);
    }

    #[test]
    fn malformed_headers_have_v3_codes() {
        assert_eq!(code("attachment; name=a"), -1);
        assert_eq!(code("form-data name=a"), -2);
        assert_eq!(code("form-data; "), -3);
        assert_eq!(code("form-data; name"), -4);
        assert_eq!(code("form-data; name="), -6);
        assert_eq!(code("form-data; name=\"x\\"), -8);
        assert_eq!(code("form-data; name=a; size=1"), -11);
        assert_eq!(code("form-data; name=a b"), -12);
        assert_eq!(code("form-data; na me=a"), -13);
        assert_eq!(code("form-data; name=a; name=b"), -14);
        assert_eq!(code("form-data; name=a; filename=b; filename=c"), -15);
        assert_eq!(code("form-data; name=a; filename*=b"), -16);
        assert_eq!(code("form-data; name=a; filename*=utf-8'b"), -17);
        assert_eq!(code("form-data; name=a; filename*=utf-8''%4"), -18);
        assert_eq!(code("form-data; name=a; filename*=utf-8''(b"), -19);
        assert_eq!(code("form-data; name=a; filename*=utf-8''b"), -21);
    }

    #[test]
    fn an_extended_file_name_needs_a_plain_one() {
        assert_eq!(names("form-data; name=a; filename*=utf-8'en'%e2%82%ac; filename=euro").1, b"euro");
    }
}
