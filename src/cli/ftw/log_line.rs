//! What a web server's error log would say about an exchange, for tests that search it.

use crate::cli::exchange::{Judgement, Request};
use secrule::{RuleMatch, Waf};
use std::fmt::Display;

/// A line for each rule that matched, and one for the verdict.
pub fn log(waf: &Waf, request: &Request, judgement: &Judgement) -> Vec<u8> {
    let mut log = Vec::new();
    for found in judgement.transaction.matches() {
        write_match(&mut log, waf, request, &judgement.transaction.id(), found);
    }
    if let Some((_, intervention)) = &judgement.stop {
        log.extend_from_slice(intervention.reason.as_bytes());
        field(&mut log, "id", intervention.rule_id);
        log.push(b'\n');
    }
    log
}

fn write_match(log: &mut Vec<u8>, waf: &Waf, request: &Request, id: &str, found: &RuleMatch) {
    let rule = waf.graph().rule(found.rule);
    log.extend_from_slice(b"ModSecurity: Warning. ");
    log.extend_from_slice(&found.detail);
    if let Some(rule) = rule {
        field(log, "file", &rule.location.file);
        field(log, "line", rule.location.last_line);
    }
    field(log, "id", found.id);
    if let Some(rule) = rule {
        field(log, "rev", &rule.metadata.revision);
    }
    bytes_field(log, "msg", &found.message);
    bytes_field(log, "data", &found.data);
    if let Some(severity) = found.severity {
        field(log, "severity", severity);
    }
    if let Some(rule) = rule {
        field(log, "ver", &rule.metadata.version);
    }
    found.tags.iter().for_each(|tag| bytes_field(log, "tag", tag));
    bytes_field(log, "uri", &request.target);
    field(log, "unique_id", id);
    bytes_field(log, "ref", &found.reference);
    log.push(b'\n');
}

fn field(log: &mut Vec<u8>, name: &str, value: impl Display) {
    bytes_field(log, name, value.to_string().as_bytes());
}

fn bytes_field(log: &mut Vec<u8>, name: &str, value: &[u8]) {
    log.extend_from_slice(format!(" [{name} \"").as_bytes());
    log.extend(value.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
    log.extend_from_slice(b"\"]");
}
