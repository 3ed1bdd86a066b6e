//! Target lists: `ARGS|!ARGS:token|&REQUEST_HEADERS:Host|XML:/*`.

use super::ast::{SelectorExpression, TargetExpression, TargetMode, Targets};
use super::lexer::{Failure, Parsed, Quote, RawArgument, name, within};
use super::line::{LogicalLine, PhysicalLine};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceId, Spanned};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{is_not, take_till};
use nom::character::complete::{anychar, char, one_of};
use nom::combinator::{eof, not, opt, peek, recognize};
use nom::multi::{many0_count, separated_list1};
use nom::sequence::{delimited, preceded, terminated};

/// Separators of targets.
const SEPARATORS: &str = "|,";

/// Parses a list of targets in a value, as in `SecSanitise ARGS:a|ARGS:b`; `start` is the offset of the text.
pub fn parse_targets(text: &str, source: SourceId, start: usize) -> Result<Targets, Diagnostic> {
    let line = LogicalLine::join(source, &[PhysicalLine { number: 1, start, text }]);
    match targets(&line, (line.text(), Quote::None)) {
        Ok(list) => Ok(list),
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => Err(line.diagnose(&failure)),
        Err(nom::Err::Incomplete(_)) => Err(Diagnostic::new(Code::Syntax, line.span(line.text()), "expected a target")),
    }
}

/// Parses a single target in a value, as in `ctl:ruleRemoveTargetById=1;ARGS:x`; `start` is the offset of the text.
pub fn parse_target(text: &str, source: SourceId, start: usize) -> Result<TargetExpression, Diagnostic> {
    let list = parse_targets(text, source, start)?;
    let span = list.span;
    let mut list = list.list.into_iter();
    match (list.next(), list.next()) {
        (Some(target), None) => Ok(target),
        _ => Err(Diagnostic::new(Code::Syntax, span, "expected exactly one target")),
    }
}

pub fn targets<'a>(line: &'a LogicalLine, (text, quote): RawArgument<'a>) -> Result<Targets, nom::Err<Failure<'a>>> {
    let list = separated_list1(one_of(SEPARATORS), |input| target(line, input));
    let (_, list) = terminated(list, alt((eof, separator_expected))).parse(text)?;
    Ok(Targets { list, written: quote.around(text), span: line.span(text) })
}

fn separator_expected(at: &str) -> Parsed<'_, &str> {
    let hint = "targets are joined by | without blanks; put a selector that holds blanks or | in single quotes: ARGS:'/a b/'";
    Err(Failure::fatal_with_hint(at, Code::Syntax, "expected a | between targets", hint))
}

fn variable_expected(at: &str) -> Parsed<'_, &str> {
    let hint = "write a variable such as ARGS or REQUEST_HEADERS:Host; more than one are joined by | without blanks";
    Err(Failure::fatal_with_hint(at, Code::Syntax, "expected a variable", hint))
}

fn target<'a>(line: &'a LogicalLine, input: &'a str) -> Parsed<'a, TargetExpression> {
    let mode = opt(one_of("&!")).map(|mark| match mark {
        Some('&') => TargetMode::Count,
        Some(_) => TargetMode::Exclude,
        None => TargetMode::Values,
    });
    let (behind, (mode, variable)) = (mode, alt((name, variable_expected))).parse(input)?;
    let selector = preceded(one_of(":."), |input| selector_expression(line, variable, input));
    let (behind, selector) = opt(selector).parse(behind)?;
    let whole = input.get(..input.len() - behind.len()).unwrap_or(input);
    let variable = Spanned::new(variable.to_owned(), line.span(variable));
    Ok((behind, TargetExpression { mode, variable, selector, span: line.span(whole) }))
}

/// Parses the selector after the colon of a target.
pub fn selector_expression<'a>(line: &'a LogicalLine, variable: &str, input: &'a str) -> Parsed<'a, Spanned<SelectorExpression>> {
    let (behind, (text, selector)) = if variable.eq_ignore_ascii_case("XML") {
        let (path, behind) = input.split_at(xpath_end(input));
        (behind, (path, SelectorExpression::XPath(path.to_owned())))
    } else {
        alt((quoted, slashed, open, key)).parse(input)?
    };
    if text.is_empty() {
        let hint = "write a key such as ARGS:id or a pattern such as ARGS:/^id/, or remove the colon";
        return Err(Failure::fatal_with_hint(input, Code::Syntax, "expected a selector after the colon", hint));
    }
    Ok((behind, Spanned::new(selector, line.span(text))))
}

/// The text of a selector without its marks, and the selector.
type Selected<'a> = (&'a str, SelectorExpression);

/// Parses `'key'` or `'/pattern/'`.
fn quoted(input: &str) -> Parsed<'_, Selected<'_>> {
    let hint = "close it after the selector, as in ARGS:'a b'";
    let unclosed = |_| -> Parsed<'_, &str> { Err(Failure::fatal_with_hint(input, Code::UnclosedQuote, "this ' is never closed", hint)) };
    let (behind, text) = preceded(peek(char('\'')), alt((within(b'\''), unclosed))).parse(input)?;
    let plain = text.replace("\\'", "'");
    let selector = match plain.strip_prefix('/').and_then(|pattern| pattern.strip_suffix('/')) {
        Some(pattern) => SelectorExpression::Pattern { source: pattern.to_owned(), quoted: true },
        None => SelectorExpression::Key(plain),
    };
    Ok((behind, (text, selector)))
}

/// Parses `/pattern/` up to a slash that ends the target.
fn slashed(input: &str) -> Parsed<'_, Selected<'_>> {
    let ends = || peek(alt((eof, recognize(one_of(SEPARATORS)))));
    let slash = terminated(char('/'), not(ends()));
    let inside = many0_count(alt((is_not("\\/"), recognize((char('\\'), anychar)), recognize(slash))));
    let pattern = delimited(char('/'), recognize(inside), (char('/'), ends()));
    pattern.map(|text: &str| (text, SelectorExpression::Pattern { source: text.to_owned(), quoted: false })).parse(input)
}

/// Parses `/pattern` that no slash ends.
fn open(input: &str) -> Parsed<'_, Selected<'_>> {
    preceded(peek(char('/')), unquoted_key).map(|text| (text, SelectorExpression::OpenPattern(text.to_owned()))).parse(input)
}

fn key(input: &str) -> Parsed<'_, Selected<'_>> {
    unquoted_key.map(|text| (text, SelectorExpression::Key(text.to_owned()))).parse(input)
}

fn unquoted_key(input: &str) -> Parsed<'_, &str> {
    take_till(|c| SEPARATORS.contains(c)).parse(input)
}

/// Returns the end of an XPath: a separator outside of brackets and quotes. Brackets are counted, because a recursive parser would recurse as deeply
/// as the text nests.
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
