//! A text, and the parts of it that are covered.

use std::borrow::Cow;
use std::ops::Range;

/// The sign that replaces each byte of a secret, as in ModSecurity v2.
const COVER: u8 = b'*';

/// A text of which parts are covered. Searches see the text as it was.
#[derive(Debug)]
pub struct Mask<'t> {
    text: &'t [u8],
    covered: Option<Vec<u8>>,
}

impl<'t> Mask<'t> {
    /// Makes a mask that covers nothing yet.
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, covered: None }
    }

    /// Returns the text as it was.
    pub fn text(&self) -> &'t [u8] {
        self.text
    }

    /// Covers the bytes of a range.
    pub fn cover(&mut self, range: Range<usize>) {
        if let Some(bytes) = self.bytes(range) {
            bytes.fill(COVER);
        }
    }

    /// Covers the whole text.
    pub fn cover_all(&mut self) {
        self.cover(0..self.text.len());
    }

    /// Covers the bytes of a range, a value in JSON without quotation marks, such that it remains a JSON value: `12345` becomes `"***"`, `5` becomes `0`.
    pub fn cover_as_json_value(&mut self, range: Range<usize>) {
        match self.bytes(range) {
            Some([first, inside @ .., last]) => {
                (*first, *last) = (b'"', b'"');
                inside.fill(COVER);
            }
            Some([single]) => *single = b'0',
            _ => {}
        }
    }

    /// Returns `true` if a byte of a range is covered.
    pub fn touches(&self, range: Range<usize>) -> bool {
        self.covered.as_ref().is_some_and(|covered| covered.get(range.clone()) != self.text.get(range))
    }

    /// Returns the offset of the first byte that is covered.
    pub fn first(&self) -> Option<usize> {
        self.covered.as_ref().and_then(|covered| covered.iter().zip(self.text).position(|(covered, byte)| covered != byte))
    }

    /// Returns the text with its parts covered so far.
    pub fn covered(&self) -> &[u8] {
        self.covered.as_deref().unwrap_or(self.text)
    }

    /// Returns the text with its parts covered.
    pub fn finish(self) -> Cow<'t, [u8]> {
        self.covered.map_or(Cow::Borrowed(self.text), Cow::Owned)
    }

    fn bytes(&mut self, range: Range<usize>) -> Option<&mut [u8]> {
        let text = self.text;
        self.covered.get_or_insert_with(|| text.to_vec()).get_mut(range)
    }
}
