//! A rule set while its files are read, and the last steps after that: checks, then the graph.

use super::chains::{RuleDrafts, mark_masking_chains, mark_stopping_chains};
use super::context::Context;
use super::draft::DefaultDraft;
use super::foundation::Kept;
use super::lints::{self, RuleFacts};
use super::openings::open_before_use;
use super::references::RuleNames;
use super::updates::{Update, apply_updates, missing_rules, written_targets};
use super::worlds;
use crate::diagnostic::Code;
use crate::graph::{BodyUses, DefaultActions, Phase, PhaseMap, RuleGraph, Settings, TransformationTree};
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
    /// Runs the checks that need all files, applies defaults, updates and removals, and returns the graph, and what extensions need.
    pub fn into_graph(self, context: &mut Context<'_>) -> (RuleGraph, Kept) {
        let Self { rules, mut defaults, updates, ids, .. } = self;
        let mut kept = Kept {
            // These depend on the loads before.
            warnings: context.diagnostics().iter().filter(|diagnostic| diagnostic.code != Code::Overruled).cloned().collect(),
            settings: context.settings.ended_loads(),
            facts: RuleFacts::of(rules.as_slice()),
            ends_in_chain: rules.end_in_chain(),
            ids,
            ..Kept::default()
        };
        let settings = context.settings.finish();
        check(context, &settings, &kept.facts);

        let (mut graph, mut tree) = (RuleGraph::default(), TransformationTree::default());
        let mut actions = PhaseMap::<DefaultActions>::default();
        for phase in Phase::ALL {
            let draft = take(defaults.at_mut(phase));
            *actions.at_mut(phase) = DefaultActions { disruptive: draft.disruptive, effects: draft.effects };
            *kept.default_transformations.at_mut(phase) = draft.transformations;
        }
        let (mut rules, phases) = rules.join(&kept.default_transformations, &actions, &mut tree);
        kept.written_targets = written_targets(&updates, &rules);
        kept.missing_updates = apply_updates(&updates, &mut rules, &mut graph.removed, &mut tree);
        context.report_all(missing_rules(kept.missing_updates.iter().filter_map(|at| updates.get(*at))));
        let names = RuleNames::of(&rules);
        context.references.retain_missing(|filter| names.hold(filter));
        context.report_all(context.references.missing_rules());
        open_before_use(&mut rules);
        mark_stopping_chains(&mut rules, &actions);
        mark_masking_chains(&mut rules, &actions);

        // Not collected, which would keep the memory of the list of whole rules.
        graph.rules = Vec::with_capacity(rules.len());
        graph.rules.extend(rules.into_iter().map(Arc::new));
        graph.phases = phases.map(Arc::from);
        graph.defaults = Arc::new(actions);
        graph.transformations = Arc::new(tree);
        graph.settings = settings;
        graph.unicode_map = context.settings.unicode_map.take();
        let mut names = take(&mut context.names);
        graph.tx_names = Arc::new(take(&mut names.tx));
        graph.markers = take(&mut names.markers);
        graph.body_use = BodyUses::of(&graph);
        graph.masks = graph.has_masks();
        let (updates, references) = (updates, take(&mut context.references));
        (graph, Kept { updates, references, marker_ids: Arc::new(names.into_marker_ids()), ..kept })
    }
}

/// Reports what only all directives together show to be wrong.
pub fn check(context: &mut Context<'_>, settings: &Settings, facts: &RuleFacts) {
    let mut warnings = context.references.unknown_markers(&context.names.markers);
    warnings.extend(context.references.unmet_needs(settings));
    warnings.extend(context.references.collections.warnings(settings));
    warnings.extend(lints::limits_without_action(settings, &context.settings.body_limits));
    warnings.extend(worlds::scripts_without_host(settings));
    warnings.extend(lints::rules_of_skipped_phase(settings, facts));
    warnings.extend(lints::upload_folder(settings, context.settings.upload_place));
    warnings.extend(lints::unseen_xml(facts));
    #[cfg(feature = "remote")]
    warnings.extend(lints::audit_log_address(settings));
    context.report_all(warnings);
}
