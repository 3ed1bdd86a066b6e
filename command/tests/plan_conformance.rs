//! Judges every shared case with a plan and without one: both results must be equal in every detail, whatever the case expects.
//!
//! Builds without optimisation judge a tenth of the cases.

use secrule::{Intervention, Transaction, Waf};
use secrule_command::exchange::{Connection, Judgement, judge};
use secrule_command::ftw::{case, yaml};
use secrule_testkit::ending::{Ending, Pair};
use secrule_testkit::host::Exchange;
use secrule_testkit::regression;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use secrule_testkit::unit::{self, text};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([
        trial!(whole_transactions_end_alike, [Needs::Shared("conformance")]),
        trial!(operators_and_transformations_end_alike, [Needs::Shared("conformance")]),
        trial!(the_tests_of_the_core_rule_set_end_alike, [Needs::Shared("conformance/ftw"), Needs::Shared("crs")]),
    ])
}

/// Counts cases, and collects those with different results.
#[derive(Default)]
struct Comparison {
    compared: usize,
    refused: usize,
    /// Rules that log their own duration give a different result each time.
    left_out: usize,
    different: Vec<String>,
}

impl Comparison {
    fn add(&mut self, case: &str, (planned, unplanned): (Ending, Ending)) {
        self.compared += 1;
        if planned != unplanned {
            self.different.push(format!("{case}\n  with a plan: {planned:?}\n  without one: {unplanned:?}"));
        }
    }

    fn settle(self, what: &str) {
        let Self { compared, refused, left_out, different } = self;
        let same = compared - different.len();
        let refused = format!("{refused} are refused at load with and without a plan");
        trials::note(&format!("{what}: {same} cases end alike, {refused}, {left_out} are left out"));
        assert!(compared > 0);
        assert!(different.is_empty(), "{} cases of {what} end differently:\n{}", different.len(), different.join("\n"));
    }
}

/// The judged part of a list of cases.
fn sample<T>(cases: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let step = if cfg!(debug_assertions) { 10 } else { 1 };
    cases.into_iter().step_by(step)
}

fn whole_transactions_end_alike() {
    let data = secrule_testkit::shared("conformance");
    // Rules name their files relative to this folder.
    std::env::set_current_dir(&data).unwrap();
    let uploads = regression::Uploads::new();
    let mut comparison = Comparison::default();
    for case in sample(regression::cases(&data.join("regression"))) {
        let rules = uploads.rules(&case);
        if rules.contains("%{DURATION}") {
            comparison.left_out += 1;
            continue;
        }
        let Some(pair) = Pair::load(|| Waf::builder().rules("rules", &rules)) else {
            comparison.refused += 1;
            continue;
        };
        comparison.add(&regression::text(&case["case"]), pair.endings(|transaction| regression::lead(transaction, &case)));
    }
    comparison.settle("whole transactions");
}

fn operators_and_transformations_end_alike() {
    let data = secrule_testkit::shared("conformance");
    let mut comparison = Comparison::default();
    for case in sample(unit::cases(&data.join("unit"))) {
        let rules = if unit::is_about_operator(&case) { rules_with_operator(&case, &data) } else { rules_with_transformation(&case) };
        let Some(pair) = Pair::load(|| Waf::builder().rules("rules", &rules)) else {
            comparison.refused += 1;
            continue;
        };
        let input: String = unit::bytes(text(&case, "input")).iter().map(|byte| format!("%{byte:02x}")).collect();
        comparison.add(text(&case, "case"), pair.endings(|transaction| send(transaction, &input)));
    }
    comparison.settle("operators and transformations");
}

/// Rules that use the operator of a case in several ways: negated, on more values, after transformations.
fn rules_with_operator(case: &Value, data: &Path) -> String {
    let name = text(case, "name");
    let argument = match name {
        "pmFromFile" | "ipMatchFromFile" => data.join(text(case, "param")).display().to_string(),
        _ => text(case, "param").replace('"', "\\\""),
    };
    format!(
        "SecRuleEngine On\n\
         SecRule ARGS:a \"@{name} {argument}\" \"id:1,phase:2,pass,log,capture,t:none,setvar:tx.found=%{{MATCHED_VAR}}\"\n\
         SecRule ARGS:a \"!@{name} {argument}\" \"id:2,phase:2,pass,log,t:none\"\n\
         SecRule ARGS|REQUEST_METHOD \"@{name} {argument}\" \"id:3,phase:2,pass,log,capture,t:none,t:urlDecodeUni,t:lowercase,multiMatch\"\n\
         SecRule ARGS_NAMES|ARGS \"@{name} {argument}\" \"id:4,phase:2,pass,log,t:none,chain\"\n\
         SecRule ARGS:a \"@{name} {argument}\" \"t:none,t:trim,capture\"\n"
    )
}

/// Rules that match the expected output of a case.
fn rules_with_transformation(case: &Value) -> String {
    let name = unit::transformation(case).map_or_else(|| text(case, "name").to_owned(), |known| known.name().to_owned());
    let output: String = unit::bytes(text(case, "output")).iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!(
        "SecRuleEngine On\n\
         SecRule ARGS:a \"@rx ^({output})$\" \"id:1,phase:2,pass,log,capture,t:none,t:{name}\"\n\
         SecRule ARGS:a \"!@rx {output}\" \"id:2,phase:2,pass,log,t:none,t:{name}\"\n\
         SecRule ARGS|REQUEST_METHOD \"@rx {output}\" \"id:3,phase:2,pass,log,capture,t:none,t:{name},t:lowercase,multiMatch\"\n\
         SecRule ARGS \"@rx (?i){output}\" \"id:4,phase:2,pass,log,t:none,t:lowercase,t:{name}\"\n"
    )
}

/// Sends an argument, with every byte percent-encoded.
fn send(mut transaction: Transaction, input: &str) -> (Transaction, Vec<Intervention>) {
    let target = format!("/?a={input}");
    let decisions = Exchange::of(target.as_bytes(), b"").header("Host", "shop.example").run_through(&mut transaction);
    (transaction, decisions)
}

fn the_tests_of_the_core_rule_set_end_alike() {
    let (tests, crs) = (secrule_testkit::shared("conformance/ftw"), secrule_testkit::shared("crs"));
    let thorough = secrule_testkit::core_rule_set(&crs);
    // As in most configurations: rules of higher levels are skipped, and a match stops the request.
    let usual = thorough.replace("SecRuleEngine DetectionOnly", "SecRuleEngine On").replace("setvar:tx.blocking_paranoia_level=4,", "");
    let pairs = [thorough, usual].map(|rules| Pair::load(|| Waf::builder().rules("rules", &rules)).unwrap());
    let connection = Connection { client: "127.0.0.1", client_port: 43210, server: "127.0.0.1", server_port: 80 };
    let mut comparison = Comparison::default();
    for file in sample(secrule_testkit::files(&tests, ".yaml")) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let documents = yaml::parse(&std::fs::read(&file).unwrap()).unwrap();
        for test in documents.iter().flat_map(|document| case::tests(document, &stem).unwrap()) {
            for stage in test.stages.iter().flatten() {
                let lead = |transaction| {
                    let Judgement { transaction, stop, .. } = judge(transaction, connection, &stage.request, &stage.response);
                    (transaction, stop.map(|(_, decision)| decision).into_iter().collect())
                };
                for pair in &pairs {
                    comparison.add(&test.title, pair.endings(lead));
                }
            }
        }
    }
    comparison.settle("the tests of the core rule set");
}
