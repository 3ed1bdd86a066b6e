//! Plans the evaluation of a finished graph: prefilters, target lists, triggers, batches, comparisons, jumps.

use crate::graph::{
    ChainId, Disruptive, Effect, MarkerId, MarkerPlaces, Metadata, OnMatch, OperatorArgument, Phase, Plan, PlannedChain, PlannedStep,
    PlannedTarget, PlannedTransformation, Rule, RuleBatch, RuleBatchId, RuleGraph, RulePlan, ScanPoint, Selector, Step, Target, TargetId,
    TargetListId, Test, TransformationTree, TxComparison, TxName, ValueScan,
};
use crate::operator::Operator;
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterSetBuilder, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Variable;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Makes the plan of a graph, and stores it there.
pub fn plan(graph: &mut RuleGraph) {
    let mut prefilters = PrefilterSetBuilder::default();
    let mut target_lists = TargetLists::default();
    let plans: Vec<RulePlan> = graph.rules.iter().map(|rule| plan_rule(graph, rule, &mut prefilters, &mut target_lists)).collect();
    for (rule, plan) in graph.rules.iter_mut().filter_map(Arc::get_mut).zip(plans) {
        rule.plan = plan;
    }
    let mut plan = Plan {
        prefilters: Arc::new(prefilters.build()),
        targets: target_lists.targets,
        target_lists: target_lists.lists,
        chains: chains(&graph.transformations).into(),
        selected_names: selected_names(graph),
        ..Plan::default()
    };
    plan_phases(&mut plan, graph, &Phase::ALL);
    graph.plan = Some(plan);
}

fn plan_phases(plan: &mut Plan, graph: &RuleGraph, phases: &[Phase]) {
    for phase in phases.iter().copied() {
        let (steps, batches) = steps(graph, phase);
        *plan.steps.at_mut(phase) = steps.into();
        *plan.batches.at_mut(phase) = batches.into();
        *plan.open.at_mut(phase) = open_steps(graph.phases.at(phase));
        *plan.markers.at_mut(phase) = Arc::new(markers(graph, phase));
    }
}

/// Returns the keys of TX that the patterns of rules select.
fn selected_names(graph: &RuleGraph) -> FxHashMap<Box<[u8]>, Box<[TxName]>> {
    let targets = graph.rules.iter().flat_map(|rule| match &rule.test {
        Test::Operator { targets, .. } => targets.as_slice(),
        _ => &[],
    });
    let patterns = targets.filter(|target| target.variable == Variable::Tx).filter_map(|target| match &target.selector {
        Selector::Pattern(pattern) => Some(pattern),
        _ => None,
    });
    patterns.map(|pattern| (pattern.source().into(), graph.tx_names.selected_by(pattern).collect())).collect()
}

fn plan_rule(graph: &RuleGraph, rule: &Rule, prefilters: &mut PrefilterSetBuilder, target_lists: &mut TargetLists) -> RulePlan {
    let Test::Operator { targets, argument: OperatorArgument::Compiled { operator, .. }, negated, .. } = &rule.test else {
        return RulePlan::Ask;
    };
    if let Some(comparison) = comparison(graph, rule, targets, operator) {
        return RulePlan::Comparison(comparison);
    }
    if !rule.namespaces.is_empty() || !targets.iter().all(|target| target.variable.is_stable()) {
        return RulePlan::Ask;
    }
    RulePlan::Scan(ValueScan {
        target_list: target_lists.intern(targets),
        scan_point: scan_point(rule, &graph.transformations),
        prefilter: operator.required_literals().map(|required| prefilters.add(&required, &kinds(rule, targets, &graph.transformations))),
        negated: *negated,
    })
}

/// Returns the scan point of a rule's prefilter: the values of the rule, except for the case of letters.
fn scan_point(rule: &Rule, tree: &TransformationTree) -> ScanPoint {
    let mut chain = rule.transformations;
    while let Some(step) = tree.last_step(chain)
        && matches!(step.transformation, Transformation::Lowercase | Transformation::Uppercase)
    {
        chain = step.before;
    }
    ScanPoint { chain, every_stage: rule.multi_match && chain != ChainId::EMPTY }
}

/// Returns the kinds of the values of a rule: those of its targets, as received and after each of its transformations.
fn kinds(rule: &Rule, targets: &[Target], tree: &TransformationTree) -> Vec<ValueKind> {
    let chains = tree.prefixes(rule.transformations);
    let steps = chains.iter().filter_map(|chain| tree.last_step(*chain)).map(|step| step.transformation);
    let mut kinds: Vec<ValueKind> = targets.iter().map(kind).collect();
    kinds.extend(steps.flat_map(|step| targets.iter().map(move |target| kind(target).made_by(step as u8))));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Returns the kind of a target's values. Large values have separate kinds: few rules inspect them, so few literals are searched for.
fn kind(target: &Target) -> ValueKind {
    ValueKind::of(match target.variable {
        Variable::RequestBody => 1,
        Variable::ResponseBody => 2,
        Variable::FullRequest => 3,
        Variable::FilesTmpContent => 4,
        _ => 0,
    })
}

/// Returns the comparison of a rule, if `engine/comparison.rs` may answer it:
///
/// * its operator compares numbers, and its argument is known at load;
/// * its only target is a TX variable by its key, or the count of one;
/// * it has no transformations.
///
/// [`on_match`] and [`lone_jump`] decide which part of a match is handled there, too. The rest, such as effects of the rule, is handled in the
/// general way.
fn comparison(graph: &RuleGraph, rule: &Rule, targets: &[Target], operator: &Operator) -> Option<TxComparison> {
    let (relation, number) = operator.comparison()?;
    let [Target { variable: Variable::Tx, selector: Selector::Key(key), count, exclusions }] = targets else { return None };
    let name = key.tx.filter(|_| exclusions.is_empty() && rule.transformations == ChainId::EMPTY)?;
    let negated = matches!(rule.test, Test::Operator { negated: true, .. });
    Some(TxComparison { name, count: *count, relation, number, negated, on_match: on_match(graph, rule) })
}

/// Returns the steps after a match of a comparison. A log that describes the match requires the general way: that of the head of the chain, whose
/// text it has, or that of a rule with `multiMatch`, which has an entry for each match.
fn on_match(graph: &RuleGraph, rule: &Rule) -> OnMatch {
    let first = rule.chain_head.and_then(|head| graph.rule(head)).unwrap_or(rule);
    match lone_jump(rule, &graph.defaults.at(rule.phase).effects) {
        Some(jump) => jump,
        None if first.logs || first.stops || rule.multi_match => OnMatch::Ask,
        None => OnMatch::Note,
    }
}

/// Returns the jump of a rule that has no other effect when it matches. Every field of a rule is listed, so that a new field must be added here too.
fn lone_jump(rule: &Rule, defaults: &[Effect]) -> Option<OnMatch> {
    let Rule {
        // Handled by `comparison`, or without effect of its own.
        test: _,
        transformations: _,
        spellings: _,
        namespaces: _,
        capture: _,
        // Name and position.
        id: _,
        location: _,
        phase: _,
        plan: _,
        // A rule without a log needs no texts; other rules read a severity.
        logs: false,
        audits: false,
        stops: false,
        metadata: Metadata { severity: None, .. },
        // It is not part of a chain, and not updated.
        multi_match: false,
        chained: false,
        next: None,
        before: None,
        chain_head: None,
        updated: None,
        // Effects.
        assignments,
        openings,
        effects,
        disruptive: disruptive @ (None | Some(Disruptive::Pass)),
    } = rule
    else {
        return None;
    };
    let mut acting = effects.iter().chain(defaults).filter(|effect| !matches!(effect, Effect::Logging(_)));
    match (acting.next(), acting.next()) {
        (Some(Effect::SkipAfter(marker)), None) if assignments.is_empty() && openings.is_empty() => {
            Some(OnMatch::Jump { marker: *marker, passes: disruptive.is_some() })
        }
        _ => None,
    }
}

/// Returns the properties of each chain, by the chain's number.
fn chains(tree: &TransformationTree) -> Vec<PlannedChain> {
    let mut chains: Vec<PlannedChain> = Vec::with_capacity(tree.len());
    for chain in (1..=tree.len()).filter_map(|number| u32::try_from(number).ok()).map(ChainId) {
        let Some(step) = tree.last_step(chain) else { break };
        let before = (step.before.0 as usize).checked_sub(1).and_then(|place| chains.get(place));
        let acting = triggers(step.transformation);
        let last = PlannedTransformation { transformation: step.transformation, triggers: acting, always: acting == ByteSet::ALL };
        chains.push(PlannedChain {
            triggers: before.map_or(acting, |before| before.triggers.union(acting)),
            always: last.always || before.is_some_and(|before| before.always),
            steps: before.map_or(&[][..], |before| &before.steps).iter().copied().chain([last]).collect(),
        });
    }
    chains
}

fn triggers(transformation: Transformation) -> ByteSet {
    let acting = (0..=u8::MAX).filter(|byte| transformation.is_triggered_by(*byte).unwrap_or(true));
    acting.fold(ByteSet::EMPTY, ByteSet::with)
}

/// Returns the steps of a phase, and its rules by their batches.
fn steps(graph: &RuleGraph, phase: Phase) -> (Vec<PlannedStep>, Vec<RuleBatch>) {
    let mut known: HashMap<(TargetListId, ScanPoint), RuleBatchId> = HashMap::new();
    let mut batches: Vec<RuleBatch> = Vec::new();
    let steps = graph.phases.at(phase).iter().enumerate().map(|(place, step)| {
        let Step::Rule(index) = step else { return PlannedStep::Ask };
        match graph.rule(*index).filter(|_| graph.removal(*index).is_none()) {
            Some(Rule { plan: RulePlan::Comparison(comparison), .. }) => PlannedStep::Comparison(*comparison),
            Some(Rule { plan: RulePlan::Scan(scan), .. }) => {
                let ValueScan { target_list, scan_point, .. } = *scan;
                let id = *known.entry((target_list, scan_point)).or_insert_with(|| {
                    batches.push(RuleBatch { target_list, scan_point, rules: Vec::new() });
                    RuleBatchId(u32::try_from(batches.len() - 1).unwrap_or(u32::MAX))
                });
                batches.get_mut(id.0 as usize).into_iter().for_each(|batch| batch.rules.push((place, scan.excluding())));
                PlannedStep::Batched(id)
            }
            _ => PlannedStep::Ask,
        }
    });
    (steps.collect(), batches)
}

/// Returns the steps of a phase that are rules, a bit for each.
fn open_steps(steps: &[Step]) -> Vec<u64> {
    let bit = |(place, step): (usize, &Step)| u64::from(matches!(step, Step::Rule(_))) << place;
    steps.chunks(u64::BITS as usize).map(|steps| steps.iter().enumerate().map(bit).sum::<u64>()).collect()
}

fn markers(graph: &RuleGraph, phase: Phase) -> MarkerPlaces {
    let marker = |(place, step): (usize, &Step)| match step {
        Step::Marker(marker) => Some((*marker, place)),
        Step::Rule(_) => None,
    };
    let places: Vec<(MarkerId, usize)> = graph.phases.at(phase).iter().enumerate().filter_map(marker).collect();
    MarkerPlaces::new(graph.markers.len(), &places)
}

/// Numbers of targets and target lists; those that select the same values have the same number.
#[derive(Default)]
struct TargetLists {
    targets: Vec<Arc<PlannedTarget>>,
    lists: Vec<Arc<[TargetId]>>,
    numbers: HashMap<Arc<[TargetId]>, TargetListId>,
}

impl TargetLists {
    fn intern(&mut self, targets: &[Target]) -> TargetListId {
        let list: Arc<[TargetId]> = targets.iter().map(|target| self.target(target)).collect();
        let next = TargetListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        let id = *self.numbers.entry(Arc::clone(&list)).or_insert(next);
        if id == next {
            self.lists.push(list);
        }
        id
    }

    fn target(&mut self, target: &Target) -> TargetId {
        // The name of a count is the spelling in its rule.
        let is_same = |known: &Target| known.is_same(target) && (!target.count || known.to_string() == target.to_string());
        let known = self.targets.iter().position(|known| is_same(&known.target));
        if known.is_none() {
            self.targets.push(Arc::new(PlannedTarget { target: target.clone(), kind: kind(target) }));
        }
        TargetId(u32::try_from(known.unwrap_or(self.targets.len() - 1)).unwrap_or(u32::MAX))
    }
}
