//! A server in front of an upstream, over real connections.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod admin;
mod counters;
mod proxy;
mod sites;
mod slow;
mod support;
mod tls;
mod tunnels;
