//! Templates into texts.

use super::Transaction;
use crate::collection::{PER_VALUE, RuleTexts, Selection, Text};
use crate::graph::{Part, Rule, RuleGraph, Template};
use crate::vocabulary::{Limit, Variable};

impl Transaction {
    /// The text of a template; macros stand for the first value of what they name, or for nothing.
    pub(super) fn expand(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template) -> Vec<u8> {
        self.expand_within(graph, rule, template, graph.settings.limit(Limit::MacroDepth))
    }

    /// The same, where texts of a rule may name each other only so deep.
    fn expand_within(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template, depth: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(template.source().len());
        self.expand_into(graph, rule, template, depth, &mut text);
        text
    }

    /// Makes something of the text of a template, which is in memory that is used again.
    pub(super) fn with_expanded<T>(
        &mut self,
        graph: &RuleGraph,
        rule: &Rule,
        template: &Template,
        make: impl FnOnce(&mut Self, &[u8]) -> T,
    ) -> T {
        let mut text = std::mem::take(&mut self.scratch.text);
        text.clear();
        self.expand_into(graph, rule, template, graph.settings.limit(Limit::MacroDepth), &mut text);
        let made = make(self, &text);
        self.scratch.text = text;
        made
    }

    fn expand_into(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template, depth: usize, text: &mut Vec<u8>) {
        for part in template.parts() {
            match part {
                Part::Text(literal) => text.extend_from_slice(literal),
                Part::Value(target) if target.variable == Variable::Rule && depth == 0 => self.exceed(Limit::MacroDepth),
                Part::Value(target) => {
                    let texts = (target.variable == Variable::Rule).then(|| self.rule_texts_within(graph, rule, depth.saturating_sub(1)));
                    let namespaces = &rule.namespaces;
                    let selection = Selection { graph, store: self.ground.store.as_ref(), namespaces, rule: texts.as_ref() };
                    let Some(value) = self.collections.first(target, &selection) else { continue };
                    self.spend(value.len() + PER_VALUE);
                    text.extend_from_slice(self.collections.arena.read(value));
                    let most = graph.settings.limit(Limit::MacroBytes);
                    if text.len() > most {
                        self.exceed(Limit::MacroBytes);
                        return text.truncate(most);
                    }
                    if self.collections.arena.work.is_over() {
                        return;
                    }
                }
            }
        }
    }

    /// The text of a template as a value; literals are stored as they are.
    pub(super) fn expand_text(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template) -> Text {
        match template.as_literal() {
            Some(literal) => self.collections.arena.store(literal),
            None => self.with_expanded(graph, rule, template, |transaction, text| transaction.collections.arena.store(text)),
        }
    }

    /// What RULE shows of a rule: what the rule itself lacks comes from those before it in its chain.
    pub(super) fn rule_texts(&mut self, graph: &RuleGraph, rule: &Rule) -> RuleTexts {
        self.rule_texts_within(graph, rule, graph.settings.limit(Limit::MacroDepth).saturating_sub(1))
    }

    fn rule_texts_within(&mut self, graph: &RuleGraph, rule: &Rule, depth: usize) -> RuleTexts {
        let starter = rule.starter.and_then(|starter| graph.rule(starter)).unwrap_or(rule);
        let until_here = std::iter::successors(Some(starter), |before| {
            if std::ptr::eq(*before, rule) { None } else { before.next.and_then(|next| graph.rule(next)) }
        });
        let (mut id, mut revision, mut severity, mut log_data, mut message) = (0, "", None, None, None);
        for rule in until_here {
            id = if rule.id == 0 { id } else { rule.id };
            revision = if rule.metadata.revision.is_empty() { revision } else { &rule.metadata.revision };
            severity = rule.metadata.severity.or(severity);
            log_data = rule.metadata.log_data.as_ref().or(log_data);
            message = rule.metadata.message.as_ref().or(message);
        }
        let mut texts = Vec::new();
        if id != 0 {
            texts.push(("id", id.to_string().into_bytes()));
        }
        if !revision.is_empty() {
            texts.push(("rev", revision.as_bytes().to_vec()));
        }
        if let Some(severity) = severity {
            texts.push(("severity", severity.to_string().into_bytes()));
        }
        for (name, template) in [("logdata", log_data), ("msg", message)] {
            if let Some(template) = template {
                texts.push((name, self.expand_within(graph, rule, template, depth)));
            }
        }
        RuleTexts { texts }
    }
}
