//! The firewall around a proxy of Pingora, between real connections.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod bodies;
mod example;
mod exchanges;
mod hooks;
mod support;
