//! Notes of the parser, in order, for the debug log in v3's words.

use std::borrow::Cow;
use std::fmt::{self, Display};

use super::error::MultipartError;
use super::text::Text;

/// A note of the parser. `Display` gives v3's debug log line.
///
/// There are fewer notes than in v3 where a body could cause very many: the lines of one value are one note, and so are consecutive lines that are
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note<'a> {
    /// Another parameter follows the boundary.
    ParameterAfterBoundary,
    /// The boundary's parameter is not written in lower case.
    BoundaryCase,
    /// The boundary that is used.
    Boundary {
        /// Without quotes.
        boundary: &'a [u8],
        /// `true` if it was quoted.
        quoted: bool,
    },
    /// Lines before the first boundary.
    DataBefore,
    /// Bytes after the final boundary.
    DataAfter {
        /// Their number.
        length: usize,
    },
    /// A part header was read.
    Header {
        /// Its name.
        name: &'a [u8],
        /// Its value so far.
        value: &'a [u8],
    },
    /// A part header continues.
    HeaderContinued {
        /// The header's name.
        name: &'a [u8],
        /// The added text, with its line break.
        text: &'a [u8],
    },
    /// Quotes in a wrong place.
    InvalidQuoting {
        /// The text from the quote on, or the value that contains it.
        text: Cow<'a, [u8]>,
    },
    /// The name in `Content-Disposition`.
    Name(Cow<'a, [u8]>),
    /// A second name.
    DuplicateName {
        /// The second one.
        name: Cow<'a, [u8]>,
        /// The first one.
        previous: Cow<'a, [u8]>,
    },
    /// The file name in `Content-Disposition`.
    FileName(Cow<'a, [u8]>),
    /// A second file name.
    DuplicateFileName(Cow<'a, [u8]>),
    /// The `filename*` in `Content-Disposition`, decoded.
    ExtendedFileName(Vec<u8>),
    /// A second `filename*`.
    DuplicateExtendedFileName(Vec<u8>),
    /// A `filename*` without a `filename`.
    OnlyExtendedFileName(Vec<u8>),
    /// A boundary line inside headers or where data should start.
    BoundaryInPart,
    /// A boundary with its hyphens within a line.
    BoundaryInLine,
    /// The final boundary, without a line break, in such a place.
    FinalBoundaryInPart,
    /// The value of a form field.
    Value(&'a [u8]),
    /// A header line that is kept, for `MULTIPART_PART_HEADERS`.
    HeaderLine(Cow<'a, [u8]>),
    /// A form field is complete.
    FieldAdded {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// Offset of its value in the body.
        offset: usize,
        /// Bytes of the value.
        length: usize,
    },
    /// A file is complete.
    FileAdded {
        /// The part's name.
        name: Cow<'a, [u8]>,
        /// The file's name.
        file_name: Cow<'a, [u8]>,
        /// Offset of its content in the body.
        offset: usize,
        /// Bytes of content.
        length: usize,
    },
    /// A part without a name was dropped.
    PartSkipped {
        /// Offset of its data in the body; 0 if it has none.
        offset: usize,
        /// Bytes of data.
        length: usize,
    },
    /// A flag was set, reported at the end of the body.
    Warning(Warning),
    /// An error; parsing may have continued.
    Error(MultipartError),
}

/// The flags as reported at the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Data before the first boundary.
    DataBefore,
    /// Data after the last boundary.
    DataAfter,
    /// A quoted boundary.
    BoundaryQuoted,
    /// Blanks around the boundary parameter.
    BoundaryWhitespace,
    /// Folded headers.
    HeaderFolding,
    /// Both CRLF and LF.
    MixedLineEndings,
    /// LF only.
    LfLineEndings,
    /// No semicolon before the boundary parameter.
    MissingSemicolon,
    /// Quotes in a wrong place.
    InvalidQuoting,
    /// A boundary in a wrong place.
    InvalidPart,
    /// Folding with an unusual blank.
    InvalidHeaderFolding,
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Warning::DataBefore => "seen data before first boundary.",
            Warning::DataAfter => "seen data after last boundary.",
            Warning::BoundaryQuoted => "boundary was quoted.",
            Warning::BoundaryWhitespace => "boundary whitespace in C-T header.",
            Warning::HeaderFolding => "header folding used.",
            Warning::MixedLineEndings => "mixed line endings used (CRLF/LF).",
            Warning::LfLineEndings => "incorrect line endings used (LF).",
            Warning::MissingSemicolon => "missing semicolon in C-T header.",
            Warning::InvalidQuoting => "invalid quoting used.",
            Warning::InvalidPart => "invalid part parsing.",
            Warning::InvalidHeaderFolding => "invalid header folding used.",
        })
    }
}

impl Note<'_> {
    /// Returns the level of the note in v3's debug log.
    pub fn level(&self) -> u8 {
        match self {
            Note::Error(error) if error.is_about_content_type() => 4,
            Note::Error(_) => 1,
            Note::PartSkipped { .. } | Note::ParameterAfterBoundary | Note::BoundaryInPart | Note::FinalBoundaryInPart => 3,
            Note::Warning(_)
            | Note::DataBefore
            | Note::DataAfter { .. }
            | Note::DuplicateName { .. }
            | Note::DuplicateFileName(_)
            | Note::DuplicateExtendedFileName(_)
            | Note::OnlyExtendedFileName(_)
            | Note::BoundaryCase
            | Note::BoundaryInLine => 4,
            _ => 9,
        }
    }
}

impl Display for Note<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Note::Error(error) = self {
            return error.fmt(formatter);
        }
        formatter.write_str("Multipart: ")?;
        match self {
            Note::ParameterAfterBoundary => formatter.write_str("Invalid parameter after boundary in C-T (tolerated)."),
            Note::BoundaryCase => formatter.write_str("Invalid boundary in C-T (case sensitivity) (tolerated)."),
            Note::Boundary { boundary, quoted } => {
                write!(formatter, "Boundary{}: {}", if *quoted { " (quoted)" } else { "" }, Text(boundary))
            }
            Note::DataBefore => formatter.write_str("Ignoring data before first boundary."),
            Note::DataAfter { length } => write!(formatter, "Ignoring data after last boundary ({length}bytes left)"),
            Note::Header { name, value } => write!(formatter, "Added part header \"{}\" \"{}\".", Text(name), Text(value)),
            Note::HeaderContinued { name, text } => write!(formatter, "Continued folder header \"{}\" with \"{}\"", Text(name), Text(text)),
            Note::InvalidQuoting { text } => write!(formatter, "Invalid quoting detected: {} length {} bytes", Text(text), text.len()),
            Note::Name(name) => write!(formatter, "Content-Disposition name: {}.", Text(name)),
            Note::DuplicateName { name, previous } => {
                write!(formatter, "Warning: Duplicate Content-Disposition name: {}. Previously: {}", Text(name), Text(previous))
            }
            Note::FileName(name) => write!(formatter, "Content-Disposition filename: {}.", Text(name)),
            Note::DuplicateFileName(name) => write!(formatter, "Warning: Duplicate Content-Disposition filename: {}.", Text(name)),
            Note::ExtendedFileName(name) => write!(formatter, "Content-Disposition filename*: {}.", Text(name)),
            Note::DuplicateExtendedFileName(name) => write!(formatter, "Warning: Duplicate Content-Disposition filename*: {}.", Text(name)),
            Note::OnlyExtendedFileName(name) => write!(formatter, "Warning: no filename= but filename*:{}.", Text(name)),
            Note::BoundaryInPart => formatter.write_str("Invalid part (data contains boundary)"),
            Note::BoundaryInLine => formatter.write_str("Invalid part (line contains boundary)"),
            Note::FinalBoundaryInPart => formatter.write_str("Invalid part (data contains final boundary)"),
            Note::Value(value) => write!(formatter, "Added data to variable: {}", Text(value)),
            Note::HeaderLine(line) => write!(formatter, "Added part header line:{}", Text(line)),
            Note::FieldAdded { name, offset, length } => {
                write!(formatter, "Added part to the list: name \"{}\" (offset {offset}, length {length})", Text(name))
            }
            Note::FileAdded { name, file_name, offset, length } => write!(
                formatter,
                "Added file part to the list: name \"{}\" file name \"{}\" (offset {offset}, length {length})",
                Text(name),
                Text(file_name)
            ),
            Note::PartSkipped { offset, length } => {
                write!(formatter, "Skipping invalid part (part name missing): (offset {offset}, length {length})")
            }
            Note::Warning(warning) => write!(formatter, "Warning: {warning}"),
            Note::Error(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_as_in_v3() {
        let note = Note::FileAdded { name: Cow::Borrowed(b"up"), file_name: Cow::Borrowed(b"a.png"), offset: 7, length: 3 };
        assert_eq!(note.to_string(), "Multipart: Added file part to the list: name \"up\" file name \"a.png\" (offset 7, length 3)");
        assert_eq!(Note::Warning(Warning::BoundaryQuoted).to_string(), "Multipart: Warning: boundary was quoted.");
        assert_eq!(Note::Boundary { boundary: b"x\xff", quoted: true }.to_string(), "Multipart: Boundary (quoted): x\u{fffd}");
    }

    #[test]
    fn errors_are_not_prefixed_twice() {
        assert_eq!(Note::Error(MultipartError::NoBoundaries).to_string(), "Multipart: No boundaries found in payload.");
    }
}
