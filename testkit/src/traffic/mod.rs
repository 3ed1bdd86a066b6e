//! Sample traffic, and how a rule set judges it: the share of attacks that it denies, and the share of harmless requests.
//!
//! The samples are not part of the project: `traffic/requests.gz` of the shared cases, a line each, with the class and the request in base64. They are
//! divided by a hash of the request: rules are written with the tuning half in view, and the check half says how they fare with what nobody looked at.
//! Equal requests fall into the same half.

mod carry;
mod places;
mod samples;

pub use carry::carry;
pub use places::Place;
pub use samples::{Class, Half, Sample, read};

use crate::host::Exchange;
use secrule::{Match, Waf};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

/// The result of a sample.
pub struct Judged<'a> {
    pub sample: &'a Sample,
    pub is_denied: bool,
    pub findings: Vec<Finding>,
}

/// A rule that matched.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: u64,
    pub message: String,
    /// The points that it added to the score.
    pub score: i64,
    /// The parts of the request in which it found something.
    pub places: BTreeSet<Place>,
    /// The last value that it found, as `NAME: VALUE`.
    pub value: String,
}

/// Denials among the samples of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub denied: usize,
    pub total: usize,
}

/// The score that denies a request.
pub const THRESHOLD: i64 = 5;

impl Judged<'_> {
    /// Returns the findings that deny the request alone.
    pub fn grave(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.score == 0 || finding.score >= THRESHOLD)
    }
}

impl Rate {
    /// Counts the samples of a class that `chosen` selects.
    pub fn of(judged: &[Judged<'_>], class: Class, chosen: impl Fn(&Judged<'_>) -> bool) -> Self {
        let members = judged.iter().filter(|judged| judged.sample.class == class && chosen(judged));
        members.fold(Self::default(), |rate, judged| Self { denied: rate.denied + usize::from(judged.is_denied), total: rate.total + 1 })
    }

    /// Returns the share in percent; 0 if there is no sample.
    pub fn percent(self) -> f64 {
        if self.total == 0 { 0.0 } else { 100.0 * self.denied as f64 / self.total as f64 }
    }
}

/// Returns the rule files of a folder in order, or the file itself.
pub fn rule_files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() { crate::files(path, ".conf") } else { vec![path.to_owned()] }
}

/// Judges samples on all processors; the results are in the order of the samples.
pub fn judge<'a>(waf: &Waf, samples: &'a [Sample]) -> Vec<Judged<'a>> {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    let part = samples.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let judging: Vec<_> =
            samples.chunks(part).map(|part| scope.spawn(|| part.iter().map(|sample| judge_one(waf, sample)).collect())).collect();
        judging.into_iter().flat_map(|judging: thread::ScopedJoinHandle<'_, Vec<_>>| judging.join().unwrap()).collect()
    })
}

fn judge_one<'a>(waf: &Waf, sample: &'a Sample) -> Judged<'a> {
    let mut transaction = waf.transaction();
    let is_denied = exchange(sample).judge(&mut transaction).is_some();
    // The rules that sum up the scores find nothing themselves.
    let is_verdict = |found: &Match<'_>| found.tags().any(|tag| tag == "anomaly-evaluation");
    let counts = |found: &Match<'_>| (found.score() > 0 || found.stops()) && !is_verdict(found);
    let findings = transaction.matches().filter(counts).map(|found| {
        let value = found.values().last().map_or_else(String::new, |value| {
            let name = value.key().map_or_else(|| value.variable().to_owned(), |key| format!("{}:{key}", value.variable()));
            format!("{name}: {}", value.value())
        });
        let places = found.values().filter_map(|value| Place::of(value, sample)).collect();
        Finding { rule: found.id(), message: found.message().into_owned(), score: found.score(), places, value }
    });
    Judged { sample, is_denied, findings: findings.collect() }
}

/// Returns the exchange of a sample, for those who measure its time.
pub fn exchange(sample: &Sample) -> Exchange<'_> {
    let request = Exchange { version: &sample.version, body: vec![&sample.body], ..Exchange::new(&sample.method, &sample.target) };
    request.headers(&sample.headers).answered("text/plain", b"")
}
