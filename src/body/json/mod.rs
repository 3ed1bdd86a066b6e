//! JSON bodies, flattened to the argument names that ModSecurity v3 gives them.

mod error;
mod lexer;
mod string;

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

pub use error::JsonError;
use lexer::{Lexer, RawString, Token};

/// Limits of a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Maximum nesting of objects and arrays (`SecRequestBodyJsonDepthLimit`).
    pub depth: usize,
    /// Maximum number of objects, arrays and other values.
    pub nodes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        JsonLimits { depth: 512, nodes: 1_000_000 }
    }
}

/// Receives the name and the value of each scalar.
pub type Sink<'sink, 'body> = dyn FnMut(&[u8], Cow<'body, [u8]>) -> ControlFlow<()> + 'sink;

/// Reads a body and passes every scalar with its name to `sink`, in the order of the text.
///
/// Names start with `json`; each object adds `.key`, each array `.array_N`, and an empty key is written `empty-key`. Strings are unescaped, numbers
/// keep their text, booleans are `true` and `false`, and `null` is empty. Empty objects and arrays give nothing. Repeated keys are all reported, and
/// so are the values before an error. An empty body is not an error.
///
/// `sink` stops the parser by returning `Break`, which gives [`JsonError::Cancelled`]: a long key around many values multiplies the body's size.
///
/// The grammar is YAJL's: no comments, no trailing commas, no control characters in strings; vertical tabs and form feeds are blanks. Three things
/// are errors here and pass in v3: an unfinished string after the document, bytes that are not UTF-8, and halves of surrogate pairs.
pub fn flatten<'a>(body: &'a [u8], limits: &JsonLimits, sink: &mut Sink<'_, 'a>) -> Result<(), JsonError> {
    walk(body, limits, |name, token, _| {
        let value = match token {
            Token::String(string) => string.unescaped(),
            Token::Number(text) => Cow::Borrowed(text),
            Token::True => Cow::Borrowed(&b"true"[..]),
            Token::False => Cow::Borrowed(&b"false"[..]),
            _ => Cow::Borrowed(&b""[..]),
        };
        sink(name, value)
    })
}

/// The place of a scalar in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its range in bytes; that of a string is without quotation marks.
    pub range: Range<usize>,
    /// `true` for a string.
    pub is_string: bool,
}

/// Reads a body as [`flatten`] does, and passes the name and the place of every scalar to `sink`.
///
/// # Errors
/// Those of [`flatten`].
pub fn places(body: &[u8], limits: &JsonLimits, sink: &mut dyn FnMut(&[u8], Place) -> ControlFlow<()>) -> Result<(), JsonError> {
    walk(body, limits, |name, token, end| {
        let (length, is_string) = match token {
            Token::String(string) => (string.raw().len(), true),
            Token::Number(text) => (text.len(), false),
            Token::False => ("false".len(), false),
            _ => ("true".len(), false),
        };
        let end = end.saturating_sub(usize::from(is_string));
        sink(name, Place { range: end.saturating_sub(length)..end, is_string })
    })
}

/// Reads a body, and passes every scalar to `sink` with its name and the offset after it.
#[inline]
fn walk<'a>(
    body: &'a [u8],
    limits: &JsonLimits,
    mut sink: impl FnMut(&[u8], Token<'a>, usize) -> ControlFlow<()>,
) -> Result<(), JsonError> {
    if body.is_empty() {
        return Ok(());
    }
    let mut lexer = Lexer::new(body);
    let mut path = Path::new();
    let mut nodes_left = limits.nodes;
    let mut expected = Expected::Value;
    loop {
        let token = lexer.next()?.ok_or(JsonError::PrematureEnd)?;
        match (expected, token) {
            (Expected::KeyOrClose, Token::CloseObject) => path.close(),
            (Expected::Key | Expected::KeyOrClose, Token::String(key)) => {
                path.name_member(key);
                expected = Expected::Colon;
                continue;
            }
            (Expected::Key | Expected::KeyOrClose, _) => return Err(JsonError::InvalidKey),
            (Expected::Colon, Token::Colon) => {
                expected = Expected::Value;
                continue;
            }
            (Expected::Colon, _) => return Err(JsonError::MissingColon),
            (Expected::ElementOrClose, Token::CloseArray) => path.close(),
            (Expected::Value | Expected::Element | Expected::ElementOrClose, token) => {
                nodes_left = nodes_left.checked_sub(1).ok_or(JsonError::TooManyNodes)?;
                if expected != Expected::Value {
                    path.name_element();
                }
                match token {
                    Token::OpenObject | Token::OpenArray if path.depth() >= limits.depth => return Err(JsonError::TooDeep),
                    Token::OpenObject => {
                        path.open(Container::Object);
                        expected = Expected::KeyOrClose;
                        continue;
                    }
                    Token::OpenArray => {
                        path.open(Container::Array { next: 0 });
                        expected = Expected::ElementOrClose;
                        continue;
                    }
                    Token::CloseObject | Token::CloseArray | Token::Colon | Token::Comma => return Err(JsonError::UnexpectedToken),
                    Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {}
                }
                if sink(&path.name, token, body.len().saturating_sub(lexer.left())).is_break() {
                    return Err(JsonError::Cancelled);
                }
            }
            (Expected::CommaInObject, Token::CloseObject) | (Expected::CommaInArray, Token::CloseArray) => path.close(),
            (Expected::CommaInObject, Token::Comma) => {
                expected = Expected::Key;
                continue;
            }
            (Expected::CommaInArray, Token::Comma) => {
                expected = Expected::Element;
                continue;
            }
            (Expected::CommaInObject, _) => return Err(JsonError::UnfinishedObject),
            (Expected::CommaInArray, _) => return Err(JsonError::UnfinishedArray),
        }
        // A value is complete: a scalar, or a container that was just closed.
        expected = match path.innermost() {
            Some(Container::Object) => Expected::CommaInObject,
            Some(Container::Array { .. }) => Expected::CommaInArray,
            None if lexer.is_at_end() => return Ok(()),
            None => return Err(JsonError::TrailingGarbage),
        };
    }
}

/// The next expected token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The document itself, or the value of a member.
    Value,
    Element,
    ElementOrClose,
    Key,
    KeyOrClose,
    Colon,
    CommaInObject,
    CommaInArray,
}

#[derive(Debug, Clone, Copy)]
enum Container {
    Object,
    /// `next` is the index of the next element.
    Array {
        next: usize,
    },
}

/// An open container, and the length of its part of the name.
struct Level {
    container: Container,
    name_length: usize,
}

/// The containers around the current value, and their name in one buffer.
struct Path {
    name: Vec<u8>,
    levels: Vec<Level>,
}

impl Path {
    fn new() -> Self {
        Path { name: b"json".to_vec(), levels: Vec::new() }
    }

    fn depth(&self) -> usize {
        self.levels.len()
    }

    fn innermost(&self) -> Option<Container> {
        self.levels.last().map(|level| level.container)
    }

    fn open(&mut self, container: Container) {
        self.levels.push(Level { container, name_length: self.name.len() });
    }

    fn close(&mut self) {
        self.levels.pop();
    }

    fn name_member(&mut self, key: RawString<'_>) {
        let Some(level) = self.levels.last() else { return };
        self.name.truncate(level.name_length);
        self.name.push(b'.');
        if key.is_empty() {
            self.name.extend_from_slice(b"empty-key");
        } else {
            key.append_to(&mut self.name);
        }
    }

    fn name_element(&mut self) {
        let Some(Level { container: Container::Array { next }, name_length }) = self.levels.last_mut() else { return };
        self.name.truncate(*name_length);
        self.name.extend_from_slice(b".array_");
        self.name.extend_from_slice(itoa::Buffer::new().format(*next).as_bytes());
        *next = next.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
