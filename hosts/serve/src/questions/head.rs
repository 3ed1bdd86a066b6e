//! The request line and the headers of a request that a proxy describes.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use secrule::{Stop, Transaction};

/// The head of a request, as the client sent it to the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The method, such as `POST`.
    pub method: Vec<u8>,
    /// The path with its query.
    pub target: Vec<u8>,
    /// The version, such as `1.1` or `2.0`.
    pub version: String,
    /// Names and values of the headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// Returns the first value of a header.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&[u8]> {
        let named = |(known, _): &&(String, Vec<u8>)| known.eq_ignore_ascii_case(name.as_ref());
        self.headers.iter().find(named).map(|(_, value)| value.as_slice())
    }

    /// Removes a header.
    pub fn remove(&mut self, name: impl AsRef<str>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_ref()));
    }

    /// Returns `true` if the client may have sent a body with it, whose bytes did not come with the question.
    ///
    /// Proxies take `Content-Length` and `Transfer-Encoding` out of questions without a body. Then the type of a body, or a method that has one, counts.
    pub fn may_have_body(&self) -> bool {
        let has_coding = self.header(TRANSFER_ENCODING).is_some();
        let length = self.header(CONTENT_LENGTH).map(<[u8]>::trim_ascii).filter(|length| !length.is_empty());
        match length {
            _ if has_coding => true,
            Some(length) => length.iter().any(|digit| *digit != b'0'),
            None => {
                let has_type = self.header(CONTENT_TYPE).is_some_and(|value| !value.trim_ascii().is_empty());
                has_type || [&b"POST"[..], b"PUT", b"PATCH"].contains(&self.method.as_slice())
            }
        }
    }

    /// Names a framing if the proxy took it away: the rules of the CRS refuse a body without one. It is that of a body of unknown length. HTTP/2 and later
    /// have a framing of their own.
    pub fn restore_framing(&mut self) {
        let is_framed = self.header(TRANSFER_ENCODING).is_some() || self.header(CONTENT_LENGTH).is_some();
        if !is_framed && self.version.starts_with('1') {
            self.headers.push((TRANSFER_ENCODING.as_str().to_owned(), b"chunked".to_vec()));
        }
    }

    /// Gives it to the rules of phase 1.
    ///
    /// # Errors
    /// As those of the calls of [`Transaction`].
    pub fn judge(&self, transaction: &mut Transaction) -> Result<(), Stop> {
        transaction.request_line(&self.method, &self.target, self.version.as_bytes())?;
        for (name, value) in &self.headers {
            transaction.request_header(name.as_bytes(), value)?;
        }
        transaction.request_headers_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Head { method: method.into(), target: "/".into(), version: "1.1".to_owned(), headers }
    }

    #[test]
    fn a_body_that_did_not_come_is_noticed() {
        for (method, headers, expected) in [
            ("GET", &[][..], false),
            ("GET", &[("Content-Length", "7")], true),
            ("GET", &[("Transfer-Encoding", "chunked")], true),
            ("GET", &[("Content-Type", "application/json")], true),
            ("POST", &[], true),
            ("POST", &[("Content-Length", "")], true),
            ("POST", &[("Content-Length", "0")], false),
            ("POST", &[("Content-Length", "0"), ("Content-Type", "text/plain")], false),
            ("DELETE", &[], false),
            ("PUT", &[], true),
        ] {
            assert_eq!(head(method, headers).may_have_body(), expected, "{method} {headers:?}");
        }
    }
}
