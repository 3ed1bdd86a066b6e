//! A page for a server without an upstream, to see what the firewall does.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};

/// Returns the page.
pub fn page() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(include_bytes!("demo.html")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
