//! The error of any body parser, worded as rules see it.

use thiserror::Error;

use super::json::JsonError;
use super::multipart::MultipartError;
use super::xml::XmlError;

/// Why a request body could not be parsed; its text is v3's `REQBODY_ERROR_MSG`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The JSON parser stopped.
    #[error("JSON parsing error: {0}")]
    Json(#[from] JsonError),
    /// The multipart parser found something invalid.
    #[error("Multipart parsing error: {0}")]
    Multipart(#[from] MultipartError),
    /// The request has several Content-Type headers that differ, of which an application may take any.
    #[error("Content-Type headers that differ.")]
    ContentTypes,
    /// A form in a charset in which rules do not see its letters.
    #[error("Content-Type names a charset in which the body cannot be judged.")]
    Charset,
    /// The body is no XML document.
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
