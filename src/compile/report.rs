//! The result of a load in numbers: rules, files, warnings.

use super::error::LoadError;
use crate::diagnostic::{Code, Diagnostic, LocatedDiagnostic};
use crate::graph::{RuleGraph, Test};
use crate::source::Sources;
use serde::Serialize;
use sha1::{Digest as _, Sha1};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::OnceLock;

/// The contents of a load. Only a load without errors has a report.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadReport {
    /// Rules with an operator, including chained ones.
    pub rules: usize,
    /// Rules without an operator: `SecAction`.
    pub actions: usize,
    /// Rules that are scripts: `SecRuleScript`, `SecDecisionScript`.
    pub scripts: usize,
    /// Rules that are part of another rule's chain, counted above too.
    pub chained: usize,
    /// Markers.
    pub markers: usize,
    /// Rules that removals switched off, counted above too.
    pub removed: usize,
    /// Different transformation chains.
    pub transformation_chains: usize,
    /// Files and texts, in the order in which they were read.
    pub sources: Vec<SourceReport>,
    warnings: Vec<Diagnostic>,
    texts: Sources,
    inputs: Vec<LoadedInput>,
    fingerprint: OnceLock<Box<str>>,
}

/// One input.
#[derive(Clone, Debug)]
pub struct LoadedInput {
    /// The places of its texts in the order in which they are read.
    pub texts: Range<usize>,
    /// `true` if it sets the engine's mode.
    pub sets_engine: bool,
}

/// One file or text.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SourceReport {
    /// The file's path, or the name of the text.
    pub name: String,
    /// Its length in bytes.
    pub bytes: usize,
}

impl LoadReport {
    pub(super) fn of(graph: &RuleGraph, texts: Sources, inputs: Vec<LoadedInput>, warnings: Vec<Diagnostic>) -> Self {
        let actions = graph.rules.iter().filter(|rule| matches!(rule.test, Test::Unconditional)).count();
        let scripts = graph.rules.iter().filter(|rule| matches!(rule.test, Test::Script(_) | Test::Decision(_))).count();
        Self {
            rules: graph.rules.len() - actions - scripts,
            actions,
            scripts,
            chained: graph.rules.iter().filter(|rule| rule.chain_head.is_some()).count(),
            markers: graph.markers.len(),
            removed: graph.removed.len(),
            transformation_chains: graph.transformations.len(),
            sources: texts.iter().map(|text| SourceReport { name: text.name().to_string(), bytes: text.text().len() }).collect(),
            warnings,
            texts,
            inputs,
            fingerprint: OnceLock::new(),
        }
    }

    /// Returns 16 hexadecimal digits that are the same for all loads of the same texts in the same order, on any machine and in any folder. It does not
    /// cover data files and scripts that the rules name.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let mut hash = Sha1::new();
            for source in self.texts.iter() {
                hash.update((source.text().len() as u64).to_le_bytes());
                hash.update(source.text().as_bytes());
            }
            let mut digits = String::new();
            // Writing to a text does not fail.
            for byte in hash.finalize().iter().take(8) {
                let _ = write!(digits, "{byte:02x}");
            }
            digits.into()
        })
    }

    /// Refuses the load afterwards, for a file that its rules name and that cannot be used.
    pub(crate) fn refuse(self, error: Diagnostic) -> LoadError {
        let mut diagnostics = self.warnings;
        diagnostics.push(error);
        diagnostics.sort_by_key(|diagnostic| (self.texts.place_of(diagnostic.span.source), diagnostic.span.start));
        LoadError { sources: self.texts, diagnostics }
    }

    /// Returns every warning with its place, ready to be shown or serialised.
    pub fn located_warnings(&self) -> impl Iterator<Item = LocatedDiagnostic<'_>> {
        self.warnings.iter().map(|warning| warning.located(&self.texts))
    }

    /// Returns the warnings, in the order of their places.
    #[doc(hidden)]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Returns warnings about one of the inputs, counted from 0, that do not depend on other inputs. An input that does not set the engine's mode is
    /// a part of a configuration: the rest may have the rules, markers and settings that it needs.
    #[doc(hidden)]
    pub fn warnings_of(&self, input: usize) -> impl Iterator<Item = &Diagnostic> {
        let (input, texts) = (self.inputs.get(input), &self.texts);
        let is_of_it = move |warning: &&Diagnostic| {
            input.is_some_and(|input| {
                let holds = !warning.code.depends_on_the_rest() || (input.sets_engine && warning.code != Code::NothingToUpdate);
                holds && input.texts.contains(&texts.place_of(warning.span.source))
            })
        };
        self.warnings.iter().filter(is_of_it)
    }

    /// Returns `true` if an input sets the engine's mode; otherwise the rules only detect.
    #[doc(hidden)]
    pub fn sets_engine(&self) -> bool {
        self.inputs.iter().any(|input| input.sets_engine)
    }

    /// Returns the files and texts of one of the inputs, counted from 0, in the order in which they were read.
    #[doc(hidden)]
    pub fn texts_of(&self, input: usize) -> impl Iterator<Item = &SourceReport> {
        self.inputs.get(input).and_then(|input| self.sources.get(input.texts.clone())).unwrap_or_default().iter()
    }

    /// Returns the texts that the warnings point into.
    #[doc(hidden)]
    pub fn texts(&self) -> &Sources {
        &self.texts
    }
}
