//! Runs tests in the OWASP CRS's FTW format without a web server: each request is passed to the engine as a connector would pass it.

pub mod case;
pub mod yaml;

use super::exchange::{Connection, Judgement, judge};
use case::{Stage, TestCase, Unrunnable, list};
use secrule::Waf;
use secrule::internals::record::error_log;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

const CONNECTION: Connection<'_> = Connection { client: "127.0.0.1", client_port: 43210, server: "127.0.0.1", server_port: 80 };

/// The status of requests that a web server itself refuses.
const BAD_REQUEST: u16 = 400;

/// Options of a run.
#[derive(Debug)]
pub struct RunOptions {
    /// Only tests whose title contains this.
    pub only: String,
    /// Number of threads.
    pub jobs: NonZeroUsize,
}

/// A test that was run.
#[derive(Clone, Debug)]
pub struct Finished {
    pub title: String,
    pub file: PathBuf,
    pub verdict: TestVerdict,
}

/// Result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestVerdict {
    Passed,
    Failed(String),
    /// It needs a web server.
    Skipped(String),
}

/// Runs the tests of files in several threads; returns them in the order of the files. `progress` is called after each file.
pub fn run(waf: &Waf, files: &[PathBuf], options: &RunOptions, progress: &(dyn Fn() + Sync)) -> Result<Vec<Finished>, String> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(files.len()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.get().min(files.len()) {
            scope.spawn(|| {
                while let Some((number, file)) = next_file(files, &next) {
                    let result = run_file(waf, file, options);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                    progress();
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    let finished: Result<Vec<_>, String> = results.into_iter().map(|(_, result)| result).collect();
    Ok(finished?.into_iter().flatten().collect())
}

fn next_file<'a>(files: &'a [PathBuf], next: &AtomicUsize) -> Option<(usize, &'a Path)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    files.get(number).map(|file| (number, file.as_path()))
}

fn run_file(waf: &Waf, file: &Path, options: &RunOptions) -> Result<Vec<Finished>, String> {
    let tests = case::tests_of(file)?.into_iter();
    let chosen = tests.filter(|test| test.title.contains(&options.only));
    Ok(chosen.map(|test| Finished { verdict: run_test(waf, &test), title: test.title, file: file.to_owned() }).collect())
}

fn run_test(waf: &Waf, test: &TestCase) -> TestVerdict {
    let verdicts = test.stages.iter().map(|stage| match stage {
        Ok(stage) => run_stage(waf, stage),
        Err(Unrunnable::NeedsServer(reason)) => TestVerdict::Skipped(reason.clone()),
        Err(Unrunnable::Broken(reason)) => TestVerdict::Failed(reason.clone()),
    });
    let mut verdicts = verdicts.skip_while(|verdict| *verdict == TestVerdict::Passed);
    verdicts.next().unwrap_or(if test.stages.is_empty() { TestVerdict::Failed("it has no stages".to_owned()) } else { TestVerdict::Passed })
}

fn run_stage(waf: &Waf, stage: &Stage) -> TestVerdict {
    let judgement = judge(waf.transaction(), CONNECTION, &stage.request, &stage.response);
    let expected = &stage.expected;
    let logged = logged_ids(&judgement);
    if let Some(problem) = expected.problem_in_log(&logged, || error_log(&judgement)).or_else(|| wrong_status(stage, &judgement)) {
        return TestVerdict::Failed(problem);
    }
    if !expected.is_about_the_log() && judgement.stop.is_none() && expected.statuses.contains(&BAD_REQUEST) {
        return TestVerdict::Skipped("it expects only 400, which a web server gives before a rule is asked".to_owned());
    }
    TestVerdict::Passed
}

/// Returns the lines of a server's error log: one for each rule that matched, and one for the decision.
fn error_log(judgement: &Judgement) -> Vec<String> {
    let transaction = &judgement.transaction;
    let matches = transaction.rule_matches().iter().map(|found| error_log::line(transaction, found));
    matches.chain(judgement.stop.iter().map(|(_, decision)| error_log::intervention(transaction, decision))).collect()
}

/// Returns the ids of rules that were logged, and of the rule that stopped the exchange.
fn logged_ids(judgement: &Judgement) -> BTreeSet<u64> {
    let matches = judgement.transaction.rule_matches().iter().map(|found| found.id);
    let stop = judgement.stop.iter().map(|(_, intervention)| intervention.rule_id().unwrap_or(0));
    matches.chain(stop).filter(|id| *id > 0).collect()
}

/// Compares the status of the decision, or else that of the response. A 400 without a decision comes from a web server only.
fn wrong_status(stage: &Stage, judgement: &Judgement) -> Option<String> {
    let expected = &stage.expected.statuses;
    let decided = judgement.stop.as_ref().map(|(_, intervention)| intervention.status());
    let of_the_server = decided.is_none() && expected.contains(&BAD_REQUEST);
    let status = decided.unwrap_or(stage.response.status);
    let wrong = !of_the_server && !expected.is_empty() && !expected.contains(&status);
    wrong.then(|| format!("expected status {}, it is {status}", list(expected)))
}
