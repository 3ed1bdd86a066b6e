//! The order of a host's calls, and the errors of a call.

use crate::state::{Intervention, Verdict};
use std::fmt;

/// The stage of the exchange. Each call belongs to one stage, and leads to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A connection was made.
    Connected,
    /// The request line was read.
    RequestHeaders,
    /// The request headers were judged.
    RequestBody,
    /// The request was judged.
    Response,
    /// The response headers were judged.
    ResponseBody,
    /// The response was judged.
    Over,
}

/// A call with a position in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    RequestHead,
    RequestLine,
    RequestHeader,
    RequestHeadersEnd,
    RequestBody,
    RequestEnd,
    ResponseHead,
    ResponseHeader,
    ResponseHeadersEnd,
    ResponseBody,
    ResponseEnd,
}

/// A call out of order: an error of the host. The call did nothing, and the transaction is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    call: Call,
    stage: Stage,
}

/// Reason why a host must not continue an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// A rule or a limit stopped the exchange. Each later call returns the same intervention.
    Intervention(Intervention),
    /// The host called out of order.
    Misuse(Misuse),
}

impl Stage {
    /// Returns the stage after a call.
    pub fn after(self, call: Call) -> Result<Self, Misuse> {
        match (self, call) {
            (Stage::Connected, Call::RequestHead) => Ok(Stage::Connected),
            (Stage::Connected, Call::RequestLine) | (Stage::RequestHeaders, Call::RequestHeader) => Ok(Stage::RequestHeaders),
            (Stage::RequestHeaders, Call::RequestHeadersEnd) | (Stage::RequestBody, Call::RequestBody) => Ok(Stage::RequestBody),
            (Stage::RequestBody, Call::RequestEnd) | (Stage::Response, Call::ResponseHead | Call::ResponseHeader) => Ok(Stage::Response),
            (Stage::Response, Call::ResponseHeadersEnd) | (Stage::ResponseBody, Call::ResponseBody) => Ok(Stage::ResponseBody),
            (Stage::ResponseBody, Call::ResponseEnd) => Ok(Stage::Over),
            (stage, call) => Err(Misuse { call, stage }),
        }
    }

    /// Returns the calls that are allowed now, for messages.
    fn expected(self) -> &'static str {
        match self {
            Stage::Connected => "`request_head`, or `request_line`",
            Stage::RequestHeaders => "`request_header` or `request_headers_end`",
            Stage::RequestBody => "`request_body` or `request_end`",
            Stage::Response => "`response_head`, or `finish`",
            Stage::ResponseBody => "`response_body` or `response_end`",
            Stage::Over => "`finish`",
        }
    }
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::RequestHead => "request_head",
            Call::RequestLine => "request_line",
            Call::RequestHeader => "request_header",
            Call::RequestHeadersEnd => "request_headers_end",
            Call::RequestBody => "request_body",
            Call::RequestEnd => "request_end",
            Call::ResponseHead => "response_head",
            Call::ResponseHeader => "response_header",
            Call::ResponseHeadersEnd => "response_headers_end",
            Call::ResponseBody => "response_body",
            Call::ResponseEnd => "response_end",
        }
    }
}

impl Misuse {
    /// Returns the name of the method that was called.
    pub fn call(&self) -> &'static str {
        self.call.name()
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was called out of order; the next call is {}", self.call(), self.stage.expected())
    }
}

impl std::error::Error for Misuse {}

impl Stop {
    /// Returns the intervention, unless the host called out of order.
    pub fn intervention(&self) -> Option<&Intervention> {
        match self {
            Stop::Intervention(intervention) => Some(intervention),
            Stop::Misuse(_) => None,
        }
    }

    /// Returns the status of the answer: that of the intervention, or 500 if the host called out of order.
    pub fn status(&self) -> u16 {
        self.intervention().map_or(500, Intervention::status)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Intervention(intervention) => intervention.fmt(f),
            Stop::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}

/// Converts a verdict to the result of a call.
pub fn result(verdict: Verdict) -> Result<(), Stop> {
    verdict.into_result().map_err(Stop::Intervention)
}

impl From<Misuse> for Stop {
    fn from(misuse: Misuse) -> Self {
        Stop::Misuse(misuse)
    }
}
