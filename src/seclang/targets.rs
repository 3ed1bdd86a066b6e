//! Target lists: `ARGS|!ARGS:token|&REQUEST_HEADERS:Host|XML:/*`.

use super::ast::{SelectorExpression, TargetExpression, TargetMode, Targets};
use super::line::{Failure, LogicalLine, Parsed};
use super::parser::{Quote, RawArgument, name};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceId, Spanned};
use nom::Parser;
use nom::character::complete::one_of;
use nom::combinator::opt;

/// Reads a target that stands alone in a value, as in `ctl:ruleRemoveTargetById=1;ARGS:x`; `start` is where the text begins.
pub fn parse_target(text: &str, source: SourceId, start: usize) -> Result<TargetExpression, Diagnostic> {
    let line = LogicalLine::join(source, &[super::line::PhysicalLine { number: 1, start, text }]);
    let list = match targets(&line, (line.text(), Quote::None)) {
        Ok(list) => list,
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => return Err(line.diagnose(&failure)),
        Err(nom::Err::Incomplete(_)) => return Err(Diagnostic::new(Code::Syntax, line.span(line.text()), "expected a target")),
    };
    let span = list.span;
    let mut list = list.list.into_iter();
    match (list.next(), list.next()) {
        (Some(target), None) => Ok(target),
        _ => Err(Diagnostic::new(Code::Syntax, span, "expected exactly one target")),
    }
}

pub fn targets<'a>(line: &'a LogicalLine, (text, quote): RawArgument<'a>) -> Result<Targets, nom::Err<Failure<'a>>> {
    let mut list = Vec::new();
    let mut rest = text;
    loop {
        let (after, target) = target(line, rest)?;
        list.push(target);
        if after.is_empty() {
            return Ok(Targets { list, written: quote.around(text), span: line.span(text) });
        }
        rest = separator(after)?.0;
    }
}

fn separator(input: &str) -> Parsed<'_, char> {
    let separated: Parsed<'_, char> = one_of("|,").parse(input);
    separated.map_err(|_| {
        let hint = "targets are joined by | without blanks; put a selector that holds blanks or | in single quotes: ARGS:'/a b/'";
        Failure::fatal_with_hint(input, Code::Syntax, "expected a | between targets", hint)
    })
}

fn target<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, TargetExpression> {
    let (rest, mark) = opt(one_of("&!")).parse(input)?;
    let mode = match mark {
        Some('&') => TargetMode::Count,
        Some(_) => TargetMode::Exclude,
        None => TargetMode::Values,
    };
    let (rest, variable) = match name(rest) {
        Err(nom::Err::Error(_)) => {
            let hint = "write a variable such as ARGS or REQUEST_HEADERS:Host; more than one are joined by | without blanks";
            return Err(Failure::fatal_with_hint(rest, Code::Syntax, "expected a variable", hint));
        }
        result => result?,
    };
    let (rest, selector) = match rest.strip_prefix([':', '.']) {
        Some(selector) => selector_expression(line, variable, selector).map(|(rest, selector)| (rest, Some(selector)))?,
        None => (rest, None),
    };
    let whole = input.get(..input.len() - rest.len()).unwrap_or(input);
    let variable = Spanned::new(variable.to_owned(), line.span(variable));
    Ok((rest, TargetExpression { mode, variable, selector, span: line.span(whole) }))
}

/// Reads what stands behind the colon of a target.
pub fn selector_expression<'a>(line: &'a LogicalLine, variable: &str, input: &'a str) -> Parsed<'a, Spanned<SelectorExpression>> {
    let (rest, text, selector) = if variable.eq_ignore_ascii_case("XML") {
        let (path, rest) = input.split_at(xpath_end(input));
        (rest, path, SelectorExpression::XPath(path.to_owned()))
    } else if let Some(inside) = input.strip_prefix('\'') {
        let hint = "close it after the selector, as in ARGS:'a b'";
        let unclosed = || Failure::fatal_with_hint(input, Code::UnclosedQuote, "this ' is never closed", hint);
        let end = closing(inside, '\'', |_| true).ok_or_else(unclosed)?;
        let (text, rest) = inside.split_at(end);
        let plain = text.replace("\\'", "'");
        let selector = match plain.strip_prefix('/').and_then(|pattern| pattern.strip_suffix('/')) {
            Some(pattern) => SelectorExpression::Pattern { source: pattern.to_owned(), quoted: true },
            None => SelectorExpression::Key(plain),
        };
        (rest.get(1..).unwrap_or_default(), text, selector)
    } else if let Some((text, rest)) = slashed(input) {
        (rest, text, SelectorExpression::Pattern { source: text.to_owned(), quoted: false })
    } else if input.starts_with('/') {
        let (text, rest) = input.split_at(key_end(input));
        (rest, text, SelectorExpression::OpenPattern(text.to_owned()))
    } else {
        let (key, rest) = input.split_at(key_end(input));
        (rest, key, SelectorExpression::Key(key.to_owned()))
    };
    if text.is_empty() {
        let hint = "write a key such as ARGS:id or a pattern such as ARGS:/^id/, or remove the colon";
        return Err(Failure::fatal_with_hint(input, Code::Syntax, "expected a selector after the colon", hint));
    }
    Ok((rest, Spanned::new(selector, line.span(text))))
}

/// Where a key without quotes ends.
fn key_end(input: &str) -> usize {
    input.find(['|', ',']).unwrap_or(input.len())
}

/// `/pattern/` up to a slash that ends the target.
fn slashed(input: &str) -> Option<(&str, &str)> {
    let inside = input.strip_prefix('/')?;
    let end = closing(inside, '/', |after| after.is_empty() || after.starts_with(['|', ',']))?;
    let (pattern, rest) = inside.split_at(end);
    Some((pattern, rest.get(1..)?))
}

/// Where the mark stands that closes a selector: not escaped, and followed by what `fits`.
fn closing(text: &str, mark: char, fits: impl Fn(&str) -> bool) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c == mark && text.get(at + 1..).is_some_and(&fits) {
            return Some(at);
        }
        escaped = !escaped && c == '\\';
    }
    None
}

/// Where an XPath ends: at a separator outside of brackets and quotes.
fn xpath_end(path: &str) -> usize {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, c) in path.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, '|' | ',') if depth == 0 => return at,
            _ => {}
        }
    }
    path.len()
}
