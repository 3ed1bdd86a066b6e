//! Sends the CRS's own tests as bytes over sockets to `secrule serve`, and compares the rules that its audit log names.
//!
//! A connection belongs to one stage of a test, so its client port tells which records are those of the stage: the requests stay as they are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

#[path = "../serving/mod.rs"]
mod serving;
mod upstream;
mod wire;

use secrule_command::ftw::case::{self, Expected, TestCase, Unrunnable};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use serde_json::Value;
use serving::Serving;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use wire::Connections;

/// Number of requests at once.
const CLIENTS: usize = 16;

fn main() -> ExitCode {
    trials::run([trial!(the_core_rule_set_passes_its_tests_over_http, [Needs::Shared("conformance/ftw"), Needs::Shared("crs")])])
}

fn the_core_rule_set_passes_its_tests_over_http() {
    let folder = serving::folder("ftw");
    let (rules, log) = (folder.join("rules.conf"), folder.join("audit.log"));
    let audit = "SecAuditEngine On\nSecAuditLogFormat JSON\nSecAuditLogType Serial\nSecAuditLogParts ABHZ\n";
    let rule_set = secrule_testkit::core_rule_set(&secrule_testkit::shared("crs"));
    std::fs::write(&rules, format!("{rule_set}{audit}SecAuditLog {}\n", log.display())).unwrap();
    let upstream = format!("http://{}", upstream::start());
    let rules = rules.to_str().unwrap();
    let mut serving = Serving::start(&["--rules", rules, "--upstream", &upstream, "--client-timeout", "2s"]);
    serving.drain();
    let files = secrule_testkit::files(&secrule_testkit::shared("conformance/ftw"), ".yaml");
    let tests: Vec<TestCase> = files.iter().flat_map(|file| case::tests_of(file).unwrap()).collect();
    let began = Instant::now();
    let answers = send(&tests, serving.address);
    let sent = began.elapsed();
    // All records are written when it has ended.
    serving.signal("TERM");
    assert!(serving.process.wait().unwrap().success());
    let records = records(&std::fs::read_to_string(&log).unwrap());
    let _ = std::fs::remove_dir_all(&folder);
    let (mut failed, mut ran) = (BTreeMap::new(), 0);
    for (test, answers) in tests.iter().zip(answers) {
        // A stage that needs more than a web server and its log is no test of them.
        if test.stages.iter().any(|stage| matches!(stage, Err(Unrunnable::NeedsServer(_)))) {
            continue;
        }
        ran += 1;
        if let Some(problem) = problem(test, &answers, &records) {
            failed.insert(test.title.clone(), problem);
        }
    }
    assert!(ran > 3_000, "{ran}");
    let left_out = tests.len() - ran;
    trials::note(&format!("{ran} tests were sent in {:.1} s; {left_out} need more than a server and its log", sent.as_secs_f64()));
    secrule_testkit::settle("ftw_through_serve.txt", ran, &failed);
}

/// The port that asked, and the status of the answer, if there was one.
type Answer = (u16, Option<u16>);

/// Sends the stages of all tests, and returns the answers to each.
fn send(tests: &[TestCase], address: SocketAddr) -> Vec<Vec<Answer>> {
    let (next, connections) = (AtomicUsize::new(0), Connections::to(address));
    let answers: Vec<Mutex<Vec<Answer>>> = tests.iter().map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some((test, answers)) = take(&next, tests, &answers) {
                    let stages = test.stages.iter().flatten();
                    *answers.lock().unwrap() = stages.map(|stage| connections.exchange(&stage.wire)).collect();
                }
            });
        }
    });
    answers.into_iter().map(|answers| answers.into_inner().unwrap()).collect()
}

fn take<'t, A>(next: &AtomicUsize, tests: &'t [TestCase], answers: &'t [A]) -> Option<(&'t TestCase, &'t A)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    tests.get(at).zip(answers.get(at))
}

/// Records of the audit log about a connection.
#[derive(Default)]
struct Logged {
    ids: BTreeSet<u64>,
    /// As lines of an error log.
    lines: Vec<String>,
}

/// Returns the records of the log by the port of the client.
fn records(log: &str) -> BTreeMap<u16, Logged> {
    let mut records = BTreeMap::<u16, Logged>::new();
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let transaction = &record["transaction"];
        let logged = records.entry(transaction["client_port"].as_u64().unwrap().try_into().unwrap()).or_default();
        for message in transaction["messages"].as_array().into_iter().flatten() {
            let [text, details] = [&message["message"], &message["details"]];
            let id = details["ruleId"].as_str().unwrap();
            logged.ids.insert(id.parse().unwrap());
            logged.lines.push(format!("{} [id \"{id}\"] [msg {text}] [data {}]", details["match"].as_str().unwrap(), details["data"]));
        }
    }
    records
}

/// Returns what is wrong with a test, if anything is.
fn problem(test: &TestCase, answers: &[Answer], records: &BTreeMap<u16, Logged>) -> Option<String> {
    let stages = test.stages.iter().map(|stage| stage.as_ref().unwrap());
    stages.zip(answers).find_map(|(stage, (port, status))| {
        let nothing = Logged::default();
        let logged = records.get(port).unwrap_or(&nothing);
        let shown = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let problem =
            stage.expected.problem_in_log(&logged.ids, || logged.lines.clone()).or_else(|| wrong_status(&stage.expected, *status));
        problem.map(|problem| format!("{problem} ({shown}; {})", case::list(&logged.ids)))
    })
}

fn wrong_status(expected: &Expected, status: Option<u16>) -> Option<String> {
    let statuses = &expected.statuses;
    let wrong = !statuses.is_empty() && !status.is_some_and(|status| statuses.contains(&status));
    wrong.then(|| format!("expected status {}", case::list(statuses)))
}
