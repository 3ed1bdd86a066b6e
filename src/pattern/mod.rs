//! Takes a regular expression or a list of words and gives a compiled matcher; imports no other room.
//!
//! [`Pattern`] is one PCRE-style regular expression, run by automata in linear time where that is possible. [`Words`] is
//! a list of words searched for in one pass. [`ByteSet`] is the simplest of patterns: one byte out of a set.

mod anchors;
mod byte_set;
mod class;
mod compiled;
mod dialect;
mod error;
mod escape;
mod line_start;
mod literal_scanner;
mod literal_set;
mod needs;
mod opening;
mod rarity;
mod requirement;
mod sieve;
mod structure;
mod words;

pub use byte_set::ByteSet;
pub use compiled::{Engine, Pattern, PatternOptions};
pub use error::{LimitExceeded, PatternError};
pub use literal_set::{GateId, LiteralSet, LiteralSetBuilder, Signature, ValueKind};
pub use requirement::Requirement;
pub use words::{WordMatch, Words, WordsError};
