//! The native format: sections of text, each with a boundary and its letter as heading.

use crate::escape::{legible, legible_lines, printable};
use crate::random::unique_number;
use crate::record::error_log;
use crate::record::masked::MaskedExchange;
use crate::transaction::Transaction;
use chrono::{DateTime, Local};
use std::io::Write as _;

/// Length of a boundary, in letters and digits.
const BOUNDARY: usize = 8;

/// Format of a transaction's time in sections and the index.
pub const MOMENT: &str = "[%d/%b/%Y:%H:%M:%S %z]";

/// Returns a transaction in sections.
///
/// As in ModSecurity v3, sections A and Z are always present, the order is alphabetical, D, G, I, J and K stay empty, and the response body is
/// printable ASCII. Bytes of the request that are not text are written as `\xHH`, and nothing in a header begins a line.
pub fn record(transaction: &Transaction) -> Vec<u8> {
    let parts = transaction.audit_parts();
    let mut sections = Sections { boundary: boundary(), record: Vec::with_capacity(1024) };
    sections.begin('A');
    sections.connection(transaction);
    // B follows A directly; any other section has a blank line before it.
    if !parts.contains('B') {
        sections.end();
    }
    for letter in ('B'..='K').filter(|letter| parts.contains(*letter)) {
        sections.begin(letter);
        match letter {
            'B' => sections.request_head(transaction),
            'C' => sections.body(&MaskedExchange::new(transaction).request_body(), legible_lines),
            'E' => sections.body(&MaskedExchange::new(transaction).response_body(), printable),
            'F' => sections.response_head(transaction),
            'H' => sections.matches(transaction),
            _ => {}
        }
        sections.end();
    }
    sections.begin('Z');
    sections.end();
    sections.record
}

struct Sections {
    boundary: String,
    record: Vec<u8>,
}

impl Sections {
    fn begin(&mut self, letter: char) {
        // Writing to memory does not fail.
        let _ = writeln!(self.record, "---{}---{letter}--", self.boundary);
    }

    fn end(&mut self) {
        self.record.push(b'\n');
    }

    fn line(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| legible(part, &mut self.record));
        self.record.push(b'\n');
    }

    fn connection(&mut self, transaction: &Transaction) {
        let moment = DateTime::<Local>::from(transaction.began()).format(MOMENT).to_string();
        let id = transaction.id();
        let (client, client_port) = (transaction.client_address(), transaction.client_port());
        let (server, server_port) = (transaction.server_address(), transaction.server_port());
        let words: [&[u8]; 6] = [moment.as_bytes(), id.as_bytes(), client, client_port, server, server_port];
        legible(&words.join(&b' '), &mut self.record);
        self.end();
    }

    fn request_head(&mut self, transaction: &Transaction) {
        let masked = MaskedExchange::new(transaction);
        self.line(&[transaction.method(), b" ", &masked.target(), b" ", transaction.protocol()]);
        masked.request_headers().for_each(|(name, value)| self.line(&[&name, b": ", &value]));
    }

    fn response_head(&mut self, transaction: &Transaction) {
        let status = transaction.status().to_string();
        self.line(&[transaction.protocol(), b" ", status.as_bytes()]);
        MaskedExchange::new(transaction).response_headers().for_each(|(name, value)| self.line(&[&name, b": ", &value]));
    }

    fn body(&mut self, body: &[u8], write: impl Fn(&[u8], &mut Vec<u8>)) {
        if !body.is_empty() {
            write(body, &mut self.record);
            self.end();
        }
    }

    fn matches(&mut self, transaction: &Transaction) {
        for found in transaction.rule_matches().iter().filter(|found| found.audits) {
            self.record.extend_from_slice(error_log::line(transaction, found).as_bytes());
            self.end();
        }
    }
}

/// Returns letters and digits that a client cannot guess, so that a body cannot contain a forged section.
fn boundary() -> String {
    const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = unique_number();
    let mut text = String::with_capacity(BOUNDARY);
    for _ in 0..BOUNDARY {
        let sign = SIGNS.get((number % SIGNS.len() as u64) as usize).copied().unwrap_or(b'0');
        text.push(char::from(sign));
        number /= SIGNS.len() as u64;
    }
    text
}
