//! The code page of a `SecUnicodeMapFile`: the byte of each character.

use std::collections::BTreeMap;

/// Maps Unicode characters to the bytes of one code page, for `urlDecodeUni`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnicodeMap {
    bytes: BTreeMap<u16, u8>,
}

/// Error of a `SecUnicodeMapFile`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnicodeMapError {
    /// The code page is not in the text, or has no character.
    #[error("code page {code_page} is not in the unicode map")]
    CodePageMissing {
        /// The requested code page.
        code_page: u32,
    },
    /// An entry is not a character and a byte in hexadecimal, separated by a colon.
    #[error("`{entry}` in code page {code_page} is not of the form `0434:64`")]
    MalformedEntry {
        /// The requested code page.
        code_page: u32,
        /// The entry as written.
        entry: String,
    },
}

impl UnicodeMap {
    /// Reads one code page of a map in the format of ModSecurity's `unicode.mapping`: words separated by white space. These are the number of a code
    /// page, perhaps its description, and its `character:byte` entries in hexadecimal.
    ///
    /// The page ends at the first word after its entries that is not an entry. If a character is listed twice, the last entry counts.
    ///
    /// # Errors
    ///
    /// If the page is missing or one of its entries is malformed. ModSecurity v3 continues in both cases, without the page or with a wrong character.
    pub fn parse(text: &[u8], code_page: u32) -> Result<Self, UnicodeMapError> {
        let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let bytes = words
            .skip_while(|word| !is_number(word, code_page))
            .skip_while(|word| !is_entry(word))
            .take_while(|word| is_entry(word))
            .map(|word| entry(word).ok_or_else(|| malformed(word, code_page)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        if bytes.is_empty() { Err(UnicodeMapError::CodePageMissing { code_page }) } else { Ok(Self { bytes }) }
    }

    /// Returns the byte of a character of the Basic Multilingual Plane.
    pub(super) fn byte(&self, character: u16) -> Option<u8> {
        self.bytes.get(&character).copied()
    }
}

fn is_number(word: &[u8], number: u32) -> bool {
    str::from_utf8(word).is_ok_and(|word| word.parse() == Ok(number))
}

fn is_entry(word: &[u8]) -> bool {
    word.contains(&b':')
}

fn entry(word: &[u8]) -> Option<(u16, u8)> {
    let (character, byte) = str::from_utf8(word).ok()?.split_once(':')?;
    Some((u16::from_str_radix(character, 16).ok()?, u8::from_str_radix(byte, 16).ok()?))
}

fn malformed(word: &[u8], code_page: u32) -> UnicodeMapError {
    UnicodeMapError::MalformedEntry { code_page, entry: String::from_utf8_lossy(word).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::{UnicodeMap, UnicodeMapError};

    const MAP: &[u8] = b"1250  (Central Europe)\n00a1:21 0141:a3\n\n1252 (Latin I)\r\n00c4:c4 00c4:41 \n\n1253\n";

    #[test]
    fn only_the_chosen_code_page_is_read() {
        let central_europe = UnicodeMap::parse(MAP, 1250).unwrap();
        assert_eq!(central_europe.byte(0x0141), Some(0xa3));
        assert_eq!(central_europe.byte(0x00c4), None);
    }

    #[test]
    fn the_last_entry_of_a_character_counts() {
        assert_eq!(UnicodeMap::parse(MAP, 1252).unwrap().byte(0x00c4), Some(0x41));
    }

    #[test]
    fn a_code_page_that_is_absent_or_empty_is_an_error() {
        for code_page in [437, 1253] {
            assert_eq!(UnicodeMap::parse(MAP, code_page), Err(UnicodeMapError::CodePageMissing { code_page }));
        }
    }

    #[test]
    fn a_malformed_entry_is_named() {
        let error = UnicodeMap::parse(b"20127 0100:41 xyz:42", 20127).unwrap_err();
        assert_eq!(error.to_string(), "`xyz:42` in code page 20127 is not of the form `0434:64`");
    }
}
