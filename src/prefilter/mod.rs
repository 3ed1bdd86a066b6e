//! Takes patterns and gives what tells cheaply that a value matches none of them; imports `pattern`.

mod extract;
mod filtered;
mod frequency;
mod literal;
mod required;
mod scanner;
mod set;
mod trigram;

pub use filtered::FilteredPattern;
pub use required::Requirement;
pub use set::{GateId, LiteralSet, LiteralSetBuilder, Signature, ValueKind};
