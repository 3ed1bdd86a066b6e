//! Phases of a transaction.

/// The phase in which a rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// `phase:0`: after the connection.
    Connection,
    /// `phase:1`: after the request headers.
    RequestHeaders,
    /// `phase:2`: after the request body.
    RequestBody,
    /// `phase:3`: after the response headers.
    ResponseHeaders,
    /// `phase:4`: after the response body.
    ResponseBody,
    /// `phase:5`: at the end.
    Logging,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Phase; 6] =
        [Phase::Connection, Phase::RequestHeaders, Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody, Phase::Logging];

    /// Returns the number in rules, 0 to 5.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Parses the value of `phase:`: a number or `request`, `response`, `logging`.
    #[doc(hidden)]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "request" => Some(Phase::RequestBody),
            "response" => Some(Phase::ResponseBody),
            "logging" => Some(Phase::Logging),
            number => number.parse::<usize>().ok().and_then(|number| Self::ALL.get(number).copied()),
        }
    }
}

/// A value for each phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseMap<T>([T; 6]);

impl<T> PhaseMap<T> {
    /// Returns the value of a phase.
    pub fn at(&self, phase: Phase) -> &T {
        // There is a value for each phase, in the order of their numbers.
        let [first, ..] = &self.0;
        self.0.get(phase as usize).unwrap_or(first)
    }

    /// Returns the value of a phase, mutably.
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

    /// Returns the results of a function for the value of each phase.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> PhaseMap<U> {
        PhaseMap(self.0.map(change))
    }

    /// Returns every phase with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, &T)> {
        Phase::ALL.into_iter().zip(&self.0)
    }
}
