//! Takes the text of a rule file, gives its [`Ast`], and prints it back; imports `source` and `diagnostic`.
//!
//! The parser accepts any name and knows no meaning: `compile` finds out whether `SecRul` or `@contain` exist.

mod actions;
mod ast;
mod lexer;
mod line;
mod macros;
mod operator;
mod parser;
mod print;
mod remedies;
mod setvar;
mod targets;

pub use ast::{
    ActionExpression, ActionValue, Actions, Argument, Ast, Body, Directive, Item, OperatorExpression, SelectorExpression, TargetExpression,
    TargetMode, Targets,
};
pub use macros::{MacroPart, macro_parts, unclosed_macro};
pub use parser::parse;
pub use print::print;
pub use setvar::{Assignment, AssignmentKind, assignment};
pub use targets::{parse_target, parse_targets};

#[cfg(test)]
mod tests;
