//! Plans the evaluation of a finished graph: prefilters, target lists, triggers, batches, jumps.

use crate::graph::{
    ChainId, Disruptive, Effect, MarkerId, OperatorArgument, Phase, PhaseMap, Plan, PlannedChain, PlannedStep, PlannedTarget,
    PlannedTransformation, Rule, RuleBatch, RuleBatchId, RuleGraph, RulePlan, ScanPoint, Selector, Step, Target, TargetId, TargetListId,
    Test, TransformationTree, TxComparison, TxName,
};
use crate::operator::Operator;
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterSetBuilder, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Variable;
use rustc_hash::FxHashMap;
use std::collections::HashMap;

/// Adds the plan to a graph.
pub fn plan(graph: &mut RuleGraph) {
    let mut prefilters = PrefilterSetBuilder::default();
    let mut target_lists = TargetLists::default();
    for rule in &mut graph.rules {
        rule.plan = plan_rule(rule, &graph.transformations, &mut prefilters, &mut target_lists);
    }
    let batches = batches(graph);
    let mut steps: PhaseMap<Vec<PlannedStep>> = PhaseMap::default();
    for phase in Phase::ALL {
        steps.at_mut(phase).extend(graph.phases.at(phase).iter().map(|step| match step {
            Step::Rule(index) => graph.rule(*index).map_or_else(PlannedStep::default, |rule| PlannedStep {
                batch: rule.plan.batch,
                comparison: rule.plan.comparison,
                skips_to: rule.plan.comparison.and_then(|_| lone_jump(rule, &graph.defaults.at(phase).effects)),
            }),
            Step::Marker(_) => PlannedStep::default(),
        }));
    }
    graph.plan = Some(Plan {
        prefilters: prefilters.build(),
        targets: target_lists.targets,
        target_lists: target_lists.lists,
        chains: chains(&graph.transformations),
        batches,
        steps,
        selected_names: selected_names(graph),
        open: open_steps(graph),
        markers: markers(graph),
    });
}

/// Returns the TX keys that the patterns of rules select.
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

fn plan_rule(rule: &Rule, tree: &TransformationTree, prefilters: &mut PrefilterSetBuilder, target_lists: &mut TargetLists) -> RulePlan {
    let Test::Operator { targets, argument: OperatorArgument::Compiled { operator, .. }, .. } = &rule.test else {
        return RulePlan::default();
    };
    let stable = rule.namespaces.is_empty() && targets.iter().all(|target| target.variable.is_stable());
    let target_list = stable.then(|| target_lists.intern(targets));
    RulePlan {
        target_list,
        prefilter: target_list
            .and_then(|_| operator.required_literals())
            .map(|required| prefilters.add(&required, &kinds(rule, targets, tree))),
        comparison: comparison(rule, targets, operator),
        batch: None,
    }
}

/// Returns the kinds of the values that a rule may test: those of its targets, plain and after each of its transformations.
fn kinds(rule: &Rule, targets: &[Target], tree: &TransformationTree) -> Vec<ValueKind> {
    let chains = tree.prefixes(rule.transformations);
    let steps = chains.iter().filter_map(|chain| tree.last_step(*chain)).map(|step| step.transformation);
    let mut kinds: Vec<ValueKind> = targets.iter().map(kind).collect();
    kinds.extend(steps.flat_map(|step| targets.iter().map(move |target| kind(target).made_by(step as u8))));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Returns the kind of a target's values. Large values have kinds of their own: few rules test them, so few literals must be searched for.
fn kind(target: &Target) -> ValueKind {
    ValueKind::of(match target.variable {
        Variable::RequestBody => 1,
        Variable::ResponseBody => 2,
        Variable::FullRequest => 3,
        Variable::FilesTmpContent => 4,
        _ => 0,
    })
}

/// Returns the comparison of a rule that only compares a TX variable with a number.
fn comparison(rule: &Rule, targets: &[Target], operator: &Operator) -> Option<TxComparison> {
    let (relation, number) = operator.comparison()?;
    let [Target { variable: Variable::Tx, selector: Selector::Key(key), count, exclusions }] = targets else { return None };
    let name = key.tx.filter(|_| exclusions.is_empty() && rule.transformations == ChainId::EMPTY)?;
    let negated = matches!(rule.test, Test::Operator { negated: true, .. });
    Some(TxComparison { name, count: *count, relation, number, negated })
}

/// Returns the marker of a rule that only skips to it when it matches.
fn lone_jump(rule: &Rule, defaults: &[Effect]) -> Option<MarkerId> {
    let silent = !rule.logs && !rule.audits && !rule.stops && rule.metadata.severity.is_none();
    let alone = rule.next.is_none() && !rule.chained && rule.removed.is_none() && rule.updated.is_none();
    let passes = !rule.multi_match && rule.assignments.is_empty() && matches!(rule.disruptive, None | Some(Disruptive::Pass));
    let mut acting = rule.effects.iter().chain(defaults).filter(|effect| !matches!(effect, Effect::Logging(_)));
    match (acting.next(), acting.next()) {
        (Some(Effect::SkipAfter(marker)), None) if silent && alone && passes => Some(*marker),
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
        let only_case = matches!(step.transformation, Transformation::Lowercase | Transformation::Uppercase);
        chains.push(PlannedChain {
            triggers: before.map_or(acting, |before| before.triggers.union(acting)),
            always: last.always || before.is_some_and(|before| before.always),
            steps: before.map_or(&[][..], |before| &before.steps).iter().copied().chain([last]).collect(),
            scan_point: if only_case { before.map_or(ChainId::EMPTY, |before| before.scan_point) } else { chain },
        });
    }
    chains
}

fn triggers(transformation: Transformation) -> ByteSet {
    let acting = (0..=u8::MAX).filter(|byte| transformation.is_triggered_by(*byte).unwrap_or(true));
    acting.fold(ByteSet::EMPTY, ByteSet::with)
}

/// Groups the rules of each phase by the values that they test; sets the batch of each rule.
fn batches(graph: &mut RuleGraph) -> PhaseMap<Vec<RuleBatch>> {
    let mut batches: PhaseMap<Vec<RuleBatch>> = PhaseMap::default();
    for phase in Phase::ALL {
        let mut known: HashMap<(TargetListId, ScanPoint), RuleBatchId> = HashMap::new();
        let batches = batches.at_mut(phase);
        for (place, step) in graph.phases.at(phase).iter().enumerate() {
            let Step::Rule(index) = step else { continue };
            let Some(rule) = graph.rules.get_mut(index.0 as usize) else { continue };
            let (Some(target_list), None, Test::Operator { negated, .. }) = (rule.plan.target_list, rule.removed, &rule.test) else {
                continue;
            };
            let prefilter = rule.plan.prefilter.filter(|_| !negated);
            let scan_point = ScanPoint::of(rule);
            let id = *known.entry((target_list, scan_point)).or_insert_with(|| {
                batches.push(RuleBatch { target_list, scan_point, rules: Vec::new() });
                RuleBatchId(u32::try_from(batches.len() - 1).unwrap_or(u32::MAX))
            });
            if let Some(batch) = batches.get_mut(id.0 as usize) {
                batch.rules.push((place, prefilter));
                rule.plan.batch = Some(id);
            }
        }
    }
    batches
}

/// Returns the steps of each phase that are rules.
fn open_steps(graph: &RuleGraph) -> PhaseMap<Vec<u64>> {
    let mut open: PhaseMap<Vec<u64>> = PhaseMap::default();
    for phase in Phase::ALL {
        let words = graph.phases.at(phase).chunks(u64::BITS as usize);
        let bit = |(place, step): (usize, &Step)| u64::from(matches!(step, Step::Rule(_))) << place;
        open.at_mut(phase).extend(words.map(|steps| steps.iter().enumerate().map(bit).sum::<u64>()));
    }
    open
}

fn markers(graph: &RuleGraph) -> PhaseMap<Vec<Vec<usize>>> {
    let mut markers: PhaseMap<Vec<Vec<usize>>> = PhaseMap::default();
    for phase in Phase::ALL {
        let places = markers.at_mut(phase);
        places.resize(graph.markers.len(), Vec::new());
        for (place, step) in graph.phases.at(phase).iter().enumerate() {
            if let Step::Marker(MarkerId(marker)) = step
                && let Some(known) = places.get_mut(*marker as usize)
            {
                known.push(place);
            }
        }
    }
    markers
}

/// Targets and lists of them, numbered; equal targets have the same number.
#[derive(Default)]
struct TargetLists {
    targets: Vec<PlannedTarget>,
    lists: Vec<Box<[TargetId]>>,
    numbers: HashMap<Box<[TargetId]>, TargetListId>,
}

impl TargetLists {
    fn intern(&mut self, targets: &[Target]) -> TargetListId {
        let list: Box<[TargetId]> = targets.iter().map(|target| self.target(target)).collect();
        let next = TargetListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        let id = *self.numbers.entry(list.clone()).or_insert(next);
        if id == next {
            self.lists.push(list);
        }
        id
    }

    fn target(&mut self, target: &Target) -> TargetId {
        // A count keeps the name that its rule gives it.
        let is_same = |known: &Target| known.is_same(target) && (!target.count || known.to_string() == target.to_string());
        let known = self.targets.iter().position(|known| is_same(&known.target));
        if known.is_none() {
            self.targets.push(PlannedTarget { target: target.clone(), kind: kind(target) });
        }
        TargetId(u32::try_from(known.unwrap_or(self.targets.len() - 1)).unwrap_or(u32::MAX))
    }
}
