//! The `boundary` parameter of a `Content-Type` header, read as strictly as v3 reads it.

use memchr::{memchr, memmem, memrchr};

use crate::http::blank::is_blank;

use super::error::MultipartError;
use super::flags::MultipartFlags;
use super::note::Note;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";

/// Longest header that is looked at, in bytes.
const MAX_HEADER_LENGTH: usize = 1024;

/// Finds the boundary; sets the flags and adds the notes that belong to the header.
pub(super) fn parse<'a>(
    content_type: Option<&'a [u8]>,
    flags: &mut MultipartFlags,
    notes: &mut Vec<Note<'a>>,
) -> Result<&'a [u8], MultipartError> {
    let header = content_type.ok_or(MultipartError::MissingContentType)?;
    if header.len() > MAX_HEADER_LENGTH {
        return Err(MultipartError::BoundaryLength);
    }
    let parameters = parameters(header).ok_or(MultipartError::InvalidMimeType)?;
    let candidates = count_boundary_parameters(header);
    if candidates > 1 {
        return Err(MultipartError::MultipleBoundaries);
    }
    let name_at = memmem::find(parameters, PARAMETER).ok_or(if candidates == 0 {
        MultipartError::BoundaryNotFound
    } else {
        MultipartError::BoundaryCase
    })?;
    let (before, after) = parameters.split_at_checked(name_at).unwrap_or_default();
    flags.missing_semicolon = !has_semicolon(before)?;
    let after = after.get(PARAMETER.len()..).unwrap_or_default();
    let equals = memchr(b'=', after).ok_or(MultipartError::BoundaryMalformed)?;
    let (padding, value) = after.split_at_checked(equals).unwrap_or_default();
    let value = value.get(1..).unwrap_or_default();
    // v3 reads byte by byte: a blank is flagged only if it comes before what is wrong.
    flags.boundary_whitespace = padding.first().is_some_and(|first| is_blank(*first));
    if !padding.iter().all(|byte| is_blank(*byte)) {
        return Err(MultipartError::BoundaryParameterName);
    }
    flags.boundary_whitespace |= value.first().is_some_and(|first| is_blank(*first));
    let boundary = match value {
        [b'"', inside @ .., b'"'] => {
            flags.boundary_quoted = true;
            inside
        }
        [b'"', ..] | [.., b'"'] => return Err(MultipartError::BoundaryQuote),
        _ => match memchr(b';', value) {
            Some(end) => {
                notes.push(Note::ParameterAfterBoundary);
                value.get(..end).unwrap_or_default()
            }
            None => value,
        },
    };
    if boundary.last() == Some(&b' ') || !boundary.iter().all(|byte| is_boundary_character(*byte)) {
        return Err(MultipartError::BoundaryCharacters);
    }
    notes.push(Note::Boundary { boundary, quoted: flags.boundary_quoted });
    if boundary.is_empty() {
        return Err(MultipartError::BoundaryEmpty);
    }
    Ok(boundary)
}

/// What follows the media type.
fn parameters(header: &[u8]) -> Option<&[u8]> {
    let (media_type, parameters) = header.split_at_checked(MEDIA_TYPE.len())?;
    media_type.eq_ignore_ascii_case(MEDIA_TYPE).then_some(parameters)
}

/// Whether a semicolon stands before the parameter; nothing but one and blanks may.
fn has_semicolon(before: &[u8]) -> Result<bool, MultipartError> {
    let mut seen = false;
    for byte in before {
        match byte {
            b';' if !seen => seen = true,
            byte if is_blank(*byte) => {}
            _ => return Err(MultipartError::BoundaryMalformed),
        }
    }
    Ok(seen)
}

/// How often `boundary` stands in the header with an `=` anywhere behind it, in any letter case.
fn count_boundary_parameters(header: &[u8]) -> usize {
    let lower = header.to_ascii_lowercase();
    let last_equals = memrchr(b'=', &lower).unwrap_or(0);
    memmem::find_iter(&lower, PARAMETER).filter(|at| *at < last_equals).count()
}

/// The characters RFC 2046 allows in a boundary.
fn is_boundary_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
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
        assert!(boundary("multipart/form-data boundary=b").1.missing_semicolon);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |header| boundary(header).0.expect_err("the boundary is invalid");
        assert_eq!(error("multipart/mixed; boundary=b"), MultipartError::InvalidMimeType);
        assert_eq!(error("multipart/form-data"), MultipartError::BoundaryNotFound);
        assert_eq!(error("multipart/form-data; BOUNDARY=b"), MultipartError::BoundaryCase);
        assert_eq!(error("multipart/form-data; boundary=b; boundary=c"), MultipartError::MultipleBoundaries);
        assert_eq!(error("multipart/form-data; a=1; boundary=b"), MultipartError::BoundaryMalformed);
        assert_eq!(error("multipart/form-data; boundary"), MultipartError::BoundaryMalformed);
        assert_eq!(error("multipart/form-data; boundaryless=b"), MultipartError::BoundaryParameterName);
        assert_eq!(error("multipart/form-data; boundary=\"b"), MultipartError::BoundaryQuote);
        assert_eq!(error("multipart/form-data; boundary=b!"), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary=b "), MultipartError::BoundaryCharacters);
        assert_eq!(error("multipart/form-data; boundary="), MultipartError::BoundaryEmpty);
        assert_eq!(error(&format!("multipart/form-data; boundary={}", "b".repeat(1024))), MultipartError::BoundaryLength);
    }
}
