//! Errors of a load.

use crate::diagnostic::{Code, Diagnostic, LocatedDiagnostic, MAX_ERRORS, Severity, counted};
use crate::source::{Sources, Span};
use std::fmt;

/// Error of a load: all errors, and the texts that they point into.
#[derive(Clone)]
pub struct LoadError {
    pub(super) sources: Sources,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl LoadError {
    /// Makes the error of a call that cannot be carried out; `argument` is shown as its text.
    pub(crate) fn of_call(call: &str, argument: &str, code: Code, message: String) -> Self {
        let mut sources = Sources::new();
        let diagnostics = match sources.add_text(call, argument) {
            Ok(source) => vec![Diagnostic::new(code, Span { source, start: 0, end: argument.len() }, message)],
            Err(_) => Vec::new(),
        };
        Self { sources, diagnostics }
    }

    /// Returns every error and warning with its place, ready to be shown or serialised.
    pub fn located(&self) -> impl Iterator<Item = LocatedDiagnostic<'_>> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.located(&self.sources))
    }

    /// Returns errors and warnings, in the order of their places.
    #[doc(hidden)]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Returns the texts that the diagnostics point into.
    #[doc(hidden)]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns only the errors.
    #[doc(hidden)]
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// Returns the number of errors, as a line of text.
    pub fn summary(&self) -> String {
        let errors = self.errors().count();
        let more = if errors >= MAX_ERRORS { ", and the rest was not read" } else { "" };
        format!("{}{more}; nothing was loaded", counted(errors, "error"))
    }
}

/// The same as `Display`: the texts of a rule set are too long for a log.
impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes every error with its line and hint, then the number of errors.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{}", diagnostic.render(&self.sources))?;
        }
        f.write_str(&self.summary())
    }
}

impl std::error::Error for LoadError {}
