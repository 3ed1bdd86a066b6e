//! Extends a compiled rule set by a few directives, so that rule sets that inherit the same rules share them.

use super::chains::{mark_masking_chains, mark_stopping_chains};
use super::context::Context;
use super::foundation::{Foundation, Kept};
use super::input::{CompileOptions, Input};
use super::lints::RuleFacts;
use super::openings::open_before_use;
use super::report::{LoadReport, LoadedInput};
use super::rule_set::{RuleSetDraft, check};
use super::updates::{Update, apply_updates, missing_rules, update_targets};
use super::{Compiled, plan, read_loads};
use crate::graph::{BodyUses, Phase, PhaseMap, Removal, Rule, RuleFilter, RuleGraph, RuleIndex, Step, TransformationTree};
use crate::source::{Loader, Span};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Minimum number of rules of the foundation for each added rule with required literals. Values are scanned for these in addition, and not for each
/// kind of values apart, so that for more of them it is worth the time to compile everything together: hosts may add a large rule set file by file.
const RULES_OF_SEARCH: usize = 4;

/// Adds loads before and after those of a foundation. The result is that of [`compile`](super::compile) with all of these loads in their order,
/// but rules and names of the foundation keep their numbers, and the foundation is shared.
///
/// `None` if all loads must be compiled together:
///
/// * if there is an error, because messages then name the rules of all loads;
/// * if an addition has `SecDefaultAction`, which changes the rules of the foundation;
/// * if a load before the foundation sets a limit that is a part of compiled rules (`SecPcreMatchLimit`, `SecCapturesLimit`, `SecSkipLimit`,
///   `SecChainLimit`), or writes a key of TX in another case;
/// * if an addition has `SecRuleUpdateActionById` for a rule of the foundation;
/// * if a chain is still open where one part ends;
/// * if the additions have many patterns, compared with the foundation.
pub fn extend(
    foundation: &Foundation,
    before: &[Input],
    after: &[Input],
    loader: &dyn Loader,
    options: &CompileOptions,
) -> Option<Compiled> {
    let Foundation { graph: base, kept } = foundation;
    if options.planning.left_out() != base.plan.as_ref().map(|plan| plan.left_out) || (kept.ends_in_chain && !after.is_empty()) {
        return None;
    }
    let mut context = Context::extending(loader, base, &kept.sources, &kept.marker_ids);
    let mut additions = RuleSetDraft::default();
    let mut inputs = read_loads(&mut context, &mut additions, before, &mut None);
    if additions.rules.end_in_chain() || context.settings.limits_rules() || context.names.tx.respells() {
        return None;
    }
    let (rules_before, updates_before) = (additions.rules.as_slice().len(), additions.updates.len());
    let steps_before = additions.rules.step_counts();
    context.names.tx.end_first();
    put_first(&mut context, &mut inputs, kept);
    context.references.add(&kept.references);
    let overruled = context.settings.add(&kept.settings);
    context.report_all(kept.warnings.iter().cloned().chain(overruled));
    inputs.extend(read_loads(&mut context, &mut additions, after, &mut None));
    let sets_defaults = additions.defaults.iter().any(|(_, defaults)| defaults.load != 0);
    if sets_defaults || additions.ids.keys().any(|id| kept.ids.contains_key(id)) {
        return None;
    }

    let settings = context.settings.finish();
    let (first, last) = additions.rules.as_slice().split_at_checked(rules_before)?;
    check(&mut context, &settings, &RuleFacts::of(first).and(kept.facts).and(RuleFacts::of(last)));
    let mut tree = TransformationTree::clone(&base.transformations);
    let RuleSetDraft { rules, updates, .. } = additions;
    let (mut rules, steps) = rules.join(&kept.default_transformations, &base.defaults, &mut tree);
    let (first, last) = updates.split_at_checked(updates_before)?;
    let mut removed = FxHashMap::default();
    let all = || first.iter().chain(&kept.updates).chain(last);
    let mut missing = apply_updates(all(), &mut rules, &mut removed, &mut tree);
    let changes = Changes::of(base, kept, first, last)?;
    missing.retain(|at| match at.checked_sub(first.len()) {
        Some(known) if known < kept.updates.len() => kept.missing_updates.contains(&known),
        Some(later) => !changes.last_found.contains(&(later - kept.updates.len())),
        None => !changes.first_found.contains(at),
    });
    context.report_all(missing_rules(missing.iter().filter_map(|at| all().nth(*at))));
    let exists =
        |filter: &RuleFilter, rule: &Rule| filter.names(rule) && (rule.chain_head.is_none() || !matches!(filter, RuleFilter::Ids(_)));
    let is_known =
        |filter: &RuleFilter| rules.iter().any(|rule| exists(filter, rule)) || base.rules.iter().any(|rule| exists(filter, rule));
    context.references.retain_missing(is_known);
    context.report_all(context.references.missing_rules());
    open_before_use(&mut rules);
    mark_stopping_chains(&mut rules, &base.defaults);
    mark_masking_chains(&mut rules, &base.defaults);
    let searches = rules.iter().filter(|rule| plan::is_search(rule)).count();
    if searches > plan::MAX_UNFILTERED.max(base.rules.len() / RULES_OF_SEARCH) {
        return None;
    }

    let phases = phases(base, &steps, &steps_before);
    let changed_phases: Vec<Phase> =
        Phase::ALL.into_iter().filter(|phase| !steps.at(*phase).is_empty() || changes.reach(base, *phase)).collect();
    // At its size: a list that grows takes twice the memory, in each of many rule sets.
    let mut all_rules = Vec::with_capacity(base.rules.len().saturating_add(rules.len()));
    all_rules.extend_from_slice(&base.rules);
    let mut graph = RuleGraph {
        settings,
        removed: changes.removed,
        phases,
        defaults: Arc::clone(&base.defaults),
        rules: all_rules,
        transformations: if tree.len() > base.transformations.len() { Arc::new(tree) } else { Arc::clone(&base.transformations) },
        unicode_map: context.settings.unicode_map.take(),
        ..RuleGraph::default()
    };
    let number = u32::try_from(base.rules.len()).ok()?;
    graph.removed.extend(removed.into_iter().map(|(index, removal)| (shifted(index, number), removal)));
    graph.rules.extend(rules.into_iter().map(|rule| Arc::new(renumbered(rule, number))));
    let changed_rules: Vec<RuleIndex> = changes.rules.keys().copied().collect();
    for (index, rule) in changes.rules {
        graph.rules.get_mut(index.0 as usize).into_iter().for_each(|place| *place = Arc::new(rule.clone()));
    }
    let names = std::mem::take(&mut context.names);
    graph.markers = names.markers;
    graph.tx_names = if names.tx.differs() { Arc::new(names.tx) } else { Arc::clone(&base.tx_names) };
    graph.body_use = BodyUses::extending(&base.body_use, &graph, &changed_phases, &changed_rules);
    graph.masks = graph.has_masks();
    if let Some(base_plan) = &base.plan {
        plan::extend(&mut graph, base, base_plan, &changed_rules, &changed_phases);
    }
    if context.has_errors() {
        return None;
    }
    let (sources, diagnostics) = context.into_report();
    let report = LoadReport::of(&graph, sources, inputs, diagnostics);
    Some(Compiled { graph, report, kept: None })
}

/// Puts the texts that were read so far before those of the foundation, and adds the inputs of the foundation.
fn put_first(context: &mut Context<'_>, inputs: &mut Vec<LoadedInput>, kept: &Kept) {
    let known = kept.sources.len();
    let first = context.sources.len() - known;
    context.sources.put_first(known..known + first);
    for input in inputs.iter_mut() {
        input.texts = input.texts.start - known..input.texts.end - known;
    }
    let shifted = |input: &LoadedInput| LoadedInput { texts: input.texts.start + first..input.texts.end + first, ..input.clone() };
    inputs.extend(kept.inputs.iter().map(shifted));
}

/// Changes of additions to the rules of a foundation.
struct Changes {
    /// All rules that are removed, those of the foundation included.
    removed: FxHashMap<RuleIndex, Removal>,
    /// Rules with other targets.
    rules: BTreeMap<RuleIndex, Rule>,
    /// Positions of the updates before and after the foundation that match one of its rules.
    first_found: BTreeSet<usize>,
    last_found: BTreeSet<usize>,
    /// Rules that are removed now.
    removed_now: BTreeSet<RuleIndex>,
}

impl Changes {
    /// Applies updates before the foundation and after it. `None` if one of them changes the actions of a rule.
    fn of(base: &RuleGraph, kept: &Kept, first: &[(Update, Span)], last: &[(Update, Span)]) -> Option<Self> {
        let mut changes = Self {
            removed: base.removed.clone(),
            rules: BTreeMap::new(),
            first_found: BTreeSet::new(),
            last_found: BTreeSet::new(),
            removed_now: BTreeSet::new(),
        };
        let mut removed_first = FxHashMap::default();
        for (at, (update, _)) in first.iter().enumerate() {
            for (index, rule) in concerned(base, update) {
                changes.first_found.insert(at);
                match update {
                    Update::Remove(_, removal) => drop(removed_first.entry(index).or_insert(*removal)),
                    Update::Targets(_, list) => {
                        let changed = changes.rules.entry(index).or_insert_with(|| kept.as_written(index, rule));
                        update_targets(list, changed);
                    }
                    Update::Actions(..) => return None,
                }
            }
        }
        changes.removed_now.extend(removed_first.keys().filter(|index| !base.removed.contains_key(index)));
        changes.removed.extend(removed_first);
        // The changes of the foundation come after those before it.
        for (index, rule) in changes.rules.iter_mut().filter(|(index, _)| kept.written_targets.contains_key(index)) {
            kept.updates.iter().for_each(|(update, _)| match update {
                Update::Targets(_, list) if base.rule(*index).is_some_and(|known| update.concerns(known)) => update_targets(list, rule),
                _ => {}
            });
        }
        for (at, (update, _)) in last.iter().enumerate() {
            for (index, rule) in concerned(base, update) {
                changes.last_found.insert(at);
                match update {
                    Update::Remove(_, removal) => {
                        changes.removed.entry(index).or_insert_with(|| {
                            changes.removed_now.insert(index);
                            *removal
                        });
                    }
                    Update::Targets(_, list) => update_targets(list, changes.rules.entry(index).or_insert_with(|| rule.clone())),
                    Update::Actions(..) => return None,
                }
            }
        }
        Some(changes)
    }

    /// Returns `true` if they change a rule of a phase.
    fn reach(&self, base: &RuleGraph, phase: Phase) -> bool {
        self.rules.keys().chain(&self.removed_now).any(|index| base.rule(*index).is_some_and(|rule| rule.phase == phase))
    }
}

/// Returns the rules that an update changes.
fn concerned<'g>(graph: &'g RuleGraph, update: &'g Update) -> impl Iterator<Item = (RuleIndex, &'g Rule)> {
    let rules = (0..).map(RuleIndex).zip(graph.rules.iter().map(Arc::as_ref));
    rules.filter(|(_, rule)| update.concerns(rule))
}

/// Returns the steps of each phase: those before the foundation, its own, and those after it.
fn phases(base: &RuleGraph, steps: &PhaseMap<Vec<Step>>, before: &PhaseMap<usize>) -> PhaseMap<Arc<[Step]>> {
    let mut phases = base.phases.clone();
    let first = u32::try_from(base.rules.len()).unwrap_or(u32::MAX);
    let renumbered = |step: &Step| match step {
        Step::Rule(index) => Step::Rule(shifted(*index, first)),
        marker @ Step::Marker(_) => *marker,
    };
    for (phase, steps) in steps.iter().filter(|(_, steps)| !steps.is_empty()) {
        let (first, last) = steps.split_at_checked(*before.at(phase)).unwrap_or((steps, &[]));
        let (first, last) = (first.iter().map(renumbered), last.iter().map(renumbered));
        *phases.at_mut(phase) = first.chain(base.phases.at(phase).iter().copied()).chain(last).collect();
    }
    phases
}

fn shifted(index: RuleIndex, first: u32) -> RuleIndex {
    RuleIndex(index.0.saturating_add(first))
}

/// Returns a rule with a number after those of the foundation.
fn renumbered(rule: Rule, first: u32) -> Rule {
    let shift = |index: Option<RuleIndex>| index.map(|index| shifted(index, first));
    Rule { next: shift(rule.next), before: shift(rule.before), chain_head: shift(rule.chain_head), ..rule }
}
