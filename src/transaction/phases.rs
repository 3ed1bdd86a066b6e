//! Runs the rules of a phase: markers, skips, allow, removals.

use super::Transaction;
use crate::graph::{AllowScope, Phase, Removal, Rule, RuleFilter, RuleGraph, Step};
use std::sync::Arc;

impl Transaction {
    /// Runs a phase, unless a decision stands or an earlier `allow` reaches it.
    pub(super) fn run_phase(&mut self, phase: Phase) {
        if self.is_decided() {
            return self.debug(8, || "Skipping this phase as this request was already intercepted.".to_owned());
        }
        let graph = Arc::clone(&self.ground.graph);
        let steps = graph.phases.at(phase);
        self.debug(9, || format!("This phase consists of {} rule(s).", steps.len()));
        // What an earlier phase was to pass over ends with it, as in ModSecurity v2: a jump must not lose a rule that nobody meant.
        (self.flow.skip, self.flow.skip_after) = (0, None);
        self.allow_work(phase);
        let goes_on = self.may_go_on(phase);
        let allowed = match self.flow.allow {
            Some(AllowScope::Everything) => phase != Phase::Logging,
            Some(AllowScope::Request) => phase <= Phase::RequestBody,
            Some(AllowScope::Phase) | None => false,
        };
        if allowed {
            return self.debug(9, || {
                "Skipping all rules evaluation on this phase as request through the utilization of an `allow' action.".to_owned()
            });
        }
        self.flow.allow = None;
        if !goes_on {
            return;
        }
        let plan = self.followed_plan(&graph);
        if let Some(plan) = plan {
            self.gates.begin_phase(plan, phase);
        }
        let mut place = 0;
        // Also behind the last rule: what it exceeded is told, and decided, before the host goes on.
        while self.may_go_on(phase) {
            place = self.jump(&graph, phase, steps, place);
            let Some(step) = steps.get(place) else { break };
            let Step::Rule(index) = step else {
                self.pass_marker(*step);
                place += 1;
                continue;
            };
            let Some(rule) = graph.rule(*index) else { break };
            place += 1;
            if self.is_passed_over(&graph, rule) {
                continue;
            }
            self.measure_chain(&graph, *index, rule);
            if self.is_decided() {
                self.debug(8, || "Skipping this phase as this request was already intercepted.".to_owned());
                break;
            }
        }
    }

    fn pass_marker(&mut self, step: Step) {
        if let Step::Marker(marker) = step
            && self.flow.skip_after == Some(marker)
        {
            self.flow.skip_after = None;
        }
    }

    /// The place of the next step: the marker that is looked for, or behind the end where it is in no later place of this phase; else the next
    /// that may match. While a debug log names every rule that is passed over, none is jumped over.
    fn jump(&mut self, graph: &RuleGraph, phase: Phase, steps: &[Step], place: usize) -> usize {
        match (self.flow.skip_after, &graph.plan) {
            (Some(marker), Some(plan)) if !self.debugs(9) => plan.next_marker(phase, marker, place).unwrap_or(steps.len()),
            (None, Some(plan)) if self.flow.skip == 0 && self.flow.allow.is_none() && !self.debugs(4) => {
                self.next_open(plan, graph, phase, steps, place)
            }
            _ => place,
        }
    }

    fn is_passed_over(&mut self, graph: &RuleGraph, rule: &Rule) -> bool {
        if let Some(marker) = self.flow.skip_after {
            self.debug(9, || format!("Skipped rule id '{}' due to a SecMarker: {}", rule.reference(), graph.marker(marker)));
            return true;
        }
        if self.flow.skip > 0 {
            self.flow.skip -= 1;
            let left = self.flow.skip;
            self.debug(9, || format!("Skipped rule id '{}' due to a `skip' action. Still {left} to be skipped.", rule.reference()));
            return true;
        }
        if self.flow.allow.is_some() {
            // The spelling is ModSecurity's own: logs are searched for it.
            self.debug(9, || format!("Skipped rule id '{}' as request trough the utilization of an `allow' action.", rule.reference()));
            return true;
        }
        if let Some(removal) = rule.removed {
            let by = match removal {
                Removal::Id => "an SecRuleRemove",
                Removal::Message => "a SecRuleRemoveByMsg",
                Removal::Tag => "a SecRuleRemoveByTag",
            };
            self.debug(9, || format!("Skipped rule id '{}'. Removed by {by} directive.", rule.reference()));
            return true;
        }
        let removed_now = self.is_removed_by_text(rule);
        if removed_now {
            self.debug(9, || format!("Skipped rule id '{}'. Skipped due to a ruleRemoveByTag action.", rule.reference()));
        }
        removed_now
    }

    /// Whether a `ctl` removed the rule by its tag or message. Each rule of a chain looks itself whether one removed it by its id.
    fn is_removed_by_text(&self, rule: &Rule) -> bool {
        self.overrides.removed_rules.iter().any(|filter| !matches!(filter, RuleFilter::Ids(_)) && filter.names(rule))
    }
}
