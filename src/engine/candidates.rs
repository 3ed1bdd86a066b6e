//! Follows the plan of the graph: rules out, without evaluation, rules and values that cannot match. It answers "no" or "maybe".
//!
//! The same prefilters are tested with the signatures of fewer and fewer values; each test rules out most of the rest. For the rules of the OWASP
//! CRS, and 3635 requests:
//!
//! | test | signature of | rules out |
//! | --- | --- | --- |
//! | [`next_open`] | all values of a target list, for all rules of a batch | 811,000 of 976,000 rules |
//! | [`open_values`] | all values of one target, for a rule with several targets, or a chained one | 197,000 of 245,000 targets |
//! | [`open_values`] | one value | 321,000 of 387,000 values |
//!
//! For a negated rule, which matches when its operator does not, only [`may_find`] tests values: 7,000 of 14,000 need no search. These are the large
//! ones, such as a response without any word of `!@pmFromFile`.

use super::Evaluation;
use super::tx_run::{Reached, run_tx_steps};
use crate::graph::{Phase, Plan, PlannedStep, RuleBatchId, ScanPointSet, Step, TargetId, ValueScan};
use crate::state::{LentValues, Selection, State, ValueId, View};
use std::ops::Range;

/// Returns the plan, if it is followed. With a debug log that shows every evaluation, every rule is evaluated.
pub fn followed_plan<'r>(eval: &Evaluation<'r>) -> Option<&'r Plan> {
    eval.rules.plan.as_ref().filter(|_| !eval.debugs(4))
}

/// Returns the next step from `place` on that must be evaluated. A full profile counts the skipped rules as ruled out.
pub fn next_open(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, steps: &[Step], mut place: usize) -> usize {
    let planned = plan.steps.at(phase);
    loop {
        let next = eval.state.filter.next_open(place);
        pass_over(eval, steps, place..next);
        place = next;
        match planned.get(place) {
            Some(PlannedStep::Batched(batch)) if !eval.state.filter.is_seen(*batch) => {
                // This step may be ruled out then.
                measure_batch(eval, plan, phase, *batch);
                if !eval.may_go_on(phase) {
                    return steps.len();
                }
            }
            Some(PlannedStep::Tx(_)) => {
                let reached = run_tx_steps(eval, plan, phase, place);
                let (Reached::Step(end) | Reached::Rule(end)) = reached;
                pass_over(eval, steps, place..end);
                place = end;
                if let Reached::Rule(_) = reached {
                    return place;
                }
            }
            _ => return place,
        }
    }
}

/// Lends the values of a target that may match, or all of them for a negated rule; [`PhaseFilter::give_back`](crate::state::PhaseFilter::give_back)
/// takes them back.
pub fn open_values(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId, scan: &ValueScan) -> Option<LentValues> {
    learn(eval, plan, target);
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    filter.lend_open(&mut View { graph: eval.rules, plan, transforms, arena: &mut collections.arena }, target, scan)
}

/// Returns `true` if the operator of a negated rule may match a value after all transformations, or with `multiMatch` after any of them. If not, the
/// rule matches. Values of other rules are open.
pub fn may_find(eval: &mut Evaluation<'_>, plan: &Plan, value: ValueId, scan: &ValueScan) -> bool {
    let Some(prefilter) = scan.prefilter.filter(|_| scan.negated) else { return true };
    let State { transforms, collections, .. } = &mut *eval.state;
    let mut view = View { graph: eval.rules, plan, transforms, arena: &mut collections.arena };
    plan.prefilters.may_match(prefilter, view.signature(value, scan.scan_point, ScanPointSet::default()))
}

/// Scans the values of a batch, and measures the time if a profile is taken.
fn measure_batch(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, batch: RuleBatchId) {
    let start = eval.state.profile.as_ref().map(|_| std::time::Instant::now());
    look_at_batch(eval, plan, phase, batch);
    if let (Some(profile), Some(start)) = (&mut eval.state.profile, start) {
        profile.scan_for_prefilters(start.elapsed());
    }
}

/// Scans the values of a batch, and closes its rules that cannot match.
fn look_at_batch(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, id: RuleBatchId) {
    let Some(batch) = plan.batches.at(phase).get(id.0 as usize) else { return };
    if !eval.state.filter.knows_list(batch.target_list) {
        for target in plan.target_list(batch.target_list) {
            learn(eval, plan, *target);
        }
    }
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    filter.look_at(&mut View { graph: eval.rules, plan, transforms, arena: &mut collections.arena }, id, batch);
}

/// Selects the values of a target, unless it was done before in this phase.
#[inline]
fn learn(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    if !eval.state.filter.knows(target) {
        select_once(eval, plan, target);
    }
}

#[inline(never)]
fn select_once(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    let Some(planned) = plan.targets.get(target.0 as usize) else { return };
    let mut selected = std::mem::take(&mut eval.state.scratch.selected);
    selected.clear();
    let selection = Selection { graph: eval.rules, store: eval.services.store.as_ref(), namespaces: &[], rule: None, max: usize::MAX };
    eval.state.collections.select(&planned.target, &selection, &mut selected);
    let State { filter, transforms, collections, .. } = &mut *eval.state;
    filter.learn(&mut View { graph: eval.rules, plan, transforms, arena: &mut collections.arena }, target, &selected);
    eval.state.scratch.selected = selected;
}

/// Counts rules as ruled out.
#[inline]
fn pass_over(eval: &mut Evaluation<'_>, steps: &[Step], passed: Range<usize>) {
    if let Some(profile) = &mut eval.state.profile {
        profile.rule_out(steps.get(passed.start..passed.end.min(steps.len())).unwrap_or_default());
    }
}
