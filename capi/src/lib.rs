//! The C ABI of libmodsecurity 3.0.13: takes calls of a host written in C, gives verdicts and log lines; uses the engine as any other host does.
//!
//! The only member with `unsafe` code. Each `msc_*` function converts pointers to Rust's types, works behind the panic barrier of `convert`, and
//! converts the result back. Handles are boxes that the host owns. Their content is reference-counted, so that rules outlive their handle while
//! transactions run. NULL handles are not errors: the call does nothing.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]

mod bans;
mod convert;
mod engine;
mod intervention;
mod load_notices;
mod loads;
mod rules_set;
mod stores;
mod transaction;
mod v3_errors;
