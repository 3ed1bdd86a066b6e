//! Time of phases, of all exchanges; time of rules, of some.

use secrule::{Phase, RuleTime};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One in so many exchanges has its rules timed, which costs two readings of the clock for each rule that is evaluated.
const SAMPLE: u64 = 32;

/// Number of rules whose time is kept.
const MAX_RULES: usize = 10_000;

/// Names of the phases.
const PHASES: [&str; 6] =
    ["0: connection", "1: request headers", "2: request body", "3: response headers", "4: response body", "5: logging"];

/// Times since the start.
#[derive(Debug, Default)]
pub struct Times {
    phases: [PhaseTime; PHASES.len()],
    begun: AtomicU64,
    rules: Mutex<HashMap<u64, RuleTotal>>,
}

#[derive(Debug, Default)]
struct PhaseTime {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

#[derive(Debug, Default)]
struct RuleTotal {
    message: String,
    evaluations: u64,
    time: Duration,
}

impl Times {
    /// Adds a phase of an exchange.
    pub fn add_phase(&self, phase: Phase, time: Duration) {
        if let Some(total) = self.phases.get(usize::from(phase.number())) {
            total.count.fetch_add(1, Ordering::Relaxed);
            total.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Returns `true` if the rules of the exchange that begins are to be timed.
    pub fn begin(&self) -> bool {
        self.begun.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLE)
    }

    /// Adds the rules of an exchange.
    pub fn add_rules(&self, rules: &[RuleTime<'_>]) {
        let mut totals = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for timed in rules {
            let id = timed.rule.id();
            if totals.len() >= MAX_RULES && !totals.contains_key(&id) {
                continue;
            }
            let total = totals.entry(id).or_insert_with(|| RuleTotal { message: timed.rule.message().to_owned(), ..RuleTotal::default() });
            total.evaluations = total.evaluations.saturating_add(timed.evaluations);
            total.time = total.time.saturating_add(timed.time);
        }
    }

    /// Returns the phases that ran.
    pub fn phases(&self) -> Value {
        let shown = |(name, total): (&str, &PhaseTime)| {
            let (count, nanoseconds) = (total.count.load(Ordering::Relaxed), total.nanoseconds.load(Ordering::Relaxed));
            (count > 0).then(|| json!({ "phase": name, "count": count, "microseconds": microseconds(nanoseconds, count) }))
        };
        PHASES.into_iter().zip(&self.phases).filter_map(shown).collect()
    }

    /// Returns the rules that took most time, at most this number.
    pub fn slowest(&self, count: usize) -> Value {
        let totals = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Duration = totals.values().map(|total| total.time).sum();
        let mut slowest: Vec<(&u64, &RuleTotal)> = totals.iter().collect();
        slowest.sort_unstable_by_key(|(id, total)| (std::cmp::Reverse(total.time), **id));
        let shown = |(id, total): &(&u64, &RuleTotal)| {
            let nanoseconds = u64::try_from(total.time.as_nanos()).unwrap_or(u64::MAX);
            json!({
                "id": id,
                "message": total.message,
                "microseconds": microseconds(nanoseconds, total.evaluations),
                "share": if all.is_zero() { 0.0 } else { total.time.as_secs_f64() / all.as_secs_f64() },
            })
        };
        slowest.iter().take(count).map(shown).collect()
    }
}

/// Returns a mean, in microseconds.
#[allow(clippy::cast_precision_loss)]
fn microseconds(nanoseconds: u64, count: u64) -> f64 {
    nanoseconds as f64 / 1_000.0 / count.max(1) as f64
}
