//! The memory of one transaction: every value is a range of one of three buffers, so that values are selected and shared without copies.

use super::Budget;

/// A value: a range of bytes in an [`Arena`].
///
/// Equal ranges have the same bytes; different ranges may have the same bytes too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text {
    start: u32,
    length: u32,
    buffer: Buffer,
}

/// The buffer of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Buffer {
    #[default]
    Values,
    RequestBody,
    ResponseBody,
}

/// Overwrites the bytes of a finished transaction.
const POISON: u8 = 0xA5;

/// The bytes of one transaction.
#[derive(Debug, Default)]
pub struct Arena {
    values: Vec<u8>,
    request_body: Vec<u8>,
    response_body: Vec<u8>,
    /// The rest of the budget.
    pub budget: Budget,
}

impl Text {
    /// The empty value.
    pub const EMPTY: Text = Text { start: 0, length: 0, buffer: Buffer::Values };

    /// Returns its length in bytes.
    pub fn len(self) -> usize {
        self.length as usize
    }

    /// Returns `true` if it is empty.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Returns a hash of its place, of which the high bits are mixed best. Senders choose places by the lengths of values, so that the factor, an odd
    /// number, must be one that they do not know.
    #[inline]
    pub fn hash(self, factor: u64) -> u32 {
        let place = (u64::from(self.length) << 32) | (u64::from(self.start) ^ ((self.buffer as u64) << 30));
        (place.wrapping_mul(factor) >> 32) as u32
    }

    /// Returns a part of it, cut at its end.
    pub fn part(self, start: usize, length: usize) -> Text {
        let start = start.min(self.len());
        let length = length.min(self.len() - start);
        if length == 0 {
            return Text::EMPTY;
        }
        // Both are at most the length of this value, which is a u32.
        Text { start: self.start + start as u32, length: length as u32, buffer: self.buffer }
    }
}

impl Arena {
    /// Removes all values, and keeps the memory, unless it is more than most transactions need. Builds with debug assertions overwrite the bytes, to
    /// reveal reads of a value of an earlier transaction.
    pub fn clear(&mut self) {
        for buffer in [&mut self.values, &mut self.request_body, &mut self.response_body] {
            if cfg!(debug_assertions) {
                buffer.fill(POISON);
            }
            super::forget(buffer);
        }
    }

    /// Returns the bytes of a value.
    pub fn read(&self, text: Text) -> &[u8] {
        let buffer = match text.buffer {
            Buffer::Values => &self.values,
            Buffer::RequestBody => &self.request_body,
            Buffer::ResponseBody => &self.response_body,
        };
        buffer.get(text.start as usize..).and_then(|rest| rest.get(..text.length as usize)).unwrap_or_default()
    }

    /// Stores bytes as a value.
    ///
    /// Beyond the memory limit an empty value is stored, and the limit is marked as exceeded.
    #[inline]
    pub fn store(&mut self, bytes: &[u8]) -> Text {
        self.build(|values| values.extend_from_slice(bytes))
    }

    /// Stores what `write` appends to the buffer as a value.
    #[inline]
    pub fn build(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        let start = self.values.len();
        write(&mut self.values);
        let end = self.values.len();
        let length = end.saturating_sub(start);
        self.budget.charge(length);
        if length > 0 && self.budget.may_store(end) {
            // A u32 cannot address more.
            return Text { start: start as u32, length: length as u32, buffer: Buffer::Values };
        }
        self.values.truncate(start);
        Text::EMPTY
    }

    /// Stores a number in decimal digits.
    #[inline]
    pub fn store_number(&mut self, number: impl itoa::Integer) -> Text {
        self.store(itoa::Buffer::new().format(number).as_bytes())
    }

    /// Returns the number of bytes of values, without bodies.
    #[cfg_attr(not(feature = "lua"), allow(dead_code))]
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// Adds a chunk to the request body.
    pub fn append_request_body(&mut self, chunk: &[u8]) {
        self.request_body.extend_from_slice(chunk);
    }

    /// Adds a chunk to the response body.
    pub fn append_response_body(&mut self, chunk: &[u8]) {
        self.response_body.extend_from_slice(chunk);
    }

    /// Returns the request body so far.
    pub fn request_body(&self) -> Text {
        text(Buffer::RequestBody, 0, self.request_body.len()).unwrap_or_default()
    }

    /// Returns the response body so far.
    pub fn response_body(&self) -> Text {
        text(Buffer::ResponseBody, 0, self.response_body.len()).unwrap_or_default()
    }

    /// Runs a parser on the request body, which stores its results.
    ///
    /// Meanwhile the body is outside of the arena, so that parsers can borrow it and store at the same time; [`BodyView::text`] makes values of its
    /// parts without copies.
    pub fn with_request_body<T>(&mut self, parse: impl FnOnce(&mut Self, BodyView<'_>) -> T) -> T {
        let body = std::mem::take(&mut self.request_body);
        let result = parse(self, BodyView { bytes: &body });
        self.request_body = body;
        result
    }
}

/// The request body during a parser's run.
#[derive(Clone, Copy)]
pub struct BodyView<'a> {
    bytes: &'a [u8],
}

impl<'a> BodyView<'a> {
    /// Returns all of it.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns a part of the body as a value; other bytes are stored.
    pub fn text(self, part: &[u8], arena: &mut Arena) -> Text {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        let inside = self.bytes.get(offset..).and_then(|rest| rest.get(..part.len())).is_some_and(|found| std::ptr::eq(found, part));
        inside.then(|| text(Buffer::RequestBody, offset, part.len())).flatten().unwrap_or_else(|| arena.store(part))
    }
}

fn text(buffer: Buffer, start: usize, length: usize) -> Option<Text> {
    if length == 0 {
        // All empty values are the same, so that they share cached properties.
        return Some(Text::EMPTY);
    }
    let end = start.checked_add(length)?;
    u32::try_from(end).ok()?;
    Some(Text { start: u32::try_from(start).ok()?, length: u32::try_from(length).ok()?, buffer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_body_is_not_copied() {
        let mut arena = Arena::default();
        arena.append_request_body(b"a=1&");
        arena.append_request_body(b"b=2");
        let (inside, outside) = arena.with_request_body(|arena, body| {
            let part = body.bytes().get(4..7).unwrap();
            (body.text(part, arena), body.text(b"elsewhere", arena))
        });
        assert_eq!(arena.read(inside), b"b=2");
        assert_eq!(arena.read(outside), b"elsewhere");
        assert_eq!(arena.values.len(), b"elsewhere".len());
    }

    #[test]
    fn a_part_never_reaches_beyond_its_value() {
        let mut arena = Arena::default();
        let text = arena.store(b"abc");
        arena.store(b"secret");
        assert_eq!(arena.read(text.part(1, 99)), b"bc");
        assert_eq!(arena.read(text.part(9, 9)), b"");
    }
}
