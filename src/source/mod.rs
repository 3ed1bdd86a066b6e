//! Takes files and strings, gives numbered texts with spans; imports nothing of the project.
//!
//! Reading, globbing and fetching are methods of [`Loader`], so that everything above can be fed from memory. So are files that a load keeps for later
//! ones (`cache_file`).

#[cfg(unix)]
mod cache_file;
mod loader;
#[cfg(feature = "remote")]
mod remote;

pub use loader::{FileSystem, Loader, Memory};
#[cfg(feature = "remote")]
pub use remote::Recipient;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Maximum size of a file that a rule set may name, in bytes: rule files and data files, local and remote. GeoIP databases have more than 100 MB.
const LARGEST_FILE: u64 = 512 << 20;

/// The number of a text in its [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

/// A range of bytes of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

/// A value with its place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub node: T,
    /// Its place.
    pub span: Span,
}

/// A position for people: both numbers start at 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A text: a rule file, or a string that the host passed.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Box<[u32]>,
    from_file: bool,
    included_at: Option<Span>,
}

/// All texts of one load, numbered in the order in which they were added. Copies share the texts.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<Arc<Source>>,
    size: usize,
    /// Numbers of the texts that are read before all others, although they were added later.
    first: Range<usize>,
}

/// Error of bytes that are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotText {
    /// The byte at this offset is not part of a UTF-8 character.
    InvalidUtf8(usize),
    /// There is a NUL byte at this offset.
    Nul(usize),
}

impl SourceId {
    /// Returns its index among the texts of its [`Sources`], from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Sources {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text from a file; `name` is its path.
    pub fn add_file(&mut self, name: &str, bytes: Vec<u8>) -> Result<SourceId, NotText> {
        self.add(name, bytes, true)
    }

    /// Adds a text from the network; `address` is its name in messages.
    pub fn add_fetched(&mut self, address: &str, bytes: Vec<u8>) -> Result<SourceId, NotText> {
        self.add(address, bytes, false)
    }

    /// Adds a text from the host; `name` is its name in messages.
    pub fn add_text(&mut self, name: &str, text: &str) -> Result<SourceId, NotText> {
        self.add(name, text.as_bytes().to_vec(), false)
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>, from_file: bool) -> Result<SourceId, NotText> {
        let text = String::from_utf8(bytes).map_err(|error| NotText::InvalidUtf8(error.utf8_error().valid_up_to()))?;
        if let Some(offset) = memchr::memchr(0, text.as_bytes()) {
            return Err(NotText::Nul(offset));
        }
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let line_starts = std::iter::once(0).chain(lines).collect();
        let id = SourceId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.size = self.size.saturating_add(text.len());
        self.texts.push(Arc::new(Source { name: name.into(), text: text.into(), line_starts, from_file, included_at: None }));
        Ok(id)
    }

    /// Sets the place at which an earlier text includes this one.
    pub fn note_include(&mut self, included: SourceId, at: Span) {
        if let Some(source) = self.texts.get_mut(included.0 as usize).filter(|_| at.source < included) {
            Arc::make_mut(source).included_at = Some(at);
        }
    }

    /// Returns the include chain of a place: the places that include each other, from the outermost text inwards, then the place itself. Places
    /// sorted by their chains are in the order in which they are read.
    pub fn way_to(&self, place: Span) -> Vec<Span> {
        let includes = |place: &Span| self.find(place.source).and_then(|source| source.included_at);
        let mut way: Vec<Span> = std::iter::successors(Some(place), includes).collect();
        way.reverse();
        way
    }

    /// Returns the text with this number.
    ///
    /// For a number of another `Sources`, this is the text with the same index here, or `None`.
    pub fn find(&self, id: SourceId) -> Option<&Source> {
        self.texts.get(id.0 as usize).map(Arc::as_ref)
    }

    /// Declares the texts with these numbers to be read before all others.
    pub fn put_first(&mut self, numbers: Range<usize>) {
        self.first = numbers;
    }

    /// Returns the place of a text in the order in which they are read.
    pub fn place_of(&self, id: SourceId) -> usize {
        let (number, first) = (id.index(), &self.first);
        if first.contains(&number) {
            number - first.start
        } else if number < first.start {
            number + first.len()
        } else {
            number
        }
    }

    /// Returns all texts, in the order in which they are read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        let part = |range: Range<usize>| self.texts.get(range).unwrap_or_default();
        let Range { start, end } = self.first;
        [part(start..end), part(0..start), part(end..self.texts.len())].into_iter().flatten().map(Arc::as_ref)
    }

    /// Returns the number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns the length of all texts together, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns `true` if there is no text.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the name of the text of a span, and the position where the span starts.
    pub fn locate(&self, span: Span) -> (Arc<str>, Position) {
        match self.find(span.source) {
            Some(source) => (source.name.clone(), source.position(span.start)),
            None => ("".into(), Position { line: 1, column: 1 }),
        }
    }
}

impl Source {
    /// Returns its path, or its name in messages.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns the whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns `true` if it was read from a file, so that relative paths in it are relative to its folder.
    pub fn is_file(&self) -> bool {
        self.from_file
    }

    /// Returns line and column of a byte offset; an offset after the end counts as the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start as usize <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0) as usize;
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Position { line, column }
    }

    /// Returns the line with this number (from 1), without its line end, and its range.
    pub fn line(&self, number: usize) -> Option<(Range<usize>, &str)> {
        let start = *self.line_starts.get(number.checked_sub(1)?)? as usize;
        let end = self.line_starts.get(number).map_or(self.text.len(), |next| next.saturating_sub(1) as usize);
        let line = self.text.get(start..end)?.trim_end_matches('\r');
        Some((start..start + line.len(), line))
    }
}

impl Span {
    /// Returns the span from the start of this one to the end of `other`, which comes after it in the same text.
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }
}

impl<T> Spanned<T> {
    /// Makes a value with its place.
    pub fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }

    /// Returns another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { node: change(self.node), span: self.span }
    }
}

/// Returns `true` if a name is an https address.
pub fn is_remote(name: &str) -> bool {
    name.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> (Sources, SourceId) {
        let mut sources = Sources::new();
        let id = sources.add_text("rules", text).unwrap();
        (sources, id)
    }

    #[test]
    fn positions_count_characters_from_one() {
        let (sources, id) = source("a\nßxy\n");
        let text = sources.find(id).unwrap();
        assert_eq!(text.position(0), Position { line: 1, column: 1 });
        assert_eq!(text.position(4), Position { line: 2, column: 2 });
        assert_eq!(text.position(999), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_line_comes_without_its_end() {
        let (sources, id) = source("one\r\ntwo");
        let text = sources.find(id).unwrap();
        assert_eq!(text.line(1), Some((0..3, "one")));
        assert_eq!(text.line(2), Some((5..8, "two")));
        assert_eq!(text.line(3), None);
    }

    #[test]
    fn an_included_text_is_read_at_its_include() {
        let (mut sources, outer) = source("Include a\nx");
        let inner = sources.add_file("a", b"y".to_vec()).unwrap();
        let at = |source, start| Span { source, start, end: start + 1 };
        sources.note_include(inner, at(outer, 8));
        sources.note_include(outer, at(inner, 0));
        assert_eq!(sources.way_to(at(inner, 0)), [at(outer, 8), at(inner, 0)]);
        assert!(sources.way_to(at(inner, 0)) < sources.way_to(at(outer, 10)));
    }

    #[test]
    fn texts_that_are_put_first_are_read_before_those_added_earlier() {
        let mut sources = Sources::new();
        let ids: Vec<SourceId> = ["c", "d", "a", "b", "e"].iter().map(|name| sources.add_text(name, "").unwrap()).collect();
        sources.put_first(2..4);
        assert_eq!(sources.iter().map(|source| source.name().to_string()).collect::<String>(), "abcde");
        assert_eq!(ids.iter().map(|id| sources.place_of(*id)).collect::<Vec<_>>(), [2, 3, 0, 1, 4]);
    }

    #[test]
    fn only_https_addresses_are_remote() {
        assert!(is_remote("https://rules.example/") && is_remote("HTTPS://rules.example/"));
        assert!(["http://rules.example/", "https:/a", "rules/https://a", "ßßßßßßß", ""].iter().all(|name| !is_remote(name)));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let mut sources = Sources::new();
        assert_eq!(sources.add_file("f", b"ab\xff".to_vec()), Err(NotText::InvalidUtf8(2)));
        assert_eq!(sources.add_file("f", b"a\0".to_vec()), Err(NotText::Nul(1)));
    }
}
