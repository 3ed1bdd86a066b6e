//! Selects the values of a rule's target.

use super::Evaluation;
use super::expand::rule_texts;
use crate::escape::text;
use crate::graph::{Rule, Target};
use crate::state::{Selected, Selection};
use crate::vocabulary::Variable;

/// Appends the values of a target of a rule to `selected`.
pub fn select(eval: &mut Evaluation<'_>, rule: &Rule, target: &Target, selected: &mut Vec<Selected>) {
    let texts = rule_texts(eval, rule, target);
    let selection = Selection {
        graph: eval.rules,
        store: eval.services.store.as_ref(),
        namespaces: &rule.namespaces,
        rule: texts.as_ref(),
        max: usize::MAX,
    };
    if eval.debugs(7) && !target.exclusions.is_empty() {
        let mut all = Vec::new();
        eval.state.collections.select(&Target { exclusions: Vec::new(), ..target.clone() }, &selection, &mut all);
        for key in all.iter().filter_map(|value| value.label.key()).map(|key| eval.state.collections.arena.read(key)) {
            if target.excludes(key) {
                eval.debug(7, || format!("Excluding key: {} from target value.", text(key)));
            }
        }
    }
    if target.variable == Variable::Xml && eval.state.collections.xml.is_some() {
        for (prefix, address) in &rule.namespaces {
            eval.debug(4, || format!("Registered XML namespace href \"{address}\" prefix \"{prefix}\""));
        }
    }
    eval.state.collections.select(target, &selection, selected);
}
