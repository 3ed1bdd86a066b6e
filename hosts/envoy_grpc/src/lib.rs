//! Envoy's questions over gRPC: takes the messages of `ext_proc` and `ext_authz`, and gives the decisions of the rules.
//!
//! ```text
//! client ─ Envoy ─ upstream
//!            │ ProcessingRequest…, CheckRequest
//!          Listener ─ Processor, Authorizer ─ Waf
//! ```
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `listener` | a socket → both services on it |
//! | `authz` | a `CheckRequest` with the start of the body → "OK" or "denied" |
//! | `processor` | the messages about one exchange, in order → one answer for each, or the bodies again |
//! | `exchange` | the rules' part of it: the transaction, its end, its count |
//! | `held` | a body → what may go on of it, and when |
//! | `message` | Envoy's headers and attributes → what rules see; decisions → Envoy's messages |
//!
//! # Bodies
//!
//! | mode of Envoy | a body that rules may stop |
//! | --- | --- |
//! | `NONE` | is asked for by `mode_override`; if Envoy does not allow that, it is hidden |
//! | `BUFFERED` | is judged before any of it goes on; Envoy answers 413 if it is longer than its buffer |
//! | `BUFFERED_PARTIAL` | is judged as far as it came; the rest is hidden |
//! | `STREAMED` | each piece is taken out, and the last one is replaced by the whole: nothing of the body goes on before it is judged, but the headers do |
//! | `FULL_DUPLEX_STREAMED` | is held here with its headers, and goes on when it is judged |
//!
//! With `STREAMED`, the client may have the status of a response whose body is stopped; then its connection is reset.
//!
//! A body that rules need not see, or cannot stop, goes on as it comes; with `allow_mode_override` Envoy no longer sends one that they need not see.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod authz;
mod exchange;
mod held;
mod listener;
mod message;
mod processor;

pub use listener::EnvoyListener;
