//! Plans the evaluation of a finished graph: gates, groups of targets, triggers, jumps.

use crate::graph::{
    ChainId, GroupId, MarkerId, OperatorArgument, Phase, Plan, Rule, RuleGraph, RulePlan, Selector, Step, Target, Test, TransformationTree,
};
use crate::operator::{Operator, OperatorKind};
use crate::pattern::{ByteSet, GateId, LiteralSetBuilder, Requirement};
use crate::vocabulary::Variable;

/// Gives a graph its plan.
pub fn plan(graph: &mut RuleGraph) {
    let mut literals = LiteralSetBuilder::default();
    let mut groups = Groups::default();
    for rule in &mut graph.rules {
        rule.plan = plan_rule(rule, &mut literals, &mut groups);
    }
    let mut plan = Plan {
        // Without the automaton every gate stays away: the rules are asked as they would be without a plan.
        literals: literals.build().ok().filter(|literals| literals.words() > 0),
        groups: groups.lists,
        triggers: triggers(&graph.transformations),
        ..Plan::default()
    };
    for phase in Phase::ALL {
        let places = plan.markers.at_mut(phase);
        places.resize(graph.markers.len(), None);
        for (place, step) in graph.phases.at(phase).iter().enumerate() {
            if let Step::Marker(MarkerId(marker)) = step
                && let Some(known) = places.get_mut(*marker as usize)
            {
                *known = Some(place);
            }
        }
    }
    graph.plan = Some(plan);
}

fn plan_rule(rule: &Rule, literals: &mut LiteralSetBuilder, groups: &mut Groups) -> RulePlan {
    let Test::Operator { targets, argument: OperatorArgument::Compiled { operator, .. }, negated, .. } = &rule.test else {
        return RulePlan::default();
    };
    let stable = rule.namespaces.is_empty() && targets.iter().all(|target| is_stable(target.variable));
    RulePlan {
        group: stable.then(|| groups.intern(targets)),
        gate: if stable && !negated { gate(operator, literals) } else { None },
        tx: lone_tx(rule, targets, operator),
    }
}

/// The gate in front of an operator, where what it looks for is known.
fn gate(operator: &Operator, literals: &mut LiteralSetBuilder) -> Option<GateId> {
    let requirement = match (operator.kind(), operator.pattern(), operator.words(), operator.text()) {
        (_, Some(pattern), ..) => pattern.requirement().cloned(),
        (_, _, Some(words), _) => Requirement::any_of(words.iter()),
        (
            OperatorKind::Contains | OperatorKind::StrMatch | OperatorKind::BeginsWith | OperatorKind::EndsWith | OperatorKind::StrEq,
            ..,
            Some(text),
        ) => Requirement::any_of([text]),
        _ => None,
    };
    requirement.map(|requirement| literals.add(requirement))
}

/// Whether no rule can change the variable's values while a phase runs.
fn is_stable(variable: Variable) -> bool {
    use Variable as V;
    !variable.is_writable()
        && !matches!(
            variable,
            V::Duration
                | V::Env
                | V::Geo
                | V::HighestSeverity
                | V::MatchedVar
                | V::MatchedVarName
                | V::MatchedVars
                | V::MatchedVarsNames
                | V::MscPcreError
                | V::MscPcreLimitsExceeded
                | V::ReqbodyProcessor
                | V::Rule
                | V::SessionId
                | V::Time
                | V::TimeDay
                | V::TimeEpoch
                | V::TimeHour
                | V::TimeMin
                | V::TimeMon
                | V::TimeSec
                | V::TimeWday
                | V::TimeYear
                | V::UserId
        )
}

/// The TX variable of a rule that does nothing but compare it with a number.
fn lone_tx(rule: &Rule, targets: &[Target], operator: &Operator) -> Option<crate::graph::TxName> {
    use OperatorKind as K;
    let [Target { variable: Variable::Tx, selector: Selector::Key(key), count: false, exclusions }] = targets else { return None };
    let compares = matches!(operator.kind(), K::Eq | K::Ge | K::Gt | K::Le | K::Lt);
    key.tx.filter(|_| compares && exclusions.is_empty() && rule.transformations == ChainId::EMPTY)
}

/// The bytes that each chain acts on, by the chain's number.
fn triggers(tree: &TransformationTree) -> Vec<ByteSet> {
    let mut sets = vec![ByteSet::EMPTY];
    for chain in (1..=tree.len()).filter_map(|number| u32::try_from(number).ok()) {
        let set = tree.last_step(ChainId(chain)).map_or(ByteSet::ALL, |step| {
            let own =
                (0..=u8::MAX).filter(|byte| step.transformation.is_triggered_by(*byte).unwrap_or(true)).fold(ByteSet::EMPTY, ByteSet::with);
            sets.get(step.before.0 as usize).copied().unwrap_or(ByteSet::ALL).union(own)
        });
        sets.push(set);
    }
    sets
}

/// Lists of targets, numbered; lists that select the same have the same number.
#[derive(Default)]
struct Groups {
    lists: Vec<Box<[Target]>>,
}

impl Groups {
    fn intern(&mut self, targets: &[Target]) -> GroupId {
        let alike = |list: &[Target]| list.len() == targets.len() && list.iter().zip(targets).all(|(one, other)| one.is_same(other));
        let known = self.lists.iter().position(|list| alike(list));
        if known.is_none() {
            self.lists.push(targets.into());
        }
        GroupId(u32::try_from(known.unwrap_or(self.lists.len() - 1)).unwrap_or(u32::MAX))
    }
}
