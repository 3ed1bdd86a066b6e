//! The rules that take the longest, by the exchanges whose rules are timed.

use secrule::RuleTime;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum number of rules whose times are kept, which is more than the OWASP CRS has; others are left out.
const MAX_RULES: usize = 4_096;

/// Maximum length of a message, in bytes.
const LONGEST_MESSAGE: usize = 200;

/// Times of rules. Only exchanges whose rules are timed wait for its lock.
#[derive(Debug, Default)]
pub struct RuleTimes(Mutex<HashMap<u64, TimedRule>>);

/// A rule, and what it took in the exchanges whose rules were timed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedRule {
    /// The id; 0 for all rules without one.
    pub id: u64,
    /// Its message as written, cut to 200 bytes.
    pub message: String,
    /// Number of its evaluations.
    pub evaluations: u64,
    /// Their time.
    pub time: Duration,
    /// Number of its matches that were logged, in all exchanges.
    pub hits: u64,
}

impl RuleTimes {
    /// Adds the times of one exchange.
    pub fn add(&self, rules: &[RuleTime<'_>]) {
        let mut known = self.lock();
        let mut room = MAX_RULES.saturating_sub(known.len());
        for timed in rules {
            let id = timed.rule.id();
            let rule = match known.entry(id) {
                Entry::Occupied(rule) => rule.into_mut(),
                Entry::Vacant(_) if room == 0 => continue,
                Entry::Vacant(place) => {
                    room -= 1;
                    let message = beginning(timed.rule.message(), LONGEST_MESSAGE).to_owned();
                    place.insert(TimedRule { id, message, evaluations: 0, time: Duration::ZERO, hits: 0 })
                }
            };
            rule.evaluations = rule.evaluations.saturating_add(timed.evaluations);
            rule.time = rule.time.saturating_add(timed.time);
        }
    }

    /// Returns the rules that took the longest, the slowest first.
    pub fn slowest(&self, number: usize) -> Vec<TimedRule> {
        let mut rules: Vec<TimedRule> = self.lock().values().cloned().collect();
        rules.sort_by(|a, b| b.time.cmp(&a.time).then(a.id.cmp(&b.id)));
        rules.truncate(number);
        rules
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, TimedRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the first bytes of a text, without half a character.
pub fn beginning(text: &str, length: usize) -> &str {
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
