//! Cookies that a client sends in several fields.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Version};

/// Returns the value of one field for all cookies of a request, if its client sent several: those of HTTP/2 and later may send each in a field of its own
/// (RFC 9113, section 8.2.3). Rules, and servers of HTTP/1, read one field.
pub fn joined_cookies(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let fields = headers.get_all(COOKIE);
    if version < Version::HTTP_2 || fields.iter().nth(1).is_none() {
        return None;
    }
    let cookies: Vec<&[u8]> = fields.iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&cookies.join(&b"; "[..])).ok()
}
