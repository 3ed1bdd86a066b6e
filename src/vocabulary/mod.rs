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

/// Support of a name in this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Support {
    /// It is supported.
    Works,
    /// It is accepted and has no effect; the text says why.
    NoEffect(&'static str),
    /// It is refused; the text is a remedy.
    Refused(&'static str),
}

/// Operators of ModSecurity v2 or Coraza without a counterpart here, with a remedy.
pub const REFUSED_OPERATORS: &[(&str, &str)] = &[
    ("validateHash", "link protection by hashes exists in ModSecurity v2 only"),
    ("gsbLookup", "Google Safe Browsing look-ups exist in ModSecurity v2 only"),
    ("rsub", "bodies cannot be rewritten; substitution exists in ModSecurity v2 only"),
    ("restpath", "it is Coraza's; use @rx on REQUEST_FILENAME"),
    ("validateNid", "it is Coraza's; use @verifySSN or @verifyCPF"),
    ("ipMatchFromDataset", "it is Coraza's; use @ipMatchFromFile"),
    ("pmFromDataset", "it is Coraza's; use @pmFromFile"),
];

/// Returns a sentence of the table for use after a colon: without its capital letter and its full stop.
pub fn in_sentence(doc: &str) -> String {
    let doc = doc.trim_end_matches('.');
    let mut letters = doc.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Returns the hint "did you mean …?" with the `closest` name, if there is one.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, mark: &str) -> Option<String> {
    closest(name, known).map(|found| format!("did you mean `{mark}{found}`?"))
}
