//! The verdict for the host.

use super::RuleMatch;
use crate::graph::{Disruptive, RuleIndex};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// An order to the host to stop the exchange.
///
/// As an error it can be returned with `?`; its text is the reason, as ModSecurity v3 words it for the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervention {
    pub(crate) action: Action,
    pub(crate) rule: Option<RuleIndex>,
    pub(crate) rule_id: u64,
    pub(crate) reason: String,
    /// The match of that rule.
    pub(crate) found: Option<Box<RuleMatch>>,
}

/// Ways for a host to stop an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Answer with a status, and with a page of the host's choice.
    Deny {
        /// The HTTP status, such as 403.
        status: u16,
    },
    /// Close the connection without an answer.
    Drop {
        /// The status in logs, and the answer of hosts that cannot close the connection.
        status: u16,
    },
    /// Redirect the client.
    Redirect {
        /// The HTTP status, 301 to 307.
        status: u16,
        /// The value of the `Location` header: the address from the rule with its macros expanded. Control characters, and bytes that are not UTF-8,
        /// are percent-encoded, because macros may contain parts of the request.
        location: String,
    },
}

/// Result of a call of the C interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The request or response passes so far.
    Pass,
    /// The host must stop it.
    Intervene(Intervention),
}

/// The current decision, and a status for a later one.
#[derive(Debug, Default)]
pub struct Pending {
    /// Set by `status`, which may be in an earlier rule than the decision.
    pub status: Option<u16>,
    pub intervention: Option<Intervention>,
    /// `true` if there was a decision, even if the host has taken it.
    pub decided: bool,
    /// `true` if it was that of a ban, before any rule of phase 1.
    pub is_banned: bool,
    /// The first rule that would have decided if the engine were on.
    pub detected: Option<RuleIndex>,
}

impl Pending {
    /// Revokes the decision of an earlier rule.
    pub fn take_back(&mut self) {
        (self.intervention, self.status) = (None, None);
    }

    /// Records a rule that would have decided if the engine were on.
    pub fn detect(&mut self, disruptive: &Disruptive, rule: RuleIndex) {
        if disruptive.stops() {
            self.detected.get_or_insert(rule);
        }
    }

    /// Applies `status`: as in ModSecurity v3, it also changes an earlier decision, by a `block` before it.
    pub fn name_status(&mut self, status: u16) {
        self.status = Some(status);
        if let Some(intervention) = &mut self.intervention {
            *intervention.action.status_mut() = status;
        }
    }
}

impl Action {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Action::Deny { status } | Action::Drop { status } | Action::Redirect { status, .. } => *status,
        }
    }

    fn status_mut(&mut self) -> &mut u16 {
        match self {
            Action::Deny { status } | Action::Drop { status } | Action::Redirect { status, .. } => status,
        }
    }

    /// Returns the action as rules write it: `deny`, `drop` or `redirect`.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Deny { .. } => "deny",
            Action::Drop { .. } => "drop",
            Action::Redirect { .. } => "redirect",
        }
    }
}

impl Intervention {
    /// Makes a decision without a rule.
    ///
    /// The C interface uses it if an error left a request unjudged.
    #[doc(hidden)]
    pub fn without_rule(status: u16, reason: String) -> Self {
        Self { action: Action::Deny { status }, rule: None, rule_id: 0, reason, found: None }
    }

    /// Returns the way to stop.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Returns the HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.action.status()
    }

    /// Returns the value of the `Location` header, for a redirect.
    pub fn location(&self) -> Option<&str> {
        match &self.action {
            Action::Redirect { location, .. } => Some(location),
            _ => None,
        }
    }

    /// Returns the id of the rule that decided; `None` if a limit did, or a rule without an id.
    pub fn rule_id(&self) -> Option<u64> {
        Some(self.rule_id).filter(|id| *id > 0)
    }

    /// Returns the reason, in one line for a log. It may quote parts of the request, without line breaks and control characters.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the rule that decided; `None` if a limit did.
    #[doc(hidden)]
    pub fn rule(&self) -> Option<RuleIndex> {
        self.rule
    }

    /// Returns the match of that rule.
    #[doc(hidden)]
    pub fn found(&self) -> Option<&RuleMatch> {
        self.found.as_deref()
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Intervention {}

impl Serialize for Intervention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Intervention", 5)?;
        fields.serialize_field("action", self.action.name())?;
        fields.serialize_field("status", &self.status())?;
        fields.serialize_field("location", &self.location())?;
        fields.serialize_field("rule", &self.rule_id())?;
        fields.serialize_field("reason", &self.reason)?;
        fields.end()
    }
}

impl Verdict {
    /// Returns the intervention, if there is one.
    pub fn intervention(&self) -> Option<&Intervention> {
        match self {
            Verdict::Pass => None,
            Verdict::Intervene(intervention) => Some(intervention),
        }
    }

    /// Converts an intervention to an error, so that a host can return with `?`.
    ///
    /// # Errors
    /// The intervention.
    pub fn into_result(self) -> Result<(), Intervention> {
        match self {
            Verdict::Pass => Ok(()),
            Verdict::Intervene(intervention) => Err(intervention),
        }
    }

    /// Returns `true` for an intervention.
    pub fn is_intervention(&self) -> bool {
        self.intervention().is_some()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.intervention().map(Intervention::action) {
            None => f.write_str("pass"),
            Some(Action::Redirect { location, status }) => write!(f, "redirect to {location} with status {status}"),
            Some(Action::Drop { .. }) => f.write_str("drop"),
            Some(Action::Deny { status }) => write!(f, "deny with status {status}"),
        }
    }
}
