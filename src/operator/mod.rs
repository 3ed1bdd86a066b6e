//! Takes an operator and its argument and gives a compiled test on bytes, with captures; imports `pattern`.
//!
//! [`OperatorKind`] names the operators, [`Operator`] is one with its argument, compiled once and shared by all
//! transactions. A test answers yes or no, and on request says in [`Findings`] what it found where.

mod address;
mod compiled;
mod encoding;
mod error;
mod findings;
mod identity_number;
mod injection;
mod kind;
mod number;
mod regular_expression;
mod text;
mod words;

pub use compiled::{Operator, OperatorLimits};
pub use error::OperatorError;
pub use findings::{Capture, CapturedValue, Findings, Wanted};
pub use kind::{ArgumentKind, OperatorKind};
pub use number::leading_integer;
