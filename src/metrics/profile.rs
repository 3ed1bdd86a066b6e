//! Cost of evaluating transactions.

use super::Cost;
use crate::graph::{RuleIndex, Step};
use crate::transform::Transformation;
use crate::vocabulary::Variable;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Cost of evaluating one transaction, or of several.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    rules: BTreeMap<RuleIndex, RuleCost>,
    variables: BTreeMap<Variable, Cost>,
    transformations: TransformationCosts,
    prefilters: Cost,
    current: Evaluation,
    /// `true` if it has the evaluations of rules alone.
    is_brief: bool,
}

/// Cost of one rule and of the rules chained to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// Number of times it was ruled out: its prefilter said "no", or it had no value to test.
    pub ruled_out: u64,
    /// Number of evaluations in which its operator ran.
    pub runs: u64,
    /// Number of evaluations in which its operator ran and nothing matched: its prefilter said "maybe" in vain.
    pub in_vain: u64,
    /// Its evaluations, including transformations that no earlier rule needed, and what follows a match.
    pub evaluations: Cost,
    /// Runs of its operator, one for each value, and their time.
    pub questions: Cost,
}

/// Cost of the transformations that were computed. A value that a chain cannot change, or that is in the cache, costs nothing.
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
    /// Makes a profile that takes the time of each rule's evaluations alone. Where a full one keeps the engine from its shortest ways, such as those of
    /// rules on TX, this one changes nothing, so that it may be taken of traffic.
    pub fn brief() -> Self {
        Self { is_brief: true, ..Self::default() }
    }

    /// Returns `true` if it also has what each rule tests.
    pub fn is_full(&self) -> bool {
        !self.is_brief
    }

    /// Counts rules that the plan passed over.
    pub fn rule_out(&mut self, steps: &[Step]) {
        if self.is_brief {
            return;
        }
        for step in steps {
            if let Step::Rule(index) = step {
                self.rules.entry(*index).or_default().ruled_out += 1;
            }
        }
    }

    /// Counts one scan of values for the prefilters.
    pub fn scan_for_prefilters(&mut self, time: Duration) {
        self.prefilters.add(time);
    }

    /// Counts one run of an operator on a value. `is_first` is `true` for the first rule of a chain.
    pub fn answer(&mut self, variable: Option<Variable>, is_first: bool, matches: bool, time: Duration) {
        self.current.questions.add(time);
        self.current.is_asked |= is_first;
        self.current.matches |= is_first && matches;
        if let Some(variable) = variable {
            self.variables.entry(variable).or_default().add(time);
        }
    }

    /// Ends the evaluation of a rule. `is_question` is `true` for a rule with an operator.
    pub fn finish_rule(&mut self, rule: RuleIndex, is_question: bool, time: Duration) {
        let Evaluation { questions, is_asked, matches } = std::mem::take(&mut self.current);
        let cost = self.rules.entry(rule).or_default();
        cost.evaluations.add(time);
        cost.questions.merge(questions);
        cost.ruled_out += u64::from(is_question && !is_asked);
        cost.runs += u64::from(is_asked);
        cost.in_vain += u64::from(is_asked && !matches);
    }

    /// Adds the cost of transformations.
    pub fn add_transformations(&mut self, costs: &TransformationCosts) {
        for (transformation, cost) in &costs.0 {
            self.transformations.0.entry(*transformation).or_default().merge(*cost);
        }
    }

    /// Keeps the shorter times of two measurements of the same work, so that other load on the processor does not count.
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
        self.prefilters.keep_fastest(other.prefilters);
    }

    /// Adds the cost of another transaction.
    pub fn merge(&mut self, other: &Profile) {
        for (rule, cost) in &other.rules {
            let known = self.rules.entry(*rule).or_default();
            known.ruled_out += cost.ruled_out;
            known.runs += cost.runs;
            known.in_vain += cost.in_vain;
            known.evaluations.merge(cost.evaluations);
            known.questions.merge(cost.questions);
        }
        for (variable, cost) in &other.variables {
            self.variables.entry(*variable).or_default().merge(*cost);
        }
        self.add_transformations(&other.transformations);
        self.prefilters.merge(other.prefilters);
    }

    /// Cost of every rule that was reached, by its number; a chain counts as its first rule.
    pub fn rules(&self) -> impl Iterator<Item = (RuleIndex, RuleCost)> {
        self.rules.iter().map(|(rule, cost)| (*rule, *cost))
    }

    /// Time of the operators for the values of each variable.
    pub fn variables(&self) -> impl Iterator<Item = (Variable, Cost)> {
        self.variables.iter().map(|(variable, cost)| (*variable, *cost))
    }

    /// Cost of each transformation, in the order of the vocabulary.
    pub fn transformations(&self) -> impl Iterator<Item = (Transformation, Cost)> {
        Transformation::ALL.iter().filter_map(|transformation| Some((*transformation, *self.transformations.0.get(transformation)?)))
    }

    /// Scans of values for the prefilters, including transformations that no earlier scan or rule needed.
    pub fn prefilters(&self) -> Cost {
        self.prefilters
    }
}

impl TransformationCosts {
    /// Counts one transformation of a value.
    pub fn add(&mut self, transformation: Transformation, time: Duration) {
        self.0.entry(transformation).or_default().add(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(3);

    #[test]
    fn a_prefilter_is_wrong_when_its_own_rule_was_asked_in_vain() {
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
        assert_eq!((cost.ruled_out, cost.runs, cost.in_vain), (4, 4, 2));
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
        assert_eq!((cost.evaluations, cost.runs), (Cost { count: 1, time: TIME }, 1));
        assert_eq!(profile.variables().next(), Some((Variable::Args, Cost { count: 1, time: TIME })));
    }

    #[test]
    fn a_rule_without_an_operator_has_no_prefilter() {
        let mut profile = Profile::default();
        profile.finish_rule(RuleIndex(0), false, TIME);
        let cost = RuleCost { evaluations: Cost { count: 1, time: TIME }, ..RuleCost::default() };
        assert_eq!(profile.rules().collect::<Vec<_>>(), [(RuleIndex(0), cost)]);
    }
}
