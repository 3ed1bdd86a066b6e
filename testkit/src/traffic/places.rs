//! The parts of a request, in which attacks travel.

use super::Sample;
use secrule::MatchedValue;
use std::fmt;

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Path,
    Query,
    Form,
    Multipart,
    Json,
    Xml,
    /// A body that is none of these.
    OtherBody,
    Cookie,
    Referer,
    UserAgent,
    OtherHeader,
    /// The method, a count of headers, and other matters of the protocol.
    Protocol,
}

impl Place {
    pub const ALL: [Self; 12] = [
        Self::Path,
        Self::Query,
        Self::Form,
        Self::Multipart,
        Self::Json,
        Self::Xml,
        Self::OtherBody,
        Self::Cookie,
        Self::Referer,
        Self::UserAgent,
        Self::OtherHeader,
        Self::Protocol,
    ];

    /// Returns the part from which a value came; `None` for a value that an earlier rule found or computed.
    pub fn of(value: MatchedValue<'_>, sample: &Sample) -> Option<Self> {
        let key = value.key().unwrap_or_default();
        Some(match value.variable() {
            "MATCHED_VAR" | "MATCHED_VARS" | "TX" => return None,
            "ARGS_GET" | "ARGS_GET_NAMES" | "QUERY_STRING" => Self::Query,
            "ARGS" | "ARGS_NAMES" if Self::is_of_query(&key, sample) => Self::Query,
            "ARGS" | "ARGS_NAMES" | "ARGS_POST" | "ARGS_POST_NAMES" | "REQUEST_BODY" | "FILES" | "FILES_NAMES" | "FILES_TMP_CONTENT"
            | "XML" => Self::of_body(sample).unwrap_or(Self::Query),
            "REQUEST_COOKIES" | "REQUEST_COOKIES_NAMES" => Self::Cookie,
            "REQUEST_HEADERS" if key.eq_ignore_ascii_case("referer") => Self::Referer,
            "REQUEST_HEADERS" if key.eq_ignore_ascii_case("user-agent") => Self::UserAgent,
            "REQUEST_HEADERS" if key.eq_ignore_ascii_case("cookie") => Self::Cookie,
            "REQUEST_HEADERS" => Self::OtherHeader,
            "REQUEST_FILENAME" | "REQUEST_BASENAME" | "REQUEST_URI" | "REQUEST_URI_RAW" | "REQUEST_LINE" => Self::Path,
            _ => Self::Protocol,
        })
    }

    /// Returns `true` if the query has an argument of this name; in a request without a body there is no other place.
    fn is_of_query(key: &str, sample: &Sample) -> bool {
        let Some(query) = sample.query() else { return false };
        let name = key.as_bytes();
        sample.body.is_empty()
            || query
                .split(|byte| *byte == b'&')
                .any(|argument| argument.strip_prefix(name).is_some_and(|rest| matches!(rest, [] | [b'=', ..])))
    }

    /// Returns the kind of the body, if there is one.
    fn of_body(sample: &Sample) -> Option<Self> {
        if sample.body.is_empty() {
            return None;
        }
        let of_type = |part: &str| sample.header("content-type").is_some_and(|kind| kind.contains(part));
        Some(match () {
            () if of_type("json") => Self::Json,
            () if of_type("multipart/") => Self::Multipart,
            () if of_type("xml") => Self::Xml,
            () if of_type("urlencoded") => Self::Form,
            () => Self::OtherBody,
        })
    }

    /// Returns `true` if the request has this part.
    pub fn is_in(self, sample: &Sample) -> bool {
        let has = |name| sample.header(name).is_some();
        match self {
            Self::Path | Self::Protocol => true,
            Self::Query => sample.query().is_some(),
            Self::Cookie => has("cookie"),
            Self::Referer => has("referer"),
            Self::UserAgent => has("user-agent"),
            Self::OtherHeader => !sample.headers.is_empty(),
            body => Self::of_body(sample) == Some(body),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Form => "form",
            Self::Multipart => "multipart",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::OtherBody => "other body",
            Self::Cookie => "cookie",
            Self::Referer => "referer",
            Self::UserAgent => "user agent",
            Self::OtherHeader => "other headers",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
