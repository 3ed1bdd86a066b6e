//! Runs the shared cases of whole transactions: refusals, statuses and redirects. What logs hold is not asked here.

mod common;

use secrule::{Transaction, Verdict, Waf};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn whole_transactions_end_as_the_shared_cases_say() {
    let Some(data) = common::shared("conformance") else { return };
    // Rules name their files from this folder.
    std::env::set_current_dir(&data).unwrap();
    let mut failed = BTreeMap::new();
    let mut ran = 0;
    for file in common::files(&data.join("regression"), ".json") {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in cases.iter().filter(|case| case["enabled"].as_i64() != Some(0)) {
            ran += 1;
            if let Err(reason) = run(case) {
                failed.insert(text(&case["case"]), reason);
            }
        }
    }
    common::settle("regression.txt", ran, &failed);
}

fn run(case: &Value) -> Result<(), String> {
    let rules: String = case["rules"].as_array().into_iter().flatten().map(|line| text(line) + "\n").collect();
    let expected = &case["expected"];
    let refusal = expected["parser_error"].as_str().is_some_and(|error| !error.is_empty());
    let waf = match Waf::from_rules(&rules) {
        Ok(_) if refusal => return Err("the rules are accepted".to_owned()),
        Ok(waf) => waf,
        Err(_) if refusal => return Ok(()),
        Err(error) => return Err(format!("the rules are refused: {error}")),
    };
    let mut exchange = Exchange { transaction: waf.transaction(), status: 200, redirect: String::new() };
    exchange.run(case);
    let wanted = expected["http_code"].as_u64().unwrap_or(200);
    if u64::from(exchange.status) != wanted {
        return Err(format!("the status is {}, expected {wanted}", exchange.status));
    }
    match expected["redirect_url"].as_str() {
        Some(address) if address != exchange.redirect => Err(format!("the redirect is {:?}", exchange.redirect)),
        _ => Ok(()),
    }
}

/// An exchange as a connector leads it: it goes on after an intervention.
struct Exchange {
    transaction: Transaction,
    status: u16,
    redirect: String,
}

impl Exchange {
    fn run(&mut self, case: &Value) {
        let port = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        let (client, server, request, response) = (&case["client"], &case["server"], &case["request"], &case["response"]);
        let verdict =
            self.transaction.process_connection(&text(&client["ip"]), port(&client["port"]), &text(&server["ip"]), port(&server["port"]));
        self.note(verdict);
        let version = text(&request["http_version"]);
        let verdict =
            self.transaction.process_uri(text(&request["uri"]).as_bytes(), text(&request["method"]).as_bytes(), version.as_bytes());
        self.note(verdict);
        for (name, value) in headers(&request["headers"]) {
            self.transaction.add_request_header(name.as_bytes(), value.as_bytes());
        }
        let verdict = self.transaction.process_request_headers();
        self.note(verdict);
        let verdict = self.transaction.append_request_body(&body(&request["body"]));
        self.note(verdict);
        let verdict = self.transaction.process_request_body();
        self.note(verdict);
        for (name, value) in headers(&response["headers"]) {
            self.transaction.add_response_header(name.as_bytes(), value.as_bytes());
        }
        let verdict = self.transaction.process_response_headers(self.status, &text(&response["protocol"]));
        self.note(verdict);
        let verdict = self.transaction.append_response_body(&body(&response["body"]));
        self.note(verdict);
        let verdict = self.transaction.process_response_body();
        self.note(verdict);
        self.transaction.process_logging();
    }

    fn note(&mut self, verdict: Verdict) {
        if let Some(intervention) = verdict.intervention() {
            self.status = intervention.status;
            self.redirect.push_str(intervention.redirect.as_deref().unwrap_or_default());
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn headers(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Value::Array(list) => list.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        _ => Vec::new(),
    }
}

fn body(value: &Value) -> Vec<u8> {
    match value {
        Value::Array(lines) => lines.iter().flat_map(|line| (text(line) + "\n").into_bytes()).collect(),
        other => text(other).into_bytes(),
    }
}
