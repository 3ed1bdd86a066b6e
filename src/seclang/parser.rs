//! Texts into trees: lines, comments, directives and their arguments.

use super::actions::actions;
use super::ast::{Argument, Ast, Body, Directive, Item};
use super::line::{Failure, LogicalLine, Parsed, PhysicalLine, continued, physical_lines};
use super::operator::operator;
use super::targets::targets;
use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use crate::source::{Source, SourceId, Span, Spanned};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, space0};
use nom::combinator::recognize;
use nom::sequence::preceded;

/// Parses one text. The tree holds every directive that could be read; each one that could not is a diagnostic, up to [`MOST_ERRORS`].
pub fn parse(source: SourceId, text: &Source) -> (Ast, Vec<Diagnostic>) {
    let mut ast = Ast { source, items: Vec::new() };
    let mut diagnostics = Vec::new();
    let mut lines = physical_lines(text.text()).peekable();
    while let (true, Some(first)) = (diagnostics.len() < MOST_ERRORS, lines.next()) {
        let content = first.text.trim_start_matches([' ', '\t', '\u{feff}']);
        if content.trim().is_empty() {
            if !matches!(ast.items.last(), None | Some(Item::Blank)) {
                ast.items.push(Item::Blank);
            }
            continue;
        }
        let mut joined = vec![PhysicalLine { start: first.start + (first.text.len() - content.len()), text: content }];
        let joins = !content.starts_with('#') || comments_out_a_directive(content);
        while joins && joined.last().is_some_and(|line| continued(line.text).is_some()) {
            let Some(next) = lines.next() else { break };
            joined.push(next);
        }
        if content.starts_with('#') {
            ast.items.push(Item::Comment(comment(source, &joined)));
            continue;
        }
        let line = LogicalLine::join(source, &joined);
        match directive(&line, lines.peek().is_none()) {
            Ok((directive, warning)) => {
                ast.items.push(Item::Directive(Box::new(directive)));
                diagnostics.extend(warning);
            }
            Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => diagnostics.push(line.diagnose(&failure)),
            Err(nom::Err::Incomplete(_)) => {}
        }
    }
    (ast, diagnostics)
}

/// Whether a comment holds a directive, so that it goes on behind a `\` as the directive would.
///
/// ModSecurity v3 does the same: otherwise the tail of a rule that somebody commented out would be read as rules.
fn comments_out_a_directive(comment: &str) -> bool {
    let content = comment.trim_start_matches(['#', ' ', '\t']);
    content.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("sec"))
}

fn comment(source: SourceId, lines: &[PhysicalLine<'_>]) -> Spanned<String> {
    let text: Vec<&str> = lines.iter().map(|line| line.text).collect();
    let start = lines.first().map_or(0, |line| line.start);
    let end = lines.last().map_or(0, |line| line.start + line.text.len());
    Spanned::new(text.join("\n"), Span { source, start, end })
}

/// Reads one directive; `ends_text` says that no line follows it.
fn directive(line: &LogicalLine, ends_text: bool) -> Result<(Directive, Option<Diagnostic>), nom::Err<Failure<'_>>> {
    let (rest, name) = word(line.text())?;
    let spanned = Spanned::new(name.to_owned(), line.span(name));
    let mut arguments = Arguments { line, ends_text, rest, end: spanned.span, warning: None };
    let body = match name.to_ascii_lowercase().as_str() {
        "secrule" => Body::Rule {
            targets: targets(line, arguments.required(name, "its targets, such as ARGS")?)?,
            operator: operator(line, arguments.required(name, "an operator, such as \"@rx ^a\"")?)?,
            actions: arguments.next()?.map(|(text, _)| actions(line, text)).transpose()?,
        },
        "secaction" | "secdefaultaction" => Body::Actions(actions(line, arguments.required(name, "a list of actions")?.0)?),
        "secrulescript" => Body::Script {
            file: argument(line, arguments.required(name, "a script's path")?),
            actions: arguments.next()?.map(|(text, _)| actions(line, text)).transpose()?,
        },
        "secruleupdatetargetbyid" | "secruleupdatetargetbytag" | "secruleupdatetargetbymsg" => Body::UpdateTargets {
            rules: argument(line, arguments.required(name, "the rules to update")?),
            targets: targets(line, arguments.required(name, "targets, such as \"!ARGS:x\"")?)?,
        },
        "secruleupdateactionbyid" => Body::UpdateActions {
            rule: argument(line, arguments.required(name, "the rule to update")?),
            actions: actions(line, arguments.required(name, "a list of actions")?.0)?,
        },
        _ => {
            let mut list = Vec::new();
            while let Some(next) = arguments.next()? {
                list.push(argument(line, next));
            }
            Body::Arguments(list)
        }
    };
    if let Some((surplus, _)) = arguments.next()? {
        let message = format!("`{name}` takes no further argument");
        let hint = "put an argument that holds blanks in double quotes, and write \" inside them as \\\"";
        return Err(Failure::fatal_with_hint(surplus, Code::SurplusArgument, message, hint));
    }
    Ok((Directive { span: spanned.span.to(arguments.end), name: spanned, body }, arguments.warning))
}

fn word(text: &str) -> Parsed<'_, &str> {
    let mut name = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    match name.parse(text) {
        Err(nom::Err::Error(Failure { at, .. })) => Err(Failure::fatal_with_hint(
            at,
            Code::Syntax,
            "a directive was expected",
            match text.starts_with('<') {
                true => "sections such as <IfModule> are the web server's: take them away",
                false => "a line begins with a directive such as SecRule, or with # for a comment; a line that goes on ends with \\",
            },
        )),
        result => result,
    }
}

/// How an argument was quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    None,
    Single,
    Double,
}

impl Quote {
    /// The text as it stands in these quotes.
    pub fn around(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Single => format!("'{text}'"),
            Self::Double => format!("\"{text}\""),
        }
    }
}

/// An argument as it stands in the line: the text inside its quotes, escapes still in it.
pub type RawArgument<'a> = (&'a str, Quote);

/// The arguments of one directive, taken one after the other.
struct Arguments<'a> {
    line: &'a LogicalLine,
    ends_text: bool,
    rest: &'a str,
    end: Span,
    warning: Option<Diagnostic>,
}

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Result<Option<RawArgument<'a>>, nom::Err<Failure<'a>>> {
        let (text, _) = space0::<_, Failure<'_>>(self.rest)?;
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let parsed = raw_argument(text);
        let (rest, (content, quote)) = match parsed {
            Err(nom::Err::Failure(failure)) if self.ends_text && failure.code == Code::UnclosedQuote => {
                self.closed_by_the_end(text, failure)
            }
            parsed => parsed?,
        };
        self.rest = rest;
        self.end = self.line.span(content);
        Ok(Some((content, quote)))
    }

    /// The last quote of a text may lack its end, as in ModSecurity v3; that is worth a warning.
    fn closed_by_the_end(&mut self, text: &'a str, failure: Failure<'a>) -> (&'a str, RawArgument<'a>) {
        let code = Code::QuoteClosedByEnd;
        self.warning =
            Some(self.line.diagnose(&Failure { code, message: format!("{}; the end of the text closes it", failure.message), ..failure }));
        let quote = if text.starts_with('"') { Quote::Double } else { Quote::Single };
        let (content, rest) = text.split_at(text.len());
        (rest, (content.get(1..).unwrap_or_default(), quote))
    }

    fn required(&mut self, directive: &str, what: &str) -> Result<RawArgument<'a>, nom::Err<Failure<'a>>> {
        let at = self.rest;
        let missing = || Failure::fatal(at, Code::MissingArgument, format!("`{directive}` lacks {what}"));
        self.next()?.ok_or_else(missing)
    }
}

fn raw_argument(text: &str) -> Parsed<'_, RawArgument<'_>> {
    alt((|input| quoted('"', Quote::Double, input), whole_single_quoted, bare)).parse(text)
}

/// An argument that a text holds, and nothing besides but what stands behind it.
pub fn whole_argument<'a>(text: &'a str, behind: &str) -> Option<RawArgument<'a>> {
    if text.is_empty() || text.starts_with([' ', '\t', '#']) {
        return None;
    }
    raw_argument(text).ok().filter(|(rest, _)| *rest == behind).map(|(_, argument)| argument)
}

/// `"…"` with `\"` inside; `\\` is a pair, so that a pattern may end with an escaped backslash.
pub fn quoted(mark: char, quote: Quote, input: &str) -> Parsed<'_, RawArgument<'_>> {
    let (content, _) = char(mark)(input)?;
    let mut escaped = false;
    for (at, c) in content.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == mark {
            let (inside, rest) = content.split_at(at);
            return Ok((rest.get(1..).unwrap_or_default(), (inside, quote)));
        }
    }
    Err(Failure::fatal_with_hint(
        input,
        Code::UnclosedQuote,
        format!("this {mark} is never closed"),
        "close it on the same line, or end the line with \\ to go on in the next",
    ))
}

/// `'…'` around a whole argument, as Apache allows; a quote that closes inside a word is part of the word.
fn whole_single_quoted(input: &str) -> Parsed<'_, RawArgument<'_>> {
    let (rest, found) = quoted('\'', Quote::Single, input)?;
    if rest.is_empty() || rest.starts_with([' ', '\t']) {
        return Ok((rest, found));
    }
    Err(nom::Err::Error(nom::error::ParseError::from_error_kind(input, nom::error::ErrorKind::Char)))
}

/// A word up to the next blank; single quotes hold blanks together, as in `ARGS:'/a b/'`, and where the word begins with them.
fn bare(input: &str) -> Parsed<'_, RawArgument<'_>> {
    let mut inside = false;
    let mut last = None;
    for (at, c) in input.char_indices() {
        match c {
            '\'' if inside => inside = last == Some('\\'),
            '\'' if matches!(last, None | Some(':' | '.')) => inside = true,
            ' ' | '\t' if !inside => {
                let (content, rest) = input.split_at(at);
                return Ok((rest, (content, Quote::None)));
            }
            _ => {}
        }
        last = Some(c);
    }
    let (content, rest) = input.split_at(input.len());
    Ok((rest, (content, Quote::None)))
}

fn argument(line: &LogicalLine, (text, quote): RawArgument<'_>) -> Argument {
    Argument { text: unescape(text, quote), quoted: quote != Quote::None, span: line.span(text) }
}

/// The text without the backslashes that stand before its own quotation marks.
pub fn unescape(text: &str, quote: Quote) -> String {
    match quote {
        Quote::None => text.to_owned(),
        Quote::Single => without_escapes(text, '\''),
        Quote::Double => without_escapes(text, '"'),
    }
}

fn without_escapes(text: &str, mark: char) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some(next)) if *next == mark => {}
            ('\\', Some('\\')) => {
                plain.push(c);
                plain.extend(characters.next());
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// A name of a variable, an operator or an action.
pub fn name(input: &str) -> Parsed<'_, &str> {
    recognize((
        take_while1(|c: char| c.is_ascii_alphabetic() || c == '_'),
        nom::bytes::complete::take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
    ))
    .parse(input)
}

/// A name behind a mark, such as `@rx`.
pub fn marked_name<'a>(mark: &'static str) -> impl Parser<&'a str, Output = &'a str, Error = Failure<'a>> {
    preceded(tag(mark), name)
}
