//! What the host is to do.

use super::RuleMatch;
use crate::graph::{Disruptive, RuleIndex};
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

/// The decision that stands, and a status that waits for one.
#[derive(Debug, Default)]
pub struct Pending {
    /// Set by `status`, which may stand in an earlier rule than the decision.
    pub status: Option<u16>,
    pub intervention: Option<Intervention>,
    /// Whether a decision was made at all, taken away or not.
    pub decided: bool,
    /// The first rule that would have decided, were the engine on.
    pub detected: Option<RuleIndex>,
}

impl Pending {
    /// Takes back what an earlier rule decided.
    pub fn take_back(&mut self) {
        (self.intervention, self.status) = (None, None);
    }

    /// Notes what a rule would have decided, were the engine on.
    pub fn detect(&mut self, disruptive: &Disruptive, rule: RuleIndex) {
        if let Disruptive::Deny | Disruptive::Drop | Disruptive::Redirect(_) = disruptive {
            self.detected.get_or_insert(rule);
        }
    }

    /// `status`: as in ModSecurity v3 it also changes a decision that is already made, by a `block` that stands before it.
    pub fn name_status(&mut self, status: u16) {
        self.status = Some(status);
        if let Some(intervention) = &mut self.intervention {
            intervention.status = status;
        }
    }
}

impl Intervention {
    /// A decision that no rule made.
    ///
    /// The C interface makes one when an error left a request unjudged.
    #[doc(hidden)]
    pub fn without_rule(status: u16, reason: String) -> Self {
        Self { status, redirect: None, drop: false, rule: None, rule_id: 0, reason, found: None }
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

    /// An error that says how to stop, if that is what is to be done, so that a host can leave with `?`.
    ///
    /// # Errors
    /// When the host is to stop.
    pub fn into_result(self) -> Result<(), Intervention> {
        match self {
            Verdict::Pass => Ok(()),
            Verdict::Intervene(intervention) => Err(intervention),
        }
    }

    /// Returns `true` if the host is to stop.
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
