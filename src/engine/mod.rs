//! Evaluates the rules of a phase: takes rules, services and the state of an exchange, changes the state; imports `lua`, `metrics`, `resolver`,
//! `store`, `state`, `graph` and the pure rooms.
//!
//! An [`Evaluation`] borrows all three for one call of the host, and every step is a function that takes it:
//!
//! ```text
//! phase::run                     the steps of a phase in their order: markers, skips, allow, removals
//!  ├─ candidates::next_open      the next rule that may match, by the joint signature of its target list
//!  │   └─ tx_run                 rules that read and write nothing but TX, without evaluating them in the general way
//!  └─ chain::evaluate_chain      a rule and those chained to it
//!      ├─ ask                    its operator on each value of each target, after its transformations
//!      │   ├─ comparison::holds           the comparison of a TX variable, for a chained rule or one with other effects
//!      │   ├─ candidates::open_values     a target whose joint signature may match
//!      │   ├─ candidates::may_find        a value whose signature may match
//!      │   ├─ lookup                      operators that need more than a value
//!      │   └─ assignment::assign_all      `setvar`, once for each value that matches
//!      ├─ script, decision       rules whose test is a script
//!      └─ actions::after_match   the other actions of all its rules, the last first, and the decision
//! ```
//!
//! No step returns an error: failures set flags that rules read, and are logged.

mod actions;
mod assignment;
mod bans;
mod candidates;
mod chain;
mod client;
mod comparison;
mod control;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod decision;
mod expand;
mod limits;
mod lists;
mod lookup;
mod notice;
mod pending_match;
mod phase;
mod program;
mod question;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod sanitise;
mod script;
mod select;
mod tx_run;
#[cfg(feature = "xml-validation")]
mod xml_validation;

pub use bans::deny_banned;
pub use client::client;
pub use decision::{LONGEST_BAN, ban_key, possible_bans, unban};
pub use limits::limit_text;
pub use lists::{is_on_block_list, is_whitelisted};
pub use notice::{Notices, notice_audit_log, notice_debug_log, notice_exchange_log, notice_masks};
pub use phase::run;

use crate::escape::{legible, legible_text, text};
use crate::graph::{EngineMode, LogLetters, RuleGraph};
use crate::resolver::{Origins, Resolver};
use crate::state::{DebugLog, Intervention, Masking, MemoryPool, Selected, State, Text};
use crate::store::{Lists, Store};
use std::borrow::Cow;
use std::sync::Arc;

/// Services for evaluations, shared by all transactions of a rule set.
#[derive(Clone, Debug)]
pub struct Services {
    /// Store of persistent collections.
    pub store: Arc<dyn Store>,
    /// The lists of the store that the rules name.
    pub lists: Lists,
    /// Resolver of names in the DNS.
    pub resolver: Arc<dyn Resolver>,
    /// Checks if addresses belong to domains.
    pub origins: Arc<Origins>,
    /// Receiver of debug messages, if any.
    pub debug_log: Option<Arc<dyn DebugLog>>,
    /// States of finished transactions, whose memory is reused.
    pub memory: Arc<MemoryPool>,
    /// Notices about errors that were reported to hosts.
    pub notices: Arc<Notices>,
}

/// Rules, services and the state of an exchange, for the time of one call.
pub struct Evaluation<'r> {
    /// The rules.
    pub rules: &'r RuleGraph,
    /// The services.
    pub services: &'r Services,
    /// The state of the exchange.
    pub state: &'r mut State,
}

impl Evaluation<'_> {
    /// Returns `true` if debug messages of this level are logged.
    #[inline]
    pub fn debugs(&self, level: u8) -> bool {
        self.services.debug_log.as_ref().is_some_and(|log| log.level() >= level)
    }

    /// Writes a debug message, if messages of this level are logged.
    #[inline]
    pub fn debug(&self, level: u8, message: impl FnOnce() -> String) {
        if let Some(log) = self.services.debug_log.as_deref() {
            self.debug_to(log, level, message);
        }
    }

    #[cold]
    #[inline(never)]
    fn debug_to(&self, log: &dyn DebugLog, level: u8, message: impl FnOnce() -> String) {
        if log.level() >= level {
            let masking = self.state.masking(&self.rules.settings);
            let sent = self.state.collections.arena.read(self.state.collections.scalars.request_uri_raw);
            let sent = masking.map_or(Cow::Borrowed(sent), Masking::target);
            let mut target = Vec::with_capacity(sent.len());
            legible(&sent, &mut target);
            let mut message = message();
            if let Some(Cow::Owned(covered)) = masking.map(|masking| masking.text(message.as_bytes())) {
                message = text(&covered);
            }
            log.write(level, &legible_text(&self.state.id()), &target, &legible_text(&message));
        }
    }

    /// Returns a value for the debug log, as the rule tests it that selected it. Secrets are covered.
    fn masked_test(&self, selected: &Selected, tested: Text) -> Cow<'_, [u8]> {
        match self.state.masking(&self.rules.settings) {
            Some(masking) => masking.tested(selected, tested, self.state.scratch.matched_secret),
            None => Cow::Borrowed(self.state.collections.arena.read(tested)),
        }
    }

    /// Returns a text for the debug log that the evaluated chain made of the values that it matched so far. Secrets are covered.
    fn masked<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match self.state.masking(&self.rules.settings) {
            Some(masking) => masking.derived(text, self.state.scratch.matched_secret),
            None => Cow::Borrowed(text),
        }
    }

    /// Takes note of a secret that the evaluated chain matched, for later lines of the debug log: notes from this position on are new, or may have become
    /// secret.
    fn note_secret(&mut self, first: usize) {
        if !self.debugs(4) || self.state.scratch.matched_secret {
            return;
        }
        if let Some(masking) = self.state.masking(&self.rules.settings) {
            let notes = self.state.scratch.notes.all().iter().skip(first);
            self.state.scratch.matched_secret = notes.into_iter().any(|note| masking.covers(&note.selected));
        }
    }

    /// Returns the mode of the engine, from the settings or `ctl:ruleEngine`.
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

    /// Returns the parts of an audit record, from the settings or `ctl:auditLogParts`.
    pub fn audit_parts(&self) -> LogLetters {
        self.state.audit_parts(&self.rules.settings)
    }

    /// Returns `true` if there is a decision.
    pub fn is_decided(&self) -> bool {
        self.state.pending.intervention.is_some()
    }

    /// Makes a decision.
    pub fn intervene(&mut self, intervention: Intervention) {
        self.state.pending.intervention = Some(intervention);
        self.state.pending.decided = true;
    }
}
