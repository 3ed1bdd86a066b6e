//! Bodies of type `multipart/form-data`, with a flag for everything that another parser could read differently.

mod boundary;
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

use std::borrow::Cow;
use std::ops::Range;

pub use error::MultipartError;
pub use flags::MultipartFlags;
pub use note::Note;

/// What a multipart body may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Bytes of a header line of a part, line break included, and of a folded header's value.
    pub header_bytes: usize,
    /// Header lines of one part.
    pub headers_per_part: usize,
    /// Parts of all kinds.
    pub parts: usize,
    /// Files (`SecUploadFileLimit`). v3 counts only when it keeps the files; pass `usize::MAX` otherwise.
    pub files: usize,
    /// The engine cut the body at its limit, so that the missing end is no error: the part that it ends in is read as far as it goes.
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
    /// Where the line starts in the body, in bytes.
    pub offset: usize,
    /// Where the value starts in `line`.
    value_start: usize,
}

impl<'a> PartHeader<'a> {
    /// The header's value, without blanks in front.
    pub fn value(&self) -> &[u8] {
        self.line.get(self.value_start..).unwrap_or_default()
    }

    /// The value with the lifetime of the body where it was not folded.
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
    /// Where the name starts in the body, in bytes.
    pub name_offset: usize,
    /// The file name, unescaped, path and all; `None` for form fields. An empty one makes a form field, as in v3.
    pub file_name: Option<Cow<'a, [u8]>>,
    /// What applications may take for the file's name instead: `filename*`, encoded words decoded, backslashes taken out.
    pub other_file_names: Vec<Vec<u8>>,
    /// Where the file name starts in the body, in bytes.
    pub file_name_offset: usize,
    /// The headers in order; of repeated names only the first is kept, as in v3.
    pub headers: Vec<PartHeader<'a>>,
    /// Where the value or the file's content stands in the body. Line breaks inside belong to it
    /// (v3 drops them from values of form fields); the one before the boundary does not.
    pub content: Range<usize>,
    /// Whether a boundary ended the part. The part that a cut-off body ends in has a name (`MULTIPART_NAME`) and no more.
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
    /// What was odd.
    pub flags: MultipartFlags,
    /// The first error. v3 reports the last, which is mostly a consequence of the first.
    pub error: Option<MultipartError>,
    /// What happened, in order.
    pub notes: Vec<Note<'a>>,
    /// Whether the final boundary was found. Only then does v3 make arguments and `FILES` of the parts.
    pub complete: bool,
    /// What `SecRequestBodyNoFilesLimit` limits: bytes of part headers, line breaks included, and of the values of form fields.
    pub bytes_without_files: usize,
}

impl<'a> Multipart<'a> {
    /// Parses a body. `content_type` is the value of the request's header.
    ///
    /// Errors inside a part's headers do not stop the parser: the line is ignored, and the part where its
    /// `Content-Disposition` cannot be read. An empty body is no error.
    pub fn parse(content_type: Option<&'a [u8]>, body: &'a [u8], limits: &MultipartLimits) -> Self {
        parser::parse(content_type, body, limits)
    }

    /// `MULTIPART_STRICT_ERROR`: an error, or any flag but `MULTIPART_UNMATCHED_BOUNDARY`.
    ///
    /// v3.0.9 forgets some of the errors here; they are in `REQBODY_ERROR` all the same.
    pub fn strict_error(&self) -> bool {
        self.error.is_some() || self.flags.any_strict()
    }
}

#[cfg(test)]
mod tests;
