//! The secrets of an exchange: values that `SecSanitise` and the `sanitise…` actions keep out of all logs.
//!
//! A rule set without them has no [`Secrets`], and each log asks only for that. Otherwise they are learned as they arrive: each argument, header and
//! cookie is compared with the names when it is stored, so that the debug log never shows a value that `SecSanitise` names. An action adds a name when
//! its rule matches, and all values of that name so far are learned then.
//!
//! Every text for a log goes through a [`Masking`], which covers secrets in their own places (by name, whatever their length and encoding), and elsewhere
//! values of at least four bytes: `a` or `1` would cover most of the log.
//!
//! The texts of a match were made while its rule ran, perhaps before a later rule said what is secret. So a match keeps what they
//! were made of ([`MatchSources`](super::matches::MatchSources)), and [`cover_matches`] makes the texts again.

mod learn;
mod masking;
mod matches;
mod names;

pub use learn::{
    learn_all, learn_body_arguments, learn_files, learn_parts, learn_query, learn_request_header, learn_response_header, learn_xml,
    targets_of,
};
pub use masking::Masking;
pub use matches::{cover_matches, cover_text};
pub use names::Secrets;
