//! The response to a request, with the names of its headers as the server sent them.

use super::failure::Failure;

/// A response, whatever its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The status, from 101 to 999. Redirects are not followed.
    pub status: u16,
    /// Names and values in the order of their arrival, names as the server spelt them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without the encoding of the transfer. A `Content-Encoding` is left as it is.
    pub body: Vec<u8>,
}

/// Maximum length of the headers of a response, in bytes.
pub const MAX_HEAD: usize = 64 << 10;

/// Maximum length of the headers of all responses to one request: others, with status 1xx, may come before it.
pub const MAX_HEADS: usize = 2 * MAX_HEAD;

/// Maximum number of headers of a response: that of the library.
const MAX_HEADERS: usize = 128;

impl Response {
    /// Returns the values of the headers with a name, in whatever case.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

/// Returns the headers of the first response that is not a preliminary one, from the bytes that the server sent. The library has read the same
/// bytes, but makes all names lower case.
pub fn headers(mut sent: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    loop {
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut room);
        let Ok(httparse::Status::Complete(length)) = head.parse(sent) else {
            return Err(Failure::lasting(format!("the headers of the responses are larger than {MAX_HEADS} bytes")));
        };
        if head.code.is_some_and(|code| code == 101 || code >= 200) {
            return Ok(head.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect());
        }
        sent = sent.get(length..).unwrap_or_default();
    }
}
