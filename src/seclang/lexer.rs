//! The tokens of all parsers of this room: blanks, names, quoted and unquoted texts, and the errors for missing ones.

use crate::diagnostic::Code;
use nom::branch::alt;
use nom::bytes::complete::{is_not, take_while, take_while1};
use nom::character::complete::{char, space1};
use nom::combinator::{eof, opt, peek, recognize};
use nom::multi::many0_count;
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser};
use std::borrow::Cow;

/// A syntax error and its position.
#[derive(Debug)]
pub struct Failure<'a> {
    pub at: &'a str,
    pub code: Code,
    pub message: Cow<'static, str>,
    pub hint: Option<Cow<'static, str>>,
}

/// The result of a parser of this room: an `Error` lets another parser try, a `Failure` ends the directive.
pub type Parsed<'a, T> = IResult<&'a str, T, Failure<'a>>;

/// Quotes of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    None,
    Single,
    Double,
}

/// An argument as written: the text inside its quotes, with its escapes.
pub type RawArgument<'a> = (&'a str, Quote);

impl<'a> nom::error::ParseError<&'a str> for Failure<'a> {
    fn from_error_kind(at: &'a str, _kind: nom::error::ErrorKind) -> Self {
        Self { at, code: Code::Syntax, message: Cow::Borrowed("this cannot be read here"), hint: None }
    }

    fn append(_at: &'a str, _kind: nom::error::ErrorKind, first: Self) -> Self {
        first
    }
}

impl<'a> Failure<'a> {
    /// Makes a failure that ends the parse of the line.
    pub fn fatal(at: &'a str, code: Code, message: impl Into<Cow<'static, str>>) -> nom::Err<Self> {
        nom::Err::Failure(Self { at, code, message: message.into(), hint: None })
    }

    /// Makes such a failure with a hint.
    pub fn fatal_with_hint(
        at: &'a str,
        code: Code,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> nom::Err<Self> {
        nom::Err::Failure(Self { at, code, message: message.into(), hint: Some(hint.into()) })
    }
}

impl Quote {
    /// Returns the text in these quotes.
    pub fn around(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Single => format!("'{text}'"),
            Self::Double => format!("\"{text}\""),
        }
    }
}

/// Parses the name of a variable, an operator or an action.
pub fn name(input: &str) -> Parsed<'_, &str> {
    let begin = take_while1(|c: char| c.is_ascii_alphabetic() || c == '_');
    recognize((begin, take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'))).parse(input)
}

/// Parses an argument of a directive.
pub fn raw_argument(input: &str) -> Parsed<'_, RawArgument<'_>> {
    // As in Apache, single quotes may surround a whole argument; one that closes inside a word is part of the word.
    let ends = peek(alt((eof, space1)));
    let bare = (opt(held), unquoted(&[' ', '\t'], &[':', '.']));
    alt((
        |input| quoted(Quote::Double, input),
        terminated(|input| quoted(Quote::Single, input), ends),
        recognize(bare).map(|text| (text, Quote::None)),
    ))
    .parse(input)
}

/// Parses a text that consists of one argument followed by `behind`.
pub fn whole_argument<'a>(text: &'a str, behind: &str) -> Option<RawArgument<'a>> {
    if text.is_empty() || text.starts_with([' ', '\t', '#']) {
        return None;
    }
    raw_argument(text).ok().filter(|(rest, _)| *rest == behind).map(|(_, argument)| argument)
}

/// Parses `"…"` or `'…'`, which must be closed.
pub fn quoted(quote: Quote, input: &str) -> Parsed<'_, RawArgument<'_>> {
    let (mark, hint) = match quote {
        Quote::Single => (b'\'', "write ' after the text, before the next comma or \""),
        _ => (b'"', "close it on the same line, or end the line with \\ to go on in the next"),
    };
    let shown = char::from(mark);
    let unclosed = |_| Failure::fatal_with_hint(input, Code::UnclosedQuote, format!("this {shown} is never closed"), hint);
    let (inside, _) = char(shown)(input)?;
    terminated(escaped_text(mark), char(shown)).map(|text| (text, quote)).parse(inside).map_err(unclosed)
}

/// Parses the text inside a pair of marks. `\` escapes a mark; `\\` is a pair, so that a pattern may end with an escaped backslash.
pub fn within<'a>(mark: u8) -> impl Parser<&'a str, Output = &'a str, Error = Failure<'a>> {
    delimited(char(char::from(mark)), escaped_text(mark), char(char::from(mark)))
}

/// Parses a text up to a mark that no `\` escapes.
fn escaped_text<'a>(mark: u8) -> impl Parser<&'a str, Output = &'a str, Error = Failure<'a>> {
    // A loop for the same reason as in `unescape`.
    move |text: &'a str| {
        let mut end = 0;
        while let Some(found) = text.get(end..).and_then(|rest| memchr::memchr2(b'\\', mark, rest.as_bytes())) {
            end += found;
            let mut from_here = text.get(end..).unwrap_or_default().chars();
            let escaped = from_here.next().filter(|first| *first == '\\').and_then(|_| from_here.next());
            let Some(escaped) = escaped else { return Ok((text.get(end..).unwrap_or_default(), text.get(..end).unwrap_or_default())) };
            end += 1 + escaped.len_utf8();
        }
        Ok(("", text))
    }
}

/// Parses an unquoted text up to one of `ends`. Single quotes directly after one of `openers` protect these, as in `ARGS:'/a b/'`.
pub fn unquoted<'a>(ends: &'static [char], openers: &'static [char]) -> impl Parser<&'a str, Output = &'a str, Error = Failure<'a>> {
    let plain = take_while1(move |c| !ends.contains(&c) && !openers.contains(&c));
    let opened = (take_while1(move |c| openers.contains(&c)), opt(held));
    recognize(many0_count(alt((plain, recognize(opened)))))
}

/// Parses `'…'` within an unquoted text, up to a quote without a `\` before it, or to the end.
fn held(input: &str) -> Parsed<'_, &str> {
    let escaped = (take_while1(|c| c == '\\'), opt(char('\'')));
    let inside = many0_count(alt((is_not("\\'"), recognize(escaped))));
    recognize((char('\''), inside, opt(char('\'')))).parse(input)
}

/// Returns the text without the backslashes before its own quotation marks.
pub fn unescape(text: &str, quote: Quote) -> Cow<'_, str> {
    let mark = match quote {
        Quote::None => return Cow::Borrowed(text),
        Quote::Single => b'\'',
        Quote::Double => b'"',
    };
    // Patterns are full of backslashes, and hardly ever hold the mark.
    if memchr::memchr(mark, text.as_bytes()).is_none() || memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    // A loop, because such texts are most of a rule set: combinators take ten times as many instructions.
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        rest = behind;
        if behind.as_bytes().first() != Some(&mark) {
            plain.push('\\');
            if let Some(behind) = behind.strip_prefix('\\') {
                plain.push('\\');
                rest = behind;
            }
        } else if let Some((mark, behind)) = behind.split_at_checked(1) {
            plain.push_str(mark);
            rest = behind;
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
