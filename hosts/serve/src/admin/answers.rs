//! Responses of the admin listener. None of them may be framed, guessed a type for, or kept.

use super::access::Refusal;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// An answer, which is whole.
pub type Answer = Response<Full<Bytes>>;

const DOCUMENT: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

const TEXT: &str = "text/plain; charset=utf-8";

/// The document takes its style and its script from here, and nothing from elsewhere; texts cannot become elements.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Returns the page.
pub fn document() -> Answer {
    answer(StatusCode::OK, "text/html; charset=utf-8", DOCUMENT)
}

/// Returns its style.
pub fn style() -> Answer {
    answer(StatusCode::OK, "text/css; charset=utf-8", STYLE)
}

/// Returns its script.
pub fn script() -> Answer {
    answer(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT)
}

/// Returns a line of text.
pub fn text(status: StatusCode, line: &'static str) -> Answer {
    answer(status, TEXT, line)
}

/// Returns a value as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => answer(status, "application/json", bytes),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "this cannot be shown as JSON\n"),
    }
}

/// Returns the answer to a request that is not allowed. It says what to do, and nothing about the server.
pub fn refused(refusal: Refusal) -> Answer {
    let mut answer = match refusal {
        Refusal::Host => text(StatusCode::MISDIRECTED_REQUEST, "open this page by its address, such as http://127.0.0.1:9090/\n"),
        Refusal::Site => text(StatusCode::FORBIDDEN, "pages of other sites may not ask here\n"),
        Refusal::Token => {
            let mut answer = text(StatusCode::UNAUTHORIZED, "send the token of the admin page: Authorization: Bearer TOKEN\n");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
    };
    // Whoever may not ask keeps no place from those who may.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Returns an answer with the headers of all answers.
pub fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().extend(HEADERS);
    answer
}
