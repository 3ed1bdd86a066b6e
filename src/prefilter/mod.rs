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
pub use required::RequiredLiterals;
pub use set::{PrefilterId, PrefilterSet, PrefilterSetBuilder, Signature, ValueKind};
