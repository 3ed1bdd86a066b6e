//! Evaluation while a profile is taken: the same work, with a look at the clock before and after.

use super::Transaction;
use crate::graph::{CrowdId, Phase, Plan, Rule, RuleGraph, RuleIndex, Test};
use crate::metrics::Profile;
use std::time::Instant;

impl Transaction {
    /// Begins to measure what each rule costs, which takes time itself: for tools, not for traffic.
    pub fn start_profile(&mut self) {
        self.profile = Some(Box::default());
        self.slots.costs = Some(Box::default());
    }

    /// Ends measuring, and gives what was measured; nothing if it was not begun.
    pub fn take_profile(&mut self) -> Option<Profile> {
        let mut profile = self.profile.take()?;
        if let Some(costs) = self.slots.costs.take() {
            profile.add_transformations(&costs);
        }
        Some(*profile)
    }

    /// Evaluates a chain, and notes what it cost if a profile is taken.
    pub(super) fn measure_chain(&mut self, graph: &RuleGraph, starter: RuleIndex, first: &Rule) {
        if self.profile.is_none() {
            return self.evaluate_chain(graph, starter, first);
        }
        let start = Instant::now();
        self.evaluate_chain(graph, starter, first);
        if let Some(profile) = &mut self.profile {
            profile.finish_rule(starter, matches!(first.test, Test::Operator { .. }), start.elapsed());
        }
    }

    /// Looks at the values of a crowd, and notes what it cost if a profile is taken.
    pub(super) fn measure_crowd(&mut self, plan: &Plan, graph: &RuleGraph, phase: Phase, crowd: CrowdId) {
        let start = self.profile.as_ref().map(|_| Instant::now());
        self.look_at_crowd(plan, graph, phase, crowd);
        if let (Some(profile), Some(start)) = (&mut self.profile, start) {
            profile.look_at_gates(start.elapsed());
        }
    }
}
