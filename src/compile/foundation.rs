//! A compiled rule set that others extend: its graph, and what reading more directives depends on.

use super::context::MarkerIds;
use super::draft::SpelledTransformation;
use super::input::Input;
use super::lints::RuleFacts;
use super::references::References;
use super::report::LoadedInput;
use super::settings_draft::EndedLoads;
use super::updates::Update;
use crate::diagnostic::Diagnostic;
use crate::graph::{PhaseMap, Rule, RuleGraph, RuleIndex, Target, Test};
use crate::source::{Sources, Span};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A rule set that others extend. It was compiled in full.
pub struct Foundation {
    pub(super) graph: Arc<RuleGraph>,
    pub(super) kept: Kept,
}

/// The loads of a rule set, and the part of them that was compiled as its foundation.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// All loads, in their order.
    pub inputs: Arc<[Input]>,
    /// The result of some of them.
    pub foundation: Arc<Foundation>,
    /// Their positions.
    pub within: Range<usize>,
}

/// The part of a load that extensions read, besides the graph.
#[derive(Default)]
pub struct Kept {
    /// Its texts.
    pub sources: Sources,
    /// Its inputs.
    pub inputs: Vec<LoadedInput>,
    /// Its warnings that do not depend on other loads.
    pub warnings: Vec<Diagnostic>,
    /// Its settings.
    pub settings: EndedLoads,
    /// Names in its rules that must exist; of the removals by `ctl` only those that match no rule.
    pub references: References,
    /// Its markers.
    pub marker_ids: Arc<MarkerIds>,
    /// The places of its rule ids.
    pub ids: HashMap<u64, Span>,
    /// Its changes to rules.
    pub updates: Vec<(Update, Span)>,
    /// The targets of rules as they were written, if these change them.
    pub written_targets: HashMap<RuleIndex, Vec<Target>>,
    /// Positions of those that match no rule.
    pub missing_updates: Vec<usize>,
    /// The transformations of `SecDefaultAction` of each phase.
    pub default_transformations: PhaseMap<Vec<SpelledTransformation>>,
    /// The facts about its rules.
    pub facts: RuleFacts,
    /// `true` if a rule should follow its last one in a chain.
    pub ends_in_chain: bool,
}

impl Foundation {
    /// Joins a graph and what was kept of its load.
    pub fn new(graph: Arc<RuleGraph>, kept: Kept) -> Self {
        Self { graph, kept }
    }

    /// Returns the compiled rules.
    pub fn graph(&self) -> &Arc<RuleGraph> {
        &self.graph
    }

    /// Returns the number of its rules.
    pub fn rules(&self) -> usize {
        self.graph.rules.len()
    }
}

impl Kept {
    /// Returns a rule with the targets that it was written with.
    pub fn as_written(&self, index: RuleIndex, rule: &Rule) -> Rule {
        let mut rule = rule.clone();
        if let (Some(written), Test::Operator { targets, .. }) = (self.written_targets.get(&index), &mut rule.test) {
            targets.clone_from(written);
        }
        rule
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foundation").field("rules", &self.rules()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
