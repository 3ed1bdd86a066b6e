//! Runs the shared cases of single operators and transformations.

use secrule::Waf;
use secrule::internals::operator::{Findings, Operator, OperatorKind, OperatorLimits, Wanted};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use secrule_testkit::unit::{self, bytes, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([trial!(operators_and_transformations_do_what_the_shared_cases_say, [Needs::Shared("conformance")])])
}

fn operators_and_transformations_do_what_the_shared_cases_say() {
    let data = secrule_testkit::shared("conformance");
    let mut failed = BTreeMap::new();
    let mut ran = 0;
    for case in unit::cases(&data.join("unit")) {
        ran += 1;
        let outcome = if unit::is_about_operator(&case) { operator(&case, &data) } else { transformation(&case) };
        if let Err(reason) = outcome {
            failed.insert(text(&case, "case").to_owned(), reason);
        }
    }
    secrule_testkit::settle("unit.txt", ran, &failed);
}

fn operator(case: &Value, data: &Path) -> Result<(), String> {
    let name = text(case, "name");
    let kind = OperatorKind::from_name(name).ok_or_else(|| format!("there is no operator {name}"))?;
    let argument = text(case, "param");
    if kind == OperatorKind::GeoLookup {
        return lookup(case);
    }
    let files: Vec<Vec<u8>> = match kind {
        OperatorKind::PmFromFile | OperatorKind::IpMatchFromFile => argument
            .split_whitespace()
            .map(|path| std::fs::read(data.join(path)).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    let operator = Operator::compile(kind, argument.as_bytes(), &files, OperatorLimits::default()).map_err(|error| error.to_string())?;
    let input = bytes(text(case, "input"));
    let mut findings = Findings::default();
    let matched = operator.evaluate(&input, Wanted::Findings, &mut findings);
    let expected = case["ret"].as_i64() == Some(1);
    if matched != expected {
        return Err(format!("matched is {matched}"));
    }
    if let Some(groups) = case["re_groups"].as_array().filter(|_| matched) {
        let expected: Vec<Vec<u8>> = groups.iter().map(|group| bytes(group.as_str().unwrap_or_default())).collect();
        let found: Vec<Vec<u8>> = findings.captures.iter().map(|capture| capture.bytes(&input).to_vec()).collect();
        if found != expected {
            return Err(format!("captured {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

/// An operator that only a transaction can run. The cases have no database, so that none finds anything.
fn lookup(case: &Value) -> Result<(), String> {
    let rule = format!("SecRuleEngine On\nSecRule REMOTE_ADDR \"@{}\" \"id:1,phase:1,deny\"", text(case, "name"));
    let mut transaction = Waf::from_rules(&rule).map_err(|error| error.to_string())?.transaction();
    let _ = transaction.process_connection(text(case, "input"), 1, "192.0.2.1", 80);
    let matched = transaction.process_request_headers().is_intervention();
    if matched == (case["ret"].as_i64() == Some(1)) { Ok(()) } else { Err(format!("matched is {matched}")) }
}

fn transformation(case: &Value) -> Result<(), String> {
    let transformation = unit::transformation(case).ok_or_else(|| format!("there is no transformation {}", text(case, "name")))?;
    let (input, expected) = (bytes(text(case, "input")), bytes(text(case, "output")));
    let mut output = Vec::new();
    let effect = transformation.apply(&input, &mut output, None);
    let result = if effect.rewritten { &output } else { &input };
    if *result == expected { Ok(()) } else { Err(format!("gave {:?}, expected {:?}", lossy(result), lossy(&expected))) }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
