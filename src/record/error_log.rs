//! The line of the error log for a rule that matched.

use super::masked::MaskedExchange;
use crate::escape::{cut, quoted, unquoted};
use crate::graph::Phase;
use crate::state::{Intervention, RuleMatch};
use crate::transaction::Transaction;
use crate::vocabulary::Limit;
use std::borrow::Cow;
use std::io::Write as _;

/// Maximum length of a text in the line, in bytes: data, path, offsets.
const LONGEST_TEXT: usize = 200;

/// Capacity for a line, in bytes, which is enough for most.
const LINE: usize = 2048;

/// Returns the line that ModSecurity v3 passes to the server's log for a rule that matched.
///
/// It is always printable ASCII, and no value of the request can end its field. For a match that stopped the request it says `Access denied`, with
/// the status that the client finally got; v3 writes that line to the audit log only.
pub fn line(transaction: &Transaction, found: &RuleMatch) -> String {
    match found.disruptive {
        true => denial(transaction, found, transaction.status(), Vec::new()),
        false => finish(transaction, found, b"ModSecurity: Warning. ".to_vec()),
    }
}

/// Returns the line for a decision, as v3 passes it with an intervention: like [`line()`], with the client and the status of the rule. A limit that
/// stopped the request gives its reason alone.
pub fn intervention(transaction: &Transaction, decision: &Intervention) -> String {
    match &decision.found {
        Some(found) => {
            let mut line = b"[client ".to_vec();
            quoted(transaction.client_address(), &mut line);
            line.extend_from_slice(b"] ");
            denial(transaction, found, decision.status(), line)
        }
        None => decision.reason.clone(),
    }
}

/// Returns the line for a limit that was exceeded, which ModSecurity v3 does not have.
pub fn limit(transaction: &Transaction, limit: Limit) -> String {
    let mut line = b"ModSecurity: Warning. ".to_vec();
    line.extend_from_slice(transaction.limit_text(limit).as_bytes());
    place(transaction, &MaskedExchange::new(transaction).path(), &mut line);
    shown(line)
}

/// Returns the line for one of [`Transaction::notices`], which ModSecurity v3 does not have.
pub fn notice(transaction: &Transaction, text: &str) -> String {
    let mut line = b"ModSecurity: Error. ".to_vec();
    unquoted(text.as_bytes(), &mut line);
    place(transaction, &MaskedExchange::new(transaction).path(), &mut line);
    shown(line)
}

fn denial(transaction: &Transaction, found: &RuleMatch, status: u16, mut line: Vec<u8>) -> String {
    // As in v3, the connection phase is -1.
    let phase = match found.phase {
        Phase::Connection => -1,
        phase => i16::from(phase.number()),
    };
    let _ = write!(line, "ModSecurity: Access denied with code {status} (phase {phase}). ");
    finish(transaction, found, line)
}

fn finish(transaction: &Transaction, found: &RuleMatch, mut line: Vec<u8>) -> String {
    line.reserve(LINE);
    found.write_detail(&mut line);
    fields(transaction, found, &mut line);
    shown(line)
}

/// Converts a line of which every part was escaped.
fn shown(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Appends ` [name "value"]` for each known field of a match.
fn fields(transaction: &Transaction, found: &RuleMatch, line: &mut Vec<u8>) {
    let Some(rule) = transaction.graph().rule(found.rule) else { return };
    let metadata = &rule.metadata;
    field(line, "file", rule.location.file.as_bytes());
    number_field(line, "line", rule.location.line);
    number_field(line, "id", found.id);
    field(line, "rev", metadata.revision.as_bytes());
    field(line, "msg", &found.message);
    field(line, "data", &cut(&found.data, LONGEST_TEXT));
    number_field(line, "severity", found.severity.unwrap_or(0));
    field(line, "ver", metadata.version.as_bytes());
    number_field(line, "maturity", metadata.maturity);
    number_field(line, "accuracy", metadata.accuracy);
    for tag in &found.tags {
        field(line, "tag", tag);
    }
    let path = if found.phase == Phase::Connection { Cow::default() } else { MaskedExchange::new(transaction).path() };
    place(transaction, &path, line);
    field(line, "ref", &cut(&found.reference, LONGEST_TEXT));
}

/// Appends the fields that identify the request.
fn place(transaction: &Transaction, path: &[u8], line: &mut Vec<u8>) {
    let masked = MaskedExchange::new(transaction);
    field(line, "hostname", &masked.text(transaction.hostname()));
    field(line, "uri", &cut(path, LONGEST_TEXT));
    field(line, "unique_id", transaction.id().as_bytes());
}

fn number_field(line: &mut Vec<u8>, name: &str, value: impl itoa::Integer) {
    field(line, name, itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a field; every value is written by this function.
fn field(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    line.extend_from_slice(b" [");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b" \"");
    quoted(value, line);
    line.extend_from_slice(b"\"]");
}
