//! The limits of bodies: how much of a chunk is taken in, and what happens to the rest.

use super::Transaction;
use super::debug::shown_limit;
use super::verdict::Intervention;
use crate::graph::{EngineMode, LimitAction};
use crate::vocabulary::Limit;

/// The longest body that is taken in where there is no limit, in bytes.
const LARGEST_BODY: usize = u32::MAX as usize;

/// A body's limit and how much of it is used.
pub struct BodyLimit {
    /// `Request` or `Response`, for messages.
    pub name: &'static str,
    pub kind: Limit,
    /// In bytes; 0 and none are no limit.
    pub limit: Option<usize>,
    pub action: Option<LimitAction>,
    /// How much was taken in before, in bytes.
    pub gathered: usize,
}

/// How much of each body was taken in, in bytes, whether or not it is kept.
#[derive(Debug, Default)]
pub struct BodyLengths {
    pub request: usize,
    /// More came than the limit lets in, and the rest is left out.
    pub request_is_cut: bool,
    pub response: usize,
}

/// What becomes of a chunk.
pub struct Admission {
    /// How many of its bytes are taken in.
    pub taken: usize,
    /// Whether it is longer than the limit allows.
    pub exceeds: bool,
}

impl Transaction {
    /// Decides about a chunk of so many bytes; where the settings say so, the exchange is stopped.
    pub(super) fn admit(&mut self, length: usize, body: &BodyLimit) -> Admission {
        let name = body.name;
        let limit = body.limit.filter(|limit| *limit > 0);
        let space = limit.unwrap_or(LARGEST_BODY).min(LARGEST_BODY).saturating_sub(body.gathered);
        self.debug(9, || format!("Appending {} body: {length} bytes. Limit set to: {}", name.to_lowercase(), shown_limit(limit)));
        if length <= space {
            return Admission { taken: length, exceeds: false };
        }
        self.exceed(body.kind);
        self.debug(5, || format!("{name} body is bigger than the maximum expected."));
        let taken = match body.action {
            Some(LimitAction::ProcessPartial) => {
                self.debug(5, || format!("{name} body limit is marked to process partial"));
                space
            }
            Some(LimitAction::Reject) => {
                self.reject(&format!("{name} body limit is marked to reject the request"));
                0
            }
            None => 0,
        };
        Admission { taken, exceeds: true }
    }

    /// Stops the exchange because of a limit, where the engine is on.
    pub(super) fn reject(&mut self, reason: &str) {
        self.debug(5, || reason.to_owned());
        if self.is_decided() {
            self.debug(5, || "The request was already intercepted".to_owned());
        } else if self.engine_mode() == EngineMode::On {
            let reason = reason.to_owned();
            self.intervene(Intervention { status: 403, redirect: None, drop: false, rule: None, rule_id: 0, reason, found: None });
        } else {
            self.debug(5, || "Not rejecting the request as the engine is not Enabled".to_owned());
        }
    }
}
