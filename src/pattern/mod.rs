//! Takes a regular expression or a list of words and gives a compiled matcher; imports no other room.
//!
//! [`Pattern`] is one PCRE-style regular expression, run by automata in linear time where that is possible. [`Words`] is
//! a list of words searched for in one pass. [`ByteSet`] is the simplest of patterns: one byte out of a set.

mod anchors;
mod automata;
mod backtrack;
mod byte_set;
mod cache;
mod class;
mod code_set;
mod compiled;
mod effort;
mod error;
mod escape;
mod filtered;
mod groups;
mod line_start;
mod linear;
mod literal_scanner;
mod literal_set;
mod needs;
mod newline;
mod opening;
mod parser;
mod program;
mod property;
mod rarity;
mod repetition_watch;
mod requirement;
mod sieve;
mod tree;
mod words;

pub use byte_set::ByteSet;
pub use compiled::{Engine, Pattern, PatternOptions};
pub use effort::Effort;
pub use error::{LimitExceeded, PatternError};
pub use filtered::FilteredPattern;
pub use literal_set::{GateId, LiteralSet, LiteralSetBuilder, Signature, ValueKind};
pub use requirement::Requirement;
pub use words::{WordMatch, Words, WordsError};
