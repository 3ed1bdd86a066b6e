//! Errors of document type definitions.

/// Why a DTD cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtdError {
    /// It is in an encoding that is unknown, or has bytes that do not fit it.
    #[error("its encoding is unknown, or its bytes do not fit it")]
    Encoding,
    /// A declaration is wrong.
    #[error("line {line}: {reason}")]
    Syntax {
        /// The line, from 1; for what stands in a parameter entity the line of the file that names it.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}
