//! The cookies of one `Cookie` header.

use super::arguments::cut_at;
use super::blank;

/// A cookie of a request, borrowed from the header's value. Nothing is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The name, without leading blanks; trailing blanks are kept.
    pub name: &'a [u8],
    /// The value as written, including quotes and blanks; empty without `=`.
    pub value: &'a [u8],
    /// Offset of the name in the header's value, in bytes.
    pub name_offset: usize,
}

impl Cookie<'_> {
    /// Returns the offset of the value in the header's value, in bytes: one past the name if there is no `=`, as v3 logs it.
    pub fn value_offset(&self) -> usize {
        self.name_offset.saturating_add(self.name.len()).saturating_add(1)
    }
}

/// Splits the value of a `Cookie` header as ModSecurity v3 does: at every `;` (quotes do not protect it), each name ending at the first `=`. Cookies
/// without a name are left out, as are blanks at the end of the last cookie. (v3's offsets drift by one after each cookie without `=`; these do not.)
pub fn parse(header: &[u8]) -> impl Iterator<Item = Cookie<'_>> {
    let header = blank::trim_end(header.strip_suffix(b";").unwrap_or(header));
    let mut offset = 0usize;
    header.split(|byte| *byte == b';').filter_map(move |segment| {
        let start = offset;
        offset = offset.saturating_add(segment.len()).saturating_add(1);
        let (padded, value) = cut_at(segment, b'=').unwrap_or((segment, b""));
        let name = blank::trim_start(padded);
        let name_offset = start.saturating_add(padded.len().saturating_sub(name.len()));
        (!name.is_empty()).then_some(Cookie { name, value, name_offset })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(header: &[u8]) -> Vec<(&[u8], &[u8], usize, usize)> {
        parse(header).map(|cookie| (cookie.name, cookie.value, cookie.name_offset, cookie.value_offset())).collect()
    }

    #[test]
    fn names_are_trimmed_on_the_left_only() {
        assert_eq!(cookies(b" a =1 ;\t b = 2 ; "), [(&b"a "[..], &b"1 "[..], 1, 4), (b"b ", b" 2 ", 9, 12)]);
    }

    #[test]
    fn blanks_behind_the_last_cookie_are_left_out() {
        assert_eq!(cookies(b"a=1 ;b=2 \t"), [(&b"a"[..], &b"1 "[..], 0, 2), (b"b", b"2", 5, 7)]);
        assert_eq!(cookies(b"a=1 ;"), [(&b"a"[..], &b"1"[..], 0, 2)]);
    }

    #[test]
    fn nameless_cookies_are_left_out() {
        assert_eq!(cookies(b"=x; =y;;  ;"), []);
        assert_eq!(cookies(b""), []);
    }

    #[test]
    fn a_cookie_may_lack_a_value_or_hold_equals_signs() {
        assert_eq!(cookies(b"a;b=c=d"), [(&b"a"[..], &b""[..], 0, 2), (b"b", b"c=d", 2, 4)]);
    }

    #[test]
    fn quotes_do_not_protect_a_semicolon() {
        assert_eq!(cookies(b"a=\"x;y\"").len(), 2);
    }
}
