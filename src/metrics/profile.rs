//! What the evaluation of transactions cost.

use super::Cost;
use crate::graph::{RuleIndex, Step};
use crate::transform::Transformation;
use crate::vocabulary::Variable;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What the evaluation of one transaction, or of several, cost.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    rules: BTreeMap<RuleIndex, RuleCost>,
    variables: BTreeMap<Variable, Cost>,
    transformations: TransformationCosts,
    gates: Cost,
    current: Evaluation,
}

/// What one rule, with all that are chained to it, cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// How often it was ruled out: its gate was closed, or there was no value to ask about.
    pub closed: u64,
    /// How often its operator was asked.
    pub asked: u64,
    /// How often its operator was asked and nothing matched: its gate said "maybe" and was wrong.
    pub wrong: u64,
    /// Its evaluations, with the transformations that nobody needed before, and with what follows from a match.
    pub evaluations: Cost,
    /// Its questions, one for each value, and the operator's time for them.
    pub questions: Cost,
}

/// What transformations cost, those that were computed: a value that a chain cannot change, or that was there already, takes no time.
#[derive(Clone, Debug, Default)]
pub struct TransformationCosts(HashMap<Transformation, Cost>);

/// The rule that is being evaluated.
#[derive(Clone, Debug, Default)]
struct Evaluation {
    questions: Cost,
    is_asked: bool,
    matches: bool,
}

impl Profile {
    /// Notes rules that the plan passed over.
    pub fn rule_out(&mut self, steps: &[Step]) {
        for step in steps {
            if let Step::Rule(index) = step {
                self.rules.entry(*index).or_default().closed += 1;
            }
        }
    }

    /// Notes one look at values that tells which rules cannot match.
    pub fn look_at_gates(&mut self, time: Duration) {
        self.gates.add(time);
    }

    /// Notes the answer of an operator about one value. `is_first` says that it is that of the first rule of its chain.
    pub fn answer(&mut self, variable: Option<Variable>, is_first: bool, matches: bool, time: Duration) {
        self.current.questions.add(time);
        self.current.is_asked |= is_first;
        self.current.matches |= is_first && matches;
        if let Some(variable) = variable {
            self.variables.entry(variable).or_default().add(time);
        }
    }

    /// Notes that the evaluation of a rule is over. `is_question` says that it asks an operator.
    pub fn finish_rule(&mut self, rule: RuleIndex, is_question: bool, time: Duration) {
        let Evaluation { questions, is_asked, matches } = std::mem::take(&mut self.current);
        let cost = self.rules.entry(rule).or_default();
        cost.evaluations.add(time);
        cost.questions.merge(questions);
        cost.closed += u64::from(is_question && !is_asked);
        cost.asked += u64::from(is_asked);
        cost.wrong += u64::from(is_asked && !matches);
    }

    /// Adds what transformations cost.
    pub fn add_transformations(&mut self, costs: &TransformationCosts) {
        for (transformation, cost) in &costs.0 {
            self.transformations.0.entry(*transformation).or_default().merge(*cost);
        }
    }

    /// Keeps the shorter times of the same work, done again: what else the processor did in between is no cost of ours.
    pub fn keep_fastest(&mut self, other: &Profile) {
        for (rule, cost) in &mut self.rules {
            if let Some(other) = other.rules.get(rule) {
                cost.evaluations.keep_fastest(other.evaluations);
                cost.questions.keep_fastest(other.questions);
            }
        }
        for (variable, cost) in &mut self.variables {
            cost.keep_fastest(other.variables.get(variable).copied().unwrap_or(*cost));
        }
        for (transformation, cost) in &mut self.transformations.0 {
            cost.keep_fastest(other.transformations.0.get(transformation).copied().unwrap_or(*cost));
        }
        self.gates.keep_fastest(other.gates);
    }

    /// Adds what another transaction cost.
    pub fn merge(&mut self, other: &Profile) {
        for (rule, cost) in &other.rules {
            let known = self.rules.entry(*rule).or_default();
            known.closed += cost.closed;
            known.asked += cost.asked;
            known.wrong += cost.wrong;
            known.evaluations.merge(cost.evaluations);
            known.questions.merge(cost.questions);
        }
        for (variable, cost) in &other.variables {
            self.variables.entry(*variable).or_default().merge(*cost);
        }
        self.add_transformations(&other.transformations);
        self.gates.merge(other.gates);
    }

    /// Every rule that was reached, by its number; a chain counts as its first rule.
    pub fn rules(&self) -> impl Iterator<Item = (RuleIndex, RuleCost)> {
        self.rules.iter().map(|(rule, cost)| (*rule, *cost))
    }

    /// The operators' time for the values of each variable.
    pub fn variables(&self) -> impl Iterator<Item = (Variable, Cost)> {
        self.variables.iter().map(|(variable, cost)| (*variable, *cost))
    }

    /// What each transformation cost, in the order of their names.
    pub fn transformations(&self) -> impl Iterator<Item = (Transformation, Cost)> {
        Transformation::ALL.iter().filter_map(|transformation| Some((*transformation, *self.transformations.0.get(transformation)?)))
    }

    /// The looks at values that tell which rules cannot match, with the transformations that nobody needed before.
    pub fn gates(&self) -> Cost {
        self.gates
    }
}

impl TransformationCosts {
    /// Notes that a value was transformed.
    pub fn add(&mut self, transformation: Transformation, time: Duration) {
        self.0.entry(transformation).or_default().add(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(3);

    #[test]
    fn a_gate_is_wrong_when_its_own_rule_was_asked_in_vain() {
        let mut profile = Profile::default();
        let rule = RuleIndex(7);
        profile.rule_out(&[Step::Rule(rule)]);
        profile.finish_rule(rule, true, TIME);
        profile.answer(Some(Variable::Args), true, false, TIME);
        profile.finish_rule(rule, true, TIME);
        profile.answer(Some(Variable::Args), true, true, TIME);
        profile.answer(None, false, false, TIME);
        profile.finish_rule(rule, true, TIME);
        let mut sum = Profile::default();
        sum.merge(&profile);
        sum.merge(&profile);
        let (_, cost) = sum.rules().next().unwrap();
        assert_eq!((cost.closed, cost.asked, cost.wrong), (4, 4, 2));
        assert_eq!(cost.questions, Cost { count: 6, time: 6 * TIME });
        assert_eq!(sum.variables().collect::<Vec<_>>(), [(Variable::Args, Cost { count: 4, time: 4 * TIME })]);
    }

    #[test]
    fn of_the_same_work_the_shortest_time_is_kept() {
        let measured = |time| {
            let mut profile = Profile::default();
            profile.answer(Some(Variable::Args), true, false, time);
            profile.finish_rule(RuleIndex(1), true, time);
            profile
        };
        let mut profile = measured(2 * TIME);
        profile.keep_fastest(&measured(TIME));
        profile.keep_fastest(&measured(3 * TIME));
        let (_, cost) = profile.rules().next().unwrap();
        assert_eq!((cost.evaluations, cost.asked), (Cost { count: 1, time: TIME }, 1));
        assert_eq!(profile.variables().next(), Some((Variable::Args, Cost { count: 1, time: TIME })));
    }

    #[test]
    fn what_asks_nothing_has_no_gate() {
        let mut profile = Profile::default();
        profile.finish_rule(RuleIndex(0), false, TIME);
        let cost = RuleCost { evaluations: Cost { count: 1, time: TIME }, ..RuleCost::default() };
        assert_eq!(profile.rules().collect::<Vec<_>>(), [(RuleIndex(0), cost)]);
    }
}
