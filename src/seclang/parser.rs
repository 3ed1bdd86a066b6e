//! Parses texts: lines, comments, directives and their arguments.

use super::actions::actions;
use super::ast::{Actions, Argument, Ast, Body, Directive, Item};
use super::lexer::{Failure, Parsed, Quote, RawArgument, raw_argument, unescape};
use super::line::{LogicalLine, PhysicalLine, continued, physical_lines};
use super::operator::operator;
use super::remedies;
use super::targets::targets;
use crate::diagnostic::{Code, Diagnostic, MAX_ERRORS};
use crate::source::{Source, SourceId, Span, Spanned};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while, take_while1};
use nom::character::complete::space0;
use nom::sequence::preceded;

/// Parses one text. The tree has every valid directive; each invalid one gives a diagnostic, up to [`MAX_ERRORS`].
pub fn parse(source: SourceId, text: &Source) -> (Ast, Vec<Diagnostic>) {
    let mut ast = Ast { source, items: Vec::new() };
    let mut diagnostics = Vec::new();
    let mut lines = physical_lines(text.text()).peekable();
    while let (true, Some(first)) = (diagnostics.len() < MAX_ERRORS, lines.next()) {
        let content = first.text.trim_start_matches([' ', '\t', '\u{feff}']);
        if content.trim().is_empty() {
            if !matches!(ast.items.last(), None | Some(Item::Blank)) {
                ast.items.push(Item::Blank);
            }
            continue;
        }
        let mut joined = vec![PhysicalLine { start: first.start + (first.text.len() - content.len()), text: content, ..first }];
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

/// Returns `true` if a comment contains a directive, so that a `\` continues it as it would the directive.
///
/// ModSecurity v3 does the same: otherwise the rest of a rule that is commented out would be parsed as rules.
fn comments_out_a_directive(comment: &str) -> bool {
    let begin: Parsed<'_, &str> = preceded(take_while(|c| matches!(c, '#' | ' ' | '\t')), tag_no_case("sec")).parse(comment);
    begin.is_ok()
}

fn comment(source: SourceId, lines: &[PhysicalLine<'_>]) -> Spanned<String> {
    let text: Vec<&str> = lines.iter().map(|line| line.text).collect();
    let start = lines.first().map_or(0, |line| line.start);
    let end = lines.last().map_or(0, |line| line.start + line.text.len());
    Spanned::new(text.join("\n"), Span { source, start, end })
}

/// Parses one directive; `ends_text` is `true` if no line follows it.
fn directive(line: &LogicalLine, ends_text: bool) -> Result<(Directive, Option<Diagnostic>), nom::Err<Failure<'_>>> {
    let (rest, name) = word(line.text())?;
    let spanned = Spanned::new(name.to_owned(), line.span(name));
    let mut arguments = Arguments { line, ends_text, rest, end: spanned.span, last_quote: None, behind_quote: None, warning: None };
    let body = body(name, &mut arguments).map_err(|error| remedies::missing_quote(error, arguments.behind_quote))?;
    Ok((Directive { span: spanned.span.to(arguments.end), name: spanned, body }, arguments.warning))
}

fn body<'a>(name: &str, arguments: &mut Arguments<'a>) -> Result<Body, nom::Err<Failure<'a>>> {
    let line = arguments.line;
    let body = match name.to_ascii_lowercase().as_str() {
        "secrule" => {
            let targets = targets(line, arguments.required(name, "targets, such as ARGS")?)?;
            let asked = arguments.required(name, "an operator, such as \"@rx ^a\"")?;
            remedies::blank_before_bar(asked)?;
            Body::Rule { targets, operator: operator(line, asked)?, actions: arguments.actions()? }
        }
        "secaction" | "secdefaultaction" => Body::Actions(arguments.required_actions(name)?),
        "secrulescript" => {
            Body::Script { file: argument(line, arguments.required(name, "a script's path")?), actions: arguments.actions()? }
        }
        "secruleupdatetargetbyid" | "secruleupdatetargetbytag" | "secruleupdatetargetbymsg" => {
            let rules = argument(line, arguments.required(name, "the rules to update")?);
            let changed = arguments.required(name, "targets, such as \"!ARGS:x\"")?;
            remedies::several_ids(changed)?;
            Body::UpdateTargets { rules, targets: targets(line, changed)? }
        }
        "secruleupdateactionbyid" => {
            let rule = argument(line, arguments.required(name, "the rule to update")?);
            Body::UpdateActions { rule, actions: arguments.required_actions(name)? }
        }
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
    Ok(body)
}

fn word(text: &str) -> Parsed<'_, &str> {
    alt((take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_'), remedies::directive_expected)).parse(text)
}

/// The arguments of one directive, parsed one by one.
struct Arguments<'a> {
    line: &'a LogicalLine,
    ends_text: bool,
    rest: &'a str,
    end: Span,
    /// Quotes of the last argument.
    last_quote: Option<Quote>,
    /// The last argument, if it begins directly after the closing quote of another.
    behind_quote: Option<&'a str>,
    warning: Option<Diagnostic>,
}

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Result<Option<RawArgument<'a>>, nom::Err<Failure<'a>>> {
        let Some(text) = self.begin()? else { return Ok(None) };
        let parsed = match raw_argument(text) {
            Err(nom::Err::Failure(failure)) if self.ends_text && failure.code == Code::UnclosedQuote => {
                self.closed_by_the_end(text, failure, "text")
            }
            parsed => parsed?,
        };
        Ok(Some(self.take(parsed)))
    }

    /// Returns the text from the next argument on; `None` at the end of the line and at a comment.
    fn begin(&mut self) -> Result<Option<&'a str>, nom::Err<Failure<'a>>> {
        let (text, _) = space0::<_, Failure<'_>>(self.rest)?;
        if text.starts_with('#') && self.line.is_continued_in(text) {
            return Err(remedies::comment_within_directive(text));
        }
        if let Some(mark) = text.chars().next().filter(|mark| remedies::is_typographic(*mark)) {
            return Err(remedies::typographic_quote(text, mark));
        }
        Ok(Some(text).filter(|text| !text.is_empty() && !text.starts_with('#')))
    }

    fn take(&mut self, (rest, (content, quote)): (&'a str, RawArgument<'a>)) -> RawArgument<'a> {
        let touches = self.last_quote == Some(Quote::Double) && !self.rest.starts_with([' ', '\t']);
        self.behind_quote = Some(content).filter(|_| touches && quote == Quote::None);
        self.last_quote = Some(quote);
        self.rest = rest;
        self.end = self.line.span(content);
        (content, quote)
    }

    /// Parses a list of actions. As in ModSecurity v3, its closing quote may be missing; the end of its line closes it, with a warning.
    fn actions(&mut self) -> Result<Option<Actions>, nom::Err<Failure<'a>>> {
        let Some(text) = self.begin()? else { return Ok(None) };
        let mut cut_off = false;
        let parsed = match raw_argument(text) {
            Err(nom::Err::Failure(failure)) if failure.code == Code::UnclosedQuote && (self.ends_text || text.starts_with('"')) => {
                // After a comma the list was to continue: the next line is a part of it.
                if text.trim_end().ends_with(',') {
                    return Err(nom::Err::Failure(failure));
                }
                cut_off = !self.ends_text;
                self.closed_by_the_end(text, failure, if self.ends_text { "text" } else { "line" })
            }
            parsed => parsed?,
        };
        let (content, _) = self.take(parsed);
        let list = actions(self.line, content)?;
        match list.list.last().and_then(|last| last.value.as_ref()).filter(|value| cut_off && value.unclosed) {
            // It is unknown where the text was to end, and what belongs to it.
            Some(_) => Err(remedies::unclosed_text(content)),
            None => Ok(Some(list)),
        }
    }

    fn required_actions(&mut self, directive: &str) -> Result<Actions, nom::Err<Failure<'a>>> {
        let at = self.rest;
        self.actions()?.ok_or_else(|| Failure::fatal(at, Code::MissingArgument, format!("`{directive}` needs a list of actions")))
    }

    /// Closes a quote at the end of its line or text, with a warning.
    fn closed_by_the_end(&mut self, text: &'a str, failure: Failure<'a>, what: &str) -> (&'a str, RawArgument<'a>) {
        let code = Code::QuoteClosedByEnd;
        let message = format!("{}; the end of the {what} closes it", failure.message).into();
        self.warning = Some(self.line.diagnose(&Failure { code, message, ..failure }));
        let quote = if text.starts_with('"') { Quote::Double } else { Quote::Single };
        let (content, rest) = text.split_at(text.len());
        (rest, (content.get(1..).unwrap_or_default(), quote))
    }

    fn required(&mut self, directive: &str, what: &str) -> Result<RawArgument<'a>, nom::Err<Failure<'a>>> {
        let at = self.rest;
        let missing = || Failure::fatal(at, Code::MissingArgument, format!("`{directive}` needs {what}"));
        self.next()?.ok_or_else(missing)
    }
}

fn argument(line: &LogicalLine, (text, quote): RawArgument<'_>) -> Argument {
    Argument { text: unescape(text, quote).into_owned(), quoted: quote != Quote::None, span: line.span(text) }
}
