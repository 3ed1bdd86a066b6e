//! Evaluates the rules of a phase: takes rules, services and the state of an exchange, changes the state; imports `lua`, `metrics`, `resolver`,
//! `store`, `state`, `graph` and the pure rooms.
//!
//! An [`Evaluation`] borrows all three for the time of one call of the host, and every step of the way is a function that takes it:
//!
//! ```text
//! phase::run                     the steps of a phase in their order: markers, skips, allow, removals
//!  ├─ candidates::next_open      the next rule that may match, by what its values hold
//!  └─ chain::evaluate_chain      a rule and those chained to it
//!      ├─ ask                    its operator about each value of each target, after its transformations
//!      │   ├─ lookup, script, decision    operators that look at more than a value
//!      │   └─ assignment::assign_all      `setvar`, once for each value that matches
//!      └─ actions::after_match   the other actions of all its rules, the last first, and the decision
//! ```
//!
//! No step returns an error: what goes wrong sets a flag that rules read, and is told in the logs.

mod actions;
mod assignment;
mod candidates;
mod chain;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod client;
mod control;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod decision;
mod expand;
mod limits;
mod lookup;
mod notice;
mod pending_match;
mod phase;
mod program;
mod question;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod script;
mod select;
#[cfg(feature = "xml-validation")]
mod xml_validation;

pub use decision::{is_blacklisted, is_whitelisted};
pub use limits::limit_text;
pub use notice::{Notices, notice_audit_log, notice_debug_log};
pub use phase::run;

use crate::escape::{legible, legible_text};
use crate::graph::{EngineMode, LogLetters, RuleGraph};
use crate::resolver::{Origins, Resolver};
use crate::state::{DebugLog, Intervention, MemoryPool, State};
use crate::store::{RateLimits, Store};
use std::sync::Arc;

/// What evaluations use besides rules: shared by all transactions of a rule set, never changed by one.
#[derive(Clone, Debug)]
pub struct Services {
    /// Where persistent collections are kept.
    pub store: Arc<dyn Store>,
    /// Who looks up names in the DNS.
    pub resolver: Arc<dyn Resolver>,
    /// Who tells which domains addresses belong to.
    pub origins: Arc<Origins>,
    /// How often addresses asked.
    pub rates: Arc<RateLimits>,
    /// Where debug messages go, if anywhere.
    pub debug_log: Option<Arc<dyn DebugLog>>,
    /// State of finished transactions, whose memory those to come use.
    pub memory: Arc<MemoryPool>,
    /// What hosts were told of that went wrong.
    pub notices: Arc<Notices>,
}

/// Rules, services and the state of an exchange, for the time of one call.
pub struct Evaluation<'r> {
    /// The rules.
    pub rules: &'r RuleGraph,
    /// What they use besides the state.
    pub services: &'r Services,
    /// What is known of the exchange.
    pub state: &'r mut State,
}

impl Evaluation<'_> {
    /// Returns `true` if debug messages of this level are wanted.
    pub fn debugs(&self, level: u8) -> bool {
        self.services.debug_log.as_ref().is_some_and(|log| log.level() >= level)
    }

    /// Writes a debug message, if messages of this level are wanted.
    pub fn debug(&self, level: u8, message: impl FnOnce() -> String) {
        if let Some(log) = self.services.debug_log.as_ref().filter(|log| log.level() >= level) {
            let sent = self.state.collections.arena.read(self.state.collections.scalars.request_uri_raw);
            let mut target = Vec::with_capacity(sent.len());
            legible(sent, &mut target);
            log.write(level, &legible_text(&self.state.id()), &target, &legible_text(&message()));
        }
    }

    /// The mode of the engine, as the settings say and `ctl:ruleEngine` changed it.
    pub fn engine_mode(&self) -> EngineMode {
        self.state.engine_mode(&self.rules.settings)
    }

    /// Returns `true` if the engine is off.
    pub fn is_disabled(&self) -> bool {
        if self.engine_mode() == EngineMode::Off {
            self.debug(4, || "Rule engine disabled, returning...".to_owned());
            return true;
        }
        false
    }

    /// The parts of an audit record, as the rules and `ctl:auditLogParts` say.
    pub fn audit_parts(&self) -> LogLetters {
        self.state.audit_parts(&self.rules.settings)
    }

    /// Returns `true` while a decision stands.
    pub fn is_decided(&self) -> bool {
        self.state.pending.intervention.is_some()
    }

    /// Decides.
    pub fn intervene(&mut self, intervention: Intervention) {
        self.state.pending.intervention = Some(intervention);
        self.state.pending.decided = true;
    }
}
