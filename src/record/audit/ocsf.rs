//! Events of OCSF 1.2, the Open Cybersecurity Schema Framework: one Web Resources Activity (class 6001) on each line.
//!
//! The class, and where a fact of the exchange stands, are as in Coraza: <https://schema.ocsf.io/1.2.0/classes/web_resources_activity>. As the schema
//! says, and unlike Coraza, times are in milliseconds, the offset of the time zone is in minutes, and `severity_id` is that of the gravest rule.

use super::json_line::{SERVER_ID, json_line, port};
use crate::escape::text;
use crate::graph::RuleGraph;
use crate::record::masked::MaskedExchange;
use crate::state::RuleMatch;
use crate::transaction::Transaction;
use chrono::{DateTime, Local};
use serde::Serialize;
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// Version of the schema.
const SCHEMA: &str = "1.2.0";

/// Returns a transaction as an event, with a line break at the end.
///
/// Of the parts that `SecAuditLogParts` names, B has the headers of the request, F those of the response, and H the matches. An event has no bodies.
pub fn record(transaction: &Transaction) -> Vec<u8> {
    json_line(&Activity::of(transaction))
}

/// A class, an activity or a decision: its number and its name.
type Named<N> = (N, &'static str);

const CATEGORY: Named<u32> = (6, "Application Activity");
const CLASS: Named<u32> = (6001, "Web Resources Activity");
/// A firewall does not know if an application reads or writes.
const READ: Named<u32> = (2, "Read");

const ALLOWED: Named<u32> = (1, "Allowed");
const DENIED: Named<u32> = (2, "Denied");

const SUCCESS: Named<u32> = (1, "Success");
const FAILURE: Named<u32> = (2, "Failure");

const UNKNOWN: Named<u32> = (0, "Unknown");
const INFORMATIONAL: Named<u32> = (1, "Informational");

/// Types of observables.
const IP_ADDRESS: Named<u32> = (2, "IP Address");
const FILE_NAME: Named<u32> = (7, "File Name");
const OTHER: u32 = 99;

#[derive(Serialize)]
struct Activity {
    activity_id: u32,
    activity_name: &'static str,
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    type_name: String,
    time: u64,
    start_time: u64,
    timezone_offset: i32,
    action_id: u32,
    action: &'static str,
    severity_id: u32,
    severity: &'static str,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enrichments: Vec<Enrichment>,
    http_request: HttpRequest,
    http_response: HttpResponse,
    src_endpoint: Endpoint,
    dst_endpoint: Endpoint,
    web_resources: [Url; 1],
    observables: Vec<Observable>,
}

#[derive(Serialize)]
struct Metadata {
    version: &'static str,
    product: Product,
    log_provider: String,
    logged_time: u64,
    uid: String,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

/// A match: `name` is its message, `value` its `logdata`, and `data` all of it, as JSON in a text.
#[derive(Serialize)]
struct Enrichment {
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: &'static str,
    data: String,
}

#[derive(Serialize)]
struct Details {
    id: u64,
    phase: u8,
    file: String,
    line: usize,
    msg: String,
    data: String,
    #[serde(rename = "match")]
    detail: String,
    severity: Option<u32>,
    rev: String,
    ver: String,
    maturity: u32,
    accuracy: u32,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct HttpRequest {
    uid: String,
    http_method: String,
    version: String,
    url: Url,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<String>,
    length: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http_headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    x_forwarded_for: Vec<String>,
}

#[derive(Serialize)]
struct HttpResponse {
    code: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http_headers: Vec<Header>,
}

#[derive(Serialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Clone, Serialize)]
struct Url {
    url_string: String,
}

#[derive(Serialize)]
struct Endpoint {
    ip: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
}

#[derive(Serialize)]
struct Observable {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    type_id: u32,
    value: String,
}

impl Activity {
    fn of(transaction: &Transaction) -> Self {
        let masked = MaskedExchange::new(transaction);
        let parts = transaction.audit_parts();
        let began = transaction.began();
        let audited = || transaction.rule_matches().iter().filter(|found| found.audits);
        let action = if transaction.was_stopped() { DENIED } else { ALLOWED };
        let severity = severity(audited());
        let status = if transaction.status() < 400 { SUCCESS } else { FAILURE };
        let shows_matches = parts.contains('H');
        let url = Url { url_string: text(&masked.target()) };
        Self {
            activity_id: READ.0,
            activity_name: READ.1,
            category_uid: CATEGORY.0,
            category_name: CATEGORY.1,
            class_uid: CLASS.0,
            class_name: CLASS.1,
            type_uid: CLASS.0 * 100 + READ.0,
            type_name: format!("{}: {}", CLASS.1, READ.1),
            time: milliseconds(began),
            start_time: milliseconds(began),
            timezone_offset: DateTime::<Local>::from(began).offset().local_minus_utc() / 60,
            action_id: action.0,
            action: action.1,
            severity_id: severity.0,
            severity: severity.1,
            status_id: status.0,
            status: status.1,
            message: audited().next().filter(|_| shows_matches).map(|found| text(&found.message)),
            metadata: Metadata::of(transaction),
            enrichments: audited().filter(|_| shows_matches).filter_map(|found| Enrichment::of(transaction.graph(), found)).collect(),
            http_request: HttpRequest::of(transaction, url.clone()),
            http_response: HttpResponse {
                code: transaction.status(),
                http_headers: if parts.contains('F') { headers(masked.response_headers()) } else { Vec::new() },
            },
            src_endpoint: Endpoint { ip: text(transaction.client_address()), port: port(transaction.client_port()), hostname: None },
            dst_endpoint: Endpoint {
                ip: text(transaction.server_address()),
                port: port(transaction.server_port()),
                hostname: Some(text(transaction.hostname())).filter(|name| !name.is_empty()),
            },
            web_resources: [url],
            observables: observables(transaction),
        }
    }
}

impl Metadata {
    fn of(transaction: &Transaction) -> Self {
        Self {
            version: SCHEMA,
            product: Product { name: "secrule", vendor_name: "secrule", version: env!("CARGO_PKG_VERSION") },
            log_provider: text(transaction.connector()),
            logged_time: milliseconds(SystemTime::now()),
            uid: transaction.id(),
        }
    }
}

impl Enrichment {
    fn of(graph: &RuleGraph, found: &RuleMatch) -> Option<Self> {
        let rule = graph.rule(found.rule)?;
        let details = Details {
            id: found.id,
            phase: found.phase.number(),
            file: rule.location.file.to_string(),
            line: rule.location.line,
            msg: text(&found.message),
            data: text(&found.data),
            detail: text(&found.detail),
            severity: found.severity,
            rev: rule.metadata.revision.to_string(),
            ver: rule.metadata.version.to_string(),
            maturity: rule.metadata.maturity,
            accuracy: rule.metadata.accuracy,
            tags: found.tags.iter().map(|tag| text(tag)).collect(),
        };
        // Every key is a text.
        let data = serde_json::to_string(&details).unwrap_or_default();
        Some(Self { name: details.msg, value: details.data, kind: "rule", data })
    }
}

impl HttpRequest {
    fn of(transaction: &Transaction, url: Url) -> Self {
        let masked = MaskedExchange::new(transaction);
        let shows_headers = transaction.audit_parts().contains('B');
        let http_headers = if shows_headers { headers(masked.request_headers()) } else { Vec::new() };
        Self {
            uid: transaction.id(),
            http_method: text(transaction.method()),
            version: text(transaction.protocol().strip_prefix(b"HTTP/").unwrap_or(transaction.protocol())),
            args: url.url_string.split_once('?').map(|(_, query)| query.to_owned()),
            url,
            length: transaction.request_body_bytes().len(),
            user_agent: values(&http_headers, "User-Agent").into_iter().next(),
            referrer: values(&http_headers, "Referer").into_iter().next(),
            x_forwarded_for: values(&http_headers, "X-Forwarded-For"),
            http_headers,
        }
    }
}

fn headers<'a>(headers: impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)>) -> Vec<Header> {
    headers.map(|(name, value)| Header { name: text(&name), value: text(&value) }).collect()
}

/// Returns the values of the headers with a name.
fn values(headers: &[Header], name: &str) -> Vec<String> {
    headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.clone()).collect()
}

/// Returns what analysts search for: the client, the names of uploaded files, this machine.
fn observables(transaction: &Transaction) -> Vec<Observable> {
    let masked = MaskedExchange::new(transaction);
    let client = (IP_ADDRESS, "src_endpoint.ip", text(transaction.client_address()));
    let files = transaction.file_names().map(|name| (FILE_NAME, "http_request.files", text(&masked.text(name))));
    let server = ((OTHER, "ServerID"), "ServerID", SERVER_ID.clone());
    let all = std::iter::once(client).chain(files).chain([server]);
    all.map(|((type_id, kind), name, value)| Observable { name, kind, type_id, value }).collect()
}

/// Returns the severity of the gravest rule in terms of OCSF. An exchange without a match is informational, and rules that say no severity are unknown.
fn severity<'a>(matches: impl Iterator<Item = &'a RuleMatch>) -> Named<u32> {
    let mut matches = matches.peekable();
    if matches.peek().is_none() {
        return INFORMATIONAL;
    }
    match matches.filter_map(|found| found.severity).min() {
        None => UNKNOWN,
        // Emergency and alert.
        Some(0 | 1) => (6, "Fatal"),
        Some(2) => (5, "Critical"),
        Some(3) => (4, "High"),
        Some(4) => (3, "Medium"),
        Some(5) => (2, "Low"),
        Some(_) => INFORMATIONAL,
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
