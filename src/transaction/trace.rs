//! Spans and events for `tracing`, with the feature `tracing`: a span for each exchange, in it a span for each call that runs rules, and an event for
//! each match, intervention, limit and failed script.
//!
//! Names of fields are those of OpenTelemetry's conventions where these have one: `http.…`, `url.path`, `client.address`, `security_rule.…`.

use super::{Match, Observer, Transaction};
use crate::escape::text;
use crate::state::{Intervention, ScriptFailure};
use crate::vocabulary::Limit;
use tracing::field::Empty;
use tracing::span::EnteredSpan;
use tracing::{Span, debug_span, info_span, warn};

/// The span of an exchange.
#[derive(Debug)]
pub struct Trace(Span);

impl Trace {
    /// Opens the span of an exchange with this id.
    pub fn new(id: &str) -> Self {
        Self(info_span!(
            "transaction",
            id,
            client.address = Empty,
            http.request.method = Empty,
            http.response.status_code = Empty,
            url.path = Empty,
        ))
    }

    /// Opens the span of a call; it ends when the guard is dropped.
    pub fn enter(&self, call: &'static str) -> EnteredSpan {
        debug_span!(parent: &self.0, "call", name = call).entered()
    }

    /// Adds to the span of an exchange what is known at its end. The query stays out: it may hold secrets.
    pub fn describe(&self, transaction: &Transaction) {
        if self.0.is_disabled() {
            return;
        }
        self.0.record("client.address", text(transaction.client_address()));
        self.0.record("http.request.method", text(transaction.method()));
        self.0.record("http.response.status_code", transaction.status());
        self.0.record("url.path", text(transaction.path()));
    }
}

/// Converts observed events to `tracing` events in the span of their exchange.
#[derive(Debug)]
pub struct Events;

impl Observer for Events {
    fn matched(&self, transaction: &Transaction, found: &Match<'_>) {
        let category = || found.tags().find_map(|tag| tag.strip_prefix("attack-").map(str::to_owned));
        warn!(
            parent: &transaction.trace.0,
            security_rule.uuid = found.id(),
            security_rule.name = %found.message(),
            security_rule.category = category(),
            data = %found.data(),
            "rule matched"
        );
    }

    fn intervened(&self, transaction: &Transaction, intervention: &Intervention) {
        warn!(
            parent: &transaction.trace.0,
            security_rule.uuid = intervention.rule_id(),
            http.response.status_code = intervention.status(),
            action = intervention.action().name(),
            "intervention"
        );
    }

    fn limit_exceeded(&self, transaction: &Transaction, limit: Limit) {
        warn!(parent: &transaction.trace.0, limit = limit.name(), "limit exceeded");
    }

    fn script_failed(&self, transaction: &Transaction, failure: &ScriptFailure) {
        warn!(parent: &transaction.trace.0, script = failure.script, reason = failure.reason, "script failed");
    }
}
