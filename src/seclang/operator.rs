//! Operator expressions: `!@rx ^a`, `@detectSQLi`, or a bare regular expression.

use super::ast::OperatorExpression;
use super::lexer::{Failure, RawArgument, name, unescape};
use super::line::LogicalLine;
use crate::diagnostic::Code;
use crate::source::Spanned;
use nom::Parser;
use nom::character::complete::{char, one_of, space0};
use nom::combinator::opt;
use nom::sequence::{preceded, terminated};

pub fn operator<'a>(line: &'a LogicalLine, (text, quote): RawArgument<'a>) -> Result<OperatorExpression, nom::Err<Failure<'a>>> {
    let (behind, negation) = preceded(space0, opt(terminated(char('!'), space0))).parse(text)?;
    if negation.is_some() && behind.starts_with('!') {
        let hint = "write one ! or none: a second ! does not cancel the first; a pattern that begins with ! is written \"!@rx !…\"";
        return Err(Failure::fatal_with_hint(behind, Code::Syntax, "there is a second ! before the operator", hint));
    }
    // One blank ends the name; further blanks belong to the argument, as in ModSecurity v3.
    let (argument, name) = opt(terminated(preceded(char('@'), name), opt(one_of(" \t")))).parse(behind)?;
    Ok(OperatorExpression {
        negated: negation.is_some(),
        name: name.map(|name| Spanned::new(name.to_owned(), line.span(name))),
        argument: Spanned::new(unescape(argument, quote).into_owned(), line.span(argument)),
        span: line.span(text),
    })
}
