//! Expands templates.

use super::Evaluation;
use crate::graph::{Part, Rule, RuleGraph, Selector, Target, Template};
use crate::state::{MacroValue, PER_VALUE, RuleTexts, Selection, Text, TxSlot};
use crate::vocabulary::{Limit, Variable};

/// Returns the text of a template; a macro becomes the first value of its target, or nothing.
pub fn expand(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template) -> Vec<u8> {
    let mut text = Vec::with_capacity(template.source().len());
    expand_into(eval, rule, template, &mut NestedTexts::new(eval.rules), &mut text);
    text
}

/// Returns the text of a template, and the value of each macro in it.
pub fn expand_with_values(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template) -> (Vec<u8>, Vec<MacroValue>) {
    let mut text = Vec::with_capacity(template.source().len());
    let mut values = Vec::new();
    let mut nested = NestedTexts { values: Some(&mut values), ..NestedTexts::new(eval.rules) };
    expand_into(eval, rule, template, &mut nested, &mut text);
    (text, values)
}

/// Passes the text of a template to a function, in a buffer that is reused.
pub fn with_expanded<T>(
    eval: &mut Evaluation<'_>,
    rule: &Rule,
    template: &Template,
    make: impl FnOnce(&mut Evaluation<'_>, &[u8]) -> T,
) -> T {
    let mut text = std::mem::take(&mut eval.state.scratch.text);
    text.clear();
    expand_into(eval, rule, template, &mut NestedTexts::new(eval.rules), &mut text);
    let made = make(eval, &text);
    eval.state.scratch.text = text;
    made
}

fn expand_into(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template, nested: &mut NestedTexts<'_>, text: &mut Vec<u8>) {
    let rules = eval.rules;
    for part in template.parts() {
        match part {
            Part::Text(literal) => text.extend_from_slice(literal),
            Part::Value(target) => {
                let value = match target.as_tx_key() {
                    Some(name) => eval.state.collections.tx.read(eval.state.collections.tx.known(name)),
                    None => first_value(eval, rule, target, nested),
                };
                let Some(value) = value else { continue };
                eval.charge(value.len() + PER_VALUE);
                if let Some(values) = nested.values.as_mut().filter(|_| nested.depth == 0) {
                    let key = if let Selector::Key(key) = &target.selector { Some(key.text.clone()) } else { None };
                    values.push(MacroValue { start: text.len(), variable: Some(target.variable), key, value });
                }
                text.extend_from_slice(eval.state.collections.arena.read(value));
                let max = rules.settings.limit(Limit::MacroBytes);
                if text.len() > max {
                    eval.exceed(Limit::MacroBytes);
                    return text.truncate(max);
                }
                if eval.state.collections.arena.budget.is_over() {
                    return;
                }
            }
        }
    }
}

/// Returns the first value of a target.
fn first_value(eval: &mut Evaluation<'_>, rule: &Rule, target: &Target, nested: &mut NestedTexts<'_>) -> Option<Text> {
    if target.variable == Variable::Rule {
        add_rule_texts(eval, rule, target, nested);
    }
    let (graph, store, namespaces) = (eval.rules, eval.services.store.as_ref(), &rule.namespaces);
    eval.state.collections.first(target, &Selection { graph, store, namespaces, rule: nested.here(), max: 1 })
}

/// Returns the text of a template as a value; literals are stored unchanged.
#[inline]
pub fn expand_text(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template) -> Text {
    match template.as_literal() {
        Some(literal) => eval.state.collections.arena.store(literal),
        None => expand_macros(eval, rule, template),
    }
}

fn expand_macros(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template) -> Text {
    match tx_value(eval, template) {
        Some((_, value)) => value,
        None => with_expanded(eval, rule, template, |eval, text| eval.state.collections.arena.store(text)),
    }
}

/// Returns the value of a template that is one TX variable, without a copy of its text. `None` for other templates, and if the value is not set, or
/// exceeds the limit of macros.
pub fn tx_value(eval: &mut Evaluation<'_>, template: &Template) -> Option<(TxSlot, Text)> {
    let slot = eval.state.collections.tx.known(template.as_tx_key()?);
    let value = eval.state.collections.tx.read(slot)?;
    if value.len() > eval.rules.settings.limit(Limit::MacroBytes) {
        return None;
    }
    eval.charge(value.len() + PER_VALUE);
    Some((slot, value))
}

/// Returns the texts of a rule that a target selects from RULE; `None` for other targets.
pub fn rule_texts(eval: &mut Evaluation<'_>, rule: &Rule, target: &Target) -> Option<RuleTexts> {
    if target.variable != Variable::Rule {
        return None;
    }
    let mut nested = NestedTexts::new(eval.rules);
    add_rule_texts(eval, rule, target, &mut nested);
    Some(nested.here().cloned().unwrap_or_default())
}

/// Adds the texts that a target selects from RULE, if they are missing. A chained rule takes missing texts from those before it. Only `logdata` and
/// `msg` have macros, so only they can exceed the depth.
fn add_rule_texts(eval: &mut Evaluation<'_>, rule: &Rule, target: &Target, nested: &mut NestedTexts<'_>) {
    let described = Described::of(eval.rules, rule);
    for name in ["id", "rev", "severity", "logdata", "msg"] {
        let is_selected = !matches!(target.selector, Selector::All) && target.selector.selects(name.as_bytes());
        if !is_selected || target.excludes(name.as_bytes()) || nested.is_known(name) {
            continue;
        }
        let text = match name {
            "id" => (described.id != 0).then(|| described.id.to_string().into_bytes()),
            "rev" => (!described.revision.is_empty()).then(|| described.revision.as_bytes().to_vec()),
            "severity" => described.severity.map(|severity| severity.to_string().into_bytes()),
            "logdata" => described.log_data.and_then(|template| nested_text(eval, rule, template, nested)),
            _ => described.message.and_then(|template| nested_text(eval, rule, template, nested)),
        };
        nested.add(name, text);
    }
}

/// Returns the message or data of a rule within another text of it; `None` beyond the maximum depth.
fn nested_text(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template, nested: &mut NestedTexts<'_>) -> Option<Vec<u8>> {
    if !nested.descend() {
        eval.exceed(Limit::MacroDepth);
        return None;
    }
    let mut text = Vec::new();
    expand_into(eval, rule, template, nested, &mut text);
    nested.ascend();
    Some(text)
}

/// The texts of a rule that refer to each other, while one of them is expanded.
///
/// Each text is expanded once at each depth. Otherwise a message that names the data twice, which names the message twice, would take four times the
/// work with every two levels.
struct NestedTexts<'v> {
    /// The texts at each depth, the outermost first.
    levels: Vec<RuleTexts>,
    depth: usize,
    max_depth: usize,
    /// The values of macros in the outermost text, if they are asked for.
    values: Option<&'v mut Vec<MacroValue>>,
}

impl NestedTexts<'_> {
    fn new(graph: &RuleGraph) -> Self {
        Self { levels: Vec::new(), depth: 0, max_depth: graph.settings.limit(Limit::MacroDepth), values: None }
    }

    /// Returns the texts at this depth.
    fn here(&self) -> Option<&RuleTexts> {
        self.levels.get(self.depth)
    }

    fn is_known(&self, name: &str) -> bool {
        self.here().is_some_and(|known| known.texts.iter().any(|(known, _)| *known == name))
    }

    fn add(&mut self, name: &'static str, text: Option<Vec<u8>>) {
        if self.levels.len() <= self.depth {
            self.levels.resize_with(self.depth + 1, RuleTexts::default);
        }
        if let (Some(level), Some(text)) = (self.levels.get_mut(self.depth), text) {
            level.texts.push((name, text));
        }
    }

    /// Goes one level deeper. Returns `false` if that exceeds the maximum depth.
    fn descend(&mut self) -> bool {
        let may_descend = self.depth < self.max_depth;
        self.depth += usize::from(may_descend);
        may_descend
    }

    fn ascend(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Texts of a chained rule: its own, or those of the last rule before it that has them.
#[derive(Default)]
struct Described<'g> {
    id: u64,
    revision: &'g str,
    severity: Option<u32>,
    log_data: Option<&'g Template>,
    message: Option<&'g Template>,
}

impl<'g> Described<'g> {
    fn of(graph: &'g RuleGraph, rule: &'g Rule) -> Self {
        let head = rule.chain_head.and_then(|head| graph.rule(head)).unwrap_or(rule);
        let until_here = std::iter::successors(Some(head), |before| {
            if std::ptr::eq(*before, rule) { None } else { before.next.and_then(|next| graph.rule(next)) }
        });
        let mut described = Self::default();
        for Rule { id, metadata, .. } in until_here {
            described = Self {
                id: if *id == 0 { described.id } else { *id },
                revision: if metadata.revision.is_empty() { described.revision } else { &metadata.revision },
                severity: metadata.severity.or(described.severity),
                log_data: metadata.log_data.as_ref().or(described.log_data),
                message: metadata.message.as_ref().or(described.message),
            };
        }
        described
    }
}
