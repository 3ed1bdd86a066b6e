//! The moments of a transaction at which rules run.

/// When rules run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// `phase:0`: a connection was made.
    Connection,
    /// `phase:1`: the request headers are there.
    RequestHeaders,
    /// `phase:2`: the request body is there.
    RequestBody,
    /// `phase:3`: the response headers are there.
    ResponseHeaders,
    /// `phase:4`: the response body is there.
    ResponseBody,
    /// `phase:5`: everything is over.
    Logging,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Phase; 6] =
        [Phase::Connection, Phase::RequestHeaders, Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody, Phase::Logging];

    /// The number that rules write, 0 to 5.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The phase that a rule's `phase:` names: a number or `request`, `response`, `logging`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "request" => Some(Phase::RequestBody),
            "response" => Some(Phase::ResponseBody),
            "logging" => Some(Phase::Logging),
            number => number.parse::<usize>().ok().and_then(|number| Self::ALL.get(number).copied()),
        }
    }
}

/// Something for each phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseMap<T>([T; 6]);

impl<T> PhaseMap<T> {
    /// What belongs to a phase.
    pub fn at(&self, phase: Phase) -> &T {
        let [connection, request_headers, request_body, response_headers, response_body, logging] = &self.0;
        match phase {
            Phase::Connection => connection,
            Phase::RequestHeaders => request_headers,
            Phase::RequestBody => request_body,
            Phase::ResponseHeaders => response_headers,
            Phase::ResponseBody => response_body,
            Phase::Logging => logging,
        }
    }

    /// What belongs to a phase, to be changed.
    pub fn at_mut(&mut self, phase: Phase) -> &mut T {
        let [connection, request_headers, request_body, response_headers, response_body, logging] = &mut self.0;
        match phase {
            Phase::Connection => connection,
            Phase::RequestHeaders => request_headers,
            Phase::RequestBody => request_body,
            Phase::ResponseHeaders => response_headers,
            Phase::ResponseBody => response_body,
            Phase::Logging => logging,
        }
    }

    /// Every phase with what belongs to it.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, &T)> {
        Phase::ALL.into_iter().zip(&self.0)
    }
}
