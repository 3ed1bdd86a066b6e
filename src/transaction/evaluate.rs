//! Evaluates one rule, and the rules that are chained to it.

use super::debug::shown;
use super::matches::RuleMatch;
use super::slots::Slot;
use super::{Transaction, effects};
use crate::collection::{Matched, Selected, Selection, Text};
use crate::graph::{ChainId, OperatorArgument, Rule, RuleFilter, RuleGraph, RuleIndex, Selector, Target, Test};
use crate::operator::{Findings, Operator, OperatorKind, OperatorLimits, Wanted};
use std::sync::Arc;

/// A rule on its way to a log: what is known of it so far.
#[derive(Debug)]
pub struct Draft {
    pub entry: RuleMatch,
    /// Whether anybody will read it.
    pub logs: bool,
}

impl Transaction {
    /// Evaluates a rule and, while they match, the rules chained to it. When all match, their effects run from the last to the first.
    pub(super) fn evaluate_chain(&mut self, graph: &RuleGraph, starter: RuleIndex) {
        let Some(first) = graph.rule(starter) else { return };
        let mut draft = Draft { entry: blank_match(first, starter), logs: first.logs || self.debugs(9) };
        let mut matched: Vec<&Rule> = Vec::new();
        let mut at = Some(first);
        while let Some(rule) = at {
            let is_match = match &rule.test {
                Test::Unconditional => self.unconditional(graph, rule),
                Test::Operator { targets, kind, argument, negated } => {
                    if self.is_removed_by_id(rule) {
                        // ModSecurity v3 treats a removed rule of a chain as one that matched, and a removed starter as done.
                        if matched.is_empty() {
                            return;
                        }
                        true
                    } else {
                        let question = Question { targets, kind: *kind, argument, negated: *negated };
                        self.ask(graph, rule, &question, &mut draft)
                    }
                }
            };
            if !is_match {
                return;
            }
            matched.push(rule);
            if rule.chained {
                self.debug(4, || "Executing chained rule.".to_owned());
                if rule.next.is_none() {
                    return self.debug(4, || "Rule is marked as chained but there isn't a subsequent rule.".to_owned());
                }
            }
            at = rule.next.and_then(|next| graph.rule(next));
        }
        for rule in matched.into_iter().rev() {
            self.after_match(graph, rule, first, &mut draft);
        }
    }

    fn unconditional(&mut self, graph: &RuleGraph, rule: &Rule) -> bool {
        self.debug(4, || format!("(Rule: {}) Executing unconditional rule...", rule.id));
        self.assign_all(graph, rule);
        true
    }

    fn is_removed_by_id(&self, rule: &Rule) -> bool {
        let removed = self.overrides.removed_rules.iter().any(|filter| matches!(filter, RuleFilter::Ids(ids) if ids.contains(&rule.id)));
        if removed {
            self.debug(9, || format!("Rule id: {} was skipped due to a ruleRemoveById action...", rule.id));
        }
        removed
    }

    /// Asks the operator about every value of every target.
    fn ask(&mut self, graph: &RuleGraph, rule: &Rule, question: &Question<'_>, draft: &mut Draft) -> bool {
        let expanded;
        let operator = match question.argument {
            OperatorArgument::Compiled { operator, .. } => operator,
            OperatorArgument::Template(template) => {
                let text = self.expand(graph, Some(rule), template);
                match Operator::compile(question.kind, &text, &[], operator_limits(graph)) {
                    Ok(operator) => {
                        expanded = operator;
                        &expanded
                    }
                    Err(error) => {
                        self.debug(1, || format!("(Rule: {}) The expanded argument cannot be used: {error}", rule.id));
                        return false;
                    }
                }
            }
        };
        self.debug(4, || question.announcement(rule));
        let mut any = false;
        for target in question.targets {
            let mut selected = std::mem::take(&mut self.scratch.selected);
            selected.clear();
            self.select(graph, rule, target, &mut selected);
            for value in &selected {
                if self.is_removed_target(rule, value) {
                    continue;
                }
                any |= self.ask_about(graph, rule, question, operator, value, draft);
            }
            self.scratch.selected = selected;
        }
        self.debug(4, || format!("Rule returned {}.", u8::from(any)));
        if !any && !self.collections.matched.is_empty() {
            self.collections.matched.clear();
            self.debug(9, || "Matched vars cleaned.".to_owned());
        }
        any
    }

    fn select(&mut self, graph: &RuleGraph, rule: &Rule, target: &Target, selected: &mut Vec<Selected>) {
        let texts = (target.variable == crate::vocabulary::Variable::Rule).then(|| self.rule_texts(graph, Some(rule)));
        let store = Arc::clone(&self.ground.store);
        let selection = Selection { graph, store: store.as_ref(), namespaces: &rule.namespaces, rule: texts.as_ref() };
        self.collections.select(target, &selection, selected);
    }

    /// Whether a `ctl:ruleRemoveTarget…` takes this value out of this rule.
    fn is_removed_target(&self, rule: &Rule, value: &Selected) -> bool {
        self.overrides.removed_targets.iter().any(|filter| {
            let meant = match &filter.rules {
                RuleFilter::Ids(ids) => rule.id != 0 && ids.contains(&rule.id),
                RuleFilter::Tag(tag) => rule.has_tag(tag),
                RuleFilter::Message(message) => rule.has_message(message),
            };
            meant
                && value.label.variable() == Some(filter.variable)
                && match (&filter.selector, value.label.key()) {
                    (Selector::All, _) => true,
                    (Selector::XPath(path), Some(key)) => path.as_bytes() == self.collections.arena.read(key),
                    (selector, Some(key)) => selector.selects(self.collections.arena.read(key)),
                    (_, None) => false,
                }
        })
    }

    /// Asks the operator about one value: after all transformations, or with `multiMatch` after each that changes it.
    fn ask_about(
        &mut self,
        graph: &RuleGraph,
        rule: &Rule,
        question: &Question<'_>,
        operator: &Operator,
        value: &Selected,
        draft: &mut Draft,
    ) -> bool {
        if !rule.multi_match {
            let slot = self.transformed(graph, value.value, rule.transformations);
            self.debug_transformations(graph, rule, value.value);
            return self.test(graph, rule, question, operator, value, slot.value, rule.transformations, draft);
        }
        let mut any = self.test(graph, rule, question, operator, value, value.value, ChainId::EMPTY, draft);
        let mut tested = value.value;
        for prefix in graph.transformations.prefixes(rule.transformations) {
            let slot = self.transformed(graph, value.value, prefix);
            if slot.counted && slot.value != tested {
                tested = slot.value;
                any |= self.test(graph, rule, question, operator, value, slot.value, prefix, draft);
            }
        }
        any
    }

    fn transformed(&mut self, graph: &RuleGraph, value: Text, chain: ChainId) -> Slot {
        self.slots.value(graph, &mut self.collections.arena, value, chain)
    }

    #[allow(clippy::too_many_arguments)]
    fn test(
        &mut self,
        graph: &RuleGraph,
        rule: &Rule,
        question: &Question<'_>,
        operator: &Operator,
        selected: &Selected,
        value: Text,
        chain: ChainId,
        draft: &mut Draft,
    ) -> bool {
        self.debug(9, || {
            let mut name = Vec::new();
            selected.label.write(&self.collections.arena, &mut name);
            format!("Target value: \"{}\" (Variable: {})", shown(self.collections.arena.read(value), 80), String::from_utf8_lossy(&name))
        });
        let mut findings = std::mem::take(&mut self.scratch.findings);
        findings.clear();
        let wanted = if rule.capture || draft.logs { Wanted::Findings } else { Wanted::Verdict };
        let found = operator.evaluate(self.collections.arena.read(value), wanted, &mut findings);
        if findings.limit_exceeded {
            self.limit_exceeded(rule, question);
        }
        if found && rule.capture {
            self.capture(graph, question.kind, value, &findings);
        }
        let is_match = found != question.negated;
        if is_match {
            let name = selected.label.store(&mut self.collections.arena);
            if draft.logs {
                let references = effects::reference(graph, selected, &self.collections.arena, &findings, chain);
                draft.entry.reference.extend_from_slice(&references);
                draft.entry.detail = question.detail(self.collections.arena.read(name), self.collections.arena.read(selected.value));
            }
            self.collections.matched.push(Matched { name, value });
            self.debug(9, || "Matched vars updated.".to_owned());
            self.assign_all(graph, rule);
        }
        self.scratch.findings = findings;
        is_match
    }

    /// Stores what the operator captured in TX. As in ModSecurity v3 groups of earlier matches stay where this one has none.
    fn capture(&mut self, graph: &RuleGraph, kind: OperatorKind, value: Text, findings: &Findings) {
        for capture in &findings.captures {
            let text = match &capture.value {
                crate::operator::CapturedValue::Input(range) => value.part(range.start, range.len()),
                crate::operator::CapturedValue::Text(text) => self.collections.arena.store(text),
            };
            let slot = self.collections.tx.find_or_make(&graph.tx_names, capture.index.to_string().as_bytes());
            self.collections.tx.write(slot, Some(text));
            self.debug(7, || {
                let what = match kind {
                    OperatorKind::Rx | OperatorKind::RxGlobal => "regex subexpression".to_owned(),
                    OperatorKind::Pm | OperatorKind::PmFromFile => "pm match".to_owned(),
                    other => format!("{} match", other.log_name()),
                };
                format!("Added {what} TX.{}: {}", capture.index, shown(self.collections.arena.read(text), usize::MAX))
            });
        }
    }

    fn limit_exceeded(&mut self, rule: &Rule, question: &Question<'_>) {
        let one = self.collections.arena.store(b"1");
        self.collections.scalars.pattern_error = one;
        self.collections.scalars.pattern_limits_exceeded = one;
        let graph = Arc::clone(&self.ground.graph);
        for key in ["MSC_PCRE_ERROR", "MSC_PCRE_LIMITS_EXCEEDED"] {
            let slot = self.collections.tx.find_or_make(&graph.tx_names, key.as_bytes());
            self.collections.tx.write(slot, Some(one));
        }
        self.debug(3, || format!("(Rule: {}) rx: regex error 'MATCH_LIMIT' for pattern '{}'", rule.id, question.argument_text()));
    }

    fn debug_transformations(&mut self, graph: &RuleGraph, rule: &Rule, original: Text) {
        if !self.debugs(9) {
            return;
        }
        for (place, prefix) in graph.transformations.prefixes(rule.transformations).into_iter().enumerate() {
            let slot = self.transformed(graph, original, prefix);
            let name = graph.transformations.last_step(prefix).map_or("", |step| step.transformation.name());
            self.debug(9, || format!(" T ({place}) t:{name}: \"{}\"", shown(self.collections.arena.read(slot.value), 80)));
        }
    }
}

fn operator_limits(graph: &RuleGraph) -> OperatorLimits {
    graph.settings.match_limit.map_or_else(OperatorLimits::default, |pattern_steps| OperatorLimits { pattern_steps })
}

/// What a rule asks.
struct Question<'a> {
    targets: &'a [Target],
    kind: OperatorKind,
    argument: &'a OperatorArgument,
    negated: bool,
}

impl Question<'_> {
    fn argument_text(&self) -> &str {
        match self.argument {
            OperatorArgument::Compiled { text, .. } => text,
            OperatorArgument::Template(template) => template.source(),
        }
    }

    fn announcement(&self, rule: &Rule) -> String {
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        let (id, name, targets) = (rule.id, self.kind.log_name(), targets.join("|"));
        match self.argument_text() {
            "" => format!("(Rule: {id}) Executing operator \"{name} against {targets}."),
            argument => format!("(Rule: {id}) Executing operator \"{name}\" with param \"{argument}\" against {targets}."),
        }
    }

    /// What matched what, as the error log words it.
    fn detail(&self, name: &[u8], value: &[u8]) -> Vec<u8> {
        let parameter = self.argument_text().as_bytes();
        let mut text = Vec::with_capacity(128);
        for part in [
            b"Matched \"Operator `".as_slice(),
            self.kind.log_name().as_bytes(),
            b"' with parameter `",
            parameter.get(..200).unwrap_or(parameter),
            b"' against variable `",
            name,
            b"' (Value: `",
            value.get(..100).unwrap_or(value),
            b"' )",
        ] {
            text.extend_from_slice(part);
        }
        text
    }
}

fn blank_match(rule: &Rule, index: RuleIndex) -> RuleMatch {
    RuleMatch {
        rule: index,
        id: rule.id,
        phase: rule.phase,
        message: Vec::new(),
        data: Vec::new(),
        severity: None,
        tags: Vec::new(),
        detail: Vec::new(),
        reference: Vec::new(),
        disruptive: false,
        audits: rule.audits,
    }
}
