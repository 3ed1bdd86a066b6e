//! Who receives debug messages.

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
