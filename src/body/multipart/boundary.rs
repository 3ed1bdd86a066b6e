//! The `boundary` parameter of a `Content-Type` header.
//!
//! The header is read by RFC 9110: parameters in any order, tokens or quoted strings. It is refused if a cruder parser would find another boundary in
//! it. PHP takes the text after the first word `boundary`, Rack the text after the last `boundary=`, and both end it at a comma; Werkzeug ends it at
//! the first byte that is invalid in a token.

use memchr::memchr;

use super::error::MultipartError;
use super::flags::MultipartFlags;
use super::note::Note;
use super::parameter::is_token_character;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";

/// Maximum length of a header, in bytes.
const MAX_HEADER_LENGTH: usize = 1024;

/// Finds the boundary; sets the flags and adds the notes of the header.
pub(super) fn parse<'a>(
    content_type: Option<&'a [u8]>,
    flags: &mut MultipartFlags,
    notes: &mut Vec<Note<'a>>,
) -> Result<&'a [u8], MultipartError> {
    let header = content_type.ok_or(MultipartError::MissingContentType)?;
    if header.len() > MAX_HEADER_LENGTH {
        return Err(MultipartError::BoundaryLength);
    }
    let mut rest = skip_blanks(after_media_type(header).ok_or(MultipartError::InvalidMimeType)?);
    // As in ModSecurity v3, the semicolon may be missing before the boundary, and only there.
    if starts_with_word(rest) {
        flags.missing_semicolon = true;
    } else {
        rest = after_semicolon(rest)?;
    }
    let mut boundary = None;
    let mut others: Vec<&[u8]> = Vec::new();
    while !rest.is_empty() {
        let (parameter, after) = Parameter::read(rest)?;
        if parameter.name.eq_ignore_ascii_case(PARAMETER) {
            if boundary.replace(parameter).is_some() {
                return Err(MultipartError::MultipleBoundaries);
            }
            if !after.is_empty() {
                notes.push(Note::ParameterAfterBoundary);
            }
        } else {
            parameter.check_beside_boundary(&others)?;
            others.push(parameter.name);
        }
        rest = after_semicolon(after)?;
    }
    let boundary = boundary.ok_or(MultipartError::BoundaryNotFound)?;
    if boundary.name != PARAMETER {
        notes.push(Note::BoundaryCase);
    }
    flags.boundary_quoted = boundary.quoted;
    flags.boundary_whitespace = boundary.blanks_around_equals;
    flags.boundary_whitespace |= !boundary.quoted && boundary.value.iter().any(|byte| is_space(*byte));
    let boundary = boundary.checked_boundary()?;
    notes.push(Note::Boundary { boundary, quoted: flags.boundary_quoted });
    if boundary.is_empty() { Err(MultipartError::BoundaryEmpty) } else { Ok(boundary) }
}

/// Returns the bytes that begin a boundary line.
pub(super) fn delimiter(boundary: &[u8]) -> Vec<u8> {
    [b"--", boundary].concat()
}

fn after_media_type(header: &[u8]) -> Option<&[u8]> {
    let (media_type, parameters) = header.split_at_checked(MEDIA_TYPE.len())?;
    media_type.eq_ignore_ascii_case(MEDIA_TYPE).then_some(parameters)
}

/// Returns the text after a semicolon and blanks; empty at the end of the header.
fn after_semicolon(rest: &[u8]) -> Result<&[u8], MultipartError> {
    match skip_blanks(rest) {
        [] => Ok(&[]),
        [b';', rest @ ..] => Ok(skip_blanks(rest)),
        _ => Err(MultipartError::BoundaryMalformed),
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    text.get(blanks..).unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn starts_with_word(text: &[u8]) -> bool {
    text.get(..PARAMETER.len()).is_some_and(|word| word.eq_ignore_ascii_case(PARAMETER))
}

/// Returns `true` if a text contains the word `boundary`, in either case.
fn holds_word(text: &[u8]) -> bool {
    text.windows(PARAMETER.len()).any(starts_with_word)
}

/// A parameter as written.
struct Parameter<'a> {
    name: &'a [u8],
    /// Without its quotes; not unescaped.
    value: &'a [u8],
    quoted: bool,
    blanks_around_equals: bool,
}

impl<'a> Parameter<'a> {
    /// Reads a parameter; returns it and the rest, which begins with a semicolon or is empty.
    fn read(text: &'a [u8]) -> Result<(Self, &'a [u8]), MultipartError> {
        let length = text.iter().take_while(|byte| is_token_character(**byte)).count();
        let (name, rest) = text.split_at_checked(length).unwrap_or_default();
        let value = skip_blanks(rest).strip_prefix(b"=").filter(|_| !name.is_empty()).ok_or(MultipartError::BoundaryMalformed)?;
        let blanks_around_equals = rest.first() != Some(&b'=') || value.first().is_some_and(|byte| is_space(*byte));
        let (quoted, value, after) = match value.strip_prefix(b"\"") {
            Some(inside) => {
                let end = memchr(b'"', inside).ok_or(MultipartError::BoundaryQuote)?;
                let (value, after) = inside.split_at_checked(end).unwrap_or_default();
                (true, value, after.get(1..).unwrap_or_default())
            }
            None => {
                let end = memchr(b';', value).unwrap_or(value.len());
                let (value, after) = value.split_at_checked(end).unwrap_or_default();
                (false, value, after)
            }
        };
        if !matches!(skip_blanks(after), [] | [b';', ..]) {
            return Err(MultipartError::BoundaryCharacters);
        }
        Ok((Parameter { name, value, quoted, blanks_around_equals }, after))
    }

    /// Refuses a parameter that hides a boundary, or that a cruder parser would end elsewhere.
    fn check_beside_boundary(&self, others: &[&[u8]]) -> Result<(), MultipartError> {
        if holds_word(self.name) {
            return Err(MultipartError::BoundaryParameterName);
        }
        if holds_word(self.value) {
            return Err(MultipartError::MultipleBoundaries);
        }
        let stray = |byte: &u8| byte.is_ascii_control() || *byte == b'\\' || (!self.quoted && matches!(byte, b'"' | b','));
        let is_double = others.iter().any(|other| other.eq_ignore_ascii_case(self.name));
        if self.blanks_around_equals || is_double || self.value.iter().any(stray) {
            return Err(MultipartError::BoundaryMalformed);
        }
        Ok(())
    }

    fn checked_boundary(self) -> Result<&'a [u8], MultipartError> {
        let is_allowed = |byte: &u8| if self.quoted { is_boundary_character(*byte) } else { is_unquoted_character(*byte) };
        if !self.quoted && (skip_blanks(self.value).first() == Some(&b'"') || self.value.last() == Some(&b'"')) {
            return Err(MultipartError::BoundaryQuote);
        }
        if self.value.last() == Some(&b' ') || !self.value.iter().all(is_allowed) {
            return Err(MultipartError::BoundaryCharacters);
        }
        // Rack takes the text after the last `boundary=`.
        let holds_another = self.value.split(|byte| *byte == b'=').rev().skip(1).any(holds_word);
        if holds_another { Err(MultipartError::MultipleBoundaries) } else { Ok(self.value) }
    }
}

/// Returns `true` for the characters of a boundary in RFC 2046.
fn is_boundary_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

/// Returns `true` for those of them that need no quotes. A blank needs them too, but ModSecurity v3 accepts it, and here it is flagged.
fn is_unquoted_character(byte: u8) -> bool {
    is_boundary_character(byte) && (is_token_character(byte) || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(header: &str) -> (Result<&[u8], MultipartError>, MultipartFlags) {
        let mut flags = MultipartFlags::default();
        let result = parse(Some(header.as_bytes()), &mut flags, &mut Vec::new());
        (result, flags)
    }

    #[test]
    fn a_plain_boundary_sets_no_flag() {
        assert_eq!(boundary("multipart/form-data; boundary=--Xy7"), (Ok(&b"--Xy7"[..]), MultipartFlags::default()));
        assert_eq!(boundary("Multipart/Form-Data;\tboundary=b; charset=x").0, Ok(&b"b"[..]));
    }

    #[test]
    fn oddities_are_flagged() {
        assert!(boundary("multipart/form-data; boundary=\"b\"").1.boundary_quoted);
        assert!(boundary("multipart/form-data; boundary =b").1.boundary_whitespace);
        assert!(boundary("multipart/form-data; boundary= b").1.boundary_whitespace);
        assert!(boundary("multipart/form-data; boundary=b c").1.boundary_whitespace);
        assert!(boundary("multipart/form-data boundary=b").1.missing_semicolon);
    }

    #[test]
    fn parameters_stand_in_any_order_and_quoted_or_not() {
        for header in [
            "multipart/form-data; charset=UTF-8; boundary=b",
            "multipart/form-data;charset=\"utf-8\";boundary=b;",
            "multipart/form-data ; boundary=b;q=1 ; x=\"a;b\"",
            "multipart/form-data; boundary=\"b\"; charset=UTF-8",
            "multipart/form-data; BOUNDARY=b",
        ] {
            assert_eq!(boundary(header).0, Ok(&b"b"[..]), "{header}");
        }
    }

    #[test]
    fn the_word_boundary_may_stand_in_the_boundary() {
        for text in ["boundary", "----WebKitFormBoundaryAbCd", "xboundary-boundary"] {
            let header = format!("multipart/form-data; boundary={text};charset=UTF-8");
            assert_eq!(boundary(&header).0, Ok(text.as_bytes()), "{header}");
        }
    }

    #[test]
    fn what_a_cruder_parser_takes_for_the_boundary_is_refused() {
        for parameters in [
            "xboundary=CC; boundary=BB",
            "x=boundary; y=CC; boundary=BB",
            "boundary; x=CC; boundary=BB",
            "boundary =CC; boundary=BB",
            "boundary=BB; Boundary=CC",
            "boundary=BB; boundary =CC",
            "boundary=BB; xboundary=CC",
            "boundary*=utf-8''CC; boundary=BB",
            "boundary=BB; boundary*=utf-8''CC",
            "boundary*0=C; boundary*1=C; boundary=BB",
            "boundary*0=BB",
            "x=\"boundary=CC\"; boundary=BB",
            "boundary=BB; x=\"boundary=CC\"",
            "boundary=BB; x=\"; boundary=CC\"",
            "boundary=\"BB; boundary=CC\"",
            "boundary=\"BBboundary=CC\"",
            "boundary=BB; charset=a; charset=b",
            "boundary=BB; x=\\",
            "boundary=BB; x=a, multipart/form-data",
            "boundary=BB, multipart/form-data",
            "boundary=B,C",
            "boundary=B/C",
            "boundary=B:C",
            "boundary=B=C",
            "boundary=B?C",
            "boundary=B(C)",
            "boundary=BB; x",
            "boundary=BB;; x=1",
            "boundary=BB;\u{b}x=1",
        ] {
            let header = format!("multipart/form-data; {parameters}");
            assert!(boundary(&header).0.is_err(), "{header}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |header| boundary(header).0.expect_err("the boundary is invalid");
        assert_eq!(error("multipart/mixed; boundary=b"), MultipartError::InvalidMimeType);
        assert_eq!(error("multipart/form-data"), MultipartError::BoundaryNotFound);
        assert_eq!(error("multipart/form-data; boundary=b; boundary=c"), MultipartError::MultipleBoundaries);
        assert_eq!(error("multipart/form-data; a=1, boundary=b"), MultipartError::MultipleBoundaries);
        assert_eq!(error("multipart/form-database; boundary=b"), MultipartError::BoundaryMalformed);
        assert_eq!(error("multipart/form-data; charset=x"), MultipartError::BoundaryNotFound);
        assert_eq!(error("multipart/form-data; boundary=\"b\"c"), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary=b,c"), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary"), MultipartError::BoundaryMalformed);
        assert_eq!(error("multipart/form-data; boundaryless=b"), MultipartError::BoundaryParameterName);
        assert_eq!(error("multipart/form-data; boundary=\"b"), MultipartError::BoundaryQuote);
        assert_eq!(error("multipart/form-data; boundary=b!"), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary=b "), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary="), MultipartError::BoundaryEmpty);
        assert_eq!(error(&format!("multipart/form-data; boundary={}", "b".repeat(1024))), MultipartError::BoundaryLength);
    }
}
