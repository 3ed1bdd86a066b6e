//! The JSON format of ModSecurity v3: one object on each line.

use super::json_line::{SERVER_ID, json_line, port};
use crate::escape::text;
use crate::graph::{EngineMode, RuleGraph};
use crate::record::masked::MaskedExchange;
use crate::state::RuleMatch;
use crate::transaction::Transaction;
use chrono::{DateTime, Local};
use serde::Serialize;
use serde::ser::SerializeMap as _;
use std::borrow::Cow;

/// The software, in `producer`.
const SOFTWARE: &str = concat!("secrule v", env!("CARGO_PKG_VERSION"));

/// Returns a transaction in the layout of ModSecurity v3, with a line break at the end.
///
/// It is always valid UTF-8 and valid JSON: bytes that are not UTF-8 are written as the text `\xHH`. In v3 a text ends at its first NUL, and is cut
/// off where it is not UTF-8.
pub fn record(transaction: &Transaction) -> Vec<u8> {
    json_line(&Record { transaction: Body::of(transaction) })
}

#[derive(Serialize)]
struct Record {
    transaction: Body,
}

#[derive(Serialize)]
struct Body {
    client_ip: String,
    time_stamp: String,
    server_id: &'static str,
    client_port: u16,
    host_ip: String,
    host_port: u16,
    unique_id: String,
    request: Request,
    response: Response,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<Producer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

#[derive(Serialize)]
struct Request {
    method: String,
    http_version: Version,
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
}

#[derive(Serialize)]
struct Response {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    http_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
}

#[derive(Serialize)]
struct Producer {
    modsecurity: String,
    connector: String,
    secrules_engine: &'static str,
    components: Vec<Box<str>>,
}

#[derive(Serialize)]
struct Message {
    message: String,
    details: Details,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(rename = "match")]
    detail: String,
    reference: String,
    rule_id: String,
    file: String,
    line_number: String,
    data: String,
    severity: String,
    ver: String,
    rev: String,
    tags: Vec<String>,
    maturity: String,
    accuracy: String,
}

/// An HTTP version: a number as v3 writes it, or the text that the host passed.
#[derive(Serialize)]
#[serde(untagged)]
enum Version {
    Whole(u32),
    Decimal(f64),
    Other(String),
}

/// Headers in the order of their arrival. As in v3, repeated names are repeated.
struct Headers(Vec<(String, String)>);

impl Headers {
    fn of<'a>(headers: impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)>) -> Self {
        Self(headers.map(|(name, value)| (text(&name), text(&value))).collect())
    }
}

impl Serialize for Headers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Body {
    fn of(transaction: &Transaction) -> Self {
        let parts = transaction.audit_parts();
        let masked = MaskedExchange::new(transaction);
        Self {
            client_ip: text(transaction.client_address()),
            time_stamp: DateTime::<Local>::from(transaction.began()).format("%a %b %e %H:%M:%S %Y").to_string(),
            server_id: &SERVER_ID,
            client_port: port(transaction.client_port()),
            host_ip: text(transaction.server_address()),
            host_port: port(transaction.server_port()),
            unique_id: transaction.id(),
            request: Request {
                method: text(transaction.method()),
                http_version: Version::of(transaction.protocol()),
                uri: text(&masked.target()),
                body: parts.contains('C').then(|| text(&masked.request_body())),
                headers: parts.contains('B').then(|| Headers::of(masked.request_headers())),
            },
            response: Response {
                body: parts.contains('E').then(|| text(&masked.response_body())),
                http_code: transaction.status(),
                headers: parts.contains('F').then(|| Headers::of(masked.response_headers())),
            },
            producer: parts.contains('H').then(|| Producer::of(transaction)),
            messages: parts.contains('H').then(|| messages(transaction)),
        }
    }
}

/// The matches of rules without `noauditlog`.
fn messages(transaction: &Transaction) -> Vec<Message> {
    let audited = transaction.rule_matches().iter().filter(|found| found.audits);
    audited.filter_map(|found| Message::of(transaction.graph(), found)).collect()
}

impl Producer {
    fn of(transaction: &Transaction) -> Self {
        Self {
            modsecurity: format!("{SOFTWARE} ({})", std::env::consts::OS),
            connector: text(transaction.connector()),
            secrules_engine: match transaction.engine_mode() {
                EngineMode::On => "Enabled",
                EngineMode::Off => "Disabled",
                EngineMode::DetectionOnly => "DetectionOnly",
            },
            components: transaction.graph().settings.components.clone(),
        }
    }
}

impl Message {
    fn of(graph: &RuleGraph, found: &RuleMatch) -> Option<Self> {
        let rule = graph.rule(found.rule)?;
        let metadata = &rule.metadata;
        let details = Details {
            detail: text(&found.detail),
            reference: text(&found.reference),
            rule_id: found.id.to_string(),
            file: rule.location.file.to_string(),
            line_number: rule.location.line.to_string(),
            data: text(&found.data),
            severity: found.severity.unwrap_or(0).to_string(),
            ver: metadata.version.to_string(),
            rev: metadata.revision.to_string(),
            tags: found.tags.iter().map(|tag| text(tag)).collect(),
            maturity: metadata.maturity.to_string(),
            accuracy: metadata.accuracy.to_string(),
        };
        Some(Self { message: text(&found.message), details })
    }
}

impl Version {
    /// Reads the version of a protocol such as `HTTP/1.1`.
    fn of(protocol: &[u8]) -> Self {
        let version = text(protocol.strip_prefix(b"HTTP/").unwrap_or(protocol));
        let is_number = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match (version.parse(), version.parse::<f64>()) {
            (Ok(whole), _) if is_number => Self::Whole(whole),
            (_, Ok(decimal)) if is_number => Self::Decimal(decimal),
            _ => Self::Other(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_where_it_is_one() {
        let shown = |protocol: &[u8]| serde_json::to_string(&Version::of(protocol)).unwrap();
        assert_eq!(shown(b"HTTP/1.1"), "1.1");
        assert_eq!(shown(b"HTTP/2"), "2");
        assert_eq!(shown(b"HTTP/1.1.1"), "\"1.1.1\"");
        assert_eq!(shown(b"HTTP/NaN"), "\"NaN\"");
        assert_eq!(shown(b""), "\"\"");
    }

    #[test]
    fn headers_with_the_same_name_are_all_there() {
        let headers = Headers(vec![("A".into(), "1".into()), ("A".into(), "2".into())]);
        assert_eq!(serde_json::to_string(&headers).unwrap(), r#"{"A":"1","A":"2"}"#);
    }
}
