//! The error of any body parser, in the words that rules see.

use thiserror::Error;

use super::json::JsonError;
use super::multipart::MultipartError;
use super::xml::XmlError;

/// Error of parsing a request body; its text is v3's `REQBODY_ERROR_MSG`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The JSON parser stopped.
    #[error("JSON parsing error: {0}")]
    Json(#[from] JsonError),
    /// The multipart parser found something invalid.
    #[error("Multipart parsing error: {0}")]
    Multipart(#[from] MultipartError),
    /// The request has several Content-Type headers that differ, and an application may use any of them.
    #[error("Content-Type headers that differ.")]
    ContentTypes,
    /// A form in a charset in which rules cannot read its letters.
    #[error("Content-Type names a charset in which the body cannot be judged.")]
    Charset,
    /// The body is not an XML document.
    #[error("XML parsing error: {0}")]
    Xml(#[from] XmlError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_parser_first() {
        let error = BodyError::from(JsonError::PrematureEnd);
        assert_eq!(error.to_string(), "JSON parsing error: parse error: premature EOF\n");
    }
}
