//! Rules and values that a `ctl` removes.

use super::Evaluation;
use crate::graph::{Rule, RuleFilter, Selector};
use crate::state::Selected;

/// Returns `true` if a `ctl:ruleRemoveById` removes the rule.
pub fn is_removed_by_id(eval: &Evaluation<'_>, rule: &Rule) -> bool {
    let removed = eval.state.overrides.removed_rules.iter().any(|filter| matches!(filter, RuleFilter::Ids(_)) && filter.names(rule));
    if removed {
        eval.debug(9, || format!("Rule id: {} was skipped due to a ruleRemoveById action...", rule.id));
    }
    removed
}

/// Returns `true` if a `ctl:ruleRemoveTarget…` removes this value from this rule. One that names the head of a chain applies to the whole chain.
#[inline]
pub fn is_removed_target(eval: &Evaluation<'_>, rule: &Rule, value: &Selected) -> bool {
    let names = |filter: &RuleFilter| {
        let head = || rule.chain_head.and_then(|head| eval.rules.rule(head));
        filter.names(rule) || head().is_some_and(|head| filter.names(head))
    };
    eval.state.overrides.removed_targets.iter().any(|filter| {
        value.label.variable() == Some(filter.variable)
            && names(&filter.rules)
            && match (&filter.selector, value.label.key()) {
                (Selector::All, _) => true,
                (Selector::XPath(path), Some(key)) => path.as_bytes() == eval.state.collections.arena.read(key),
                (selector, Some(key)) => selector.selects(eval.state.collections.arena.read(key)),
                (_, None) => false,
            }
    })
}
