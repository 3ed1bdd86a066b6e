//! Errors of rules in ModSecurity v3's words, for which administrators and tools search server logs; this engine's words follow.

use super::loads::UNNAMED;
use secrule::LoadError;
use secrule::internals::diagnostic::{Code, Diagnostic};
use secrule::internals::source::{Position, Source, Sources};
use std::path::Path;

/// Returns the text for the host: the first error in v3's words, and every error in this engine's words.
pub fn text(error: &LoadError) -> String {
    let sources = error.sources();
    let first = error.errors().min_by_key(|diagnostic| sources.way_to(diagnostic.span));
    let mut text = first.map(|first| as_v3(first, sources)).unwrap_or_default();
    for diagnostic in error.errors() {
        text.push('\n');
        text.push_str(&in_one_line(diagnostic, sources));
    }
    text
}

/// Returns an error or warning in this engine's words, in one line. Rules that come as a string are called inline rules.
pub fn in_one_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let located = diagnostic.located(sources);
    let place = match located.file.as_str() {
        UNNAMED => format!("inline rules, line {}, column {}", located.line, located.column),
        file => format!("{file}:{}:{}", located.line, located.column),
    };
    let hint = located.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{place}: {} {}{hint}", located.code, located.message).replace(UNNAMED, "inline rules")
}

/// A place in the rules, and the text there.
struct Place<'a> {
    /// The file's name.
    file: &'a str,
    source: &'a Source,
    position: Position,
    /// The whole line.
    line: &'a str,
    /// The line from the place on.
    rest: &'a str,
    /// The marked text.
    marked: &'a str,
}

fn as_v3(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let Some(place) = Place::of(diagnostic, sources) else { return diagnostic.message.clone() };
    let file = place.file;
    match diagnostic.code {
        Code::Unreadable if place.line.is_empty() => format!("Failed to open the file: {file}\n"),
        Code::Unreadable => place.unreadable(),
        Code::Unfetched if place.line.is_empty() => format!("Failed to download: \"{file}\"\n"),
        Code::Unfetched => rules_error(file, place.statement_start(), &format!("Failed to download: \"{}\"", place.marked)),
        Code::IncludeNothing => {
            let message = format!("{}: Not able to open file. {}.", place.marked, place.looked_at(place.marked));
            rules_error(file, Position { column: place.width(), ..place.position }, &message)
        }
        Code::BadDirectiveFile if place.is_about("SecUnicodeMapFile") => place.unicode_map(place.marked),
        Code::BadScript => place.script(diagnostic),
        Code::SurplusArgument if place.unquoted_unicode_map().is_some() => {
            place.unicode_map(place.unquoted_unicode_map().unwrap_or_default())
        }
        Code::SurplusArgument if place.is_rule() => place.expecting_action(place.actions_before()),
        Code::UnknownDirective | Code::BadDirectiveValue | Code::MissingArgument | Code::SurplusArgument => {
            rules_error(file, place.after_line(), &format!("Invalid input:  {}", place.line.trim_end()))
        }
        Code::UnsupportedDirective => place.unsupported_directive(),
        Code::UnknownVariable => rules_error(file, place.after_line(), &format!("Expecting a variable, got:  :  {}", place.rest)),
        Code::UnsupportedVariable => {
            let message = format!("Variable VARIABLE_{} is not supported by libModSecurity", place.marked.to_ascii_uppercase());
            let column = place.position.column.saturating_sub(1) + place.marked.chars().count();
            rules_error(file, Position { column, ..place.position }, &message)
        }
        Code::UnknownAction | Code::UnknownTransformation | Code::UnsupportedAction | Code::BadActionValue => place.action(diagnostic),
        // The value of an action is read together with its name.
        Code::Syntax | Code::UnclosedQuote if place.before().ends_with(':') => place.expecting_action(place.action_text()),
        Code::Syntax | Code::UnclosedQuote => place.expecting_action(place.rest),
        Code::MisplacedAction if place.is_default() => {
            let name = place.marked.split(':').next().unwrap_or_default();
            let message = format!("The action '{name}' is not suitable to be part of the SecDefaultActions ");
            rules_error(file, place.statement_start(), &message)
        }
        Code::DefaultNotDisruptive => match place.rest.to_ascii_lowercase().contains("t:none") {
            true => {
                let message = "The transformation none is not suitable to be part of the SecDefaultActions ";
                rules_error(file, place.statement_start(), message)
            }
            false => rules_error(file, place.statement_start(), "SecDefaultAction must specify a disruptive action. "),
        },
        Code::DefaultTwice => {
            let phase = diagnostic.message.split(' ').nth(1).unwrap_or("2");
            let message = format!(
                "SecDefaultActions can only be placed once per phase and configuration context. Phase {phase} was informed already. "
            );
            rules_error(file, place.statement_start(), &message)
        }
        Code::NotText => {
            let column = place.position.column.saturating_sub(1);
            rules_error(file, Position { column, ..place.position }, "The rules are not UTF-8 text.")
        }
        Code::MissingId => format!("Rules must have an ID. File: {file} at line: {}\n", place.position.line),
        Code::DuplicateId => format!("Rule id: {} is duplicated\n", place.marked.trim_start_matches("id:").trim_matches('\'')),
        _ => rules_error(file, place.after_line(), &diagnostic.message),
    }
}

fn rules_error(file: &str, position: Position, message: &str) -> String {
    format!("Rules error. File: {file}. Line: {}. Column: {}. {message}", position.line, position.column)
}

impl<'a> Place<'a> {
    fn of(diagnostic: &Diagnostic, sources: &'a Sources) -> Option<Self> {
        let span = diagnostic.span;
        let source = sources.find(span.source)?;
        let position = source.position(span.start);
        let (range, line) = source.line(position.line)?;
        let rest = line.get(span.start.saturating_sub(range.start)..).unwrap_or_default();
        let marked = source.text().get(span.start..span.end).unwrap_or_default();
        Some(Self { file: source.name(), source, position, line, rest, marked })
    }

    fn width(&self) -> usize {
        self.line.chars().count()
    }

    /// Returns the line up to the place.
    fn before(&self) -> &'a str {
        self.line.get(..self.line.len().saturating_sub(self.rest.len())).unwrap_or_default()
    }

    /// Returns v3's position after it has read a line that it cannot parse.
    fn after_line(&self) -> Position {
        Position { column: self.width() + 1, ..self.position }
    }

    /// Returns v3's position within a list of actions: an argument without an operator name counts as longer than it is.
    fn after_actions(&self) -> Position {
        let names_operator = ["\"@", "\"!@", " @", " !@"].iter().any(|sign| self.line.contains(sign));
        Position { column: self.width() + 1 + usize::from(self.is_rule() && !names_operator), ..self.position }
    }

    /// Returns v3's start of a statement: the end of the one before, without its closing quote.
    fn statement_start(&self) -> Position {
        let before = (1..self.position.line).rev().filter_map(|line| Some((line, self.source.line(line)?.1.trim_end())));
        let mut previous = before.map(|(line, text)| (line, text.strip_suffix('"').unwrap_or(text).chars().count()));
        previous.find(|(_, width)| *width > 0).map_or(Position { line: 1, column: 0 }, |(line, column)| Position { line, column })
    }

    /// Returns v3's start of the argument after a marked place: the end of the word before.
    fn before_argument(&self) -> Position {
        let before = self.before();
        let argument = before.rfind(['"', ' ']).unwrap_or(0);
        let opening = before.get(..argument).and_then(|before| before.rfind('"').or(before.rfind(' '))).unwrap_or(argument);
        let column = self.line.get(..opening).map_or(0, |before| before.trim_end().chars().count());
        Position { column, ..self.position }
    }

    fn is_rule(&self) -> bool {
        self.line.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("SecRule"))
    }

    /// Returns the line from a rule's actions on, if something follows them.
    fn actions_before(&self) -> &'a str {
        let before = self.before();
        let actions = before.strip_suffix('"').unwrap_or(before).trim_end();
        let begin = match actions.strip_suffix('"') {
            Some(quoted) => quoted.rfind('"'),
            None => actions.rfind(' ').map(|at| at + 1),
        };
        begin.and_then(|at| self.line.get(at..)).unwrap_or(self.rest)
    }

    fn is_default(&self) -> bool {
        self.line.trim_start().get(..16).is_some_and(|word| word.eq_ignore_ascii_case("SecDefaultAction"))
    }

    /// Returns the paths that v3 tries.
    fn looked_at(&self, name: &str) -> String {
        let folder = match self.source.is_file() {
            true => Path::new(self.file).parent().map(|folder| folder.display().to_string()).unwrap_or_default(),
            false => self.file.to_owned(),
        };
        format!("Looking at: '{name}', '{name}', '{folder}/{name}', '{folder}/{name}'")
    }

    fn unreadable(&self) -> String {
        let name = self.marked.trim_matches(['\'', '"']);
        let operator = self.before().rsplit('@').next().unwrap_or_default().trim().to_ascii_lowercase();
        let looked = self.looked_at(name);
        let message = match operator.as_str() {
            "ipmatchfromfile" | "ipmatchf" => format!("{looked}. "),
            "validatedtd" | "validateschema" => format!("XML: File not found: {name}. {looked}. "),
            _ => format!("Failed to open file: {name}. {looked}. "),
        };
        rules_error(self.file, self.before_argument(), &message)
    }

    /// Returns the path of a unicode map that contains blanks without quotes: v3 reads everything up to the number.
    fn unquoted_unicode_map(&self) -> Option<&'a str> {
        let (name, arguments) = self.line.trim().split_once(' ')?;
        let (path, code_page) = arguments.trim().rsplit_once(' ')?;
        let meant = name.eq_ignore_ascii_case("SecUnicodeMapFile") && code_page.bytes().all(|byte| byte.is_ascii_digit());
        meant.then_some(path)
    }

    fn unicode_map(&self, path: &str) -> String {
        let message = format!("Failed to locate the unicode map file from: {path} {}. ", self.looked_at(path));
        rules_error(self.file, self.statement_start(), &message)
    }

    fn unsupported_directive(&self) -> String {
        rules_error(self.file, self.statement_start(), &format!("{} is not yet supported. ", self.line.trim()))
    }

    fn script(&self, diagnostic: &Diagnostic) -> String {
        let message = format!("Failed to load script: Failed to compile script '{}: {}. ", self.marked, diagnostic.message);
        rules_error(self.file, self.statement_start(), &message)
    }

    /// Returns `true` if the line is one of this directive.
    fn is_about(&self, directive: &str) -> bool {
        self.line.split_ascii_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case(directive))
    }

    fn expecting_action(&self, rest: &str) -> String {
        rules_error(self.file, self.after_actions(), &format!("Expecting an action, got:  {rest}"))
    }

    /// Returns the line from the name of the marked action on.
    fn action_text(&self) -> &'a str {
        let begin = self.before().rfind([',', '"', ' ']).map_or(0, |at| at + 1);
        self.line.get(begin..).unwrap_or(self.rest)
    }

    /// Returns v3's message for an action: from its name on if v3 cannot parse it, otherwise about its value.
    fn action(&self, diagnostic: &Diagnostic) -> String {
        let text = self.action_text();
        let (name, value) = text.split([',', '"']).next().unwrap_or_default().split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        let at_actions = |message: &str| {
            let position = Position { column: self.actions_column(), ..self.position };
            rules_error(self.file, position, message)
        };
        let behind_digits = value.trim_start_matches(|c: char| c.is_ascii_digit());
        match (diagnostic.code, name.to_ascii_lowercase().as_str()) {
            (Code::BadActionValue, "id") if !value.is_empty() && behind_digits.is_empty() => {
                at_actions(&format!("The input \"{value}\" does not seems to be a valid rule id. "))
            }
            (Code::BadActionValue, "id") if behind_digits.len() < value.len() => {
                let junk = text.find(behind_digits).and_then(|at| text.get(at..)).unwrap_or(text);
                self.expecting_action(junk)
            }
            (Code::BadActionValue, "phase") => at_actions(&format!("Unknown phase: {value} ")),
            (Code::BadActionValue, "xmlns") => at_actions(&namespace(self.marked)),
            (_, "exec") => at_actions(&format!("exec: Expecting a Lua script: {value} ")),
            _ => self.expecting_action(text),
        }
    }

    /// Returns v3's start of a rule's actions: the end of the operator, before its closing quote.
    fn actions_column(&self) -> usize {
        let start = self.before().len();
        let quotes: Vec<usize> = self.line.match_indices('"').map(|(at, _)| at).filter(|at| *at < start).collect();
        match quotes.as_slice() {
            [.., closing, _] => self.line.get(..*closing).map_or(0, |before| before.chars().count()),
            [opening] => self.line.get(..*opening).map_or(0, |before| before.trim_end().chars().count() + 1),
            [] => self.width(),
        }
    }
}

fn namespace(value: &str) -> String {
    match value.trim_matches('\'').split_once('=') {
        None => String::from("XMLS: Bad format, missing equals sign. "),
        Some((name, address)) if name.is_empty() || address.is_empty() => {
            String::from("XMLS: XMLNS is invalid. Expecting a name=value format. ")
        }
        Some((_, address)) => format!("XMLS: Missing xmlns href for prefix: `{}'. ", address.trim_matches('\'')),
    }
}

#[cfg(test)]
mod tests;
