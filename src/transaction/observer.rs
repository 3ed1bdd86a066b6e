//! Observers: report events to the host when they happen.

use super::{Match, Rule, Transaction};
use crate::compile::{LoadError, LoadReport};
use crate::graph::Phase;
use crate::state::{Intervention, ScriptFailure};
use crate::vocabulary::{Limit, LimitSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Receives the events of every exchange of a rule set: for metrics, alerts and traces. By default each method does nothing.
///
/// The engine calls it on the thread of the request, after the rules of a phase have run, so a method must be quick. Its arguments are read-only.
///
/// ```
/// use secrule::{Intervention, Observer, Transaction, Waf};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// #[derive(Debug, Default)]
/// struct Counter(AtomicU64);
///
/// impl Observer for Counter {
///     fn intervened(&self, _transaction: &Transaction, _intervention: &Intervention) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let counter = Arc::new(Counter::default());
/// let waf = Waf::builder().starter_rules().observer(counter.clone()).build()?;
/// # Ok::<(), secrule::LoadError>(())
/// ```
pub trait Observer: Send + Sync + fmt::Debug {
    /// A rule matched and is logged.
    fn matched(&self, transaction: &Transaction, found: &Match<'_>) {
        let _ = (transaction, found);
    }

    /// The exchange was stopped. Called once for each decision.
    fn intervened(&self, transaction: &Transaction, intervention: &Intervention) {
        let _ = (transaction, intervention);
    }

    /// The exchange exceeded a limit. Called once for each limit.
    fn limit_exceeded(&self, transaction: &Transaction, limit: Limit) {
        let _ = (transaction, limit);
    }

    /// A script failed.
    fn script_failed(&self, transaction: &Transaction, failure: &ScriptFailure) {
        let _ = (transaction, failure);
    }

    /// Returns `true` to receive [`phase_ended`](Self::phase_ended). Asked once for each load: each phase then takes two readings of the clock.
    fn times_phases(&self) -> bool {
        false
    }

    /// A call of the host ended that runs the rules of a phase. The time is that of the whole call: it includes parsing the body before phase 2, and the
    /// audit record after phase 5.
    fn phase_ended(&self, transaction: &Transaction, phase: Phase, time: Duration) {
        let _ = (transaction, phase, time);
    }

    /// Returns `true` to receive [`rules_timed`](Self::rules_timed) for the exchange that begins. Return it for few exchanges: one that is timed reads
    /// the clock twice for each rule that is evaluated.
    fn times_rules(&self) -> bool {
        false
    }

    /// The exchange is over, and these rules were evaluated in it. Rules that were ruled out, and those that only compare and set TX variables, are not
    /// among them.
    fn rules_timed(&self, transaction: &Transaction, rules: &[RuleTime<'_>]) {
        let _ = (transaction, rules);
    }

    /// The exchange is over: the rules of phase 5 have run, and its audit record was written.
    fn finished(&self, transaction: &Transaction) {
        let _ = transaction;
    }

    /// The rules were [reloaded](crate::Waf::reload).
    fn reloaded(&self, report: &LoadReport) {
        let _ = report;
    }

    /// A [reload](crate::Waf::reload) failed, and the earlier rules stay.
    fn reload_failed(&self, error: &LoadError) {
        let _ = error;
    }
}

/// The time that the evaluations of a rule took in an exchange.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RuleTime<'a> {
    /// The rule; of a chain, the first one.
    pub rule: Rule<'a>,
    /// Number of its evaluations.
    pub evaluations: u64,
    /// Their time, with the rest of its chain and with transformations that no earlier rule needed.
    pub time: Duration,
}

/// Reports each event to all observers, in their order.
impl Observer for Vec<Arc<dyn Observer>> {
    fn matched(&self, transaction: &Transaction, found: &Match<'_>) {
        self.iter().for_each(|observer| observer.matched(transaction, found));
    }

    fn intervened(&self, transaction: &Transaction, intervention: &Intervention) {
        self.iter().for_each(|observer| observer.intervened(transaction, intervention));
    }

    fn limit_exceeded(&self, transaction: &Transaction, limit: Limit) {
        self.iter().for_each(|observer| observer.limit_exceeded(transaction, limit));
    }

    fn script_failed(&self, transaction: &Transaction, failure: &ScriptFailure) {
        self.iter().for_each(|observer| observer.script_failed(transaction, failure));
    }

    fn times_phases(&self) -> bool {
        self.iter().any(|observer| observer.times_phases())
    }

    fn phase_ended(&self, transaction: &Transaction, phase: Phase, time: Duration) {
        self.iter().for_each(|observer| observer.phase_ended(transaction, phase, time));
    }

    fn times_rules(&self) -> bool {
        // Each of them is asked: one that counts must count.
        self.iter().filter(|observer| observer.times_rules()).count() > 0
    }

    fn rules_timed(&self, transaction: &Transaction, rules: &[RuleTime<'_>]) {
        self.iter().for_each(|observer| observer.rules_timed(transaction, rules));
    }

    fn finished(&self, transaction: &Transaction) {
        self.iter().for_each(|observer| observer.finished(transaction));
    }

    fn reloaded(&self, report: &LoadReport) {
        self.iter().for_each(|observer| observer.reloaded(report));
    }

    fn reload_failed(&self, error: &LoadError) {
        self.iter().for_each(|observer| observer.reload_failed(error));
    }
}

/// The events of a transaction that observers have received.
#[derive(Debug, Default)]
pub struct Observed {
    matches: usize,
    limits: LimitSet,
    script_failures: usize,
    intervened: bool,
}

impl Observed {
    /// Returns all events so far.
    pub fn now(transaction: &Transaction) -> Self {
        let state = &transaction.state;
        Self {
            matches: state.matches.len(),
            limits: transaction.limits(),
            script_failures: state.script_failures.len(),
            intervened: state.pending.intervention.is_some(),
        }
    }

    /// Reports the later events to an observer.
    pub fn report(&self, observer: &dyn Observer, transaction: &Transaction) {
        for found in transaction.matches().skip(self.matches) {
            observer.matched(transaction, &found);
        }
        transaction.limits().without(self.limits).iter().for_each(|limit| observer.limit_exceeded(transaction, limit));
        let failures = &transaction.state.script_failures;
        failures.iter().skip(self.script_failures).for_each(|failure| observer.script_failed(transaction, failure));
        if let Some(intervention) = transaction.intervention().filter(|_| !self.intervened) {
            observer.intervened(transaction, intervention);
        }
    }
}
