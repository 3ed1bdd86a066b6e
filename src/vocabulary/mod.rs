//! Holds the one table of directives, variables, actions, limits and `ctl` options, with names, argument kinds, support status and docs; imports
//! `operator` and `transform`, whose names are tables of their own.

mod actions;
mod controls;
mod directives;
mod limits;
mod suggestion;
mod variables;

pub use actions::{Action, ActionArgument, ActionEntry, ActionRole};
pub use controls::{Control, ControlEntry};
pub use directives::{Directive, DirectiveArgument, DirectiveEntry};
pub use limits::{Limit, LimitSet};
pub use suggestion::closest;
pub use variables::{Shape, Variable, VariableEntry};

/// How far a name of the language works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Support {
    /// It does what it says.
    Works,
    /// It is accepted and changes nothing; the text says why that is right.
    NoEffect(&'static str),
    /// It is refused; the text says what to do instead.
    Refused(&'static str),
}

/// Operators that exist in ModSecurity v2 or Coraza and have no counterpart here, with what to do instead.
pub const REFUSED_OPERATORS: &[(&str, &str)] = &[
    ("validateHash", "link protection by hashes exists in ModSecurity v2 only"),
    ("gsbLookup", "Google Safe Browsing look-ups exist in ModSecurity v2 only"),
    ("rsub", "bodies cannot be rewritten; substitution exists in ModSecurity v2 only"),
    ("restpath", "it is Coraza's; use @rx on REQUEST_FILENAME"),
    ("validateNid", "it is Coraza's; use @verifySSN or @verifyCPF"),
    ("ipMatchFromDataset", "it is Coraza's; use @ipMatchFromFile"),
    ("pmFromDataset", "it is Coraza's; use @pmFromFile"),
];

/// A sentence of the table, to be used behind a colon: without its capital letter and its full stop.
pub fn in_sentence(doc: &str) -> String {
    let doc = doc.trim_end_matches('.');
    let mut letters = doc.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// `closest` among many names, worded as a hint.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, mark: &str) -> Option<String> {
    closest(name, known).map(|found| format!("did you mean `{mark}{found}`?"))
}
