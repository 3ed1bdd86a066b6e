//! Results of an inspection, for handlers and outer services.

use secrule::Outcome;
use std::sync::{Arc, OnceLock};

/// Results of the inspection of an exchange: an extension of each request that reaches the inner service, and of each response that leaves the layer.
///
/// ```
/// use secrule_tower::Inspection;
///
/// fn handler(request: http::Request<()>) -> http::Response<String> {
///     let inspection = request.extensions().get::<Inspection>();
///     let matches = inspection.map_or(&[][..], Inspection::request_matches);
///     http::Response::new(format!("{} rules matched", matches.len()))
/// }
/// # assert_eq!(handler(http::Request::new(())).into_body(), "0 rules matched");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inspection(Arc<Results>);

#[derive(Debug, Default)]
struct Results {
    request: OnceLock<Vec<RequestMatch>>,
    outcome: OnceLock<Outcome>,
}

/// A rule that matched in the request, before the inner service was called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestMatch {
    /// The id of the rule; 0 if it has none.
    pub rule_id: u64,
    /// Its message, with its macros expanded.
    pub message: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its addition to the anomaly scores.
    pub score: i64,
}

impl Inspection {
    /// Returns the rules that matched in the request and are logged, in the order of their matches.
    pub fn request_matches(&self) -> &[RequestMatch] {
        self.0.request.get().map_or(&[], Vec::as_slice)
    }

    /// Returns the outcome of the exchange; `None` until the body of the response has ended. Where no rule needs that body, the exchange ends before it.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.0.outcome.get()
    }

    /// Keeps the matches of the request. A second call changes nothing.
    pub(crate) fn end_request(&self, matches: impl FnOnce() -> Vec<RequestMatch>) {
        self.0.request.get_or_init(matches);
    }

    pub(crate) fn end(&self, outcome: Outcome) {
        // There is one end.
        let _ = self.0.outcome.set(outcome);
    }
}
