//! Follows the plan of the graph: finds out without asking that a rule cannot match. It may only ever say "no" or "maybe".

use super::Evaluation;
use super::comparison::{Answer, answer};
use crate::graph::{Phase, Plan, PlannedStep, Rule, RuleBatchId, ScanPoint, Step, TargetId, Test};
use crate::state::{Selection, State, TargetValue, ValueId, View};

/// The plan, if it is followed. While a debug log shows every question, every question is asked.
pub fn followed_plan<'r>(eval: &Evaluation<'r>) -> Option<&'r Plan> {
    eval.rules.plan.as_ref().filter(|_| !eval.debugs(4))
}

/// Returns `true` if the plan shows that no value of the rule's targets can match.
pub fn cannot_match(eval: &mut Evaluation<'_>, plan: &Plan, rule: &Rule) -> bool {
    let (Some(target_list), None) = (rule.plan.target_list, rule.plan.batch) else { return false };
    !plan.target_list(target_list).iter().any(|target| is_open(eval, plan, *target, rule))
}

/// Returns `true` if a target has values about which a rule may say "yes".
pub fn is_open(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId, rule: &Rule) -> bool {
    learn(eval, plan, target);
    let prefilter = rule.plan.prefilter.filter(|_| !matches!(rule.test, Test::Operator { negated: true, .. }));
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    let mut view = View { graph: eval.rules, plan, transforms, arena: &mut collections.arena };
    filter.is_open(&mut view, target, ScanPoint::of(rule), prefilter)
}

/// Returns `true` if the operator of a rule may find something in one value after all of the rule's transformations.
pub fn may_find(eval: &mut Evaluation<'_>, rule: &Rule, value: ValueId) -> bool {
    let (Some(plan), Some(prefilter)) = (followed_plan(eval), rule.plan.prefilter) else { return true };
    let State { transforms, collections, .. } = &mut *eval.state;
    let reached =
        transforms.value(eval.rules, &mut collections.arena, value, plan.scan_point(ScanPoint::after(rule.transformations)).chain);
    plan.prefilters.may_match(prefilter, transforms.signature(&plan.prefilters, &mut collections.arena, reached.id))
}

/// Looks at the values of a batch, so that those of its rules that cannot match are passed over.
fn look_at_batch(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, id: RuleBatchId) {
    let Some(batch) = plan.batches.at(phase).get(id.0 as usize) else { return };
    if !eval.state.filter.knows_list(batch.target_list) {
        plan.target_list(batch.target_list).iter().for_each(|target| learn(eval, plan, *target));
    }
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    filter.look_at(&mut View { graph: eval.rules, plan, transforms, arena: &mut collections.arena }, id, batch);
}

/// The values of a target in this phase, lent out; the filter takes them in again.
pub fn values(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) -> Vec<TargetValue> {
    learn(eval, plan, target);
    eval.state.filter.borrow(target)
}

/// Selects the values of a target, unless this phase did before.
#[inline]
fn learn(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    if !eval.state.filter.knows(target) {
        select_once(eval, plan, target);
    }
}

fn select_once(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    let Some(planned) = plan.targets.get(target.0 as usize) else { return };
    let mut selected = std::mem::take(&mut eval.state.scratch.selected);
    selected.clear();
    let selection = Selection { graph: eval.rules, store: eval.services.store.as_ref(), namespaces: &[], rule: None, max: usize::MAX };
    eval.state.collections.select(&planned.target, &selection, &mut selected);
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    filter.learn(target, planned.kind, &selected, transforms, &mut collections.arena);
    eval.state.scratch.selected = selected;
}

/// The next step from `place` on that must be asked. The rules that are passed over count as asked.
pub fn next_open(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, steps: &[Step], mut place: usize) -> usize {
    loop {
        let next = eval.state.filter.next_open(place);
        if next > place {
            pass_over(eval, steps.get(place..next.min(steps.len())));
        }
        place = next;
        match plan.steps.at(phase).get(place) {
            Some(PlannedStep::Batched(batch)) if !eval.state.filter.is_seen(*batch) => {
                // This step may be ruled out then.
                measure_batch(eval, plan, phase, *batch);
                if !eval.may_go_on(phase) {
                    return steps.len();
                }
            }
            Some(PlannedStep::Comparison(comparison)) => match answer(eval, comparison) {
                Answer::No => {
                    place += 1;
                    pass_over(eval, steps.get(next..place));
                }
                Answer::Jump(marker) => place = plan.next_marker(phase, marker, place).unwrap_or(steps.len()),
                Answer::Yes | Answer::Ask => return place,
            },
            _ => return place,
        }
    }
}

/// Counts rules as asked without a match.
#[inline]
fn pass_over(eval: &mut Evaluation<'_>, steps: Option<&[Step]>) {
    if let Some(profile) = &mut eval.state.profile {
        profile.rule_out(steps.unwrap_or_default());
    }
}

/// Looks at the values of a batch, and notes what it cost if a profile is taken.
fn measure_batch(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, batch: RuleBatchId) {
    let start = eval.state.profile.as_ref().map(|_| std::time::Instant::now());
    look_at_batch(eval, plan, phase, batch);
    if let (Some(profile), Some(start)) = (&mut eval.state.profile, start) {
        profile.scan_for_prefilters(start.elapsed());
    }
}
