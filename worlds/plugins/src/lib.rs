//! Plugins: scripts of the `skynet` interface, which watch all requests, count them, and ban clients.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// No record and no script may make the host panic: code that can panic is denied outside of tests.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]

mod attack;
mod callback;
pub mod key;
mod key_map;
pub mod once_per_second;
mod plugin;
mod plugins;
mod queue;
mod registration;
mod skynet;
pub mod statistics;
mod thread;
mod tickers;
mod timeline;
pub mod top;
mod traffic;
pub mod visit;

pub use plugin::LoadFailure;
pub use plugins::{Plugins, check};
