//! Follows the plan of the graph: finds out without asking that a rule cannot match. It may only ever say "no" or "maybe".

use super::Transaction;
use crate::collection::{Selected, Selection, Text};
use crate::graph::{ChainId, GroupId, OperatorArgument, Plan, Rule, RuleGraph, Test};
use crate::operator::{Findings, Wanted};
use crate::pattern::{GateId, LiteralSet};

impl Transaction {
    /// Whether the plan shows that no value of the rule's targets can match. While a debug log shows every question, every question is asked.
    pub(super) fn cannot_match(&mut self, graph: &RuleGraph, rule: &Rule) -> bool {
        let Some(plan) = graph.plan.as_ref().filter(|_| !self.debugs(4)) else { return false };
        if let Some(answer) = self.compared_tx(rule) {
            return !answer;
        }
        let (Some(group), Some(gate), Some(literals)) = (rule.plan.group, rule.plan.gate, &plan.literals) else { return false };
        if !rule.multi_match {
            return !self.opens(graph, literals, group, rule.transformations, gate);
        }
        let prefixes = graph.transformations.prefixes(rule.transformations);
        !std::iter::once(ChainId::EMPTY).chain(prefixes).any(|chain| self.opens(graph, literals, group, chain, gate))
    }

    /// The answer of a rule that does nothing but compare one TX variable with a number.
    fn compared_tx(&self, rule: &Rule) -> Option<bool> {
        let name = rule.plan.tx?;
        let Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, negated, .. } = &rule.test else { return None };
        let value = self.collections.tx.read(self.collections.tx.known(name));
        // Where there is no value nothing is asked, so that nothing matches, whichever way the answer would be turned.
        let compare = |value| operator.evaluate(self.collections.arena.read(value), Wanted::Verdict, &mut Findings::default()) != *negated;
        Some(value.is_some_and(compare))
    }

    fn opens(&mut self, graph: &RuleGraph, literals: &LiteralSet, group: GroupId, chain: ChainId, gate: GateId) -> bool {
        if let Some(known) = self.gates.is_open(group, chain, gate) {
            return known;
        }
        let values = self.group_values(graph, group);
        let Self { gates, slots, collections, .. } = self;
        let transformed: Vec<Text> =
            values.iter().map(|value| slots.value(graph, &mut collections.arena, value.value, chain).value).collect();
        gates.give_back(group, values);
        gates.find_out(literals, &collections.arena, group, chain, transformed.into_iter());
        gates.is_open(group, chain, gate).unwrap_or(true)
    }

    /// Whether one value of a rule with a gate may match. With `multiMatch` each step is a value of its own, so that nothing is known here.
    pub(super) fn may_match(&mut self, plan: &Plan, graph: &RuleGraph, rule: &Rule, value: &Selected) -> bool {
        let (Some(gate), Some(literals), false) = (rule.plan.gate, &plan.literals, rule.multi_match) else { return true };
        let Self { gates, slots, collections, .. } = self;
        let slot = slots.value(graph, &mut collections.arena, value.value, rule.transformations);
        gates.opens(literals, &collections.arena, slot.value, gate)
    }

    /// The values of a group in this phase, lent out; `gates` takes them in again.
    pub(super) fn group_values(&mut self, graph: &RuleGraph, group: GroupId) -> Vec<Selected> {
        if let Some(values) = self.gates.borrow(group) {
            return values;
        }
        let mut values = Vec::new();
        let selection = Selection { graph, store: self.ground.store.as_ref(), namespaces: &[], rule: None };
        for target in graph.plan.as_ref().map_or(&[][..], |plan| plan.targets(group)) {
            self.collections.select(target, &selection, &mut values);
        }
        values
    }
}
