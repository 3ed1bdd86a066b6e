//! Takes a regular expression or a list of words and gives a compiled matcher; imports no other room.
//!
//! [`Pattern`] is one PCRE-style regular expression, run by automata in linear time where that is possible. [`Words`] is
//! a list of words searched for in one pass. [`ByteSet`] is the simplest of patterns: one byte out of a set.

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
mod groups;
mod line_start;
mod lower;
mod newline;
mod parser;
mod prefix;
mod program;
mod property;
mod repetition_watch;
mod tree;
mod words;

pub use byte_set::ByteSet;
pub(crate) use cache::PatternCache;
pub use compiled::{Engine, Pattern, PatternOptions};
pub use effort::Effort;
pub use error::{LimitExceeded, PatternError};
pub use words::{WordMatch, Words, WordsError};
