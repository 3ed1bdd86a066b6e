//! What can be wrong with a multipart body, in v3's words.

use thiserror::Error;

use super::note::Text;

/// Why a multipart body, or one of its parts, is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The request has no `Content-Type`.
    #[error("Multipart: Content-Type header not available.")]
    MissingContentType,
    /// The `Content-Type` is something else.
    #[error("Multipart: Invalid MIME type.")]
    InvalidMimeType,
    /// The `Content-Type` header is longer than 1024 bytes.
    #[error("Multipart: Invalid boundary in C-T (length).")]
    BoundaryLength,
    /// More than one boundary parameter.
    #[error("Multipart: Multiple boundary parameters in C-T.")]
    MultipleBoundaries,
    /// Something stands before the boundary parameter, or it has no value.
    #[error("Multipart: Invalid boundary in C-T (malformed).")]
    BoundaryMalformed,
    /// The parameter's name only starts with `boundary`.
    #[error("Multipart: Invalid boundary in C-T (parameter name).")]
    BoundaryParameterName,
    /// Quotes that do not enclose the whole value.
    #[error("Multipart: Invalid boundary in C-T (quote).")]
    BoundaryQuote,
    /// Characters that no boundary may hold.
    #[error("Multipart: Invalid boundary in C-T (characters).")]
    BoundaryCharacters,
    /// An empty boundary. v3 then parses nothing and reports no error in some spellings.
    #[error("Multipart: Invalid boundary in C-T (empty).")]
    BoundaryEmpty,
    /// The parameter's name is not in lower case.
    #[error("Multipart: Invalid boundary in C-T (case sensitivity).")]
    BoundaryCase,
    /// No boundary parameter.
    #[error("Multipart: Boundary not found in C-T.")]
    BoundaryNotFound,
    /// A line starts with the boundary and goes on with something else than a line break.
    #[error("Multipart: Invalid boundary: {}", Text(.line))]
    InvalidBoundary {
        /// The whole line.
        line: Vec<u8>,
    },
    /// Blanks between the two hyphens and the boundary.
    #[error("Multipart: Invalid boundary (whitespace).")]
    BoundaryWhitespace,
    /// The body ends without the final boundary.
    #[error("Multipart: Final boundary missing.")]
    FinalBoundaryMissing,
    /// The body holds no boundary at all.
    #[error("Multipart: No boundaries found in payload.")]
    NoBoundaries,
    /// A header line of a part is as long as the limit, or longer.
    #[error("Multipart: Part header line over {limit} bytes long")]
    HeaderLineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A folded header of a part became longer than the limit.
    #[error("Multipart: Part header too long.")]
    HeaderTooLong,
    /// A NUL byte in a header line of a part.
    #[error("Multipart: Nul byte in part headers.")]
    NulInHeader,
    /// The first header line of a part is a continuation.
    #[error("Multipart: Invalid part header (folding error).")]
    HeaderFolding,
    /// A header line without a colon.
    #[error("Multipart: Invalid part header (colon missing): {}", Text(.line))]
    ColonMissing {
        /// The whole line.
        line: Vec<u8>,
    },
    /// A header line that starts with the colon.
    #[error("Multipart: Invalid part header (header name missing).")]
    HeaderNameMissing,
    /// Two headers of one name in a part, of which an application may take either. v3 logs this and takes the first.
    #[error("Multipart: Duplicate part header: {}.", Text(.name))]
    DuplicateHeader {
        /// The name.
        name: Vec<u8>,
    },
    /// A part without `Content-Disposition`.
    #[error("Multipart: Part missing Content-Disposition header.")]
    DispositionMissing,
    /// A `Content-Disposition` that cannot be read.
    #[error("Multipart: Invalid Content-Disposition header ({code}): {}", Text(.value))]
    InvalidDisposition {
        /// v3's number for what is wrong.
        code: i8,
        /// The header's value.
        value: Vec<u8>,
    },
    /// A `Content-Disposition` without a name, or with an empty one.
    #[error("Multipart: Content-Disposition header missing name field.")]
    NameMissing,
    /// More files than `SecUploadFileLimit`. The files are listed all the same.
    #[error("Multipart: Upload file limit exceeded {limit}. Use SecUploadFileLimit to change the limit.")]
    FileLimit {
        /// The limit.
        limit: usize,
    },
    /// More parts than allowed (v3 knows no such limit).
    #[error("Multipart: Part limit exceeded {limit}.")]
    PartLimit {
        /// The limit.
        limit: usize,
    },
    /// More header lines in one part than allowed (v3 knows no such limit).
    #[error("Multipart: Part header limit exceeded {limit}.")]
    HeaderLimit {
        /// The limit.
        limit: usize,
    },
}
