//! A rule set while its files are read, and the last steps after that: checks, then the graph.

use super::chains::{RuleDrafts, mark_stopping_chains};
use super::context::Context;
use super::draft::DefaultDraft;
use super::lints;
use super::openings::open_before_use;
use super::updates::{Update, apply_updates};
use crate::graph::{BodyUses, DefaultActions, Phase, PhaseMap, RuleGraph, TransformationTree};
use crate::source::Span;
use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;

/// Results of the directives of all loads, except settings.
#[derive(Default)]
pub struct RuleSetDraft {
    /// Rules and markers.
    pub rules: RuleDrafts,
    /// `SecDefaultAction` of each phase.
    pub defaults: PhaseMap<DefaultDraft>,
    /// Changes to rules, with their places.
    pub updates: Vec<(Update, Span)>,
    /// The place of each rule id.
    pub ids: HashMap<u64, Span>,
    /// The number of the current load, counted from 1.
    pub load: usize,
}

impl RuleSetDraft {
    /// Runs the checks that need all files, applies defaults, updates and removals, and returns the graph.
    pub fn into_graph(self, context: &mut Context<'_>) -> RuleGraph {
        let Self { rules, mut defaults, updates, .. } = self;
        let settings = context.settings.finish();
        let mut warnings = context.references.unknown_markers(&context.names.markers);
        warnings.extend(context.references.unmet_needs(&settings));
        warnings.extend(lints::limits_without_action(&settings, &context.settings.body_limits));
        warnings.extend(lints::rules_of_skipped_phase(&settings, rules.as_slice()));
        warnings.extend(lints::upload_folder(&settings, context.settings.upload_place));
        warnings.extend(lints::unseen_xml(rules.as_slice()));
        #[cfg(feature = "remote")]
        warnings.extend(lints::audit_log_address(&settings));
        context.report_all(warnings);

        let (mut graph, mut tree, mut actions) =
            (RuleGraph::default(), TransformationTree::default(), PhaseMap::<DefaultActions>::default());
        let (mut rules, phases) = rules.join(&defaults, &mut tree);
        for phase in Phase::ALL {
            let draft = take(defaults.at_mut(phase));
            *actions.at_mut(phase) = DefaultActions { disruptive: draft.disruptive, effects: draft.effects };
        }
        context.report_all(apply_updates(&updates, &mut rules, &mut graph.removed, &mut tree));
        context.report_all(context.references.missing_rules(&rules));
        open_before_use(&mut rules);
        mark_stopping_chains(&mut rules, &actions);

        graph.rules = rules.into_iter().map(Arc::new).collect();
        graph.phases = phases.map(Arc::from);
        graph.defaults = Arc::new(actions);
        graph.transformations = Arc::new(tree);
        graph.settings = settings;
        graph.unicode_map = context.settings.unicode_map.take();
        graph.tx_names = take(&mut context.names.tx);
        graph.markers = take(&mut context.names.markers);
        graph.body_use = BodyUses::of(&graph);
        graph
    }
}
