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
        for part in template.parts() {
            match part {
                Part::Text(literal) => text.extend_from_slice(literal),
                Part::Value(reference) => {
                    let texts = (reference.target.variable == crate::vocabulary::Variable::Rule).then(|| self.rule_texts(graph, rule));
                    let value = {
                        let store = self.ground.store.clone();
                        let selection = Selection {
                            graph,
                            store: store.as_ref(),
                            namespaces: rule.map_or(&[], |rule| &rule.namespaces),
                            rule: texts.as_ref(),
                        };
                        self.collections.first(&reference.target, &selection)
                    };
                    if let Some(value) = value {
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
        text
    }

    /// The text of a template as a value; literals are stored as they are.
    pub(super) fn expand_text(&mut self, graph: &RuleGraph, rule: Option<&Rule>, template: &Template) -> Text {
        match template.as_literal() {
            Some(literal) => self.collections.arena.store(literal),
            None => {
                let text = self.expand(graph, rule, template);
                self.collections.arena.store(&text)
            }
        }
    }

    /// What RULE shows of a rule. Texts with macros that name RULE again show as written there, so that none can go round in circles.
    pub(super) fn rule_texts(&mut self, _graph: &RuleGraph, rule: Option<&Rule>) -> RuleTexts {
        let Some(rule) = rule else { return RuleTexts::default() };
        let mut texts = Vec::new();
        if rule.id != 0 {
            texts.push(("id", rule.id.to_string().into_bytes()));
        }
        if !rule.metadata.revision.is_empty() {
            texts.push(("rev", rule.metadata.revision.as_bytes().to_vec()));
        }
        if let Some(severity) = rule.metadata.severity {
            texts.push(("severity", severity.to_string().into_bytes()));
        }
        for (name, template) in [("logdata", &rule.metadata.log_data), ("msg", &rule.metadata.message)] {
            if let Some(template) = template {
                texts.push((name, template.source().as_bytes().to_vec()));
            }
        }
        RuleTexts { texts }
    }
}
