//! The value of `filename*`: `charset'language'text` of RFC 5987.

use super::charset::{byte_of_hex, is_decoded};
use super::malformed::Malformed;
use super::parameter::Reader;

impl Reader<'_, '_> {
    /// Reads such a value; returns the text with its `%XX` decoded.
    pub(super) fn extended_value(&mut self) -> Result<Vec<u8>, Malformed> {
        let charset = self.take_while(is_charset_character);
        if !is_decoded(&self.piece(charset)) || !self.eat(b'\'') {
            return Err(Malformed::Charset);
        }
        self.take_while(|byte| byte != b'\'');
        if !self.eat(b'\'') {
            return Err(Malformed::Language);
        }
        let mut text = Vec::new();
        loop {
            let plain = self.take_while(is_attribute_character);
            text.extend_from_slice(&self.piece(plain));
            match self.rest() {
                [b'%', high, low, ..] => {
                    text.push(byte_of_hex(*high, *low).ok_or(Malformed::PercentEncoding)?);
                    self.skip(3);
                }
                [b'%', ..] => return Err(Malformed::PercentEncoding),
                [] | [b';', ..] => return Ok(text),
                _ => return Err(Malformed::ExtendedCharacter),
            }
        }
    }
}

/// Returns `true` for the characters of a charset name in RFC 5987.
fn is_charset_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&+-^_`{}~".contains(&byte)
}

/// Returns `true` for the characters that RFC 5987 allows unencoded.
fn is_attribute_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}
