//! Errors of a multipart body, in v3's words.

use thiserror::Error;

use super::malformed::Malformed;
use super::text::Text;

/// Error of a multipart body, or of one of its parts.
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
    /// More than one boundary parameter, or the word in another parameter, where some parsers find it.
    #[error("Multipart: Multiple boundary parameters in C-T.")]
    MultipleBoundaries,
    /// A malformed parameter: without a value, repeated, or with a value that parsers end in different places.
    #[error("Multipart: Invalid boundary in C-T (malformed).")]
    BoundaryMalformed,
    /// A parameter whose name only contains the word `boundary`.
    #[error("Multipart: Invalid boundary in C-T (parameter name).")]
    BoundaryParameterName,
    /// A quote that is never closed, or only a closing one.
    #[error("Multipart: Invalid boundary in C-T (quote).")]
    BoundaryQuote,
    /// Characters that are invalid in a boundary, or in one without quotes, or text after the closing quote.
    #[error("Multipart: Invalid boundary in C-T (characters).")]
    BoundaryCharacters,
    /// An empty boundary. In some spellings v3 then parses nothing and reports no error.
    #[error("Multipart: Invalid boundary in C-T (empty).")]
    BoundaryEmpty,
    /// No boundary parameter.
    #[error("Multipart: Boundary not found in C-T.")]
    BoundaryNotFound,
    /// A line starts with the boundary and continues with something other than a line break.
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
    /// The body has no boundary at all.
    #[error("Multipart: No boundaries found in payload.")]
    NoBoundaries,
    /// A header line of a part reaches the limit.
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
    /// The name of a header contains a character that is invalid in a token, such as a blank.
    #[error("Multipart: Invalid part header (contains invalid character): {}", Text(.line))]
    HeaderNameCharacter {
        /// The whole line.
        line: Vec<u8>,
    },
    /// A carriage return within a header line, where some parsers end it.
    #[error("Multipart: Invalid part header (carriage return): {}", Text(.line))]
    CarriageReturnInHeader {
        /// The whole line.
        line: Vec<u8>,
    },
    /// A part that is itself a multipart body, from which some applications take file names.
    #[error("Multipart: Part holds a multipart body: {}", Text(.media_type))]
    NestedMultipart {
        /// The part's `Content-Type`.
        media_type: Vec<u8>,
    },
    /// A part in an encoding that some applications decode.
    #[error("Multipart: Part with Content-Transfer-Encoding: {}", Text(.encoding))]
    TransferEncoding {
        /// The header's value.
        encoding: Vec<u8>,
    },
    /// A header line that starts with the colon.
    #[error("Multipart: Invalid part header (header name missing).")]
    HeaderNameMissing,
    /// Two headers of one name in a part, of which an application may use either. v3 logs this and uses the first.
    #[error("Multipart: Duplicate part header: {}.", Text(.name))]
    DuplicateHeader {
        /// The name.
        name: Vec<u8>,
    },
    /// A part without `Content-Disposition`.
    #[error("Multipart: Part missing Content-Disposition header.")]
    DispositionMissing,
    /// A `Content-Disposition` that cannot be read.
    #[error("Multipart: Invalid Content-Disposition header ({}): {} ({reason})", .reason.code(), Text(.value))]
    InvalidDisposition {
        /// The fault.
        reason: Malformed,
        /// The header's value.
        value: Vec<u8>,
    },
    /// A `Content-Disposition` without a name, or with an empty one.
    #[error("Multipart: Content-Disposition header missing name field.")]
    NameMissing,
    /// The `size` in `Content-Disposition` is not that of the part.
    #[error("Multipart: Content-Disposition says {said} bytes, and the part has {found}.")]
    Size {
        /// The size in the header.
        said: usize,
        /// The actual size.
        found: usize,
    },
    /// More files than `SecUploadFileLimit`. The files are listed nevertheless.
    #[error("Multipart: Upload file limit exceeded {limit}. Use SecUploadFileLimit to change the limit.")]
    FileLimit {
        /// The limit.
        limit: usize,
    },
    /// A file that could not be written to disk, if the settings require it.
    #[error("Multipart: Failed to create file: {reason}")]
    FileNotWritten {
        /// The error of the system.
        reason: String,
    },
    /// More parts than allowed (v3 has no such limit).
    #[error("Multipart: Part limit exceeded {limit}.")]
    PartLimit {
        /// The limit.
        limit: usize,
    },
    /// More header lines in one part than allowed (v3 has no such limit).
    #[error("Multipart: Part header limit exceeded {limit}.")]
    HeaderLimit {
        /// The limit.
        limit: usize,
    },
}

impl MultipartError {
    /// Returns `true` for an error in the request's `Content-Type`, found before the body is read.
    pub(super) fn is_about_content_type(&self) -> bool {
        matches!(
            self,
            Self::MissingContentType
                | Self::InvalidMimeType
                | Self::BoundaryLength
                | Self::MultipleBoundaries
                | Self::BoundaryMalformed
                | Self::BoundaryParameterName
                | Self::BoundaryQuote
                | Self::BoundaryCharacters
                | Self::BoundaryEmpty
                | Self::BoundaryNotFound
        )
    }
}
