//! Takes the record of an exchange, gives it to the script host, which runs scripts beside requests; imports `encoding` and `once_per_process`.
//!
//! A server has many processes that judge requests, and one [script host](https://docs.rs/secrule-host) for all of them, because a script that counts
//! requests must see them all, and a timer must run once. So at the end of each exchange a process makes an [`ExchangeRecord`] and hands it to an
//! [`ExchangeLog`]: the [`Link`] to the host's socket, or a host in the same process. No request waits for it: a record that cannot be handed on is
//! dropped and counted.
//!
//! ```text
//! Transaction ─ record ─┐                                   worker
//! Transaction ─ record ─┴ Link: batch ─ datagram ┐
//! Transaction ─ record ─  Link: batch ─ datagram ┴ socket   script host
//! ```

#[cfg(all(unix, feature = "lua"))]
mod link;
mod record;

#[cfg(all(unix, feature = "lua"))]
pub use link::Link;
pub use record::{AttackRecord, ExchangeRecord, MatchRecord, Message, MessageReader};

use std::fmt;

/// Receives the record of each exchange at its end, on the thread of the request: it must not wait.
pub trait ExchangeLog: Send + Sync + fmt::Debug {
    /// Takes a record. One that is dropped is counted. A `Link` does not make it while there is no host; one that its thread or a host in the same process
    /// has no room for is made, and then dropped.
    fn write<'a>(&self, make: &dyn Fn() -> ExchangeRecord<'a>);

    /// Takes an event, as JSON, for the scripts that run on events of its type.
    ///
    /// # Errors
    /// The reason why it was dropped.
    fn send_event(&self, event: &str) -> Result<(), String>;

    /// Returns the number of records and events that this process dropped so far.
    fn dropped(&self) -> u64;
}
