//! The state that all steps of the compiler share: the loader, the texts, the report, and tables of names.

use super::references::References;
use super::settings_draft::SettingsBuilder;
use crate::diagnostic::{Diagnostic, MAX_ERRORS, Severity};
use crate::graph::{MarkerId, RuleGraph, Template, TxNames};
use crate::script::Script;
use crate::source::{Loader, Sources, Span};
use crate::vocabulary::Limit;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Passed from step to step. Steps read directives and return compiled parts; they use it to report errors and to look up names.
pub struct Context<'a> {
    /// Reads the files that directives name.
    pub loader: &'a dyn Loader,
    /// The texts that were read, for places in messages.
    pub sources: Sources,
    /// The settings of all loads so far.
    pub settings: SettingsBuilder,
    /// Keys of TX and markers, by number.
    pub names: Names,
    /// Names in rules that must exist once all files are read.
    pub references: References,
    /// Valid texts with macros, as written: many rules have the same.
    pub templates: FxHashMap<Box<str>, Template>,
    /// Scripts, by the path of their file.
    pub scripts: HashMap<PathBuf, Script>,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
}

/// Names that become numbers at load.
#[derive(Default)]
pub struct Names {
    /// Keys of TX.
    pub tx: TxNames,
    /// The names of markers, by number.
    pub markers: Vec<Arc<str>>,
    /// The markers of the rule set that is extended.
    known_ids: Arc<MarkerIds>,
    marker_ids: MarkerIds,
}

/// Numbers of markers.
pub type MarkerIds = HashMap<Arc<str>, MarkerId>;

impl<'a> Context<'a> {
    pub fn new(loader: &'a dyn Loader) -> Self {
        Self {
            loader,
            sources: Sources::new(),
            settings: SettingsBuilder::default(),
            names: Names::default(),
            references: References::default(),
            templates: FxHashMap::default(),
            scripts: HashMap::new(),
            diagnostics: Vec::new(),
            errors: 0,
        }
    }

    /// Makes the state for rules that extend a rule set: texts and names go on with numbers after its own.
    pub fn extending(loader: &'a dyn Loader, graph: &RuleGraph, sources: &Sources, marker_ids: &Arc<MarkerIds>) -> Self {
        let tx = TxNames::extending(&graph.tx_names);
        let names = Names { tx, markers: graph.markers.clone(), known_ids: Arc::clone(marker_ids), marker_ids: MarkerIds::default() };
        Self { sources: sources.clone(), names, ..Self::new(loader) }
    }

    /// Adds an error or a warning about a directive.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity() == Severity::Error);
        self.diagnostics.push(diagnostic);
    }

    /// Adds errors and warnings about directives.
    pub fn report_all(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.report(diagnostic));
    }

    /// Adds a diagnostic of the parser. The parser limits these for each input, so they do not count here.
    pub fn report_unread(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Returns `true` if no further directive should be read.
    pub fn has_too_many_errors(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    /// Returns `true` if there is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// Returns everything that was reported so far, in the order of the steps.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Returns the texts, and everything that was reported, in the order of its places.
    pub fn into_report(self) -> (Sources, Vec<Diagnostic>) {
        let Self { sources, mut diagnostics, .. } = self;
        diagnostics.sort_by_key(|diagnostic| (sources.place_of(diagnostic.span.source), diagnostic.span.start));
        (sources, diagnostics)
    }

    /// Returns a limit as the directives so far set it.
    pub fn limit(&self, limit: Limit) -> usize {
        self.settings.limit(limit)
    }

    /// Returns the marker of a `skipAfter` at this place.
    pub fn jump(&mut self, name: &str, span: Span) -> MarkerId {
        let marker = self.names.marker(name);
        self.references.jumps.push((marker, span));
        marker
    }
}

impl Names {
    /// Returns the numbers of all markers, unless a rule set is extended.
    pub fn into_marker_ids(self) -> MarkerIds {
        self.marker_ids
    }

    /// Returns the number of a marker.
    pub fn marker(&mut self, name: &str) -> MarkerId {
        if let Some(known) = self.known_ids.get(name).or_else(|| self.marker_ids.get(name)) {
            return *known;
        }
        let marker = MarkerId(u32::try_from(self.markers.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        self.markers.push(Arc::clone(&name));
        self.marker_ids.insert(name, marker);
        marker
    }
}
