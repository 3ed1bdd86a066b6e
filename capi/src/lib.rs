//! The C ABI of libmodsecurity 3.0.13: takes calls of a host written in C, gives verdicts and log lines; imports `waf` and everything below.
//!
//! The only room with `unsafe` code. Each `msc_*` function turns pointers into Rust's types, does its work behind the panic barrier of
//! [`border`], and turns the result back. Handles are boxes that the host owns; what they hold is shared by counting, so that rules outlive
//! their handle while transactions run. NULL handles are no error: the call does nothing.

#![deny(clippy::undocumented_unsafe_blocks)]

mod border;
mod engine;
mod intervention;
mod load_notices;
mod loads;
mod refusal;
mod rules_set;
mod transaction;
