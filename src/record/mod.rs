//! Writes transactions to logs: takes one, finished or running, and gives lines for the error log, the debug log and the audit log; imports
//! `transaction`, `graph` and `random`.

pub mod audit;
pub mod debug_log;
pub mod error_log;
mod failures;
mod log_file;
mod masked;
mod queue;

pub use masked::MaskedExchange;
