//! Logical lines: physical lines joined by continuation, with a mapping to places in the source.

use super::lexer::Failure;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};
use std::borrow::Cow;

/// A logical line, without the marks of continuation.
pub struct LogicalLine {
    source: SourceId,
    text: String,
    /// The physical lines, in order.
    pieces: Vec<Piece>,
}

/// Start of a physical line.
struct Piece {
    /// Offset in the logical line.
    logical: usize,
    /// Offset in the source.
    physical: usize,
    /// Number of the line in the source, from 1.
    number: usize,
}

/// A physical line, its number from 1, and where it starts.
#[derive(Clone, Copy)]
pub struct PhysicalLine<'a> {
    pub number: usize,
    pub start: usize,
    pub text: &'a str,
}

/// Returns the lines of a text, without their line ends.
pub fn physical_lines(text: &str) -> impl Iterator<Item = PhysicalLine<'_>> {
    let mut start = 0;
    text.split_inclusive('\n').zip(1..).map(move |(line, number)| {
        let here = start;
        start += line.len();
        let line = line.strip_suffix('\n').unwrap_or(line);
        PhysicalLine { number, start: here, text: line.trim_end_matches('\r') }
    })
}

/// Returns the line without the `\` that joins it to the next, if it has one.
pub fn continued(line: &str) -> Option<&str> {
    line.trim_end_matches([' ', '\t']).strip_suffix('\\')
}

impl LogicalLine {
    /// Joins physical lines; all but the last are continued.
    pub fn join(source: SourceId, lines: &[PhysicalLine<'_>]) -> Self {
        let mut joined = Self { source, text: String::new(), pieces: Vec::with_capacity(lines.len()) };
        for line in lines {
            joined.pieces.push(Piece { logical: joined.text.len(), physical: line.start, number: line.number });
            joined.text.push_str(continued(line.text).unwrap_or(line.text));
        }
        joined
    }

    /// Returns the joined text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the place of a part of this line's text. Any other text, such as an empty literal, is placed at the end of the line.
    pub fn span(&self, part: &str) -> Span {
        let start = self.offset(part);
        let end = (start + part.len()).min(self.text.len());
        Span { source: self.source, start: self.place(start), end: if end > start { self.place(end - 1) + 1 } else { self.place(start) } }
    }

    /// Returns the number of the physical line in which a part of this line's text begins, from 1.
    pub fn number(&self, part: &str) -> usize {
        self.piece(self.offset(part)).map_or(1, |piece| piece.number)
    }

    /// Returns `true` if physical lines begin within a part of this line's text.
    pub fn is_continued_in(&self, part: &str) -> bool {
        let start = self.offset(part);
        self.pieces.iter().any(|piece| piece.logical > start && piece.logical < start + part.len())
    }

    fn offset(&self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize);
        offset.filter(|start| start + part.len() <= self.text.len()).unwrap_or(self.text.len())
    }

    fn piece(&self, offset: usize) -> Option<&Piece> {
        let behind = self.pieces.partition_point(|piece| piece.logical <= offset);
        self.pieces.get(behind.checked_sub(1)?)
    }

    fn place(&self, offset: usize) -> usize {
        self.piece(offset).map_or(offset, |piece| piece.physical + (offset - piece.logical))
    }

    /// Returns a failure as a diagnostic, placed on the word that it starts with, or on the mark.
    pub fn diagnose(&self, failure: &Failure<'_>) -> Diagnostic {
        let ends = |(at, c): &(usize, char)| *at > 0 && matches!(c, ' ' | '\t' | ',' | '|');
        let end = failure.at.char_indices().find(ends).map_or(failure.at.len(), |(at, _)| at);
        let word = failure.at.get(..end).unwrap_or(failure.at);
        let diagnostic = Diagnostic::new(failure.code, self.span(word), failure.message.clone().into_owned());
        diagnostic.maybe_hint(failure.hint.clone().map(Cow::into_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn a_joined_line_knows_where_its_parts_came_from() {
        let text = "SecAction \\\r\n  \"id:1\"";
        let mut sources = Sources::new();
        let source = sources.add_text("rules", text).unwrap();
        let lines: Vec<_> = physical_lines(text).collect();
        let line = LogicalLine::join(source, &lines);
        assert_eq!(line.text(), "SecAction   \"id:1\"");
        let id = line.text().get(13..17).unwrap();
        assert_eq!((id, line.span(id).start), ("id:1", 16));
    }

    #[test]
    fn blanks_behind_the_backslash_still_continue() {
        assert_eq!(continued("a \\ "), Some("a "));
        assert_eq!(continued("a"), None);
    }
}
