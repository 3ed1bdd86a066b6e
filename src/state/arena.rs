//! The memory of one transaction: every value is a range of one of three buffers, so that selecting and sharing values copies nothing.

use super::Budget;

/// A value: a range of bytes in an [`Arena`].
///
/// Two values that are equal as ranges hold the same bytes; the reverse need not be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text {
    start: u32,
    length: u32,
    home: Home,
}

/// The buffer that a value lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Home {
    #[default]
    Values,
    RequestBody,
    ResponseBody,
}

/// What the bytes of a finished transaction are overwritten with.
const POISON: u8 = 0xA5;

/// The bytes of one transaction.
#[derive(Debug, Default)]
pub struct Arena {
    values: Vec<u8>,
    request_body: Vec<u8>,
    response_body: Vec<u8>,
    /// What may still be done with them.
    pub budget: Budget,
}

impl Text {
    /// The value without bytes.
    pub const EMPTY: Text = Text { start: 0, length: 0, home: Home::Values };

    /// Its length in bytes.
    pub fn len(self) -> usize {
        self.length as usize
    }

    /// Returns `true` if it has no bytes.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// A part of it; cut where it reaches beyond the end.
    pub fn part(self, start: usize, length: usize) -> Text {
        let start = start.min(self.len());
        let length = length.min(self.len() - start);
        if length == 0 {
            return Text::EMPTY;
        }
        // Both are at most the length of this value, which is a u32.
        Text { start: self.start + start as u32, length: length as u32, home: self.home }
    }
}

impl Arena {
    /// Forgets all values, and keeps the memory, unless it is more than most transactions need. In builds with debug assertions the bytes are
    /// overwritten, so that a value of an earlier transaction that could still be read would be seen.
    pub fn clear(&mut self) {
        for buffer in [&mut self.values, &mut self.request_body, &mut self.response_body] {
            if cfg!(debug_assertions) {
                buffer.fill(POISON);
            }
            super::forget(buffer);
        }
    }

    /// The bytes of a value.
    pub fn read(&self, text: Text) -> &[u8] {
        let buffer = match text.home {
            Home::Values => &self.values,
            Home::RequestBody => &self.request_body,
            Home::ResponseBody => &self.response_body,
        };
        buffer.get(text.start as usize..).and_then(|rest| rest.get(..text.length as usize)).unwrap_or_default()
    }

    /// Stores bytes as a value.
    ///
    /// What is beyond the limit of memory is stored as empty, and the limit is noted as exceeded.
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
            // Nothing may be held beyond what a u32 can name.
            return Text { start: start as u32, length: length as u32, home: Home::Values };
        }
        self.values.truncate(start);
        Text::EMPTY
    }

    /// Stores a number in decimal digits.
    #[inline]
    pub fn store_number(&mut self, number: impl itoa::Integer) -> Text {
        self.store(itoa::Buffer::new().format(number).as_bytes())
    }

    /// How many bytes values take, bodies apart.
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

    /// The request body so far.
    pub fn request_body(&self) -> Text {
        text(Home::RequestBody, 0, self.request_body.len()).unwrap_or_default()
    }

    /// The response body so far.
    pub fn response_body(&self) -> Text {
        text(Home::ResponseBody, 0, self.response_body.len()).unwrap_or_default()
    }

    /// Runs a parser over the request body; the parser stores what it finds.
    ///
    /// While it runs the body is outside of the arena, so that parsers can borrow it and store at the same time; [`BodyView::text`] makes
    /// values of parts of it without copying them.
    pub fn with_request_body<T>(&mut self, parse: impl FnOnce(&mut Self, BodyView<'_>) -> T) -> T {
        let body = std::mem::take(&mut self.request_body);
        let result = parse(self, BodyView { bytes: &body });
        self.request_body = body;
        result
    }
}

/// The request body while a parser runs over it.
#[derive(Clone, Copy)]
pub struct BodyView<'a> {
    bytes: &'a [u8],
}

impl<'a> BodyView<'a> {
    /// All of it.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A part of the body as a value; bytes that lie elsewhere are stored.
    pub fn text(self, part: &[u8], arena: &mut Arena) -> Text {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        let inside = self.bytes.get(offset..).and_then(|rest| rest.get(..part.len())).is_some_and(|found| std::ptr::eq(found, part));
        inside.then(|| text(Home::RequestBody, offset, part.len())).flatten().unwrap_or_else(|| arena.store(part))
    }
}

fn text(home: Home, start: usize, length: usize) -> Option<Text> {
    if length == 0 {
        // All of them are the same, so that what is known of one is known of all.
        return Some(Text::EMPTY);
    }
    let end = start.checked_add(length)?;
    u32::try_from(end).ok()?;
    Some(Text { start: u32::try_from(start).ok()?, length: u32::try_from(length).ok()?, home })
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
