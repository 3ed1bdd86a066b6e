//! Action lists: `id:1,phase:2,deny,msg:'text',setvar:'tx.score=+5'`.

use super::ast::{ActionExpression, ActionValue, Actions};
use super::lexer::{Failure, Parsed, Quote, name, unescape, unquoted, within};
use super::line::LogicalLine;
use super::remedies;
use crate::diagnostic::Code;
use crate::source::Spanned;
use nom::Parser;
use nom::branch::alt;
use nom::character::complete::{char, space0};
use nom::combinator::{consumed, opt, rest};
use nom::sequence::{delimited, pair, preceded};

/// The most actions for which room is made at once.
const MAX_ROOM: usize = 32;

pub fn actions<'a>(line: &'a LogicalLine, text: &'a str) -> Result<Actions, nom::Err<Failure<'a>>> {
    let span = line.span(text);
    if text.trim().is_empty() {
        return Ok(Actions { list: Vec::new(), span });
    }
    let mut one = delimited(space0, consumed(|input| action(line, input)), space0);
    // Room for all: growing lists are copied again and again.
    let mut list = Vec::with_capacity(memchr::memchr_iter(b',', text.as_bytes()).count().saturating_add(1).min(MAX_ROOM));
    let (mut behind, (mut last, first)) = one.parse(text)?;
    list.push(first);
    while let Some(next) = behind.strip_prefix(',') {
        let (after, (whole, action)) = one.parse(next)?;
        list.push(action);
        (behind, last) = (after, whole);
    }
    if behind.is_empty() { Ok(Actions { list, span }) } else { Err(remedies::comma_expected(line, last, behind)) }
}

fn action<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, ActionExpression> {
    let value = preceded((char(':'), space0), |input| value(line, input));
    let (behind, (whole, (name, value))) = consumed(pair(alt((name, action_expected)), opt(value))).parse(input)?;
    let name = Spanned::new(name.to_owned(), line.span(name));
    Ok((behind, ActionExpression { name, value, span: line.span(whole.trim_end()) }))
}

fn action_expected(at: &str) -> Parsed<'_, &str> {
    let hint = match at.chars().next() {
        None => "remove the comma at the end of the list",
        Some(',') => "remove one of the commas",
        Some('@') => "this looks like the operator: targets are joined by | without blanks, and each argument has its own quotes",
        Some(_) => "put a value that holds commas in single quotes",
    };
    Err(Failure::fatal_with_hint(at, Code::Syntax, "expected an action", hint))
}

/// Reads a value: in single quotes, which the end of the list may close, or up to a comma. Single quotes after `=` protect commas, as in
/// `setvar:tx.a='b,c'`.
fn value<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, ActionValue> {
    let (behind, (text, quote, unclosed)) = alt((
        within(b'\'').map(|text| (text, Quote::Single, false)),
        preceded(char('\''), rest).map(|text| (text, Quote::Single, true)),
        unquoted(&[','], &['=']).map(|text: &str| (text.trim_end(), Quote::None, false)),
    ))
    .parse(input)?;
    // The whole list may be in double quotes, whose escapes apply within each value.
    let plain = unescape(&unescape(text, quote), Quote::Double).into_owned();
    Ok((behind, ActionValue { text: plain, quoted: quote != Quote::None, unclosed, span: line.span(text) }))
}
