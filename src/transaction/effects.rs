//! What a rule does when it and all that are chained to it match.

use super::evaluate::Draft;
use super::verdict::Intervention;
use super::{Transaction, debug::shown};
use crate::collection::{Arena, Selected};
use crate::graph::{ChainId, Disruptive, Effect, EngineMode, Rule, RuleGraph, Test};
use crate::operator::Findings;
use std::io::Write as _;

/// The status of `deny` and `drop` where no rule names one.
const DENIED: u16 = 403;

/// The status of `redirect` where no rule names one from 301 to 307.
const REDIRECTED: u16 = 302;

impl Transaction {
    /// The effects of one rule of a chain, in v3's order: the phase's defaults, texts, updates, its own, its decision. The first rule of
    /// the chain is the last to come here; then the match is logged.
    pub(super) fn after_match(&mut self, graph: &RuleGraph, rule: &Rule, starter: &Rule, draft: &mut Draft) {
        for effect in &graph.defaults.at(rule.phase).effects {
            self.run_effect(graph, rule, effect, draft);
        }
        self.describe(graph, rule, draft);
        let updated = rule.updated.as_deref();
        for effect in updated.map_or(&[][..], |updated| &updated.effects) {
            self.run_effect(graph, rule, effect, draft);
        }
        let replaced = updated.and_then(|updated| updated.disruptive.as_ref());
        for effect in &rule.effects {
            if matches!(effect, Effect::Block) && replaced.is_some() {
                continue;
            }
            self.run_effect(graph, rule, effect, draft);
        }
        if let Some(disruptive) = replaced.or(rule.disruptive.as_ref()) {
            self.decide(graph, rule, disruptive, draft);
        }
        if std::ptr::eq(rule, starter) {
            self.log_match(rule, draft);
        }
    }

    /// Texts that describe the rule, into the entry for the log.
    fn describe(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        if let Some(severity) = rule.metadata.severity {
            self.set_severity(severity, draft);
        }
        if !draft.logs {
            return;
        }
        for tag in &rule.metadata.tags {
            self.debug(4, || "Running (non-disruptive) action: tag".to_owned());
            let tag = self.expand(graph, Some(rule), tag);
            self.debug(9, || format!("Rule tag: {}", shown(&tag, usize::MAX)));
            draft.entry.tags.push(tag);
        }
        if let Some(template) = &rule.metadata.log_data {
            draft.entry.data = self.expand(graph, Some(rule), template);
        }
        if let Some(template) = &rule.metadata.message {
            draft.entry.message = self.expand(graph, Some(rule), template);
            self.debug(9, || format!("Saving msg: {}", shown(&draft.entry.message, usize::MAX)));
        }
    }

    fn set_severity(&mut self, severity: u32, draft: &mut Draft) {
        self.debug(9, || format!("This rule severity is: {severity} current transaction is: {}", self.collections.highest_severity));
        draft.entry.severity = Some(severity);
        self.collections.highest_severity = self.collections.highest_severity.min(severity);
    }

    fn run_effect(&mut self, graph: &RuleGraph, rule: &Rule, effect: &Effect, draft: &mut Draft) {
        self.debug(9, || format!("Running action: {}", name(effect)));
        match effect {
            Effect::Block => self.block(graph, rule, draft),
            Effect::Assign(assignment) => self.assign(graph, rule, assignment),
            Effect::Tag(template) => {
                let tag = self.expand(graph, Some(rule), template);
                draft.entry.tags.push(tag);
            }
            Effect::Message(template) => draft.entry.message = self.expand(graph, Some(rule), template),
            Effect::LogData(template) => draft.entry.data = self.expand(graph, Some(rule), template),
            Effect::Severity(severity) => self.set_severity(*severity, draft),
            Effect::Status(status) => self.pending.status = Some(*status),
            Effect::Skip(count) => {
                self.debug(5, || format!("Skipping the next {count} rules."));
                self.flow.skip = *count;
            }
            Effect::SkipAfter(marker) => {
                self.debug(5, || format!("Setting skipAfter for: {}", graph.marker(*marker)));
                self.flow.skip_after = Some(*marker);
            }
            Effect::OpenCollection { collection, key } => {
                let key = self.expand_text(graph, Some(rule), key);
                self.collections.open_records.open(*collection, key);
                self.debug(5, || {
                    let name = collection.variable().name().to_ascii_lowercase();
                    format!("Collection `{name}' initialized with value: {}", shown(self.collections.arena.read(key), usize::MAX))
                });
            }
            Effect::Expire { variable, key, seconds } => {
                let key = self.expand(graph, Some(rule), key);
                let seconds = self.expand(graph, Some(rule), seconds);
                self.expire(graph, rule, *variable, &key, &seconds);
            }
            Effect::SetEnvironment { name, value } => {
                let name = self.expand(graph, Some(rule), name);
                let value = self.expand(graph, Some(rule), value);
                self.debug(8, || format!("Setting environment variable: {} to {}", shown(&name, 200), shown(&value, 200)));
                self.collections.environment.retain(|(known, _)| *known != name);
                self.collections.environment.push((name, value));
            }
            Effect::Control(control) => self.control(control),
            // Resolved at load: the rule knows whether it logs.
            Effect::Logging(_) => {}
        }
    }

    /// Does what the phase's `SecDefaultAction` says; where there is none, nothing.
    fn block(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        self.debug(8, || "Marking request as disruptive.".to_owned());
        if let Some(disruptive) = &graph.defaults.at(rule.phase).disruptive {
            self.decide(graph, rule, disruptive, draft);
        }
    }

    fn decide(&mut self, graph: &RuleGraph, rule: &Rule, disruptive: &Disruptive, draft: &mut Draft) {
        if self.engine_mode() != EngineMode::On {
            return self
                .debug(4, || format!("Not running any disruptive action (or block): {}. SecRuleEngine is not On.", disruptive.name()));
        }
        self.debug(4, || format!("Running (disruptive)     action: {}.", disruptive.name()));
        match disruptive {
            Disruptive::Pass => {
                self.debug(8, || "Running action pass".to_owned());
                self.pending.intervention = None;
                self.pending.status = None;
            }
            Disruptive::Allow(scope) => {
                self.debug(4, || {
                    let scope = match scope {
                        crate::graph::AllowScope::Phase => "Phase",
                        crate::graph::AllowScope::Request => "Request",
                        crate::graph::AllowScope::Everything => "FromNowOn",
                    };
                    format!("Dropping the evaluation of upcoming rules in favor of an `allow' action of type: {scope}")
                });
                self.flow.allow = Some(*scope);
            }
            Disruptive::Deny | Disruptive::Drop => {
                self.debug(8, || format!("Running action {}", disruptive.name()));
                let status = self.pending.status.filter(|status| *status != 200).unwrap_or(DENIED);
                self.stop(rule, status, None, matches!(disruptive, Disruptive::Drop), draft);
            }
            Disruptive::Redirect(template) => {
                let address = self.expand(graph, Some(rule), template);
                let status = self.pending.status.filter(|status| (301..=307).contains(status)).unwrap_or(REDIRECTED);
                self.stop(rule, status, Some(String::from_utf8_lossy(&address).into_owned()), false, draft);
            }
        }
    }

    fn stop(&mut self, rule: &Rule, status: u16, redirect: Option<String>, drop: bool, draft: &mut Draft) {
        draft.entry.disruptive = true;
        self.pending.status = Some(status);
        let reason = format!("Access denied with code {status} (phase {}). {}", rule.phase.number(), draft.entry.detail());
        let (index, rule_id) = (Some(draft.entry.rule), draft.entry.id);
        let found = Some(Box::new(draft.entry.clone()));
        self.intervene(Intervention { status, redirect, drop, rule: index, rule_id, reason, found });
    }

    /// Keeps the match of a rule that logs. An action without a message is silent unless it stops the request, as in ModSecurity v3.
    fn log_match(&mut self, rule: &Rule, draft: &mut Draft) {
        let silent = matches!(rule.test, Test::Unconditional) && draft.entry.message.is_empty() && !draft.entry.disruptive;
        if rule.logs && !silent {
            self.debug(9, || "Saving transaction to logs".to_owned());
            self.matches.push(draft.entry.clone());
        }
    }
}

/// What the debug log calls an effect.
fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Block => "block",
        Effect::Assign(_) => "setvar",
        Effect::Tag(_) => "tag",
        Effect::Message(_) => "msg",
        Effect::LogData(_) => "logdata",
        Effect::Severity(_) => "severity",
        Effect::Status(_) => "status",
        Effect::Skip(_) => "skip",
        Effect::SkipAfter(_) => "skipAfter",
        Effect::OpenCollection { .. } => "initcol",
        Effect::Expire { .. } => "expirevar",
        Effect::SetEnvironment { .. } => "setenv",
        Effect::Control(_) => "ctl",
        Effect::Logging(action) => action.name(),
    }
}

/// Where a match stands in the request, in ModSecurity's notation: captures `oOFFSET,LENGTH`, the value `vOFFSET,LENGTH`, transformations.
pub fn reference(graph: &RuleGraph, selected: &Selected, arena: &Arena, findings: &Findings, chain: ChainId) -> Vec<u8> {
    let mut text = Vec::new();
    for (offset, length) in &findings.offsets {
        let _ = write!(text, "o{offset},{length}");
    }
    if let Some(offsets) = selected.offsets {
        let _ = write!(text, "v{},{}", offsets.value, arena.read(selected.value).len());
    }
    for (place, prefix) in graph.transformations.prefixes(chain).into_iter().enumerate() {
        if let Some(step) = graph.transformations.last_step(prefix) {
            let separator = if place == 0 { "" } else { "," };
            let _ = write!(text, "{separator}t:{}", step.transformation.name());
        }
    }
    text
}
