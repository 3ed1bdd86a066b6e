//! Counts since the start: exchanges, hits of rules, loads; and times.

use super::times::Times;
use secrule::{Intervention, LoadError, LoadReport, Match, Observer, Phase, RuleTime, Transaction};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Number of rules that are counted; hits of others count together, as those of rule 0.
const MAX_RULES: usize = 10_000;

/// Maximum length of the text of a load that failed, in bytes.
const MAX_FAILURE: usize = 16 << 10;

/// Counts exchanges and hits of rules, times phases and rules, and keeps the result of the last load: an [`Observer`] of one rule set or of several.
#[derive(Debug)]
pub struct Tally {
    began: SystemTime,
    exchanges: AtomicU64,
    stopped: AtomicU64,
    hits: Mutex<HashMap<u64, Hits>>,
    loads: Mutex<Loads>,
    pub(super) times: Times,
}

/// Hits of a rule.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    pub count: u64,
    /// The message of the last hit.
    pub message: String,
}

/// Loads after the first one.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    pub count: u64,
    pub last: Option<SystemTime>,
    /// Time and text of a load that failed after the last one that did not.
    pub failure: Option<(SystemTime, String)>,
}

impl Tally {
    /// Returns the time of its making.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Returns the number of exchanges that have ended, and of those that were stopped.
    pub fn exchanges(&self) -> (u64, u64) {
        (self.exchanges.load(Ordering::Relaxed), self.stopped.load(Ordering::Relaxed))
    }

    /// Returns the rules with the most hits, at most this number.
    pub(super) fn top(&self, count: usize) -> Vec<(u64, Hits)> {
        let hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut top: Vec<(u64, u64)> = hits.iter().map(|(id, hits)| (hits.count, *id)).collect();
        top.sort_unstable_by_key(|(count, id)| (u64::MAX - count, *id));
        top.truncate(count);
        top.into_iter().filter_map(|(_, id)| Some((id, hits.get(&id)?.clone()))).collect()
    }

    pub(super) fn loads(&self) -> Loads {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            began: SystemTime::now(),
            exchanges: AtomicU64::default(),
            stopped: AtomicU64::default(),
            hits: Mutex::default(),
            loads: Mutex::default(),
            times: Times::default(),
        }
    }
}

impl Observer for Tally {
    fn matched(&self, _: &Transaction, found: &Match<'_>) {
        let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = hits.len() < MAX_RULES || hits.contains_key(&found.id());
        let entry = hits.entry(if is_known { found.id() } else { 0 }).or_default();
        entry.count = entry.count.saturating_add(1);
        let message = found.message();
        if is_known && entry.message != message {
            entry.message = cut(&message, 200);
        }
    }

    fn intervened(&self, _: &Transaction, _: &Intervention) {
        self.stopped.fetch_add(1, Ordering::Relaxed);
    }

    fn times_phases(&self) -> bool {
        true
    }

    fn phase_ended(&self, _: &Transaction, phase: Phase, time: Duration) {
        self.times.add_phase(phase, time);
    }

    fn times_rules(&self) -> bool {
        self.times.begin()
    }

    fn rules_timed(&self, _: &Transaction, rules: &[RuleTime<'_>]) {
        self.times.add_rules(rules);
    }

    fn finished(&self, _: &Transaction) {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
    }

    fn reloaded(&self, _: &LoadReport) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        *loads = Loads { count: loads.count.saturating_add(1), last: Some(SystemTime::now()), failure: None };
    }

    fn reload_failed(&self, error: &LoadError) {
        let failure = (SystemTime::now(), cut(&error.to_string(), MAX_FAILURE));
        self.loads.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(failure);
    }
}

/// Returns the beginning of a text.
fn cut(text: &str, length: usize) -> String {
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::{Connection, Waf};
    use std::sync::Arc;

    #[test]
    fn hits_and_exchanges_are_counted_and_the_most_frequent_rule_comes_first() {
        let tally = Arc::new(Tally::default());
        let rules =
            "SecRuleEngine On\nSecRule ARGS \"a\" \"id:1,phase:1,pass,log,msg:'A'\"\nSecRule ARGS \"b\" \"id:2,phase:1,deny,log,msg:'B'\"";
        let waf = Waf::builder().rules("rules", rules).observer(tally.clone()).build().unwrap();
        for target in ["/?x=b", "/?x=a", "/?x=ab", "/?x=c", "/?x=b"] {
            let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
            let (head, ()) = http::Request::get(target).body(()).unwrap().into_parts();
            let _ = tx.request_head(&head);
            tx.finish();
        }
        assert_eq!(tally.exchanges(), (5, 3));
        let top: Vec<_> = tally.top(10).into_iter().map(|(id, hits)| (id, hits.count, hits.message)).collect();
        assert_eq!(top, [(2, 3, "B".to_owned()), (1, 2, "A".to_owned())]);
        assert_eq!(tally.top(1).len(), 1);
        let phases = tally.times.phases();
        let counted =
            |name: &str| phases.as_array().unwrap().iter().find(|phase| phase["phase"] == name).map(|phase| phase["count"].clone());
        assert_eq!((counted("1: request headers"), counted("3: response headers")), (Some(5.into()), None));
        // The first exchange is one of those that are timed.
        let slowest = tally.times.slowest(10);
        assert_eq!(slowest.as_array().unwrap().len(), 2, "{slowest}");
        assert!(slowest[0]["share"].as_f64() >= slowest[1]["share"].as_f64(), "{slowest}");
    }

    #[test]
    fn a_load_that_fails_is_told_until_one_does_not() {
        let tally = Arc::new(Tally::default());
        let waf = Waf::builder().rules("rules", "SecRuleEngine On").observer(tally.clone()).build().unwrap();
        assert!(waf.reload(Waf::builder().rules("new", "SecRule ARGS")).is_err());
        assert!(tally.loads().failure.unwrap().1.contains("new:1"));
        waf.reload(Waf::builder().rules("new", "SecRuleEngine On")).unwrap();
        assert!(tally.loads().failure.is_none() && tally.loads().count == 1);
    }
}
