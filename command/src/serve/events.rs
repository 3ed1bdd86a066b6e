//! Matches of rules, as lines on standard output.

use crate::Failure;
use secrule::internals::escape::{legible, text};
use secrule::internals::record::MaskedExchange;
use secrule::{Intervention, Match, Observer, Transaction};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Number of lines that wait to be written; more are dropped and counted.
const MAX_WAITING: usize = 4_096;

/// Longest part of a line, in bytes: clients choose paths, and lines that wait take memory.
const LONGEST_PART: usize = 1_024;

/// Maximum wait for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Writes events. No request waits for it.
#[derive(Debug)]
pub struct Events {
    entries: SyncSender<Entry>,
    dropped: AtomicU64,
}

/// Something for the thread that writes.
#[derive(Debug)]
enum Entry {
    Line(String),
    /// Asks for a sign when all lines before it are written.
    Mark(SyncSender<()>),
}

impl Events {
    /// Starts the thread that writes.
    pub fn start() -> Result<Self, Failure> {
        let (entries, receiver) = sync_channel(MAX_WAITING);
        thread::Builder::new().name("secrule-events".to_owned()).spawn(move || write_all(&receiver))?;
        Ok(Self { entries, dropped: AtomicU64::new(0) })
    }

    /// Waits until all lines so far are written, but not long.
    pub fn flush(&self) {
        let (sender, receiver) = sync_channel(1);
        if self.entries.try_send(Entry::Mark(sender)).is_ok() {
            // Their reader may have stopped.
            let _ = receiver.recv_timeout(FLUSH_LIMIT);
        }
    }

    fn write(&self, line: String) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let report = || Entry::Line(format!("{dropped} lines were dropped, because their reader is too slow"));
        if dropped > 0 && self.entries.try_send(report()).is_ok() {
            self.dropped.fetch_sub(dropped, Ordering::Relaxed);
        }
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observer for Events {
    fn matched(&self, transaction: &Transaction, found: &Match<'_>) {
        self.write(format!("{}: rule {}: {}", request(transaction), found.id(), line(found.message().as_bytes())));
    }

    fn intervened(&self, transaction: &Transaction, intervention: &Intervention) {
        self.write(format!("{}: stopped with {}: {}", request(transaction), intervention.status(), line(intervention.reason().as_bytes())));
    }
}

/// Returns who asks for what: without the query, which may hold secrets.
fn request(transaction: &Transaction) -> String {
    let path = MaskedExchange::new(transaction).path();
    let [client, method, path] = [transaction.client_address(), transaction.method(), &path].map(line);
    format!("{client} {method} {path}")
}

/// Returns bytes as a part of a line, which they cannot end, and not make long.
fn line(bytes: &[u8]) -> String {
    let start = bytes.get(..LONGEST_PART).unwrap_or(bytes);
    let mut shown = Vec::with_capacity(start.len());
    legible(start, &mut shown);
    let left_out = bytes.len() - start.len();
    if left_out > 0 { format!("{}… and {left_out} bytes", text(&shown)) } else { text(&shown) }
}

fn write_all(entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            // A write fails if the reader has gone. The lock is taken for each line, because others write there, too.
            Entry::Line(line) => drop(writeln!(io::stdout(), "{line}")),
            Entry::Mark(sender) => drop(sender.send(())),
        }
    }
}
