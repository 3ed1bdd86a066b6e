//! A request as a script states it, and its check before anything is sent.

use super::failure::TIMEOUT;
use super::target::Target;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};
use ureq::http::uri::Authority;
use ureq::http::{HeaderName, HeaderValue, Method, Uri};

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method, such as `GET`; upper and lower case differ. `CONNECT` is refused.
    pub method: &'a str,
    /// An address that begins with `http://` or `https://`. A user and a password in it become an `Authorization` header.
    pub url: &'a str,
    /// Names and values. A name may repeat.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Body<'a>,
    /// Time limit of the whole, with all tries, from the wait for other requests to the last byte of the response. At most an hour.
    pub time: Duration,
    /// Maximum length of the response's body, in bytes.
    pub max_body: usize,
    /// `false` if the certificate may be for another name, and issued by anybody.
    pub verifies_certificate: bool,
    /// Number of tries after a first one that failed before there was a response.
    pub retries: u32,
}

/// The body of a request.
pub enum Body<'a> {
    /// No body.
    None,
    /// A body of a known length.
    Bytes(&'a [u8]),
    /// A body that comes in pieces until `None`, and is sent in chunks. An empty piece is skipped. The text of an error becomes the error of the
    /// request.
    ///
    /// The time limit of the request does not interrupt the function.
    Pieces(&'a mut dyn FnMut() -> Result<Option<Vec<u8>>, String>),
}

/// A request that is in order.
#[derive(Debug)]
pub struct Checked {
    pub method: Method,
    pub uri: Uri,
    pub target: Target,
    pub is_secure: bool,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Reads a body that comes in pieces.
pub struct Pieces<'a> {
    next: &'a mut dyn FnMut() -> Result<Option<Vec<u8>>, String>,
    piece: io::Cursor<Vec<u8>>,
    is_over: bool,
    by: Instant,
    /// `true` once the function was called.
    pub was_read: bool,
    /// The error of the function.
    pub failure: Option<String>,
}

/// Time limit of requests whose own is longer.
const MAX_TIME: Duration = Duration::from_secs(3600);

/// Maximum number of headers.
const MAX_HEADERS: usize = 100;

/// Maximum length of all headers, in bytes.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Headers of a request, as a script gives them: no more than a request may have.
#[derive(Debug, Default)]
pub struct HeaderList {
    headers: Vec<(String, Vec<u8>)>,
    bytes: usize,
}

impl HeaderList {
    /// Adds a header.
    ///
    /// # Errors
    /// If there are too many, or they are too long together.
    pub fn add(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(name.len()).saturating_add(value.len());
        if self.headers.len() >= MAX_HEADERS || self.bytes > MAX_HEADER_BYTES {
            return Err(too_many_headers());
        }
        self.headers.push((name.to_owned(), value));
        Ok(())
    }

    /// Returns the headers.
    pub fn into_headers(self) -> Vec<(String, Vec<u8>)> {
        self.headers
    }
}

fn too_many_headers() -> String {
    format!("the request has more than {MAX_HEADERS} headers, or more than {MAX_HEADER_BYTES} bytes of them")
}

/// Headers about the connection, which is never a script's: it serves one request, and is closed.
const OF_THE_CONNECTION: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

impl<'a> Request<'a> {
    /// Makes a request without headers and body: 5 seconds, a response of at most 1 MiB, certificates are checked, no retries.
    pub fn new(method: &'a str, url: &'a str) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Body::None,
            time: Duration::from_secs(5),
            max_body: 1 << 20,
            verifies_certificate: true,
            retries: 0,
        }
    }

    /// Returns the deadline of a request that begins now.
    pub fn deadline(&self) -> Instant {
        deadline(self.time)
    }

    /// Checks the method, the address and the headers.
    pub fn check(&self) -> Result<Checked, String> {
        let method = Method::from_bytes(self.method.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
        let method = method.ok_or_else(|| format!("`{}` is not a method of requests", self.method.escape_debug()))?;
        let (uri, target, is_secure) = address(self.url)?;
        Ok(Checked { method, uri, target, is_secure, headers: self.checked_headers()? })
    }

    fn checked_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let bytes: usize = self.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        if self.headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
            return Err(too_many_headers());
        }
        let mut checked: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(self.headers.len());
        for (text, value) in &self.headers {
            let name =
                HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("`{}` is not a name of headers", text.escape_debug()))?;
            let value = HeaderValue::from_bytes(value)
                .map_err(|_| format!("the value of the header {text} has a line break or a control character"))?;
            match name.as_str() {
                name if OF_THE_CONNECTION.contains(&name) => continue,
                "content-length" => {
                    self.check_length(value.as_bytes())?;
                    continue;
                }
                "transfer-encoding" => {
                    self.check_encoding(value.as_bytes())?;
                    continue;
                }
                "host" => check_host(&value, &checked)?,
                _ => {}
            }
            checked.push((name, value));
        }
        Ok(checked)
    }

    /// The length is stated by this module. A script may say the same.
    fn check_length(&self, value: &[u8]) -> Result<(), String> {
        let length = match &self.body {
            Body::None => Some(0),
            Body::Bytes(bytes) => Some(bytes.len()),
            Body::Pieces(_) => None,
        };
        match length {
            Some(length) if value == length.to_string().as_bytes() => Ok(()),
            Some(length) => Err(format!("the header Content-Length is not the length of the body, {length}: leave it out")),
            None => Err("the header Content-Length is not sent with a body in pieces: leave it out".to_owned()),
        }
    }

    fn check_encoding(&self, value: &[u8]) -> Result<(), String> {
        match self.body {
            Body::Pieces(_) if value.eq_ignore_ascii_case(b"chunked") => Ok(()),
            _ => Err("the header Transfer-Encoding is not what is sent: leave it out".to_owned()),
        }
    }
}

/// Returns the moment after a time limit that begins now.
pub fn deadline(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time.min(MAX_TIME)).unwrap_or(now)
}

/// Reads an address: its parts, the host and port that are connected to, and whether by TLS.
fn address(url: &str) -> Result<(Uri, Target, bool), String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{}` is not a valid address: {error}", url.escape_debug()))?;
    let (is_secure, web_port) = match uri.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(format!("`{}` does not begin with http:// or https://", url.escape_debug())),
    };
    let invalid = || format!("`{}` has no valid host and port", url.escape_debug());
    let (host, port) = uri.authority().and_then(host_and_port).ok_or_else(invalid)?;
    let target = Target::new(host, port.unwrap_or(web_port))?;
    Ok((uri, target, is_secure))
}

/// Reads an authority strictly: the library takes `h:99999` for a host without a port, and `[::1]x` for `[::1]`.
fn host_and_port(authority: &Authority) -> Option<(&str, Option<u16>)> {
    let (user, place) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
    let host = authority.host();
    match place.strip_prefix(host)? {
        _ if user.contains('@') => None,
        "" | ":" => Some((host, None)),
        port => port
            .strip_prefix(':')
            .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok()
            .map(|port| (host, Some(port))),
    }
}

/// A script may name another host than that of the address, for a server that has several sites. The address and the certificate stay those of the
/// address.
fn check_host(value: &HeaderValue, earlier: &[(HeaderName, HeaderValue)]) -> Result<(), String> {
    if earlier.iter().any(|(name, _)| name.as_str() == "host") {
        return Err("the request has two headers Host: leave one out".to_owned());
    }
    let authority = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    match authority.as_ref().filter(|authority| !authority.as_str().contains('@')).and_then(host_and_port) {
        Some((host, _)) => Target::new(host, 0).map(drop),
        None => Err("the header Host is not a host, or a host and a port".to_owned()),
    }
}

impl<'a> Pieces<'a> {
    pub fn new(next: &'a mut dyn FnMut() -> Result<Option<Vec<u8>>, String>, by: Instant) -> Self {
        Self { next, piece: io::Cursor::default(), is_over: false, by, was_read: false, failure: None }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.piece.read(buffer)?;
            if length > 0 || self.is_over || buffer.is_empty() {
                return Ok(length);
            }
            // A function that gives empty pieces without end sends nothing, so that nothing else sees the deadline.
            if Instant::now() >= self.by {
                return Err(io::Error::new(ErrorKind::TimedOut, TIMEOUT));
            }
            self.was_read = true;
            match (self.next)() {
                Ok(Some(piece)) => self.piece = io::Cursor::new(piece),
                Ok(None) => self.is_over = true,
                Err(text) => {
                    self.failure = Some(text);
                    return Err(io::Error::other("the body failed"));
                }
            }
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> String {
        match Request::new("GET", url).check() {
            Ok(checked) => format!("{} {}", if checked.is_secure { "https" } else { "http" }, checked.target),
            Err(error) => error,
        }
    }

    #[test]
    fn the_host_of_an_address_is_read_strictly() {
        for (url, expected) in [
            ("http://a.example", "http a.example:80"),
            ("HTTPS://A.Example.:8443/x?y#z", "https a.example:8443"),
            ("http://a.example:/", "http a.example:80"),
            ("http://user:password@a.example/", "http a.example:80"),
            ("http://a.example#@b.example/", "http a.example:80"),
            ("http://a.example?@b.example/", "http a.example:80"),
            ("http://[::1]:81/", "http [::1]:81"),
            ("http://[::FFFF:127.0.0.1]/", "http [::ffff:127.0.0.1]:80"),
            ("http://0x7f.1/", "http 0x7f.1:80"),
        ] {
            assert_eq!(target(url), expected, "{url}");
        }
        for url in [
            "",
            "/a",
            "a.example",
            "a.example:80",
            "//a.example/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "http:/a",
            "http:///a",
            "http://:80/",
            "http://a:99999/",
            "http://a:80:90/",
            "http://a:+80/",
            "http://[::1]x/",
            "http://[::1%25lo]/",
            "http://a@b@c/",
            "http://a\\@b/",
            "http://a/ b",
            "http://a/\r\nb",
            "http://%61/",
            "http://é.example/",
            "http://a..b/",
            "gopher://a/",
            "unix:///run/x",
        ] {
            assert!(Request::new("GET", url).check().is_err(), "{url}");
        }
    }

    fn headers(headers: &[(&str, &str)], body: Body<'_>) -> String {
        let mut request = Request::new("POST", "http://a.example/");
        request.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        request.body = body;
        match request.check() {
            Ok(checked) => checked.headers.iter().map(|(name, value)| format!("{name}={};", value.to_str().unwrap())).collect(),
            Err(error) => error,
        }
    }

    #[test]
    fn headers_cannot_break_lines_and_do_not_say_where_the_body_ends() {
        let mut pieces = || Ok(None);
        assert_eq!(headers(&[("A", "1"), ("a", "2")], Body::None), "a=1;a=2;");
        assert_eq!(headers(&[("Connection", "keep-alive"), ("Upgrade", "h2c"), ("TE", "x"), ("A", "1")], Body::None), "a=1;");
        assert_eq!(headers(&[("Content-Length", "3")], Body::Bytes(b"abc")), "");
        assert_eq!(headers(&[("Transfer-Encoding", "Chunked")], Body::Pieces(&mut pieces)), "");
        assert_eq!(headers(&[("Host", "b.example:8080")], Body::None), "host=b.example:8080;");
        for (name, value, part) in [
            ("A", "1\r\nB: 2", "line break"),
            ("A", "1\nB: 2", "line break"),
            ("A", "1\0", "control character"),
            ("A\r\nB", "1", "not a name of headers"),
            ("A:", "1", "not a name of headers"),
            ("", "1", "not a name of headers"),
            ("Content-Length", "4", "leave it out"),
            ("Content-Length", "+3", "leave it out"),
            ("Transfer-Encoding", "chunked", "leave it out"),
            ("Host", "a b", "header Host"),
            ("Host", "user@a", "header Host"),
            ("Host", "a/b", "header Host"),
        ] {
            let error = headers(&[(name, value)], Body::Bytes(b"abc"));
            assert!(error.contains(part), "{name:?} {value:?}: {error}");
        }
        assert!(headers(&[("Content-Length", "3")], Body::Pieces(&mut pieces)).contains("leave it out"));
        assert!(headers(&[("Host", "a"), ("host", "b")], Body::None).contains("two headers Host"));
        assert!(headers(&[("A", "1"); 101], Body::None).contains("more than 100 headers"));
        assert!(headers(&[("A", &"1".repeat(MAX_HEADER_BYTES))], Body::None).contains("more than 100 headers"));
    }

    #[test]
    fn a_method_is_a_word() {
        for method in ["GET", "PROPFIND", "get"] {
            assert!(Request::new(method, "http://a.example/").check().is_ok(), "{method}");
        }
        for method in ["", "CONNECT", "GET / HTTP/1.1\r\nA:", "A B"] {
            assert!(Request::new(method, "http://a.example/").check().is_err(), "{method}");
        }
    }
}
