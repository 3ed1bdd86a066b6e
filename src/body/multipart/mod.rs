//! Bodies of type `multipart/form-data`, with a flag for everything that another parser could read differently.

mod boundary;
mod candidates;
mod charset;
mod disposition;
mod encoded_word;
mod error;
mod extended;
mod flags;
mod malformed;
mod note;
mod parameter;
mod parser;
mod text;

use std::borrow::Cow;
use std::ops::Range;

pub use candidates::BoundaryCandidates;
pub use error::MultipartError;
pub use flags::MultipartFlags;
pub use note::Note;

/// Limits of a multipart body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Maximum length of a header line of a part, with its line break, and of a folded header's value, in bytes.
    pub header_bytes: usize,
    /// Maximum number of header lines of a part.
    pub headers_per_part: usize,
    /// Maximum number of parts of all kinds.
    pub parts: usize,
    /// Maximum number of files (`SecUploadFileLimit`). v3 counts files only if it keeps them; pass `usize::MAX` otherwise.
    pub files: usize,
    /// The engine cut the body at its limit, so that the missing end is not an error: the last part is read as far as it goes.
    pub is_cut: bool,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        MultipartLimits { header_bytes: 4096, headers_per_part: 256, parts: 10_000, files: usize::MAX, is_cut: false }
    }
}

/// A header of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHeader<'a> {
    /// The name as written, up to the colon.
    pub name: &'a [u8],
    /// The whole header without its line break; folded lines are joined with one blank.
    pub line: Cow<'a, [u8]>,
    /// Offset of the line in the body, in bytes.
    pub offset: usize,
    /// Offset of the value in `line`.
    value_start: usize,
}

impl<'a> PartHeader<'a> {
    /// Returns the header's value, without leading blanks.
    pub fn value(&self) -> &[u8] {
        self.line.get(self.value_start..).unwrap_or_default()
    }

    /// Returns the value, borrowed from the body if it was not folded.
    fn value_piece(&self) -> Cow<'a, [u8]> {
        match &self.line {
            Cow::Borrowed(line) => Cow::Borrowed(line.get(self.value_start..).unwrap_or_default()),
            Cow::Owned(line) => Cow::Owned(line.get(self.value_start..).unwrap_or_default().to_vec()),
        }
    }
}

/// A part: a form field or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name in `Content-Disposition`, unescaped; never empty.
    pub name: Cow<'a, [u8]>,
    /// Offset of the name in the body, in bytes.
    pub name_offset: usize,
    /// The file name, unescaped, with its path; `None` for form fields. An empty one makes a form field, as in v3.
    pub file_name: Option<Cow<'a, [u8]>>,
    /// Names that applications may use for the file instead: `filename*`, decoded encoded words, the name without backslashes.
    pub other_file_names: Vec<Vec<u8>>,
    /// Offset of the file name in the body, in bytes.
    pub file_name_offset: usize,
    /// The headers in order; of repeated names only the first is kept, as in v3.
    pub headers: Vec<PartHeader<'a>>,
    /// Range of the value or the file's content in the body. Line breaks inside are part of it (v3 drops them from values of form fields); the one
    /// before the boundary is not.
    pub content: Range<usize>,
    /// `true` if a boundary ended the part. The last part of a cut-off body has a name (`MULTIPART_NAME`) and nothing else.
    pub closed: bool,
}

impl Part<'_> {
    /// Returns `true` if this is a file.
    pub fn is_file(&self) -> bool {
        self.file_name.is_some()
    }
}

/// A parsed multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Multipart<'a> {
    /// The parts that have a name, in order.
    pub parts: Vec<Part<'a>>,
    /// The oddities.
    pub flags: MultipartFlags,
    /// The first error. v3 reports the last, which is usually a consequence of the first.
    pub error: Option<MultipartError>,
    /// Notes for the debug log, in order.
    pub notes: Vec<Note<'a>>,
    /// `true` if the final boundary was found. Only then does v3 make arguments and `FILES` of the parts.
    pub complete: bool,
    /// Number of bytes that `SecRequestBodyNoFilesLimit` limits: those of part headers, with line breaks, and of the values of form fields.
    pub bytes_without_files: usize,
}

impl Multipart<'_> {
    /// `MULTIPART_STRICT_ERROR`: an error, or any flag but `MULTIPART_UNMATCHED_BOUNDARY`.
    ///
    /// v3.0.9 omits some of the errors here; they are in `REQBODY_ERROR` nevertheless.
    pub fn strict_error(&self) -> bool {
        self.error.is_some() || self.flags.any_strict()
    }
}

#[cfg(test)]
mod tests;
