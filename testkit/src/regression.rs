//! Whole transactions of the shared cases.

use secrule::internals::Verdict;
use secrule::{Intervention, Transaction};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Returns the cases below a folder that are not switched off.
pub fn cases(folder: &Path) -> Vec<Value> {
    let read = |file| serde_json::from_slice::<Vec<Value>>(&std::fs::read(file).unwrap()).unwrap();
    let cases = crate::files(folder, ".json").into_iter().flat_map(read);
    cases.filter(|case| case["enabled"].as_i64() != Some(0)).collect()
}

/// A folder for uploaded files that cases keep, removed with it.
pub struct Uploads(PathBuf);

impl Uploads {
    /// Creates a folder of this process.
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-regression-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Returns the rules of a case, which keep its files here.
    pub fn rules(&self, case: &Value) -> String {
        let here = format!("SecUploadDir {}", self.0.display());
        let line = |line| if text(line).starts_with("SecUploadDir ") { here.clone() } else { text(line) };
        case["rules"].as_array().into_iter().flatten().map(|rule| line(rule) + "\n").collect()
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An exchange as a connector runs it: it continues after an intervention.
pub struct Exchange {
    pub transaction: Transaction,
    pub status: u16,
    pub redirect: String,
    pub decisions: Vec<Intervention>,
}

impl Exchange {
    /// Makes an exchange without an intervention.
    pub fn new(transaction: Transaction) -> Self {
        Self { transaction, status: 200, redirect: String::new(), decisions: Vec::new() }
    }

    /// Runs it as a case says.
    pub fn run(&mut self, case: &Value) {
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

    /// Reads a decision and continues, as a host of ModSecurity v3 does.
    fn note(&mut self, verdict: Verdict) {
        let _ = self.transaction.take_verdict();
        if let Some(intervention) = verdict.intervention() {
            self.status = intervention.status();
            self.redirect.push_str(intervention.location().unwrap_or_default());
            self.decisions.push(intervention.clone());
        }
    }
}

/// Returns a value as text.
pub fn text(value: &Value) -> String {
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
