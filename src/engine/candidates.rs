//! Follows the plan of the graph: finds out without asking that a rule cannot match. It may only ever say "no" or "maybe".

use super::Evaluation;
use crate::graph::{EngineMode, Phase, Plan, Rule, RuleBatchId, RuleIndex, ScanPoint, Selector, Step, TargetId, Test, TxComparison};
use crate::state::{Label, Matched, Selection, State, TargetValue, ValueId, View};
use crate::vocabulary::Variable;

/// The plan, if it is followed. While a debug log shows every question, every question is asked.
pub fn followed_plan<'r>(eval: &Evaluation<'r>) -> Option<&'r Plan> {
    eval.rules.plan.as_ref().filter(|_| !eval.debugs(4))
}

/// Returns `true` if the plan shows that no value of the rule's targets can match.
pub fn cannot_match(eval: &mut Evaluation<'_>, plan: &Plan, rule: &Rule) -> bool {
    if let Some(comparison) = rule.plan.comparison {
        return !compares(eval, comparison);
    }
    let (Some(target_list), None) = (rule.plan.target_list, rule.plan.batch) else { return false };
    !plan.target_list(target_list).iter().any(|target| is_open(eval, plan, *target, rule))
}

fn compares(eval: &Evaluation<'_>, comparison: TxComparison) -> bool {
    let tx = &eval.state.collections.tx;
    let value = tx.read(tx.known(comparison.name));
    comparison.holds(value.map(|value| eval.state.collections.arena.read(value)))
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

/// The next step from `place` on that may match. The rules that are passed over count as asked.
pub fn next_open(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, steps: &[Step], mut place: usize) -> usize {
    loop {
        let next = eval.state.filter.next_open(place);
        if next > place {
            pass_over(eval, steps.get(place..next.min(steps.len())));
        }
        let Some(planned) = plan.steps.at(phase).get(next) else { return next };
        place = next;
        if let Some(batch) = planned.batch.filter(|batch| !eval.state.filter.is_seen(*batch)) {
            // This step may be ruled out then.
            measure_batch(eval, plan, phase, batch);
            if !eval.may_go_on(phase) {
                return steps.len();
            }
        } else if planned.comparison.is_some_and(|comparison| !compares(eval, comparison)) {
            place += 1;
            pass_over(eval, steps.get(next..place));
        } else if let (Some(marker), Some(Step::Rule(index))) = (planned.skips_to, steps.get(next))
            && compares_freely(eval)
        {
            jump_after(eval, *index);
            eval.state.flow.skip_after = Some(marker);
            return plan.next_marker(phase, marker, next).unwrap_or(steps.len());
        } else {
            return next;
        }
    }
}

/// Returns `true` if rules that compare a TX variable need not be asked one by one: nobody measures them, and no `ctl` may have taken them or TX out.
fn compares_freely(eval: &Evaluation<'_>) -> bool {
    let overrides = &eval.state.overrides;
    eval.state.profile.is_none()
        && overrides.removed_rules.is_empty()
        && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
}

/// Does what a rule does that compares a TX variable, matches, passes and skips. What it matched nobody reads.
fn jump_after(eval: &mut Evaluation<'_>, index: RuleIndex) {
    let Some(rule) = eval.rules.rule(index) else { return };
    if rule.disruptive.is_some() && eval.engine_mode() == EngineMode::On {
        eval.state.pending.take_back();
    }
}

/// Takes note of a match of a rule that compares a TX variable, if nobody needs to know more of it than that; says whether it did.
pub fn matches_quietly(eval: &mut Evaluation<'_>, rule: &Rule) -> bool {
    let quiet = rule.plan.comparison.is_some() && !rule.multi_match && compares_freely(eval);
    if quiet {
        note_comparison(eval, rule);
    }
    quiet
}

/// Stores what matched where a rule compares a TX variable.
fn note_comparison(eval: &mut Evaluation<'_>, rule: &Rule) {
    let Test::Operator { targets, .. } = &rule.test else { return };
    let (Some(comparison), Some(target)) = (rule.plan.comparison, targets.first()) else { return };
    let Selector::Key(key) = &target.selector else { return };
    let tx = &eval.state.collections.tx;
    let value = tx.read(tx.known(comparison.name));
    let arena = &mut eval.state.collections.arena;
    let matched = match (comparison.count, value) {
        (true, value) => Matched { label: Label::of_count(target, arena), value: arena.store_number(u8::from(value.is_some())) },
        (false, Some(value)) => Matched { label: Label::Keyed(Variable::Tx, arena.store(&key.text)), value },
        (false, None) => return,
    };
    eval.state.collections.note_match(matched);
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
