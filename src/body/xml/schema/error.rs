//! Errors of schemas.

/// Reason why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is not well-formed XML. The text is the beginning of libxml2's sentence, which continues with the name of the file.
    #[error("Failed to parse the XML resource")]
    Malformed,
    /// It is XML, but not a schema.
    #[error("it is not a schema document")]
    NoSchema,
    /// It is a schema with an error.
    #[error("{0}")]
    Wrong(String),
}
