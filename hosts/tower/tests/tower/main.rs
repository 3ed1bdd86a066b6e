//! The layer around a service, and in a server.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod server;
mod service;
mod support;
