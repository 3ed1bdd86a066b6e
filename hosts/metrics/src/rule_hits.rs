//! Counts of matches by rule, without a lock.

use crate::category::SEVERITIES;
use crate::outcome::Outcome;
use std::array;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Maximum number of rules with a count of their own. The first ones that match have it; all others are counted together.
pub const MAX_RULES: usize = 200;

/// Number of buckets in the table: more than twice as many as rules, so that searches are short.
const BUCKETS: usize = 512;

/// Divisor between an id and the severity beside it in a key.
const PER_ID: u64 = 16;

/// A count for each outcome.
type Counts = [AtomicU64; Outcome::COUNT];

/// Counts of matches. A rule is one of an id and a severity: rule sets of one process may give an id to different rules.
#[derive(Debug)]
pub struct RuleHits {
    /// Open addressing: a key is in the bucket of its hash, or in the next one that was free.
    buckets: Box<[Bucket]>,
    taken: AtomicUsize,
    /// By severity: the rules without a bucket.
    others: [Counts; SEVERITIES.len()],
}

#[derive(Debug, Default)]
struct Bucket {
    /// The rule; 0 for a free bucket. It never changes again.
    key: AtomicU64,
    counts: Counts,
}

/// Counts of one rule.
pub struct Hits {
    /// The id, 0 for rules without one; `None` for all rules that have no bucket.
    pub rule: Option<u64>,
    /// Index of the severity.
    pub severity: usize,
    /// By outcome.
    pub counts: [u64; Outcome::COUNT],
}

impl Default for RuleHits {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| Bucket::default()).collect();
        Self { buckets, taken: AtomicUsize::new(0), others: array::from_fn(|_| Counts::default()) }
    }
}

impl RuleHits {
    /// Counts a match of a rule.
    pub fn count(&self, rule: u64, severity: usize, outcome: Outcome) {
        let key = rule.checked_mul(PER_ID).and_then(|key| key.checked_add(severity as u64 + 1));
        let bucket = key.and_then(|key| self.bucket(key));
        if let Some(counts) = bucket.map(|bucket| &bucket.counts).or_else(|| self.others.get(severity)) {
            add(counts, outcome);
        }
    }

    /// Returns the bucket of a rule, if it has one or there is room.
    fn bucket(&self, key: u64) -> Option<&Bucket> {
        // Ids of a rule set differ in their last digits.
        let start = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % BUCKETS;
        let buckets = self.buckets.get(start..)?.iter().chain(self.buckets.get(..start)?);
        for bucket in buckets {
            match bucket.key.load(Ordering::Relaxed) {
                known if known == key => return Some(bucket),
                0 => {
                    let more = |taken: usize| (taken < MAX_RULES).then_some(taken + 1);
                    self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
                    match bucket.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
                        Ok(_) => return Some(bucket),
                        // Another thread was faster.
                        Err(other) => {
                            self.taken.fetch_sub(1, Ordering::Relaxed);
                            if other == key {
                                return Some(bucket);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Returns all counts above zero, by id.
    pub fn all(&self) -> Vec<Hits> {
        let known = self.buckets.iter().filter_map(|bucket| {
            let key = bucket.key.load(Ordering::Relaxed).checked_sub(1)?;
            Some(Hits { rule: Some(key / PER_ID), severity: (key % PER_ID) as usize, counts: read(&bucket.counts) })
        });
        let others = self.others.iter().enumerate().map(|(severity, counts)| Hits { rule: None, severity, counts: read(counts) });
        let mut all: Vec<Hits> = known.chain(others).filter(|hits| hits.counts.iter().any(|count| *count > 0)).collect();
        all.sort_by_key(|hits| (hits.rule.is_none(), hits.rule, hits.severity));
        all
    }
}

fn add(counts: &Counts, outcome: Outcome) {
    if let Some(count) = counts.get(outcome as usize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn read(counts: &Counts) -> [u64; Outcome::COUNT] {
    counts.each_ref().map(|count| count.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_beyond_the_maximum_are_counted_together() {
        let hits = RuleHits::default();
        for rule in 0..1_000 {
            hits.count(rule, 2, Outcome::Block);
            hits.count(rule, 2, Outcome::Pass);
        }
        hits.count(u64::MAX, 3, Outcome::Pass);
        let all = hits.all();
        assert_eq!(all.len(), MAX_RULES + 2);
        assert!(
            all.iter().take(MAX_RULES).all(|hits| hits.counts[Outcome::Block as usize] == 1 && hits.counts[Outcome::Pass as usize] == 1)
        );
        let other = &all[MAX_RULES];
        assert_eq!((other.rule, other.severity, other.counts[Outcome::Block as usize]), (None, 2, 1_000 - MAX_RULES as u64));
        assert_eq!((all[MAX_RULES + 1].rule, all[MAX_RULES + 1].severity), (None, 3));
    }

    #[test]
    fn threads_that_meet_lose_nothing() {
        let hits = RuleHits::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|n| hits.count(n % 300, 0, Outcome::Pass)));
            }
        });
        let all = hits.all();
        assert_eq!(all.iter().flat_map(|hits| hits.counts).sum::<u64>(), 80_000);
        assert!(all.len() <= MAX_RULES + 1 && all.iter().filter(|hits| hits.rule.is_none()).count() == 1);
    }
}
