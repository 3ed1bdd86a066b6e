//! Counts events, and writes the numbers.

use crate::category::{CATEGORIES, SEVERITIES, of_stopped, severity_index};
use crate::exposition::{Exposition, Format, Samples};
use crate::families::{self, Names};
use crate::histogram::Histogram;
use crate::outcome::Outcome;
use crate::rule_hits::RuleHits;
use crate::rule_times::{RuleTimes, TimedRule, beginning};
use secrule::{Limit, LoadError, LoadReport, Observer, Phase, RuleTime, ScriptFailure, Transaction, Waf};
use std::array;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Upper bounds of anomaly scores.
const SCORES: &[u64] = &[0, 5, 10, 15, 20, 30, 40, 50, 75, 100];

/// Upper bounds of times, in nanoseconds: 10 µs to 1 s.
const TIMES: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

const NANOSECONDS: u32 = 1_000_000_000;

/// Number of rules whose times are shown.
const SHOWN_RULES: usize = 20;

/// Maximum length of the text of a load that failed, in bytes.
const LONGEST_FAILURE: usize = 16 << 10;

/// Options of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The names.
    pub names: Names,
    /// One exchange of so many has its rules timed; 0 for none.
    pub timed_one_of: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { names: Names::default(), timed_one_of: 128 }
    }
}

/// Numbers of all exchanges of one or several rule sets. It counts exchanges when they are over.
#[derive(Debug)]
pub struct Metrics {
    options: Options,
    requests: [AtomicU64; Outcome::COUNT],
    hits: RuleHits,
    /// By category and severity.
    blocked: [[AtomicU64; SEVERITIES.len()]; CATEGORIES.len()],
    scores: Histogram,
    phases: [Histogram; Phase::ALL.len()],
    begun: AtomicU64,
    timed: AtomicU64,
    rule_times: RuleTimes,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    /// In the order of [`Limit::ALL`].
    limits: Box<[AtomicU64]>,
    script_failures: AtomicU64,
    store_failures: AtomicU64,
    loads: Loads,
}

/// Counts and times of loads. The counts are those after the first load, which succeeded.
#[derive(Debug)]
struct Loads {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Seconds since 1970.
    last_success: AtomicU64,
    last_failure: AtomicU64,
    /// Time of the first load.
    began: SystemTime,
    /// The load that failed after the last one that succeeded.
    failure: Mutex<Option<FailedLoad>>,
}

/// A load that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedLoad {
    /// The time of the failure.
    pub time: SystemTime,
    /// The error for the operator, cut to 16 KiB.
    pub text: String,
}

/// Time of one phase in all exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// Number of its runs.
    pub runs: u64,
    /// Their time.
    pub time: Duration,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Metrics {
    /// Makes metrics whose numbers are zero. The rules are expected to be loaded now.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            requests: Default::default(),
            hits: RuleHits::default(),
            blocked: array::from_fn(|_| Default::default()),
            scores: Histogram::new(SCORES, 1),
            phases: array::from_fn(|_| Histogram::new(TIMES, NANOSECONDS)),
            begun: AtomicU64::new(0),
            timed: AtomicU64::new(0),
            rule_times: RuleTimes::default(),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            limits: Limit::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            script_failures: AtomicU64::new(0),
            store_failures: AtomicU64::new(0),
            loads: Loads {
                succeeded: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                last_success: AtomicU64::new(now()),
                last_failure: AtomicU64::new(0),
                began: SystemTime::now(),
                failure: Mutex::default(),
            },
        }
    }

    /// Returns all numbers as text.
    pub fn text(&self, waf: &Waf, format: Format) -> String {
        let mut exposition = self.exposition(format);
        self.write(waf, &mut exposition);
        exposition.end()
    }

    /// Begins a text with the names of the options, to which a host adds its own metrics.
    pub fn exposition(&self, format: Format) -> Exposition {
        Exposition::new(format, self.options.names.clone())
    }

    /// Writes all numbers.
    pub fn write(&self, waf: &Waf, exposition: &mut Exposition) {
        self.write_requests(exposition);
        self.write_times(exposition);
        for (family, value) in
            [(families::REQUEST_BYTES, read(&self.request_bytes)), (families::RESPONSE_BYTES, read(&self.response_bytes))]
        {
            exposition.family(&family).value(&[], value);
        }
        let mut limits = exposition.family(&families::LIMITS);
        for (limit, count) in Limit::ALL.iter().zip(&self.limits) {
            limits.value(&[("limit", limit.name())], read(count));
        }
        for (family, value) in [
            (families::SCRIPT_FAILURES, read(&self.script_failures)),
            (families::STORE_FAILURES, read(&self.store_failures)),
            (families::LOST_RECORDS, waf.lost_audit_records()),
            (families::DROPPED_RECORDS, waf.dropped_exchange_records()),
        ] {
            exposition.family(&family).value(&[], value);
        }
        self.write_loads(exposition, &waf.report());
    }

    fn write_requests(&self, exposition: &mut Exposition) {
        let requests = self.shown(self.requests.each_ref().map(read));
        let mut samples = exposition.family(&families::REQUESTS);
        requests.iter().for_each(|(outcome, count)| samples.value(&[("outcome", outcome.name())], count));
        let mut samples = exposition.family(&families::RULE_HITS);
        for hits in self.hits.all() {
            let severity = SEVERITIES.get(hits.severity).copied().unwrap_or_default();
            let rule = match hits.rule {
                None => "other".to_owned(),
                Some(0) => "none".to_owned(),
                Some(id) => id.to_string(),
            };
            for (outcome, count) in self.shown(hits.counts).into_iter().filter(|(_, count)| *count > 0) {
                samples.value(&[("rule_id", &rule), ("severity", severity), ("outcome", outcome.name())], count);
            }
        }
        let mut samples = exposition.family(&families::BLOCKED);
        for (category, counts) in CATEGORIES.into_iter().zip(&self.blocked) {
            let counts = SEVERITIES.into_iter().zip(counts.each_ref().map(read));
            for (severity, count) in counts.filter(|(_, count)| *count > 0) {
                samples.value(&[("category", category), ("severity", severity)], count);
            }
        }
        exposition.family(&families::SCORE).histogram(&[], &self.scores);
    }

    /// Returns counts by outcome, as the names know them.
    fn shown(&self, counts: [u64; Outcome::COUNT]) -> Vec<(Outcome, u64)> {
        let mut shown: Vec<(Outcome, u64)> = Outcome::ALL.into_iter().zip(counts).collect();
        if matches!(self.options.names, Names::Coraza { .. })
            && let Some((_, off)) = shown.pop()
            && let Some((_, pass)) = shown.first_mut()
        {
            // The contract has no word for an engine that is off.
            *pass += off;
        }
        shown
    }

    fn write_times(&self, exposition: &mut Exposition) {
        let mut samples = exposition.family(&families::PHASE_TIME);
        for (phase, histogram) in Phase::ALL.into_iter().zip(&self.phases) {
            samples.histogram(&[("phase", &phase.number().to_string())], histogram);
        }
        let mut samples = exposition.family(&families::RULE_TIME);
        for rule in self.rule_times.slowest(SHOWN_RULES) {
            let id = if rule.id == 0 { "none".to_owned() } else { rule.id.to_string() };
            samples.value(&[("rule_id", &id)], rule.time.as_secs_f64() * f64::from(self.options.timed_one_of));
        }
        exposition.family(&families::TIMED_REQUESTS).value(&[], read(&self.timed));
    }

    fn write_loads(&self, exposition: &mut Exposition, report: &LoadReport) {
        let mut samples: Samples<'_> = exposition.family(&families::LOADS);
        samples.value(&[("status", "success")], read(&self.loads.succeeded) + 1);
        samples.value(&[("status", "failure")], read(&self.loads.failed));
        exposition.family(&families::LAST_SUCCESS).value(&[], read(&self.loads.last_success));
        exposition.family(&families::LAST_FAILURE).value(&[], read(&self.loads.last_failure));
        exposition.family(&families::RULES_LOADED).value(&[], report.rules);
        exposition.family(&families::RULES_REMOVED).value(&[], report.removed);
        exposition.family(&families::RULES_INFO).value(&[("fingerprint", report.fingerprint())], 1);
        exposition.family(&families::BUILD_INFO).value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    }

    /// Returns the rules that took the longest in the exchanges whose rules were timed, the slowest first.
    pub fn slowest_rules(&self, number: usize) -> Vec<TimedRule> {
        let mut rules = self.rule_times.slowest(number);
        let hits = self.hits.all();
        for rule in &mut rules {
            let own = hits.iter().filter(|hits| hits.rule == Some(rule.id));
            rule.hits = own.flat_map(|hits| hits.counts).sum();
        }
        rules
    }

    /// Returns the rules with the most matches that were logged, each with their number, the most frequent first. Rules without an id are rule 0; those
    /// without a place among the first 200 are left out.
    pub fn most_frequent_rules(&self, number: usize) -> Vec<(u64, u64)> {
        let mut rules: Vec<(u64, u64)> = Vec::new();
        // By id: a rule has a count for each severity.
        for hits in self.hits.all() {
            let Some(id) = hits.rule else { continue };
            let count = hits.counts.iter().sum();
            match rules.last_mut() {
                Some((known, sum)) if *known == id => *sum += count,
                _ => rules.push((id, count)),
            }
        }
        rules.sort_by_key(|(id, count)| (Reverse(*count), *id));
        rules.truncate(number);
        rules
    }

    /// Returns the phases with their times, in their order.
    pub fn phase_times(&self) -> Vec<PhaseTime> {
        let time = |(phase, histogram): (Phase, &Histogram)| {
            let (runs, nanoseconds) = histogram.total();
            PhaseTime { phase, runs, time: Duration::from_nanos(nanoseconds) }
        };
        Phase::ALL.into_iter().zip(&self.phases).map(time).collect()
    }

    /// Returns the number of exchanges that are over.
    pub fn exchanges(&self) -> u64 {
        self.requests.iter().map(read).sum()
    }

    /// Returns the number of exchanges that were blocked or redirected.
    pub fn stopped(&self) -> u64 {
        let stopped = [Outcome::Block, Outcome::Redirect].into_iter().filter_map(|outcome| self.requests.get(outcome as usize));
        stopped.map(read).sum()
    }

    /// Returns the time since which it counts.
    pub fn began(&self) -> SystemTime {
        self.loads.began
    }

    /// Returns the number of loads that succeeded after the first one, and the time of the last one, to the second.
    pub fn loads(&self) -> (u64, SystemTime) {
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(read(&self.loads.last_success));
        (read(&self.loads.succeeded), last)
    }

    /// Returns the last load that failed, if none succeeded since.
    pub fn failed_load(&self) -> Option<FailedLoad> {
        self.loads.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a load that failed before [`Waf::reload`] was called, which reports its own, with its text for the operator.
    pub fn note_failed_load(&self, text: &str) {
        add(&self.loads.failed, 1);
        self.loads.last_failure.store(now(), Ordering::Relaxed);
        let failure = FailedLoad { time: SystemTime::now(), text: beginning(text, LONGEST_FAILURE).to_owned() };
        *self.loads.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    fn count_judged(&self, transaction: &Transaction, outcome: Outcome) {
        let mut score = 0i64;
        for found in transaction.matches() {
            self.hits.count(found.id(), severity_index(found.severity()), outcome);
            if found.phase() <= Phase::RequestBody {
                score = score.saturating_add(found.score());
            }
        }
        self.scores.observe(u64::try_from(score).unwrap_or(0));
        add(&self.request_bytes, transaction.request_body_length() as u64);
        add(&self.response_bytes, transaction.response_body_length() as u64);
        if matches!(outcome, Outcome::Block | Outcome::Redirect) {
            let (category, severity) = of_stopped(transaction);
            if let Some(count) = self.blocked.get(category).and_then(|counts| counts.get(severity)) {
                add(count, 1);
            }
        }
        let limits = transaction.limits();
        if limits.contains(Limit::StoreCall) || limits.contains(Limit::StoreTime) {
            add(&self.store_failures, 1);
        }
    }
}

impl Observer for Metrics {
    fn limit_exceeded(&self, _: &Transaction, limit: Limit) {
        if let Some(count) = self.limits.get(limit as usize) {
            add(count, 1);
        }
    }

    fn script_failed(&self, _: &Transaction, _: &ScriptFailure) {
        add(&self.script_failures, 1);
    }

    fn times_phases(&self) -> bool {
        true
    }

    fn phase_ended(&self, _: &Transaction, phase: Phase, time: Duration) {
        if let Some(histogram) = self.phases.get(usize::from(phase.number())) {
            histogram.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    fn times_rules(&self) -> bool {
        let one_of = u64::from(self.options.timed_one_of);
        // The first exchange pays for what is made once; the second one shows something to those who try it.
        one_of > 0 && self.begun.fetch_add(1, Ordering::Relaxed) % one_of == 1 % one_of
    }

    fn rules_timed(&self, _: &Transaction, rules: &[RuleTime<'_>]) {
        add(&self.timed, 1);
        self.rule_times.add(rules);
    }

    fn finished(&self, transaction: &Transaction) {
        let outcome = Outcome::of(transaction);
        if let Some(count) = self.requests.get(outcome as usize) {
            add(count, 1);
        }
        if outcome != Outcome::Off {
            self.count_judged(transaction, outcome);
        }
    }

    fn reloaded(&self, _: &LoadReport) {
        add(&self.loads.succeeded, 1);
        self.loads.last_success.store(now(), Ordering::Relaxed);
        *self.loads.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn reload_failed(&self, error: &LoadError) {
        self.note_failed_load(&error.to_string());
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Returns the seconds since 1970.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs())
}
