//! Action lists: `id:1,phase:2,deny,msg:'text',setvar:'tx.score=+5'`.

use super::ast::{ActionExpression, ActionValue, Actions};
use super::line::{Failure, LogicalLine, Parsed};
use super::parser::{Quote, name, quoted, unescape};
use super::remedies;
use crate::diagnostic::Code;
use crate::source::Spanned;
use nom::character::complete::space0;

pub fn actions<'a>(line: &'a LogicalLine, text: &'a str) -> Result<Actions, nom::Err<Failure<'a>>> {
    let mut list = Vec::new();
    if text.trim().is_empty() {
        return Ok(Actions { list, span: line.span(text) });
    }
    let mut rest = text;
    loop {
        let (behind, action) = action(line, rest)?;
        list.push(action);
        let (after, _) = space0::<_, Failure<'_>>(behind)?;
        if after.is_empty() {
            return Ok(Actions { list, span: line.span(text) });
        }
        rest = match after.strip_prefix(',') {
            Some(rest) => rest,
            None => {
                let read = rest.get(..rest.len().saturating_sub(behind.len())).unwrap_or(rest);
                return Err(remedies::comma_expected(line, read, after));
            }
        };
    }
}

fn action<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, ActionExpression> {
    let (start, _) = space0::<_, Failure<'_>>(input)?;
    let (rest, action_name) = match name(start) {
        Err(nom::Err::Error(_)) => return Err(expected_action(start)),
        result => result?,
    };
    let (rest, value) = match rest.strip_prefix(':') {
        Some(rest) => value(line, rest).map(|(rest, value)| (rest, Some(value)))?,
        None => (rest, None),
    };
    let whole = start.get(..start.len() - rest.len()).unwrap_or(start);
    let name = Spanned::new(action_name.to_owned(), line.span(action_name));
    Ok((rest, ActionExpression { name, value, span: line.span(whole.trim_end()) }))
}

fn expected_action(at: &str) -> nom::Err<Failure<'_>> {
    let hint = match at.chars().next() {
        None => "remove the comma at the end of the list",
        Some(',') => "remove one of the commas",
        Some('@') => "this looks like the operator: targets are joined by | without blanks, and each argument has its own quotes",
        Some(_) => "put a value that holds commas in single quotes",
    };
    Failure::fatal_with_hint(at, Code::Syntax, "expected an action", hint)
}

fn value<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, ActionValue> {
    let (input, _) = space0::<_, Failure<'_>>(input)?;
    let mut unclosed = false;
    let (rest, text, quote) = match input.strip_prefix('\'') {
        Some(inside) => match quoted('\'', Quote::Single, input) {
            Ok((rest, (text, quote))) => (rest, text, quote),
            Err(_) => {
                unclosed = true;
                let (text, rest) = inside.split_at(inside.len());
                (rest, text, Quote::Single)
            }
        },
        None => {
            let (text, rest) = input.split_at(bare_end(input));
            (rest, text.trim_end(), Quote::None)
        }
    };
    // The whole list may stand in double quotes, whose escapes reach into each value.
    let text_value = unescape(&unescape(text, quote), Quote::Double);
    Ok((rest, ActionValue { text: text_value, quoted: quote != Quote::None, unclosed, span: line.span(text) }))
}

/// Where a value without quotes ends: at a comma; single quotes behind `=` hold commas, as in `setvar:tx.a='b,c'`.
fn bare_end(input: &str) -> usize {
    let mut inside = false;
    let mut last = ' ';
    for (at, c) in input.char_indices() {
        match c {
            '\'' if inside && last != '\\' => inside = false,
            '\'' if !inside && last == '=' => inside = true,
            ',' if !inside => return at,
            _ => {}
        }
        last = c;
    }
    input.len()
}
