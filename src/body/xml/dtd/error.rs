//! Errors of document type definitions.

/// Reason why a DTD cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtdError {
    /// An unknown encoding, or bytes that are invalid in it.
    #[error("its encoding is unknown, or its bytes do not fit it")]
    Encoding,
    /// A declaration is invalid.
    #[error("line {line}: {reason}")]
    Syntax {
        /// The line, from 1; within a parameter entity, the line of the file that names it.
        line: usize,
        /// The error.
        reason: String,
    },
}
