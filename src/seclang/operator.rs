//! Operator expressions: `!@rx ^a`, `@detectSQLi`, or a bare regular expression.

use super::ast::OperatorExpression;
use super::line::{Failure, LogicalLine};
use super::parser::{RawArgument, marked_name, unescape};
use crate::diagnostic::Code;
use crate::source::Spanned;
use nom::Parser;

pub fn operator<'a>(line: &'a LogicalLine, (text, quote): RawArgument<'a>) -> Result<OperatorExpression, nom::Err<Failure<'a>>> {
    let blanks = [' ', '\t'];
    let start = text.trim_start_matches(blanks);
    let (negated, behind) = match start.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start_matches(blanks)),
        None => (false, start),
    };
    if negated && behind.starts_with('!') {
        let hint = "write one ! or none: a second ! does not cancel the first; a pattern that begins with ! is written \"!@rx !…\"";
        return Err(Failure::fatal_with_hint(behind, Code::Syntax, "there is a second ! before the operator", hint));
    }
    let (name, argument) = match marked_name("@").parse(behind) {
        // One blank ends the name; more of them are the argument's, as in ModSecurity v3.
        Ok((rest, name)) => (Some(name), rest.strip_prefix(blanks).unwrap_or(rest)),
        Err(_) => (None, behind),
    };
    Ok(OperatorExpression {
        negated,
        name: name.map(|name| Spanned::new(name.to_owned(), line.span(name))),
        argument: Spanned::new(unescape(argument, quote), line.span(argument)),
        span: line.span(text),
    })
}
