//! Texts in one piece of memory, as patterns have many short ones.

use std::fmt;

/// A list of texts.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Texts {
    bytes: Vec<u8>,
    /// The end of each text in `bytes`; it starts where the one before ends.
    ends: Vec<u32>,
}

impl Texts {
    /// A list of one text.
    pub(super) fn one(text: &[u8]) -> Self {
        let mut texts = Self::with_capacity(1, text.len());
        texts.push(text);
        texts
    }

    /// An empty list with room for so many texts, of so many bytes together.
    pub(super) fn with_capacity(texts: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(texts) }
    }

    /// Splits bytes into texts of these lengths; `None` if they do not add up to the bytes.
    pub(super) fn of_lengths(bytes: &[u8], lengths: &[u8]) -> Option<Self> {
        let mut end = 0u32;
        let mut next = |length: &u8| {
            end = end.checked_add(u32::from(*length))?;
            Some(end)
        };
        let ends: Vec<u32> = lengths.iter().map(&mut next).collect::<Option<_>>()?;
        (end as usize == bytes.len()).then(|| Self { bytes: bytes.to_vec(), ends })
    }

    /// Returns the texts without boundaries.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of texts.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns `true` if there are no texts.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let text = self.bytes.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            text
        })
    }

    /// Returns `true` if there are no bytes in any of the texts.
    pub(super) const fn are_all_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the length of all texts together.
    pub(super) const fn total_length(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a text.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end_text();
    }

    /// Adds a text that is made of two.
    pub(super) fn push_both(&mut self, start: &[u8], end: &[u8]) {
        self.bytes.extend_from_slice(start);
        self.push(end);
    }

    /// Adds the texts of another list.
    pub(super) fn append(&mut self, others: &Self) {
        let before = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&others.bytes);
        self.ends.extend(others.ends.iter().map(|end| before + end));
    }

    /// Appends bytes to the last text.
    pub(super) fn append_to_last(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
        self.ends.pop();
        self.end_text();
    }

    /// Replaces upper-case letters by lower-case ones.
    pub(super) fn make_lowercase(&mut self) {
        self.bytes.make_ascii_lowercase();
    }

    fn end_text(&mut self) {
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }
}

/// A text in the order of lengths and then of bytes. The comparison of two mostly ends before their bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ByLength<'t> {
    length: usize,
    /// The first eight bytes, the first one highest.
    head: u64,
    pub bytes: &'t [u8],
}

impl<'t> ByLength<'t> {
    pub(super) fn of(bytes: &'t [u8]) -> Self {
        let mut head = [0; 8];
        head.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Self { length: bytes.len(), head: u64::from_be_bytes(head), bytes }
    }
}

impl<'t> FromIterator<&'t [u8]> for Texts {
    fn from_iter<I: IntoIterator<Item = &'t [u8]>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text));
        all
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter().map(|text| text.escape_ascii().to_string())).finish()
    }
}
