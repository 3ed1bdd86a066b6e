//! What the host is to do.

use super::{RuleMatch, Transaction};
use crate::graph::RuleIndex;
use std::fmt;

/// What the host is to do with the request or the response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Stop.
    Intervene(Intervention),
}

/// How to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intervention {
    /// The status to answer with.
    pub status: u16,
    /// The address to send the client to, as it stands in the rule. Control characters and bytes that are not UTF-8 are percent-encoded, for
    /// its macros may stand for parts of the request.
    pub redirect: Option<String>,
    /// Whether the rule asks to close the connection without an answer.
    pub drop: bool,
    /// The rule that decided; none where a limit did.
    pub rule: Option<RuleIndex>,
    /// The id of that rule, 0 for none.
    pub rule_id: u64,
    /// Why, in a line for the log.
    pub reason: String,
    /// What is known of the match of that rule.
    pub found: Option<Box<RuleMatch>>,
}

/// A decision that the host has not read yet, and a status that waits for one.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Set by `status`, which may stand in an earlier rule than the decision.
    pub status: Option<u16>,
    pub intervention: Option<Intervention>,
    /// Whether a decision was made at all, read or not.
    pub decided: bool,
}

impl Pending {
    /// `status`: as in ModSecurity v3 it also changes a decision that is already made, by a `block` that stands before it.
    pub(super) fn name_status(&mut self, status: u16) {
        self.status = Some(status);
        if let Some(intervention) = &mut self.intervention {
            intervention.status = status;
        }
    }
}

impl Verdict {
    /// How to stop, if that is what is to be done.
    pub fn intervention(&self) -> Option<&Intervention> {
        match self {
            Verdict::Pass => None,
            Verdict::Intervene(intervention) => Some(intervention),
        }
    }

    /// Whether the host is to stop.
    pub fn is_intervention(&self) -> bool {
        self.intervention().is_some()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass => f.write_str("pass"),
            Verdict::Intervene(Intervention { redirect: Some(address), status, .. }) => {
                write!(f, "redirect to {address} with status {status}")
            }
            Verdict::Intervene(Intervention { drop: true, .. }) => f.write_str("drop"),
            Verdict::Intervene(Intervention { status, .. }) => write!(f, "deny with status {status}"),
        }
    }
}

impl Transaction {
    /// Takes the decision that waits to be read, if there is one.
    pub fn take_verdict(&mut self) -> Verdict {
        match self.pending.intervention.take() {
            Some(intervention) => {
                self.pending.status = None;
                Verdict::Intervene(intervention)
            }
            None => Verdict::Pass,
        }
    }

    /// Whether a decision waits to be read.
    pub(super) fn is_decided(&self) -> bool {
        self.pending.intervention.is_some()
    }

    /// Whether the request or the response was stopped at any time.
    pub fn was_stopped(&self) -> bool {
        self.pending.decided
    }

    pub(super) fn intervene(&mut self, intervention: Intervention) {
        self.pending.intervention = Some(intervention);
        self.pending.decided = true;
    }
}
