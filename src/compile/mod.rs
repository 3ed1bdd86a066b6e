//! Takes trees, gives a [`RuleGraph`] and a load report; imports everything below: `seclang`, `vocabulary`, `graph`, and the pure rooms.
//!
//! Names are resolved, defaults and chains joined, updates and removals applied. All errors of a load are found in one run, and a load
//! with errors leaves nothing behind.

mod actions;
mod ahead;
mod chains;
mod controls;
mod decisions;
mod directives;
mod draft;
mod lints;
mod load;
mod lookups;
mod openings;
mod operators;
mod plan;
mod removals;
mod report;
mod scripts;
mod settings;
mod targets;
mod templates;
mod unreached;
mod updates;
mod uploads;
mod xml_bodies;

pub use report::{LoadReport, SourceReport};

use crate::diagnostic::{Diagnostic, MOST_ERRORS, Severity, counted};
use crate::graph::RuleGraph;
use crate::source::{Loader, Sources};
use directives::Builder;
use report::LoadedInput;
use std::fmt;
use std::path::PathBuf;

/// Something to load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A rule file.
    File(PathBuf),
    /// Rules as text; `name` is what messages call it.
    Text {
        /// What messages call it.
        name: String,
        /// The rules.
        text: String,
    },
    /// Rules as bytes, which should be UTF-8; `name` is what messages call them.
    Bytes {
        /// What messages call them.
        name: String,
        /// The rules.
        bytes: Vec<u8>,
    },
    /// Rules at an https address.
    Remote {
        /// The address, which messages call them by.
        address: String,
        /// What is shown to the server.
        key: String,
    },
    /// Several inputs that are one load, as if one file included them.
    Group(Vec<Input>),
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Whether evaluation is planned. A plan changes no verdict, only the time it takes.
    pub planning: Planning,
}

/// Whether evaluation is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planning {
    /// Rules are asked as seldom as possible.
    #[default]
    On,
    /// Every rule is asked about every value: to compare with.
    Off,
}

/// A rule set that was understood.
#[derive(Debug)]
pub struct Compiled {
    /// The rules as meant.
    pub graph: RuleGraph,
    /// What was loaded.
    pub report: LoadReport,
}

/// A rule set that was not understood: every error, and the texts to show them in.
#[derive(Clone)]
pub struct LoadError {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

/// Loads and compiles. Each input is a load of its own: in ModSecurity v3 the first load that sets a value wins, and within a load the last.
pub fn compile(inputs: &[Input], loader: &dyn Loader, options: &CompileOptions) -> Result<Compiled, LoadError> {
    let mut sources = Sources::new();
    let mut diagnostics = Vec::new();
    let mut builder = Builder::new(loader);
    let mut loads = Vec::with_capacity(inputs.len());
    for input in inputs {
        let first_text = sources.len();
        let directives = load::load(input, loader, &mut sources, &mut diagnostics);
        let _held = ahead::patterns(&directives);
        let sets_engine = builder.add_load(&directives, &sources);
        loads.push(LoadedInput { texts: first_text..sources.len(), sets_engine });
    }
    let mut graph = builder.finish(&mut diagnostics);
    if options.planning == Planning::On {
        plan::plan(&mut graph);
    }
    let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.source, diagnostic.span.start));
    if has_errors {
        return Err(LoadError { sources, diagnostics });
    }
    let report = LoadReport::of(&graph, sources, loads, diagnostics);
    Ok(Compiled { graph, report })
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

/// The same as `Display`: the texts of a rule set are no help in a log.
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

#[cfg(test)]
mod tests;
