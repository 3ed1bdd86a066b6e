//! Converts an XML body to UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;

/// Returns the body as text; `None` if its encoding is unknown or its bytes are invalid in it.
///
/// A body whose declared encoding contradicts its byte order mark or its first bytes counts as unknown: libxml2 believes the declaration (`utf-7`
/// after a byte order mark of UTF-8), other parsers the mark, and each reads a different document.
pub(super) fn decode(body: &[u8]) -> Option<Cow<'_, str>> {
    let (encoding, text) = match Encoding::for_bom(body) {
        Some((encoding, length)) => (encoding, body.get(length..)?),
        None => (declared_encoding(body)?, body),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(text)?;
    let is_utf_16 = |encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    let agrees = |label: &[u8]| {
        Encoding::for_label(label).is_some_and(|declared| declared == encoding || is_utf_16(declared) && is_utf_16(encoding))
    };
    declared_label(text.as_bytes()).is_none_or(agrees).then_some(text)
}

/// Returns the encoding that a body without byte order mark declares.
fn declared_encoding(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [b'<', 0, ..] => return Some(UTF_16LE),
        [0, b'<', ..] => return Some(UTF_16BE),
        _ => {}
    }
    let Some(label) = declared_label(body) else { return Some(UTF_8) };
    let encoding = Encoding::for_label(label)?;
    // The declaration could be read byte by byte, so this cannot be UTF-16.
    (encoding.is_ascii_compatible()).then_some(encoding)
}

/// Returns the value of `encoding` in the XML declaration.
fn declared_label(body: &[u8]) -> Option<&[u8]> {
    let declaration = body.strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..memmem::find(declaration, b"?>")?)?;
    let name = b"encoding";
    let after = declaration.get(memmem::find(declaration, name)?.checked_add(name.len())?..)?;
    let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    value.split(|byte| byte == quote).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_8_is_borrowed() {
        assert!(matches!(decode("<a>é</a>".as_bytes()), Some(Cow::Borrowed("<a>é</a>"))));
        assert_eq!(decode(b"\xef\xbb\xbf<a/>").as_deref(), Some("<a/>"));
        assert_eq!(decode(b"<a>\xff</a>"), None);
    }

    #[test]
    fn declared_encodings_are_converted() {
        let text = decode(b"<?xml version='1.0' encoding = 'iso-8859-15'?><a>\xa4</a>");
        assert!(text.is_some_and(|text| text.ends_with("<a>\u{20ac}</a>")));
        assert_eq!(decode(b"<?xml version='1.0' encoding='klingon'?><a/>"), None);
        assert_eq!(decode(b"<?xml version='1.0' encoding='utf-16'?><a/>"), None);
    }

    #[test]
    fn a_declaration_agrees_with_the_mark() {
        let marked = |label: &str| [b"\xef\xbb\xbf<?xml version='1.0' encoding='", label.as_bytes(), b"'?><a/>"].concat();
        assert!(decode(&marked("UTF-8")).is_some());
        assert_eq!(decode(&marked("utf-7")), None);
        assert_eq!(decode(&marked("iso-8859-1")), None);
        let wide = |label: &str| {
            let text = format!("\u{feff}<?xml version='1.0' encoding='{label}'?><a/>");
            text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
        };
        assert!(decode(&wide("utf-16")).is_some());
        assert_eq!(decode(&wide("utf-8")), None);
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_its_shape() {
        assert_eq!(decode(b"\xfe\xff\0<\0a\0/\0>").as_deref(), Some("<a/>"));
        assert_eq!(decode(b"<\0a\0/\0>\0").as_deref(), Some("<a/>"));
    }
}
