//! Runs the rules of a phase: markers, skips, allow, removals.

use super::Evaluation;
use super::candidates::{followed_plan, next_open};
use super::chain::evaluate_chain;
use crate::graph::{Phase, Removal, Rule, RuleFilter, RuleIndex, Step, Test};

/// Runs a phase, unless there is a decision or an earlier `allow` covers it.
pub fn run(eval: &mut Evaluation<'_>, phase: Phase) {
    if eval.is_decided() {
        return eval.debug(8, || "Skipping this phase as this request was already intercepted.".to_owned());
    }
    let rules = eval.rules;
    let steps = rules.phases.at(phase);
    eval.debug(9, || format!("This phase consists of {} rule(s).", steps.len()));
    // As in ModSecurity v2, skips of an earlier phase end with it: a jump must not skip unrelated rules.
    (eval.state.flow.skip, eval.state.flow.skip_after) = (0, None);
    eval.allow_work(phase);
    let goes_on = eval.may_go_on(phase);
    if eval.state.flow.allow.is_some_and(|scope| scope.reaches(phase)) {
        return eval.debug(9, || {
            "Skipping all rules evaluation on this phase as request through the utilization of an `allow' action.".to_owned()
        });
    }
    eval.state.flow.allow = None;
    // What happened before the phase may have led to a decision, such as a store that did not answer.
    if !goes_on || eval.is_decided() {
        return;
    }
    let plan = followed_plan(eval);
    if let Some(plan) = plan {
        eval.state.filter.begin_phase(plan, phase);
    }
    let mut place = 0;
    // Also after the last rule: limits that it exceeded are reported and decided before the host continues.
    while eval.may_go_on(phase) {
        place = jump(eval, phase, steps, place);
        let Some(step) = steps.get(place) else { break };
        let Step::Rule(index) = step else {
            pass_marker(eval, *step);
            place += 1;
            continue;
        };
        let Some(rule) = rules.rule(*index) else { break };
        place += 1;
        if is_passed_over(eval, *index, rule) {
            continue;
        }
        measure_chain(eval, *index, rule);
        if eval.is_decided() {
            eval.debug(8, || "Skipping this phase as this request was already intercepted.".to_owned());
            break;
        }
    }
}

fn pass_marker(eval: &mut Evaluation<'_>, step: Step) {
    if let Step::Marker(marker) = step
        && eval.state.flow.skip_after == Some(marker)
    {
        eval.state.flow.skip_after = None;
    }
}

/// Returns the position of the next step. A pending jump leads to its marker, or to the end if the marker does not follow in this phase; otherwise it
/// is the next step that may match. While a debug log lists skipped rules, every step is visited.
fn jump(eval: &mut Evaluation<'_>, phase: Phase, steps: &[Step], place: usize) -> usize {
    match (eval.state.flow.skip_after, &eval.rules.plan) {
        (Some(marker), Some(plan)) if !eval.debugs(9) => plan.next_marker(phase, marker, place).unwrap_or(steps.len()),
        (None, Some(plan)) if eval.state.flow.skip == 0 && eval.state.flow.allow.is_none() && !eval.debugs(4) => {
            next_open(eval, plan, phase, steps, place)
        }
        _ => place,
    }
}

fn is_passed_over(eval: &mut Evaluation<'_>, index: RuleIndex, rule: &Rule) -> bool {
    if let Some(marker) = eval.state.flow.skip_after {
        eval.debug(9, || format!("Skipped rule id '{}' due to a SecMarker: {}", rule.reference(), eval.rules.marker(marker)));
        return true;
    }
    if eval.state.flow.skip > 0 {
        eval.state.flow.skip -= 1;
        let left = eval.state.flow.skip;
        eval.debug(9, || format!("Skipped rule id '{}' due to a `skip' action. Still {left} to be skipped.", rule.reference()));
        return true;
    }
    if eval.state.flow.allow.is_some() {
        // The spelling is ModSecurity's own, which people search for in logs.
        eval.debug(9, || format!("Skipped rule id '{}' as request trough the utilization of an `allow' action.", rule.reference()));
        return true;
    }
    if let Some(removal) = eval.rules.removal(index) {
        let by = match removal {
            Removal::Id => "an SecRuleRemove",
            Removal::Message => "a SecRuleRemoveByMsg",
            Removal::Tag => "a SecRuleRemoveByTag",
        };
        eval.debug(9, || format!("Skipped rule id '{}'. Removed by {by} directive.", rule.reference()));
        return true;
    }
    let removed_now = is_removed_by_text(eval, rule);
    if removed_now {
        eval.debug(9, || format!("Skipped rule id '{}'. Skipped due to a ruleRemoveByTag action.", rule.reference()));
    }
    removed_now
}

/// Returns `true` if a `ctl` removed the rule by its tag or message. Removals by id are checked for each rule of a chain.
fn is_removed_by_text(eval: &Evaluation<'_>, rule: &Rule) -> bool {
    eval.state.overrides.removed_rules.iter().any(|filter| !matches!(filter, RuleFilter::Ids(_)) && filter.names(rule))
}

/// Evaluates a chain, and records its cost in a profile.
fn measure_chain<'r>(eval: &mut Evaluation<'r>, head: RuleIndex, first: &'r Rule) {
    if eval.state.profile.is_none() {
        return evaluate_chain(eval, head, first);
    }
    let start = std::time::Instant::now();
    evaluate_chain(eval, head, first);
    if let Some(profile) = &mut eval.state.profile {
        profile.finish_rule(head, matches!(first.test, Test::Operator { .. }), start.elapsed());
    }
}
