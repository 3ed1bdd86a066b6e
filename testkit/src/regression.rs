//! Whole transactions of the shared cases.

use crate::host::{Exchange, Response};
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

/// Runs a case as a connector does that continues after an intervention. Returns the decisions.
pub fn lead(mut transaction: Transaction, case: &Value) -> (Transaction, Vec<Intervention>) {
    let port = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let (client, server, request, response) = (&case["client"], &case["server"], &case["request"], &case["response"]);
    let [client_ip, server_ip] = [client, server].map(|end| text(&end["ip"]));
    let [method, target, version] = ["method", "uri", "http_version"].map(|part| text(&request[part]));
    let (request_headers, request_body) = (headers(&request["headers"]), body(&request["body"]));
    let (response_headers, response_body) = (headers(&response["headers"]), body(&response["body"]));
    let protocol = text(&response["protocol"]);
    let exchange = Exchange {
        client: (&client_ip, port(&client["port"])),
        server: (&server_ip, port(&server["port"])),
        version: version.as_bytes(),
        body: vec![&request_body],
        response: Some(Response {
            status: 200,
            protocol: &protocol,
            headers: response_headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect(),
            body: vec![&response_body],
        }),
        ..Exchange::new(method.as_bytes(), target.as_bytes())
    }
    .headers(&request_headers);
    let decisions = exchange.run_through(&mut transaction);
    (transaction, decisions)
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
