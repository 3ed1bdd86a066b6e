//! Exceeded limits: each is reported once, rules and hosts can read it, and after the budget is exhausted no rule is evaluated.

use super::Evaluation;
use super::notice::notice;
use crate::graph::{EngineMode, MarkerId, OnFailure, OverBudget, Phase, Settings};
use crate::state::Intervention;
use crate::vocabulary::{Limit, LimitSet};

/// Cause of notices about the store.
const STORE: &str = "store";

/// A marker that is in no phase.
const NOWHERE: MarkerId = MarkerId(u32::MAX);

/// Divisor for the share of the budget that is reserved for the rules of the logging phase, so that they can log what happened.
const FOR_LOGGING: usize = 16;

impl Evaluation<'_> {
    /// Marks a limit as exceeded, and reports it the first time. Rules find it in LIMITS_EXCEEDED at once.
    pub fn exceed(&mut self, limit: Limit) {
        self.state.collections.arena.budget.exceed(limit);
        self.report_new();
    }

    fn report_new(&mut self) -> LimitSet {
        let new = self.state.collections.arena.budget.take_new();
        new.iter().for_each(|limit| self.report(limit));
        new
    }

    /// Charges work that is done or about to be done.
    #[inline]
    pub fn charge(&mut self, units: usize) {
        self.state.collections.arena.budget.charge(units);
    }

    /// Allows the logging phase its share of the budget, if the budget is exhausted.
    pub fn allow_work(&mut self, phase: Phase) {
        if phase == Phase::Logging && self.state.collections.arena.budget.is_over() {
            let budget = self.rules.settings.limit(Limit::Budget);
            self.state.collections.arena.budget.allow(budget / FOR_LOGGING);
        }
    }

    /// Returns `true` if the rules of a phase may continue. Called before a phase, and before each value that a rule tests. Reports the limits that
    /// were exceeded since the last call. If the budget is exhausted, the settings decide, and the rest of the rules is skipped.
    #[inline]
    pub fn may_go_on(&mut self, phase: Phase) -> bool {
        !self.state.collections.arena.budget.needs_attention() || self.check(phase)
    }

    #[cold]
    #[inline(never)]
    fn check(&mut self, phase: Phase) -> bool {
        let is_over = self.state.collections.arena.budget.is_over();
        if is_over && !self.state.collections.arena.budget.exceeded().contains(Limit::Memory) {
            self.state.collections.arena.budget.exceed(Limit::Budget);
        }
        let new = self.report_new();
        let end = [Limit::Memory, Limit::Budget].into_iter().find(|limit| new.contains(*limit));
        end.into_iter().for_each(|limit| self.end_over(limit, phase));
        if [Limit::StoreCall, Limit::StoreTime].into_iter().any(|limit| new.contains(limit)) {
            self.end_without_store(phase);
        }
        if is_over {
            self.debug(4, || "Skipping the rules of this phase: the transaction used up its budget.".to_owned());
            self.state.flow.skip_after = Some(NOWHERE);
        }
        !is_over
    }

    /// Stops the exchange because of a limit, if the engine is on.
    pub fn reject(&mut self, reason: &str) {
        self.reject_with(403, reason);
    }

    /// As [`reject`](Self::reject), with a status.
    pub fn reject_with(&mut self, status: u16, reason: &str) {
        self.debug(5, || reason.to_owned());
        if self.is_decided() {
            self.debug(5, || "The request was already intercepted".to_owned());
        } else if self.engine_mode() == EngineMode::On {
            let reason = reason.to_owned();
            self.intervene(Intervention::without_rule(status, reason));
        } else {
            self.debug(5, || "Not rejecting the request as the engine is not Enabled".to_owned());
        }
    }

    /// Stops a transaction that exceeds its budget or its memory limit, unless the settings let it pass.
    fn end_over(&mut self, limit: Limit, phase: Phase) {
        let settings = &self.rules.settings;
        if phase != Phase::Logging && settings.over_budget != OverBudget::Pass {
            let (directive, max, phase) = (limit.directive().name(), settings.limit(limit), phase.number());
            self.reject(&format!("Access denied with code 403 (phase {phase}). The transaction goes beyond {directive} {max}."));
        }
    }

    /// Notes that the store does not answer, and stops the exchange if `SecCollectionFailure` is `closed`.
    fn end_without_store(&mut self, phase: Phase) {
        let settings = &self.rules.settings;
        let reason = match &self.state.collections.store_failure {
            Some(down) => down.to_string(),
            None => format!("the store takes longer than SecStoreTimeLimit {}", settings.limit(Limit::StoreTime)),
        };
        let closes = phase != Phase::Logging && settings.collection_failure == OnFailure::Closed;
        let effect = if closes { "the request is denied" } else { "collections are empty, and nobody is banned" };
        notice(self, STORE, || format!("{reason}: {effect}."));
        if closes {
            self.reject_with(
                503,
                &format!("Access denied with code 503 (phase {}). SecCollectionFailure closed: {reason}.", phase.number()),
            );
        }
    }

    /// Reports an exceeded limit. A limit that ModSecurity v3 does not have sets TX:MSC_LIMITS_EXCEEDED, which v3's recommended rules check like all
    /// variables of this kind.
    fn report(&mut self, limit: Limit) {
        self.debug(2, || limit_text(&self.rules.settings, limit));
        if !limit.is_inherited() {
            self.raise_flag("MSC_LIMITS_EXCEEDED");
        }
    }

    /// Sets a variable of TX to 1.
    pub fn raise_flag(&mut self, key: &str) {
        let one = self.state.collections.arena.store(b"1");
        let slot = self.state.collections.tx.find_or_make(&self.rules.tx_names, key.as_bytes(), &mut self.state.collections.arena.budget);
        self.state.collections.tx.write(slot, Some(one));
    }
}

/// Describes an exceeded limit: `Limit exceeded: cookies (SecCookiesLimit 10000): cookies are left out.`
pub fn limit_text(settings: &Settings, limit: Limit) -> String {
    let max = settings.limit(limit);
    format!("Limit exceeded: {} ({} {max}): {}.", limit.name(), limit.directive().name(), limit.beyond())
}
