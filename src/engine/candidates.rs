//! Follows the plan of the graph: finds out without asking that a rule cannot match. It may only ever say "no" or "maybe".

use super::Evaluation;
use crate::graph::{CrowdId, EngineMode, Phase, Plan, Rule, RuleIndex, Selector, Sight, Step, TargetId, Test, TxComparison};
use crate::state::{Label, Matched, Member, Selection, State, ValueId, View};
use crate::vocabulary::Variable;

/// The plan, if it is followed. While a debug log shows every question, every question is asked.
pub fn followed_plan<'r>(eval: &Evaluation<'r>) -> Option<&'r Plan> {
    eval.rules.plan.as_ref().filter(|_| !eval.debugs(4))
}

/// Whether the plan shows that no value of the rule's targets can match.
pub fn cannot_match(eval: &mut Evaluation<'_>, plan: &Plan, rule: &Rule) -> bool {
    if let Some(comparison) = rule.plan.comparison {
        return !compares(eval, comparison);
    }
    let (Some(group), None) = (rule.plan.group, rule.plan.crowd) else { return false };
    !plan.group(group).iter().any(|target| is_open(eval, plan, *target, rule))
}

fn compares(eval: &Evaluation<'_>, comparison: TxComparison) -> bool {
    let tx = &eval.state.collections.tx;
    let value = tx.read(tx.known(comparison.name));
    comparison.holds(value.map(|value| eval.state.collections.arena.read(value)))
}

/// Whether a target has values about which a rule may say "yes".
pub fn is_open(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId, rule: &Rule) -> bool {
    let rules = eval.rules;
    learn(eval, plan, target);
    let gate = rule.plan.prefilter.filter(|_| !matches!(rule.test, Test::Operator { negated: true, .. }));
    let State { gates, slots, collections, .. } = &mut *eval.state;
    let mut view = View { graph: rules, plan, slots, arena: &mut collections.arena };
    gates.is_open(&mut view, target, Sight::of(rule), gate)
}

/// Whether the operator of a rule may find something in one value after all of the rule's transformations.
pub fn may_find(eval: &mut Evaluation<'_>, rule: &Rule, value: ValueId) -> bool {
    let rules = eval.rules;
    let (Some(plan), Some(gate)) = (followed_plan(eval), rule.plan.prefilter) else { return true };
    let State { slots, collections, .. } = &mut *eval.state;
    let slot = slots.value(rules, &mut collections.arena, value, plan.sight(Sight::after(rule.transformations)).chain);
    plan.prefilters.may_match(gate, slots.signature(&plan.prefilters, &mut collections.arena, slot.id))
}

/// Looks at the values of a crowd, so that the gates are closed in front of those of its rules that cannot match.
pub fn look_at_crowd(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, id: CrowdId) {
    let rules = eval.rules;
    let Some(crowd) = plan.crowds.at(phase).get(id.0 as usize) else { return };
    if !eval.state.gates.knows_group(crowd.group) {
        plan.group(crowd.group).iter().for_each(|target| learn(eval, plan, *target));
    }
    let State { gates, slots, collections, .. } = &mut *eval.state;
    gates.look_at(&mut View { graph: rules, plan, slots, arena: &mut collections.arena }, id, crowd);
}

/// The values of a target in this phase, lent out; `gates` takes them in again.
pub fn members(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) -> Vec<Member> {
    learn(eval, plan, target);
    eval.state.gates.borrow(target)
}

/// Selects the values of a target, unless this phase did before.
#[inline]
fn learn(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    if !eval.state.gates.knows(target) {
        select_once(eval, plan, target);
    }
}

fn select_once(eval: &mut Evaluation<'_>, plan: &Plan, target: TargetId) {
    let rules = eval.rules;
    let Some(planned) = plan.targets.get(target.0 as usize) else { return };
    let mut selected = std::mem::take(&mut eval.state.scratch.selected);
    selected.clear();
    let selection = Selection { graph: rules, store: eval.services.store.as_ref(), namespaces: &[], rule: None, max: usize::MAX };
    eval.state.collections.select(&planned.target, &selection, &mut selected);
    let State { gates, slots, collections, .. } = &mut *eval.state;
    gates.learn(target, planned.kind, &selected, slots, &mut collections.arena);
    eval.state.scratch.selected = selected;
}

/// The next step from `place` on that may match. The rules that are passed over count as asked.
pub fn next_open(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, steps: &[Step], mut place: usize) -> usize {
    loop {
        let next = eval.state.gates.next_open(place);
        if next > place {
            pass_over(eval, steps.get(place..next.min(steps.len())));
        }
        let Some(planned) = plan.steps.at(phase).get(next) else { return next };
        place = next;
        if let Some(crowd) = planned.crowd.filter(|crowd| !eval.state.gates.is_seen(*crowd)) {
            // The gate of this step may be closed then.
            measure_crowd(eval, plan, phase, crowd);
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

/// Whether rules that compare a TX variable need not be asked one by one: nobody measures them, and no `ctl` may have taken them or TX out.
fn compares_freely(eval: &Evaluation<'_>) -> bool {
    let overrides = &eval.state.overrides;
    eval.state.profile.is_none()
        && overrides.removed_rules.is_empty()
        && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
}

/// Does what a rule does that compares a TX variable, matches, passes and skips. What it matched nobody reads.
fn jump_after(eval: &mut Evaluation<'_>, index: RuleIndex) {
    let rules = eval.rules;
    let Some(rule) = rules.rule(index) else { return };
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

/// Looks at the values of a crowd, and notes what it cost if a profile is taken.
fn measure_crowd(eval: &mut Evaluation<'_>, plan: &Plan, phase: Phase, crowd: CrowdId) {
    let start = eval.state.profile.as_ref().map(|_| std::time::Instant::now());
    look_at_crowd(eval, plan, phase, crowd);
    if let (Some(profile), Some(start)) = (&mut eval.state.profile, start) {
        profile.look_at_gates(start.elapsed());
    }
}
