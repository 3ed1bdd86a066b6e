//! Receivers of debug messages.

use std::fmt;

/// Receives debug messages.
pub trait DebugLog: Send + Sync + fmt::Debug {
    /// Returns the highest level to receive, 0 to 9.
    fn level(&self) -> u8;

    /// Receives a message, with the transaction's id and the request's target as sent. Each is text on one line: control characters, and bytes that
    /// are not UTF-8, are written as `\xHH`.
    fn write(&self, level: u8, transaction: &str, uri: &[u8], message: &str);

    /// Returns the number of messages that could not be written so far.
    fn lost(&self) -> u64 {
        0
    }
}
