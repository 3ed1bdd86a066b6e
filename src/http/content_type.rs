//! The `Content-Type` header of requests and responses.

use super::blank;

/// The kinds of request body for which v3 chooses a parser by itself.
///
/// JSON and XML bodies are parsed only if a rule requests it (`ctl:requestBodyProcessor`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormType {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `multipart/form-data`.
    Multipart,
}

/// Returns the form type that a request's `Content-Type` starts with, in either case.
///
/// As in v3, only the beginning counts: `multipart/form-database` is multipart. Leading blanks are skipped, as PHP, Go and Tomcat do.
pub fn form_type(header: &[u8]) -> Option<FormType> {
    let header = blank::trim_start(header);
    let starts_with = |media_type: &[u8]| header.get(..media_type.len()).is_some_and(|start| start.eq_ignore_ascii_case(media_type));
    if starts_with(b"application/x-www-form-urlencoded") {
        Some(FormType::UrlEncoded)
    } else if starts_with(b"multipart/form-data") {
        Some(FormType::Multipart)
    } else {
        None
    }
}

/// Returns the header's value before its first `;`, otherwise unchanged (`RESPONSE_CONTENT_TYPE`).
pub fn media_type(header: &[u8]) -> &[u8] {
    header.split(|byte| *byte == b';').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_cut_off() {
        assert_eq!(media_type(b"text/html; charset=utf-8"), b"text/html");
        assert_eq!(media_type(b"text/html"), b"text/html");
        assert_eq!(media_type(b""), b"");
    }

    #[test]
    fn forms_are_known_by_their_beginning() {
        assert_eq!(form_type(b"Multipart/Form-Data; boundary=x"), Some(FormType::Multipart));
        assert_eq!(form_type(b"application/x-www-form-urlencodedX"), Some(FormType::UrlEncoded));
        assert_eq!(form_type(b" multipart/form-data"), Some(FormType::Multipart));
        assert_eq!(form_type(b"application/json"), None);
    }
}
