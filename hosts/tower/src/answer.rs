//! Answers of the host itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode, Version};
use secrule::{Action, Intervention};
use std::fmt;

/// Reason why the layer answers a request, and not the inner service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A rule or a limit stopped the exchange.
    Intervention(Intervention),
    /// The request has a body that is longer than [`WafLayer::held_limit`](crate::WafLayer::held_limit), and that rules may stop.
    LongRequest,
    /// The same for the response of the inner service.
    LongResponse,
    /// A thread that judged the exchange was stopped, so that nothing is known of it.
    Unjudged,
}

/// Makes the answer to a request.
pub type Page = dyn Fn(&Refusal) -> Response<Bytes> + Send + Sync;

impl Refusal {
    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        let status = match self {
            Self::Intervention(intervention) => StatusCode::from_u16(intervention.status()).ok(),
            Self::LongRequest => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::LongResponse => Some(StatusCode::BAD_GATEWAY),
            Self::Unjudged => None,
        };
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intervention(intervention) => f.write_str(intervention.reason()),
            Self::LongRequest => f.write_str("the body of the request is longer than what may be held back"),
            Self::LongResponse => f.write_str("the body of the response is longer than what may be held back"),
            Self::Unjudged => f.write_str("the exchange could not be judged"),
        }
    }
}

/// Returns a page with the status and its name alone: it tells a client nothing about the rules.
pub fn plain_page(refusal: &Refusal) -> Response<Bytes> {
    let status = refusal.status();
    let text = format!("{status}\n");
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Returns the answer: the page, with the status, the location of a redirect, and the end of the connection that the rule asks for.
pub fn answer(refusal: &Refusal, page: &Page, version: Version) -> Response<Bytes> {
    let mut response = page(refusal);
    *response.status_mut() = refusal.status();
    if let Refusal::Intervention(intervention) = refusal {
        if let Some(location) = intervention.location().and_then(|location| HeaderValue::try_from(location).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        // A header of HTTP/1 alone.
        if matches!(intervention.action(), Action::Drop { .. }) && version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}
