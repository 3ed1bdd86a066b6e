//! Errors of schemas.

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is no well-formed XML. The text is libxml2's beginning of a sentence that goes on with the name of the file.
    #[error("Failed to parse the XML resource")]
    Malformed,
    /// It is XML, but no schema.
    #[error("it is no schema document")]
    NoSchema,
    /// It is a schema with a mistake.
    #[error("{0}")]
    Wrong(String),
}
