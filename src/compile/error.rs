//! The error of a rule set that was not understood.

use crate::diagnostic::{Diagnostic, MOST_ERRORS, Severity, counted};
use crate::source::Sources;
use std::fmt;

/// A rule set that was not understood: every error, and the texts to show them in.
#[derive(Clone)]
pub struct LoadError {
    pub(super) sources: Sources,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl LoadError {
    /// Errors and warnings, in the order of their places.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The texts that the diagnostics point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Only the errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// How many errors there are, in a line.
    pub fn summary(&self) -> String {
        let errors = self.errors().count();
        let more = if errors >= MOST_ERRORS { ", and the rest was not read" } else { "" };
        format!("{}{more}; nothing was loaded", counted(errors, "error"))
    }
}

/// The same as `Display`: the texts of a rule set do not help in a log.
impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Every error with its line and hint, then how many there are.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{}", diagnostic.render(&self.sources))?;
        }
        f.write_str(&self.summary())
    }
}

impl std::error::Error for LoadError {}
