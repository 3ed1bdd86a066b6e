//! The request target (the middle word of the request line) and the variables derived from it.

use std::borrow::Cow;

use memchr::{memchr, memrchr, memrchr2};

use super::url;

/// A request target, split and decoded once.
///
/// It is split as in ModSecurity v3, with two surprises: only [`raw`](Self::raw) and [`query_behind_hash`](Self::query_behind_hash) contain the part
/// from the first raw `#` on. The path ends at the first `?` *before* decoding, as since 3.0.12: split after decoding, `/a%3f/../b` would hide its
/// end from the rules (CVE-2024-1019).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    raw: &'a [u8],
    decoded: Cow<'a, [u8]>,
    path: Cow<'a, [u8]>,
    query: Option<&'a [u8]>,
}

impl<'a> RequestTarget<'a> {
    /// Splits a target as the host passes it.
    pub fn new(raw: &'a [u8]) -> Self {
        let sent = memchr(b'#', raw).and_then(|at| raw.get(..at)).unwrap_or(raw);
        let query = memchr(b'?', sent).and_then(|at| sent.get(at.saturating_add(1)..));
        let path = memchr(b'?', sent).and_then(|at| sent.get(..at)).unwrap_or(sent);
        RequestTarget { raw, decoded: url::decode(sent).bytes, path: url::decode(without_authority(path)).bytes, query }
    }

    /// `REQUEST_URI_RAW`: the target as received, including the fragment.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// `REQUEST_URI`: decoded, without fragment, scheme and host, with the query.
    ///
    /// As in v3, scheme and host are removed only if a `/` follows them: `http://h` and `http://h?q` stay unchanged.
    pub fn uri(&self) -> &[u8] {
        after_authority(&self.decoded).unwrap_or(&self.decoded)
    }

    /// `REQUEST_FILENAME`: the decoded path. For a target in absolute form it is the path alone, as servers take it; v3 keeps scheme and host.
    pub fn filename(&self) -> &[u8] {
        &self.path
    }

    /// `REQUEST_BASENAME`: the part after the last `/` or `\` of the file name; `None` without either.
    pub fn basename(&self) -> Option<&[u8]> {
        self.basename_offset().and_then(|at| self.filename().get(at..))
    }

    /// Returns the offset of the base name in [`decoded`](Self::decoded), in bytes.
    pub fn basename_offset(&self) -> Option<usize> {
        memrchr2(b'/', b'\\', self.filename()).map(|at| at.saturating_add(1))
    }

    /// `QUERY_STRING`: the raw text after the first `?`; `None` if there is no `?`.
    pub fn query_string(&self) -> Option<&'a [u8]> {
        self.query
    }

    /// Returns the rest of the query that servers without fragments, such as those in Go, also read: from the argument that contains the first `#`,
    /// or all of a query that begins after it. Also returns its offset in [`raw`](Self::raw), in bytes.
    pub fn query_behind_hash(&self, separator: u8) -> Option<(usize, &'a [u8])> {
        let hash = memchr(b'#', self.raw)?;
        let query = memchr(b'?', self.raw)?.saturating_add(1);
        let before = self.raw.get(query..hash).unwrap_or_default();
        let start = memrchr(separator, before).map_or(query, |at| query.saturating_add(at).saturating_add(1));
        Some((start, self.raw.get(start..)?))
    }

    /// Returns the offset of the query string in [`raw`](Self::raw), in bytes.
    pub fn query_string_offset(&self) -> Option<usize> {
        self.query.and_then(|_| memchr(b'?', self.raw)).map(|at| at.saturating_add(1))
    }
}

/// Returns the path of a target in absolute form, such as `http://shop.example/cart`. Other paths stay unchanged, as does one whose host has bytes
/// that are invalid in a host: rules must see them.
fn without_authority(path: &[u8]) -> &[u8] {
    let after =
        |scheme: &[u8]| path.split_at_checked(scheme.len()).filter(|(start, _)| start.eq_ignore_ascii_case(scheme)).map(|(_, rest)| rest);
    let Some(rest) = after(b"http://").or_else(|| after(b"https://")) else { return path };
    let (authority, path_alone) = rest.split_at_checked(memchr(b'/', rest).unwrap_or(rest.len())).unwrap_or_default();
    if !authority.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@[]".contains(byte)) {
        return path;
    }
    if path_alone.is_empty() { b"/" } else { path_alone }
}

/// `REQUEST_PROTOCOL`: `HTTP/` and the version that the host passed, as in v3.
pub fn request_protocol(http_version: &[u8]) -> Vec<u8> {
    [b"HTTP/", http_version].concat()
}

/// `REQUEST_LINE`, joined from the words that the host passed.
pub fn request_line(method: &[u8], raw_target: &[u8], http_version: &[u8]) -> Vec<u8> {
    [method, b" ", raw_target, b" HTTP/", http_version].concat()
}

/// Returns the part after scheme and host, from its first `/` on; `None` for a target without both.
///
/// v3 takes the first `:` anywhere as the end of a scheme.
fn after_authority(target: &[u8]) -> Option<&[u8]> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let colon = memchr(b':', target)?;
    let authority = target.get(colon.checked_add(1)?..)?.strip_prefix(b"//")?;
    authority.get(memchr(b'/', authority)?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_form_target_is_split() {
        let target = RequestTarget::new(b"/shop/cart.php?item=%20&n=2#top");
        assert_eq!(target.uri(), b"/shop/cart.php?item= &n=2");
        assert_eq!(target.filename(), b"/shop/cart.php");
        assert_eq!(target.basename(), Some(&b"cart.php"[..]));
        assert_eq!(target.query_string(), Some(&b"item=%20&n=2"[..]));
        assert_eq!(target.query_string_offset(), Some(15));
        assert_eq!(target.raw(), b"/shop/cart.php?item=%20&n=2#top");
    }

    #[test]
    fn scheme_and_host_leave_the_uri_and_the_filename() {
        let target = RequestTarget::new(b"https://shop.example/a/b?c");
        assert_eq!(target.uri(), b"/a/b?c");
        assert_eq!((target.filename(), target.basename()), (&b"/a/b"[..], Some(&b"b"[..])));
        assert_eq!(RequestTarget::new(b"HTTP://u@[::1]:80?q").filename(), b"/");
        for path in [&b"ftp://h/a"[..], b"http://<b>/a", b"http:/a", b"//h/a"] {
            assert_eq!(RequestTarget::new(path).filename(), path);
        }
        for whole in [&b"http://h"[..], b"http://h?q", b"http:/a", b"//h/a", b"x//y/z"] {
            assert_eq!(RequestTarget::new(whole).uri(), whole);
        }
        assert_eq!(RequestTarget::new(b"http://h?x/y").uri(), b"/y");
    }

    #[test]
    fn an_encoded_question_mark_is_part_of_the_path() {
        let target = RequestTarget::new(b"/a%3fb?c");
        assert_eq!(target.filename(), b"/a?b");
        assert_eq!(target.query_string(), Some(&b"c"[..]));
        assert_eq!(target.uri(), b"/a?b?c");
    }

    #[test]
    fn a_fragment_hides_a_question_mark() {
        let target = RequestTarget::new(b"/a#b?c");
        assert_eq!((target.uri(), target.query_string(), target.query_string_offset()), (&b"/a"[..], None, None));
    }

    #[test]
    fn what_a_server_without_fragments_reads_is_there_as_well() {
        let behind = |target: &'static str| {
            let found = RequestTarget::new(target.as_bytes()).query_behind_hash(b'&');
            found.map(|(start, text)| (start, std::str::from_utf8(text).unwrap()))
        };
        assert_eq!(behind("/?a=1&b=2#&c=3"), Some((6, "b=2#&c=3")));
        assert_eq!(behind("/?a=1#"), Some((2, "a=1#")));
        assert_eq!(behind("/#?c=3#"), Some((3, "c=3#")));
        assert_eq!((behind("/#c"), behind("/?c=3")), (None, None));
    }

    #[test]
    fn a_target_without_slash_has_no_basename() {
        assert_eq!(RequestTarget::new(b"*").basename(), None);
        assert_eq!(RequestTarget::new(b"").basename(), None);
        assert_eq!(RequestTarget::new(b"/").basename(), Some(&b""[..]));
        assert_eq!(RequestTarget::new(b"c:\\x%5cy").basename(), Some(&b"y"[..]));
    }

    #[test]
    fn the_request_line_is_rebuilt() {
        assert_eq!(request_line(b"GET", b"/a#b", b"2.0"), b"GET /a#b HTTP/2.0");
        assert_eq!(request_protocol(b"1.1"), b"HTTP/1.1");
    }
}
