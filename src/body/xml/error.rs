//! Errors of XML bodies and of searches in them.

use thiserror::Error;

/// Reason why a body is not a usable XML document. The text is v3's, whatever the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("XML: Failed parsing document.")]
#[non_exhaustive]
pub enum XmlError {
    /// Not well-formed.
    Malformed {
        /// Place and reason, in the parser's words.
        reason: String,
    },
    /// An unknown encoding, or bytes that are invalid in it.
    Encoding,
    /// An element with more attributes than allowed.
    TooManyAttributes,
    /// More tags than allowed.
    TooManyNodes,
    /// Elements are nested more deeply than allowed.
    TooDeep,
    /// Entities and default attributes of the DOCTYPE exceed the limit.
    EntitiesTooLarge,
}

/// Reason why an XPath expression selected nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum XPathError {
    /// The expression is invalid.
    #[error("XML: XPath expression failed: {0}")]
    Failed(String),
    /// The search would visit too many nodes.
    #[error("XML: XPath expression visits more than {0} nodes.")]
    TooManyVisits(usize),
    /// The selected values are too large together.
    #[error("XML: XPath expression selects more than {0} bytes.")]
    TooLarge(usize),
}

/// Makes an error of well-formedness.
pub(super) fn malformed(reason: impl Into<String>) -> XmlError {
    XmlError::Malformed { reason: reason.into() }
}
