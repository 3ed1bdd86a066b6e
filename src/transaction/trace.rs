//! Spans and events for `tracing`, with the feature `tracing`: a span for each exchange, in it a span for each call that runs rules, and an event for
//! each match, intervention, limit and failed script.

use super::{Match, Observer, Transaction};
use crate::state::{Intervention, ScriptFailure};
use crate::vocabulary::Limit;
use tracing::span::EnteredSpan;
use tracing::{Span, debug_span, info_span, warn};

/// The span of an exchange.
#[derive(Debug)]
pub struct Trace(Span);

impl Trace {
    /// Opens the span of an exchange with this id.
    pub fn new(id: &str) -> Self {
        Self(info_span!("transaction", id))
    }

    /// Opens the span of a call; it ends when the guard is dropped.
    pub fn enter(&self, call: &'static str) -> EnteredSpan {
        debug_span!(parent: &self.0, "call", name = call).entered()
    }
}

/// Converts observed events to `tracing` events.
#[derive(Debug)]
pub struct Events;

impl Observer for Events {
    fn matched(&self, _: &Transaction, found: &Match<'_>) {
        warn!(rule = found.id(), message = %found.message(), data = %found.data(), "rule matched");
    }

    fn intervened(&self, _: &Transaction, intervention: &Intervention) {
        warn!(rule = intervention.rule_id(), status = intervention.status(), action = intervention.action().name(), "intervention");
    }

    fn limit_exceeded(&self, _: &Transaction, limit: Limit) {
        warn!(limit = limit.name(), "limit exceeded");
    }

    fn script_failed(&self, _: &Transaction, failure: &ScriptFailure) {
        warn!(script = failure.script, reason = failure.reason, "script failed");
    }
}
