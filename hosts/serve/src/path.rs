//! The path of a request, as the servers behind may read it.
//!
//! Rules of a path are mostly fewer than those of its site. A client that makes this server see one path, and the upstream another, would be judged by rules
//! that were not meant for what it asks for. Therefore a path has rules of its own only if all readings that servers are known for agree: parameters after `;`
//! are a part of a segment, or not; a backslash is a slash, or not; `//` is one slash, or two; dot segments are resolved, or not. What servers read in
//! still more ways, such as an encoded slash, has the rules of the site. Case is part of a path.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The beginning of paths: `/api` stands for `/api` and all below it, `/api/` only for what is below.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

/// A text that is not the beginning of paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the beginning of paths: write it decoded, from `/` on, without `//`, `.` and `..` segments, `%`, `;`, `?`, `#`, `\\` and control characters"
)]
pub struct BadPrefix(String);

/// One way to read a path.
#[derive(Clone, Copy)]
struct Reading {
    drops_parameters: bool,
    backslash_is_slash: bool,
    merges_slashes: bool,
    resolves_dots: bool,
}

impl PathPrefix {
    /// Returns `true` if a path begins so. A segment is whole or not there.
    fn begins(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(&self.0) else { return false };
        self.0.ends_with('/') || rest.is_empty() || rest.starts_with('/')
    }

    /// Returns its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Returns the position of the longest of these prefixes in all readings of a path; `None` if there is none, or readings differ.
///
/// `prefixes` are sorted, the longest first. `path` is that of the request, as it came, without its query.
pub fn choose<'p>(prefixes: impl Iterator<Item = &'p PathPrefix> + Clone, path: &str) -> Option<usize> {
    let decoded = decode(path)?;
    let longest = |read: &str| prefixes.clone().position(|prefix| prefix.begins(read));
    let as_it_is = longest(&decoded);
    if !has_readings(&decoded) {
        return as_it_is;
    }
    let agree = Reading::all().all(|reading| longest(&reading.read(&decoded)) == as_it_is);
    as_it_is.filter(|_| agree)
}

/// Decodes a path once. `None` if servers differ in what they make of an escape: one of a slash, of `%`, of a dot segment, of control characters, of
/// what is not UTF-8; one that is broken.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    if !path.starts_with('/') || path.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
        // Dots that hide are for dot segments: an honest client has no reason to encode them.
        if byte.is_ascii_control() || b"/\\%.".contains(&byte) {
            return None;
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// Returns `true` if servers may read a decoded path in several ways.
fn has_readings(path: &str) -> bool {
    path.contains([';', '\\']) || path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..")
}

impl Reading {
    fn all() -> impl Iterator<Item = Self> {
        (0..16_u8).map(|bits| Self {
            drops_parameters: bits & 1 != 0,
            backslash_is_slash: bits & 2 != 0,
            merges_slashes: bits & 4 != 0,
            resolves_dots: bits & 8 != 0,
        })
    }

    fn read(self, path: &str) -> String {
        let mut path = Cow::Borrowed(path);
        if self.backslash_is_slash && path.contains('\\') {
            path = Cow::Owned(path.replace('\\', "/"));
        }
        let mut segments: Vec<&str> = Vec::new();
        let mut all = path.split('/').skip(1).peekable();
        while let Some(segment) = all.next() {
            let segment = if self.drops_parameters { segment.split(';').next().unwrap_or_default() } else { segment };
            let is_last = all.peek().is_none();
            match segment {
                "." | ".." if self.resolves_dots => {
                    if segment == ".." {
                        segments.pop();
                    }
                    if is_last {
                        segments.push("");
                    }
                }
                "" if self.merges_slashes && !is_last => {}
                segment => segments.push(segment),
            }
        }
        segments.iter().fold(String::with_capacity(path.len()), |read, segment| read + "/" + segment)
    }
}

impl FromStr for PathPrefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let is_plain =
            text.starts_with('/') && !text.contains(['%', '?', '#']) && !text.chars().any(char::is_control) && !has_readings(text);
        if is_plain { Ok(Self(text.to_owned())) } else { Err(BadPrefix(text.to_owned())) }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(path: &str) -> String {
        let prefixes = ["/api/public/", "/api/", "/shop", "/ä"].map(|text| text.parse::<PathPrefix>().unwrap());
        choose(prefixes.iter(), path).map(|at| prefixes[at].to_string()).unwrap_or_default()
    }

    #[test]
    fn the_longest_prefix_wins_at_the_borders_of_segments() {
        for (path, prefix) in [
            ("/api/list", "/api/"),
            ("/api/", "/api/"),
            ("/api", ""),
            ("/apix/", ""),
            ("/API/list", ""),
            ("/api/public/x", "/api/public/"),
            ("/api/publicity", "/api/"),
            ("/shop", "/shop"),
            ("/shop/cart", "/shop"),
            ("/shopping", ""),
            ("/%61pi/list", "/api/"),
            ("/api/%C3%A4%20b", "/api/"),
            ("/%c3%a4/x", "/ä"),
            ("/", ""),
            ("*", ""),
            ("", ""),
        ] {
            assert_eq!(chosen(path), prefix, "{path}");
        }
    }

    #[test]
    fn readings_that_agree_have_the_rules_of_their_path() {
        for path in [
            "/api//list",
            "/api/./list",
            "/api/a/../list",
            "/api/list;v=1",
            "/api/list;v=1/x",
            "/api/a\\b",
            "/api/x;/..;y/list",
            "/api/a/..",
        ] {
            assert_eq!(chosen(path), "/api/", "{path}");
        }
    }

    #[test]
    fn readings_that_differ_have_the_rules_of_the_site() {
        for path in [
            "/api/../admin",
            "/api/..;/admin",
            "/api/..;x=1/admin",
            "/api/..\\admin",
            "/api\\list",
            "/api/x\\..\\..\\admin",
            "/api;v=1/list",
            "//api/list",
            "/x/../api/list",
            "/./api/list",
            "/api/..",
            "/api/x/../../admin",
            "/api/x//../../admin",
            "/api//../admin",
            "/api/%2e%2e/admin",
            "/api/.%2e/admin",
            "/api/..%2fadmin",
            "/api%2flist",
            "/api/..%5cadmin",
            "/api/%252e%252e/admin",
            "/api/a%00b",
            "/api/a%0ab",
            "/api/..%3b/admin",
            "/api/%c0%ae%c0%ae/admin",
            "/api/%zz",
            "/api/%u002e",
            "/api/%",
            "/api/%4",
        ] {
            assert_eq!(chosen(path), "", "{path}");
        }
    }

    #[test]
    fn prefixes_are_read() {
        for right in ["/", "/api", "/api/", "/a b", "/ä/"] {
            assert_eq!(right.parse::<PathPrefix>().unwrap().to_string(), right);
        }
        for wrong in
            ["", "api/", "//", "/a//b", "/a/../b", "/.", "/a%20b", "/a?b", "/a#b", "/a;b", "/a\\b", "/a\nb", "http://shop.example/"]
        {
            assert!(wrong.parse::<PathPrefix>().is_err(), "{wrong}");
        }
    }
}
