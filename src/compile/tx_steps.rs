//! Finds the rules of a phase that read and write nothing but TX: `engine/tx_run.rs` runs them without evaluating them in the general way.

use crate::graph::{
    Assignment, AssignmentChange, ChainId, Disruptive, Effect, MarkerId, MarkerPlaces, Metadata, OnMatch, OperatorArgument, Part, Phase,
    PlannedStep, Rule, RuleGraph, RulePlan, Step, Template, Test, TxComparison, TxOperand, TxStep,
};
use crate::operator::{OperatorKind, Relation};
use crate::vocabulary::Variable;

/// Returns the comparison of a rule, if `engine/comparison.rs` may answer it:
///
/// * its operator compares numbers, and its argument is a number, or one TX variable by its key;
/// * its only target is a TX variable by its key, or the count of one;
/// * it has no transformations.
pub fn comparison(graph: &RuleGraph, rule: &Rule) -> Option<TxComparison> {
    let Test::Operator { targets, kind, argument, negated } = &rule.test else { return None };
    let [target] = targets.as_slice() else { return None };
    let name = target.as_tx_key().filter(|_| rule.transformations == ChainId::EMPTY)?;
    let (relation, operand) = operand(*kind, argument)?;
    Some(TxComparison { name, count: target.count, relation, operand, negated: *negated, is_described: is_described(graph, rule) })
}

/// Returns the relation of an operator, and the number that it compares with.
fn operand(kind: OperatorKind, argument: &OperatorArgument) -> Option<(Relation, TxOperand)> {
    match argument {
        OperatorArgument::Compiled { operator, .. } => {
            operator.comparison().map(|(relation, number)| (relation, TxOperand::Number(number)))
        }
        OperatorArgument::Template(template) => Some((Relation::of(kind)?, TxOperand::Variable(template.as_tx_key()?))),
        OperatorArgument::Lookup { .. } => None,
    }
}

/// Returns `true` if a log describes the match of a rule, or an action names the values that matched: that of the head of its chain, whose text it has, or that of a rule with `multiMatch`,
/// which has an entry for each match.
fn is_described(graph: &RuleGraph, rule: &Rule) -> bool {
    let first = rule.chain_head.and_then(|head| graph.rule(head)).unwrap_or(rule);
    first.logs || first.stops || first.masks_matched || rule.multi_match
}

/// Adds the rules that read and write nothing but TX to the steps of a phase.
pub fn add(graph: &RuleGraph, phase: Phase, markers: &MarkerPlaces, steps: &mut [PlannedStep]) {
    let all = graph.phases.at(phase);
    // Markers have no effect after a jump to one of them.
    let after_markers = |position: usize| {
        let markers = all.iter().skip(position).take_while(|step| matches!(step, Step::Marker(_))).count();
        position.saturating_add(markers)
    };
    for (position, (step, planned)) in all.iter().zip(steps).enumerate() {
        let Step::Rule(index) = step else { continue };
        let next = |marker: Option<MarkerId>| {
            let next = marker.map_or(Some(position + 1), |marker| markers.next(marker, position)).map_or(usize::MAX, after_markers);
            u32::try_from(next).unwrap_or(u32::MAX)
        };
        let rule = graph.rule(*index).filter(|_| graph.removal(*index).is_none());
        if let Some(step) = rule.and_then(|rule| tx_step(graph, rule, next)) {
            *planned = PlannedStep::Tx(step);
        }
    }
}

/// Returns the step of a rule that compares a TX variable, or tests nothing and only acts on TX. `next` returns the position of the step after it, or
/// after the marker that it jumps to.
fn tx_step(graph: &RuleGraph, rule: &Rule, next: impl FnOnce(Option<MarkerId>) -> u32) -> Option<TxStep> {
    let comparison = match &rule.plan {
        RulePlan::Comparison(comparison) => Some(*comparison),
        _ => None,
    };
    let act = act(rule, &graph.defaults.at(rule.phase).effects);
    let is_of_tx = comparison.is_some() || act.is_some() && matches!(rule.test, Test::Unconditional);
    let on_match = act.map_or(OnMatch::Evaluate, |Act { passes, marker }| OnMatch::Act {
        passes,
        assigns: !rule.assignments.is_empty(),
        next: next(marker),
    });
    is_of_tx.then_some(TxStep { comparison, on_match })
}

/// The effects of a rule in addition to its assignments.
struct Act {
    passes: bool,
    /// The marker that it jumps to.
    marker: Option<MarkerId>,
}

/// Returns the effects of a rule that acts on TX alone, or only jumps. Every field of a rule is listed, so that a new field must be added here too.
fn act(rule: &Rule, defaults: &[Effect]) -> Option<Act> {
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
        masks_matched: false,
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
    let passes = disruptive.is_some();
    let mut acting = effects.iter().chain(defaults).filter(|effect| !matches!(effect, Effect::Logging(_)));
    let marker = match (acting.next(), acting.next()) {
        (None, _) => None,
        (Some(Effect::SkipAfter(marker)), None) => Some(*marker),
        _ => return None,
    };
    (openings.is_empty() && assignments.iter().all(is_of_tx)).then_some(Act { passes, marker })
}

/// Returns `true` if an assignment reads and writes nothing but TX.
fn is_of_tx(assignment: &Assignment) -> bool {
    let reads_tx =
        |template: &Template| template.parts().iter().all(|part| !matches!(part, Part::Value(target) if target.variable != Variable::Tx));
    let change = match &assignment.change {
        AssignmentChange::Set(template) | AssignmentChange::Add(template) | AssignmentChange::Subtract(template) => reads_tx(template),
        AssignmentChange::Remove => true,
    };
    change && assignment.variable == Variable::Tx && reads_tx(&assignment.key_template)
}
