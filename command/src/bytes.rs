//! Bytes of keys, names and values: as arguments, as text on a terminal, and in JSON.
//!
//! Text that a verb shows can be given to it again: `\xHH` stands for a byte in both directions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::builder::{OsStringValueParser, TypedValueParser, ValueParser};
use secrule::internals::escape::{legible_quoted, legible_word, text};
use serde_json::{Map, Value};
use std::ffi::OsStr;

/// Ending of a JSON field whose bytes are not UTF-8.
const ENCODED: &str = "_base64";

/// Bytes of an argument, in which `\xHH` stands for a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Reads arguments.
pub fn parser() -> ValueParser {
    OsStringValueParser::new().map(|argument| Bytes(unescaped(&argument))).into()
}

/// Returns bytes as one word of a line.
pub fn word(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "\"\"".to_owned();
    }
    let mut shown = Vec::new();
    legible_word(bytes, &mut shown);
    text(&shown)
}

/// Returns bytes as the rest of a line.
pub fn line(bytes: &[u8]) -> String {
    let mut shown = Vec::new();
    legible_quoted(bytes, &mut shown);
    text(&shown)
}

/// Adds bytes to a JSON object: as a text, or as `NAME_base64` if they are not UTF-8.
pub fn put(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}{ENCODED}"), BASE64.encode(bytes).into()),
    };
}

/// Takes bytes from a JSON object, as [`put`] wrote them; `None` if there are none.
///
/// # Errors
/// If there is another value in their place.
pub fn get(object: &Map<String, Value>, name: &str) -> Result<Option<Vec<u8>>, String> {
    let encoded = format!("{name}{ENCODED}");
    match (object.get(name), object.get(&encoded)) {
        (None | Some(Value::Null), None) => Ok(None),
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(Value::String(text))) => BASE64.decode(text).map(Some).map_err(|error| format!("`{encoded}`: {error}")),
        _ => Err(format!("`{name}` is not a text")),
    }
}

/// Returns the bytes of an argument, in which `\xHH` stands for a byte.
pub fn unescaped(argument: &OsStr) -> Vec<u8> {
    let mut rest = argument.as_encoded_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, following)) = rest.split_first() {
        match escaped_byte(rest) {
            Some((byte, behind)) => {
                bytes.push(byte);
                rest = behind;
            }
            None => {
                bytes.push(*first);
                rest = following;
            }
        }
    }
    bytes
}

/// Returns the byte that a text begins with as `\xHH`, and the text behind it.
fn escaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = text.strip_prefix(b"\\x")?.split_at_checked(2)?;
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    Some((u8::try_from(digit(0)? * 16 + digit(1)?).ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_given_again() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], b"192.0.2.7", b"\\x41", b"a b\t\"c\"\n", "žluť \u{2028}".as_bytes(), b"\\", b"\\x4"] {
            assert_eq!(unescaped(OsStr::new(&word(bytes))), bytes);
            assert_eq!(unescaped(OsStr::new(&line(bytes))), bytes);
            let mut object = Map::new();
            put(&mut object, "key", bytes);
            assert_eq!(get(&object, "key"), Ok(Some(bytes.to_vec())));
        }
        assert_eq!(word(b"a b"), "a\\x20b");
    }
}
