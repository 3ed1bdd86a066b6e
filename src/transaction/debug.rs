//! The debug log: messages are put together only when somebody reads them, and are escaped here, once for all of them.

use super::Transaction;
use super::escape::{legible, legible_text};
use std::fmt;

/// Receives debug messages.
pub trait DebugLog: Send + Sync + fmt::Debug {
    /// The highest level that is wanted, 0 to 9.
    fn level(&self) -> u8;

    /// Takes a message, with the transaction's id and the request's target as sent. Each is text on one line: control characters, and bytes
    /// that are not UTF-8, stand there as `\xHH`.
    fn write(&self, level: u8, transaction: &str, uri: &[u8], message: &str);

    /// How many messages could not be written so far.
    fn lost(&self) -> u64 {
        0
    }
}

impl Transaction {
    /// Whether messages of this level are wanted.
    pub(super) fn debugs(&self, level: u8) -> bool {
        self.ground.debug_log.as_ref().is_some_and(|log| log.level() >= level)
    }

    /// Writes a message, if messages of this level are wanted.
    pub(super) fn debug(&self, level: u8, message: impl FnOnce() -> String) {
        if let Some(log) = self.ground.debug_log.as_ref().filter(|log| log.level() >= level) {
            let sent = self.collections.arena.read(self.collections.scalars.request_uri_raw);
            let mut target = Vec::with_capacity(sent.len());
            legible(sent, &mut target);
            log.write(level, &legible_text(&self.id()), &target, &legible_text(&message()));
        }
    }
}

/// A limit as ModSecurity v3 prints it: a number with six decimals, 0 for none.
pub(super) fn shown_limit(limit: Option<usize>) -> String {
    format!("{}.000000", limit.unwrap_or(0))
}
