//! Follows the plan of the graph: finds out without asking that a rule cannot match. It may only ever say "no" or "maybe".

use super::Transaction;
use super::gates::{Member, View};
use super::slots::ValueId;
use crate::collection::{Label, Matched, Selection};
use crate::graph::{CrowdId, EngineMode, Phase, Plan, Rule, RuleGraph, RuleIndex, Selector, Sight, Step, TargetId, Test, TxComparison};
use crate::vocabulary::Variable;

impl Transaction {
    /// The plan, if it is followed. While a debug log shows every question, every question is asked.
    pub(super) fn followed_plan<'g>(&self, graph: &'g RuleGraph) -> Option<&'g Plan> {
        graph.plan.as_ref().filter(|_| !self.debugs(4))
    }

    /// Whether the plan shows that no value of the rule's targets can match.
    pub(super) fn cannot_match(&mut self, plan: &Plan, graph: &RuleGraph, rule: &Rule) -> bool {
        if let Some(comparison) = rule.plan.comparison {
            return !self.compares(comparison);
        }
        let (Some(group), None) = (rule.plan.group, rule.plan.crowd) else { return false };
        !plan.group(group).iter().any(|target| self.is_open(plan, graph, *target, rule))
    }

    fn compares(&self, comparison: TxComparison) -> bool {
        let tx = &self.collections.tx;
        let value = tx.read(tx.known(comparison.name));
        comparison.holds(value.map(|value| self.collections.arena.read(value)))
    }

    /// Whether a target has values about which a rule may say "yes".
    pub(super) fn is_open(&mut self, plan: &Plan, graph: &RuleGraph, target: TargetId, rule: &Rule) -> bool {
        self.learn(plan, graph, target);
        let gate = rule.plan.gate.filter(|_| !matches!(rule.test, Test::Operator { negated: true, .. }));
        let Self { gates, slots, collections, .. } = self;
        let mut view = View { graph, plan, slots, arena: &mut collections.arena };
        gates.is_open(&mut view, target, Sight::of(rule), gate)
    }

    /// Whether the operator of a rule may find something in one value after all of the rule's transformations.
    pub(super) fn may_find(&mut self, graph: &RuleGraph, rule: &Rule, value: ValueId) -> bool {
        let (Some(plan), Some(gate)) = (self.followed_plan(graph), rule.plan.gate) else { return true };
        let Self { slots, collections, .. } = self;
        let slot = slots.value(graph, &mut collections.arena, value, plan.sight(Sight::after(rule.transformations)).chain);
        plan.literals.is_open(gate, slots.signature(&plan.literals, &mut collections.arena, slot.id))
    }

    /// Looks at the values of a crowd, so that the gates are closed in front of those of its rules that cannot match.
    pub(super) fn look_at_crowd(&mut self, plan: &Plan, graph: &RuleGraph, phase: Phase, id: CrowdId) {
        let Some(crowd) = plan.crowds.at(phase).get(id.0 as usize) else { return };
        if !self.gates.knows_group(crowd.group) {
            plan.group(crowd.group).iter().for_each(|target| self.learn(plan, graph, *target));
        }
        let Self { gates, slots, collections, .. } = self;
        gates.look_at(&mut View { graph, plan, slots, arena: &mut collections.arena }, id, crowd);
    }

    /// The values of a target in this phase, lent out; `gates` takes them in again.
    pub(super) fn members(&mut self, plan: &Plan, graph: &RuleGraph, target: TargetId) -> Vec<Member> {
        self.learn(plan, graph, target);
        self.gates.borrow(target)
    }

    /// Selects the values of a target, unless this phase did before.
    #[inline]
    fn learn(&mut self, plan: &Plan, graph: &RuleGraph, target: TargetId) {
        if !self.gates.knows(target) {
            self.select_once(plan, graph, target);
        }
    }

    fn select_once(&mut self, plan: &Plan, graph: &RuleGraph, target: TargetId) {
        let Some(planned) = plan.targets.get(target.0 as usize) else { return };
        let mut selected = std::mem::take(&mut self.scratch.selected);
        selected.clear();
        let selection = Selection { graph, store: self.ground.store.as_ref(), namespaces: &[], rule: None, max: usize::MAX };
        self.collections.select(&planned.target, &selection, &mut selected);
        let Self { gates, slots, collections, .. } = self;
        gates.learn(target, planned.kind, &selected, slots, &mut collections.arena);
        self.scratch.selected = selected;
    }

    /// The next step from `place` on that may match. The rules that are passed over count as asked.
    pub(super) fn next_open(&mut self, plan: &Plan, graph: &RuleGraph, phase: Phase, steps: &[Step], mut place: usize) -> usize {
        loop {
            let next = self.gates.next_open(place);
            if next > place {
                self.pass_over(steps.get(place..next.min(steps.len())));
            }
            let Some(planned) = plan.steps.at(phase).get(next) else { return next };
            place = next;
            if let Some(crowd) = planned.crowd.filter(|crowd| !self.gates.is_seen(*crowd)) {
                // The gate of this step may be closed then.
                self.measure_crowd(plan, graph, phase, crowd);
                if !self.may_go_on(phase) {
                    return steps.len();
                }
            } else if planned.comparison.is_some_and(|comparison| !self.compares(comparison)) {
                place += 1;
                self.pass_over(steps.get(next..place));
            } else if let (Some(marker), Some(Step::Rule(index))) = (planned.skips_to, steps.get(next))
                && self.compares_freely()
            {
                self.jump_after(graph, *index);
                self.flow.skip_after = Some(marker);
                return plan.next_marker(phase, marker, next).unwrap_or(steps.len());
            } else {
                return next;
            }
        }
    }

    /// Whether rules that compare a TX variable need not be asked one by one: nobody measures them, and no `ctl` may have taken them or TX out.
    fn compares_freely(&self) -> bool {
        let overrides = &self.overrides;
        self.profile.is_none()
            && overrides.removed_rules.is_empty()
            && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
    }

    /// Does what a rule does that compares a TX variable, matches, passes and skips. What it matched nobody reads.
    fn jump_after(&mut self, graph: &RuleGraph, index: RuleIndex) {
        let Some(rule) = graph.rule(index) else { return };
        if rule.disruptive.is_some() && self.engine_mode() == EngineMode::On {
            self.pass();
        }
    }

    /// Takes note of a match of a rule that compares a TX variable, if nobody needs to know more of it than that; says whether it did.
    pub(super) fn matches_quietly(&mut self, rule: &Rule) -> bool {
        let quiet = rule.plan.comparison.is_some() && !rule.multi_match && self.compares_freely();
        if quiet {
            self.note_comparison(rule);
        }
        quiet
    }

    /// Stores what matched where a rule compares a TX variable.
    fn note_comparison(&mut self, rule: &Rule) {
        let Test::Operator { targets, .. } = &rule.test else { return };
        let (Some(comparison), Some(target)) = (rule.plan.comparison, targets.first()) else { return };
        let Selector::Key(key) = &target.selector else { return };
        let tx = &self.collections.tx;
        let value = tx.read(tx.known(comparison.name));
        let arena = &mut self.collections.arena;
        let matched = match (comparison.count, value) {
            (true, value) => Matched { label: Label::of_count(target, arena), value: arena.store_number(u8::from(value.is_some())) },
            (false, Some(value)) => Matched { label: Label::Keyed(Variable::Tx, arena.store(&key.text)), value },
            (false, None) => return,
        };
        self.collections.note_match(matched);
    }

    /// Counts rules as asked without a match.
    #[inline]
    fn pass_over(&mut self, steps: Option<&[Step]>) {
        if let Some(profile) = &mut self.profile {
            profile.rule_out(steps.unwrap_or_default());
        }
    }
}
