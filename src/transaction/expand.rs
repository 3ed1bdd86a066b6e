//! Templates into texts.

use super::Transaction;
use crate::collection::{RuleTexts, Selection, Text};
use crate::graph::{Part, Rule, RuleGraph, Template};

/// The largest text that macros may make, in bytes; what is beyond is cut.
const LARGEST_EXPANSION: usize = 1 << 20;

impl Transaction {
    /// The text of a template; macros stand for the first value of what they name, or for nothing.
    pub(super) fn expand(&mut self, graph: &RuleGraph, rule: Option<&Rule>, template: &Template) -> Vec<u8> {
        let mut text = Vec::with_capacity(template.source().len());
        self.expand_into(graph, rule, template, &mut text);
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
        self.expand_into(graph, Some(rule), template, &mut text);
        let made = make(self, &text);
        self.scratch.text = text;
        made
    }

    fn expand_into(&mut self, graph: &RuleGraph, rule: Option<&Rule>, template: &Template, text: &mut Vec<u8>) {
        for part in template.parts() {
            match part {
                Part::Text(literal) => text.extend_from_slice(literal),
                Part::Value(target) => {
                    let texts = (target.variable == crate::vocabulary::Variable::Rule).then(|| self.rule_texts(graph, rule));
                    let namespaces = rule.map_or(&[][..], |rule| &rule.namespaces);
                    let selection = Selection { graph, store: self.ground.store.as_ref(), namespaces, rule: texts.as_ref() };
                    if let Some(value) = self.collections.first(target, &selection) {
                        text.extend_from_slice(self.collections.arena.read(value));
                    }
                }
            }
            if text.len() > LARGEST_EXPANSION {
                self.debug(1, || format!("A text with macros was cut at {LARGEST_EXPANSION} bytes."));
                text.truncate(LARGEST_EXPANSION);
                break;
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

    /// What RULE shows of a rule: what the rule itself lacks comes from those before it in its chain. A macro that names RULE again is empty in
    /// these texts, so that none can go round in circles.
    pub(super) fn rule_texts(&mut self, graph: &RuleGraph, rule: Option<&Rule>) -> RuleTexts {
        let Some(rule) = rule else { return RuleTexts::default() };
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
                texts.push((name, self.expand(graph, None, template)));
            }
        }
        RuleTexts { texts }
    }
}
