//! Plans the evaluation of a finished graph: prefilters, target lists, triggers, batches, comparisons, jumps.

use super::scan_points::ScanPoints;
use super::tx_steps;
use crate::graph::{
    ChainId, MarkerId, MarkerPlaces, OperatorArgument, Phase, Plan, PlanId, PlanPart, PlannedChain, PlannedStep, PlannedTarget,
    PlannedTransformation, Rule, RuleBatch, RuleBatchId, RuleGraph, RuleIndex, RulePlan, ScanPoint, ScanPointId, ScanPointSet,
    SelectedNames, Selector, Step, Target, TargetId, TargetListId, Test, TransformationTree, TxName, ValueScan,
};
use crate::operator::Operator;
use crate::pattern::{ByteSet, Pattern};
use crate::prefilter::{PrefilterId, PrefilterSetBuilder, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::{Limit, Variable};
use std::collections::HashMap;
use std::sync::Arc;

/// Makes the plan of a graph, without the part that is `left_out`, and stores it there.
pub fn plan(graph: &mut RuleGraph, left_out: Option<PlanPart>) {
    let mut prefilters = PrefilterSetBuilder::default();
    let mut target_lists = TargetLists::default();
    let mut scan_points = ScanPoints::default();
    let plan_rule = |rule: &Arc<Rule>| {
        let prefilter = |operator: &Operator, targets: &[Target]| {
            let required = operator.required_literals().filter(|_| left_out != Some(PlanPart::Prefilters))?;
            Some(prefilters.add(&required, &kinds(rule, targets, &graph.transformations)))
        };
        plan_rule(graph, rule, &mut target_lists, &mut scan_points, prefilter)
    };
    let plans: Vec<RulePlan> = graph.rules.iter().map(plan_rule).collect();
    for (rule, plan) in graph.rules.iter_mut().filter_map(Arc::get_mut).zip(plans) {
        rule.plan = plan;
    }
    let chains = chains(&[], &graph.transformations);
    let mut plan = Plan {
        id: PlanId::new_unique(),
        left_out,
        prefilters: Arc::new(prefilters.build()),
        targets: target_lists.targets,
        target_lists: target_lists.lists,
        target_points: target_lists.points,
        changes: Arc::new(scan_points.changes(&chains)),
        scan_points: scan_points.points.into(),
        chains: chains.into(),
        selected_names: Arc::new(selected_names(graph, None)),
        ..Plan::default()
    };
    plan_phases(&mut plan, graph, &Phase::ALL);
    graph.plan = Some(plan);
}

/// Maximum number of new rules of an extension that have no prefilters. A search in the arguments, cookies and headers of a small request takes 8,000
/// instructions, scanning all values for more literals 16,000, and the scanner 50 kB.
pub const MAX_UNFILTERED: usize = 2;

/// Returns `true` for a rule that may have a prefilter.
pub fn is_search(rule: &Rule) -> bool {
    match &rule.test {
        Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, .. } => operator.required_literals().is_some(),
        _ => false,
    }
}

/// Plans a graph that extends another, whose plan is `plan`: the rules with these numbers and the new rules, and these phases. The prefilters of
/// the other graph are shared. A rule with other targets keeps its own if the kinds of its values allow it; new rules have prefilters if they are many.
pub fn extend(graph: &mut RuleGraph, base: &RuleGraph, plan: &Plan, changed_rules: &[RuleIndex], changed_phases: &[Phase]) {
    let mut target_lists = TargetLists::extending(plan);
    let mut scan_points = ScanPoints::extending(plan);
    let searches = graph.rules.iter().skip(base.rules.len()).filter(|rule| is_search(rule)).count();
    let mut prefilters =
        (searches > MAX_UNFILTERED && plan.has(PlanPart::Prefilters)).then(|| PrefilterSetBuilder::extending(&plan.prefilters));
    let new = (0..).map(RuleIndex).take(graph.rules.len()).skip(base.rules.len());
    let planned: Vec<RuleIndex> = changed_rules.iter().copied().chain(new).collect();
    for index in planned.iter().copied() {
        let Some(rule) = graph.rule(index) else { continue };
        let prefilter = |operator: &Operator, targets: &[Target]| {
            let kinds_now = kinds(rule, targets, &graph.transformations);
            let Some(before) = base.rule(index) else {
                return Some(prefilters.as_mut()?.add(&operator.required_literals()?, &kinds_now));
            };
            let (RulePlan::Scan(scan), Test::Operator { targets: known, .. }) = (&before.plan, &before.test) else { return None };
            let known = kinds(before, known, &base.transformations);
            scan.prefilter.filter(|_| kinds_now.iter().all(|kind| known.contains(kind)))
        };
        let plan = plan_rule(graph, rule, &mut target_lists, &mut scan_points, prefilter);
        if let Some(rule) = graph.rules.get_mut(index.0 as usize).and_then(Arc::get_mut) {
            rule.plan = plan;
        }
    }
    let has_more_chains = graph.transformations.len() > plan.chains.len();
    let selects = |index: &RuleIndex| graph.rule(*index).is_some_and(|rule| tx_patterns(rule).next().is_some());
    let selects_more = !Arc::ptr_eq(&graph.tx_names, &base.tx_names) || planned.iter().any(selects);
    let maps = [base, &*graph].map(|graph| graph.unicode_map.as_ref().map(Arc::as_ptr));
    let limits = [base, &*graph].map(|graph| graph.settings.limit(Limit::Transformation));
    let mut scans_alike = maps[0] == maps[1] && limits[0] == limits[1];
    // Growing took twice the memory, and there may be many such rule sets.
    target_lists.targets.shrink_to_fit();
    target_lists.lists.shrink_to_fit();
    target_lists.points.shrink_to_fit();
    let mut plan =
        Plan { targets: target_lists.targets, target_lists: target_lists.lists, target_points: target_lists.points, ..plan.clone() };
    if let Some(prefilters) = prefilters {
        plan.prefilters = Arc::new(prefilters.build());
        scans_alike = false;
    }
    if has_more_chains {
        plan.chains = chains(&plan.chains, &graph.transformations).into();
    }
    if scan_points.points.len() > plan.scan_points.len() {
        plan.changes = Arc::new(scan_points.changes(&plan.chains));
        plan.scan_points = scan_points.points.into();
        scans_alike = false;
    }
    if !scans_alike {
        plan.id = PlanId::new_unique();
    }
    if selects_more {
        plan.selected_names = Arc::new(selected_names(graph, Some((base, &plan))));
    }
    plan_phases(&mut plan, graph, changed_phases);
    graph.plan = Some(plan);
}

fn plan_phases(plan: &mut Plan, graph: &RuleGraph, phases: &[Phase]) {
    for phase in phases.iter().copied() {
        let (mut steps, batches) = steps(graph, phase);
        let markers = markers(graph, phase);
        if plan.has(PlanPart::TxSteps) {
            tx_steps::add(graph, phase, &markers, &mut steps);
        }
        *plan.steps.at_mut(phase) = steps.into();
        *plan.batches.at_mut(phase) = batches.into();
        *plan.open.at_mut(phase) = open_steps(graph.phases.at(phase));
        *plan.markers.at_mut(phase) = Arc::new(markers);
    }
}

/// Returns the keys of TX that the patterns of rules select. Of a graph that extends another, only new keys are compared with known patterns.
fn selected_names(graph: &RuleGraph, base: Option<(&RuleGraph, &Plan)>) -> SelectedNames {
    let select = |pattern: &Pattern| {
        let known = base.and_then(|(base, plan)| Some((base.tx_names.len(), plan.selected_names.get(pattern.source())?)));
        let is_selected = |name: &TxName| match known {
            Some((count, known)) if (name.0 as usize) < count => known.contains(name),
            _ => graph.tx_names.is_selected(*name, pattern),
        };
        graph.tx_names.in_order().filter(is_selected).collect()
    };
    graph.rules.iter().flat_map(|rule| tx_patterns(rule)).map(|pattern| (pattern.source().into(), select(pattern))).collect()
}

/// Returns the patterns by which a rule selects keys of TX.
fn tx_patterns(rule: &Rule) -> impl Iterator<Item = &Pattern> {
    let targets = match &rule.test {
        Test::Operator { targets, .. } => targets.as_slice(),
        _ => &[],
    };
    targets.iter().filter(|target| target.variable == Variable::Tx).filter_map(|target| match &target.selector {
        Selector::Pattern(pattern) => Some(pattern.as_ref()),
        _ => None,
    })
}

fn plan_rule(
    graph: &RuleGraph,
    rule: &Rule,
    target_lists: &mut TargetLists,
    scan_points: &mut ScanPoints,
    prefilter: impl FnOnce(&Operator, &[Target]) -> Option<PrefilterId>,
) -> RulePlan {
    if let Some(comparison) = tx_steps::comparison(graph, rule) {
        return RulePlan::Comparison(comparison);
    }
    let Test::Operator { targets, argument: OperatorArgument::Compiled { operator, .. }, negated, .. } = &rule.test else {
        return RulePlan::Ask;
    };
    if !rule.namespaces.is_empty() || !targets.iter().all(|target| target.variable.is_stable()) {
        return RulePlan::Ask;
    }
    let Some(scan_point) = scan_points.intern(scan_point(rule, &graph.transformations)) else { return RulePlan::Ask };
    RulePlan::Scan(ValueScan {
        target_list: target_lists.intern(targets, scan_point),
        scan_point,
        prefilter: prefilter(operator, targets),
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

/// Returns the properties of each chain, by the chain's number. Those of the first chains are known.
fn chains(known: &[PlannedChain], tree: &TransformationTree) -> Vec<PlannedChain> {
    let mut chains: Vec<PlannedChain> = Vec::with_capacity(tree.len());
    chains.extend_from_slice(known);
    for chain in (known.len() + 1..=tree.len()).filter_map(|number| u32::try_from(number).ok()).map(ChainId) {
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
    let mut known: HashMap<(TargetListId, ScanPointId), RuleBatchId> = HashMap::new();
    let mut batches: Vec<RuleBatch> = Vec::new();
    let steps = graph.phases.at(phase).iter().enumerate().map(|(place, step)| {
        let Step::Rule(index) = step else { return PlannedStep::Ask };
        match graph.rule(*index).filter(|_| graph.removal(*index).is_none()) {
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
    let steps = steps.collect();
    batches.iter_mut().for_each(|batch| batch.rules.shrink_to_fit());
    (steps, batches)
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
    /// The points at which the values of each target are scanned.
    points: Vec<ScanPointSet>,
    lists: Vec<Arc<[TargetId]>>,
    numbers: HashMap<Arc<[TargetId]>, TargetListId>,
}

impl TargetLists {
    /// Returns those of a plan, to be extended.
    fn extending(plan: &Plan) -> Self {
        let numbers = plan.target_lists.iter().cloned().zip((0..).map(TargetListId)).collect();
        Self { targets: plan.targets.clone(), points: plan.target_points.clone(), lists: plan.target_lists.clone(), numbers }
    }

    fn intern(&mut self, targets: &[Target], scan_point: ScanPointId) -> TargetListId {
        let list: Arc<[TargetId]> = targets.iter().map(|target| self.target(target)).collect();
        let next = TargetListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        let id = *self.numbers.entry(Arc::clone(&list)).or_insert(next);
        for target in list.iter() {
            self.points.get_mut(target.0 as usize).into_iter().for_each(|points| *points = points.with(scan_point));
        }
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
            self.points.push(ScanPointSet::default());
        }
        TargetId(u32::try_from(known.unwrap_or(self.targets.len() - 1)).unwrap_or(u32::MAX))
    }
}
