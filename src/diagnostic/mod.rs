//! Takes a code, a span and a hint, gives an error or warning as text with a caret and as JSON; imports `source`.

mod code;

pub use code::Code;

use crate::source::{Sources, Span};
use serde::Serialize;
use std::fmt::Write as _;

/// Maximum number of errors of a load; it stops there.
pub const MAX_ERRORS: usize = 1000;

/// Maximum length of a message or hint, in characters: a message may quote a rule file, whose words may have any length.
const LONGEST_MESSAGE: usize = 2000;

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No rules are loaded.
    Error,
    /// The rules are loaded; this part has no effect, or not the effect that it seems to have.
    Warning,
}

/// An error or warning about a place in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of problem; stable across versions.
    pub code: Code,
    /// The place.
    pub span: Span,
    /// One sentence without a full stop.
    pub message: String,
    /// A remedy.
    pub hint: Option<String>,
}

/// A diagnostic with its place resolved, for programs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LocatedDiagnostic<'a> {
    /// Error or warning.
    pub severity: Severity,
    /// The code, such as `E401`.
    pub code: &'static str,
    /// One sentence.
    pub message: &'a str,
    /// The file's path, or the name of the text.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// A remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
}

impl Diagnostic {
    /// Makes a diagnostic without a hint.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: shortened(message.into()), hint: None }
    }

    /// Returns the diagnostic with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shortened(hint.into()));
        self
    }

    /// Returns the diagnostic with a hint, if there is one.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(shortened);
        self
    }

    /// Returns the severity.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Returns the diagnostic with file, line and column, for JSON.
    pub fn located<'a>(&'a self, sources: &Sources) -> LocatedDiagnostic<'a> {
        let (file, position) = sources.locate(self.span);
        LocatedDiagnostic {
            severity: self.severity(),
            code: self.code.as_str(),
            message: &self.message,
            file: file.to_string(),
            line: position.line,
            column: position.column,
            hint: self.hint.as_deref(),
        }
    }

    /// Returns the text for people: message, place, line with a caret under the place, hint.
    pub fn render(&self, sources: &Sources) -> String {
        let (file, position) = sources.locate(self.span);
        let kind = match self.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut text = format!("{kind}[{}]: {}\n", self.code.as_str(), self.message);
        let number = position.line.to_string();
        let margin = " ".repeat(number.len());
        let _ = writeln!(text, "{margin}--> {file}:{position}");
        // The text of a file that cannot be read is empty.
        let text_of = sources.find(self.span.source).filter(|source| !source.text().is_empty());
        let line = text_of.and_then(|source| source.line(position.line));
        if let Some((range, line)) = line {
            let marked = self.span.end.min(range.end).saturating_sub(self.span.start);
            let under = line.get(self.span.start.saturating_sub(range.start)..).and_then(|rest| rest.get(..marked));
            let excerpt = Excerpt::of(line, position.column, under.map_or(1, |under| under.chars().count().max(1)));
            let _ = writeln!(text, "{margin} |");
            let _ = writeln!(text, "{number} | {}", excerpt.text);
            let _ = writeln!(text, "{margin} | {}{}", " ".repeat(excerpt.column), "^".repeat(excerpt.length));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "{margin} = help: {hint}");
        }
        text
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_MESSAGE) {
        text.truncate(end);
        text.push_str(" …");
    }
    text
}

/// The part of a line that fits on a screen and contains the marked part.
struct Excerpt {
    text: String,
    column: usize,
    length: usize,
}

impl Excerpt {
    /// Maximum length of a line that is shown in full, in characters: patterns of the CRS have up to 12,000.
    const WIDTH: usize = 160;

    fn of(line: &str, column: usize, length: usize) -> Self {
        let column = column.saturating_sub(1);
        let skipped = if line.chars().count() > Self::WIDTH { column.saturating_sub(Self::WIDTH / 2) } else { 0 };
        let shown: String = line.chars().skip(skipped).take(Self::WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (before, lead) = if skipped > 0 { ("… ", 2) } else { ("", 0) };
        let after = if line.chars().count() > skipped + Self::WIDTH { " …" } else { "" };
        let column = column - skipped;
        let length = length.min(shown.chars().count().saturating_sub(column)).max(1);
        Self { text: format!("{before}{shown}{after}"), column: column + lead, length }
    }
}

/// Returns a count with its noun: `1 error`, `3 errors`.
pub fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnose(text: &str, start: usize, end: usize) -> String {
        let mut sources = Sources::new();
        let source = sources.add_text("rules.conf", text).unwrap();
        let span = Span { source, start, end };
        Diagnostic::new(Code::UnknownOperator, span, "unknown operator `@contain`").hint("did you mean `@contains`?").render(&sources)
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        let shown = diagnose("SecRule ARGS \"@contain x\"", 14, 22);
        assert!(shown.contains("\n1 | SecRule ARGS \"@contain x\"\n  |               ^^^^^^^^\n"), "{shown}");
        assert!(shown.starts_with("error[E401]: unknown operator `@contain`\n --> rules.conf:1:15\n"), "{shown}");
        assert!(shown.ends_with(" = help: did you mean `@contains`?\n"), "{shown}");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_place() {
        let line = "x".repeat(5000);
        let shown = diagnose(&line, 3000, 3004);
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
        assert!(shown.contains("^^^^"));
    }

    #[test]
    fn a_span_over_several_lines_marks_the_first() {
        let shown = diagnose("ab\ncd", 1, 5);
        assert!(shown.contains("1 | ab\n  |  ^\n"), "{shown}");
    }
}
