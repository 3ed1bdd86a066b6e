//! What a rule does when it and all that are chained to it match.

use super::Transaction;
use super::escape::text;
use super::evaluate::Draft;
use super::matches::MatchedValues;
use super::verdict::Intervention;
use crate::collection::{Collections, Selected, Text};
use crate::graph::{Disruptive, Effect, EngineMode, LoggingAction, PersistentCollection, Rule, RuleGraph, Template, Test, UpdatedActions};
use crate::http::location::location;
use crate::vocabulary::Limit;

/// The status of `deny` and `drop` where no rule names one.
const DENIED: u16 = 403;

/// How many bytes of places the entries of a rule with `multiMatch` share. As in ModSecurity v3 each entry has the places of those before it;
/// without an end their number would grow with the square of the request.
const MAX_SHARED_PLACES: usize = 1024;

/// The status of `redirect` where no rule names one from 301 to 307.
const REDIRECTED: u16 = 302;

impl Transaction {
    /// The effects of one rule of a chain, in v3's order: the phase's defaults, texts, updates, its own, its decision.
    pub(super) fn after_match(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        for effect in &graph.defaults.at(rule.phase).effects {
            self.run_effect(graph, rule, effect, draft);
        }
        self.tag(graph, rule, draft);
        let updated = rule.updated.as_deref();
        for effect in updated.map_or(&[][..], |updated| &updated.effects) {
            self.run_effect(graph, rule, effect, draft);
        }
        let replaced = updated.and_then(|updated| updated.disruptive.as_ref());
        let is_replaced = updated.is_some_and(UpdatedActions::decides);
        self.describe(graph, rule, draft);
        for _ in &rule.namespaces {
            self.debug(9, || "Running action: xmlns".to_owned());
        }
        for effect in &rule.effects {
            if matches!(effect, Effect::Block) && is_replaced {
                continue;
            }
            self.run_effect(graph, rule, effect, draft);
        }
        if let Some(disruptive) = if is_replaced { replaced } else { rule.disruptive.as_ref() } {
            self.disrupt(graph, rule, disruptive, draft);
        }
    }

    /// The rule's tags, into the entry for the log.
    fn tag(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        if !draft.logs {
            return;
        }
        for template in &rule.metadata.tags {
            self.debug(4, || "Running (non-disruptive) action: tag".to_owned());
            self.add_tag(graph, rule, template, draft);
        }
    }

    fn add_tag(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template, draft: &mut Draft) {
        let tag = self.expand(graph, rule, template);
        self.debug(9, || format!("Rule tag: {}", text(&tag)));
        draft.entry.tags.push(tag);
    }

    /// Texts that describe the rule, into the entry for the log.
    fn describe(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        if let Some(severity) = rule.metadata.severity {
            self.set_severity(severity, draft);
        }
        if !draft.logs {
            return;
        }
        if let Some(template) = &rule.metadata.log_data {
            draft.entry.data = self.expand(graph, rule, template);
        }
        if let Some(template) = &rule.metadata.message {
            self.set_message(graph, rule, template, draft);
        }
    }

    fn set_message(&mut self, graph: &RuleGraph, rule: &Rule, template: &Template, draft: &mut Draft) {
        draft.entry.message = self.expand(graph, rule, template);
        self.debug(9, || format!("Saving msg: {}", text(&draft.entry.message)));
    }

    /// Notes one of the matches of a rule with `multiMatch`: as in ModSecurity v3 each has an entry of its own.
    ///
    /// Until 3.0.9 these entries lacked the tags. What `nolog` silences in the end is not logged here either, as it is in v3.
    pub(super) fn log_one_of_many(&mut self, graph: &RuleGraph, rule: &Rule, selected: &Selected, draft: &mut Draft) {
        if draft.is_kept && self.may_log(draft.hits.len()) {
            let (entry, values) = (draft.entry.clone(), MatchedValues::only(*selected));
            let mut one = Draft { entry, hits: Vec::new(), values, ..*draft };
            one.entry.name_values(&one.values, &self.collections.arena);
            self.tag(graph, rule, &mut one);
            self.describe(graph, rule, &mut one);
            let size = one.entry.size();
            self.spend(size);
            self.collections.arena.work.hold(size);
            draft.hits.push(one.entry);
            if draft.entry.reference.len() > MAX_SHARED_PLACES {
                draft.entry.reference.clear();
            }
        }
    }

    /// Returns `true` if another match may be logged beside those that are and so many more. What stops the request is logged in any case.
    fn may_log(&mut self, more: usize) -> bool {
        let fits = self.matches.len() + more < self.ground.graph.settings.limit(Limit::Matches);
        if !fits {
            self.exceed(Limit::Matches);
        }
        fits
    }

    fn set_severity(&mut self, severity: u32, draft: &mut Draft) {
        self.debug(9, || format!("This rule severity is: {severity} current transaction is: {}", self.collections.highest_severity));
        draft.entry.severity = Some(severity);
        self.collections.highest_severity = self.collections.highest_severity.min(severity);
    }

    fn run_effect(&mut self, graph: &RuleGraph, rule: &Rule, effect: &Effect, draft: &mut Draft) {
        if !matches!(effect, Effect::Block) {
            self.debug(9, || format!("Running action: {}", name(effect)));
        }
        match effect {
            Effect::Block => self.block(graph, rule, draft),
            Effect::Assign(assignment) => self.assign(graph, rule, assignment),
            Effect::Tag(template) => self.add_tag(graph, rule, template, draft),
            Effect::Message(template) => self.set_message(graph, rule, template, draft),
            Effect::LogData(template) => draft.entry.data = self.expand(graph, rule, template),
            Effect::Severity(severity) => self.set_severity(*severity, draft),
            Effect::Status(status) => self.pending.name_status(*status),
            Effect::Skip(count) => {
                self.debug(5, || format!("Skipping the next {count} rules."));
                self.flow.skip = *count;
            }
            Effect::SkipAfter(marker) => {
                self.debug(5, || format!("Setting skipAfter for: {}", graph.marker(*marker)));
                self.flow.skip_after = Some(*marker);
            }
            Effect::OpenCollection { collection, key } => self.open_collection(graph, rule, *collection, key),
            Effect::Expire { variable, key, seconds } => {
                let key = self.expand(graph, rule, key);
                let seconds = self.expand(graph, rule, seconds);
                self.expire(graph, rule, *variable, &key, &seconds);
            }
            Effect::Deprecate { variable, key, pace } => {
                let key = self.expand(graph, rule, key);
                let pace = self.expand(graph, rule, pace);
                self.deprecate(graph, rule, *variable, &key, &pace);
            }
            Effect::SetEnvironment { name, value } => {
                let name = self.expand(graph, rule, name);
                let value = self.expand(graph, rule, value);
                self.debug(8, || format!("Setting environment variable: {} to {}", text(&name), text(&value)));
                self.collections.environment.retain(|(known, _)| *known != name);
                self.collections.arena.work.hold(size_of::<(Vec<u8>, Vec<u8>)>() + name.len() + value.len());
                self.collections.environment.push((name, value));
            }
            Effect::Control(control) => self.control(control),
            Effect::Execute(script) => {
                self.debug(8, || format!("Running script... {}", script.name()));
                self.run_script(graph, rule, script, None);
            }
            // Resolved at load: the rule knows whether it logs.
            Effect::Logging(LoggingAction::Log | LoggingAction::AuditLog) => self.debug(9, || "Saving transaction to logs".to_owned()),
            Effect::Logging(LoggingAction::NoLog | LoggingAction::NoAuditLog) => {}
        }
    }

    /// Opens a persistent collection under a key: from now on it is this record.
    pub(super) fn open_collection(&mut self, graph: &RuleGraph, rule: &Rule, collection: PersistentCollection, key: &Template) {
        let key = self.expand_text(graph, rule, key);
        let Collections { open_records, arena, .. } = &mut self.collections;
        // Opened again as it is, it stays the record that this transaction may have written to.
        if open_records.key(collection).is_none_or(|known| arena.read(known) != arena.read(key)) {
            open_records.open(collection, key);
        }
        self.debug_opened(collection, key);
    }

    fn debug_opened(&self, collection: PersistentCollection, key: Text) {
        let key = || text(self.collections.arena.read(key));
        match collection {
            PersistentCollection::User => self.debug(8, || format!("User collection initiated with value: '{}'.", key())),
            PersistentCollection::Session => self.debug(8, || format!("Session ID initiated with value: '{}'.", key())),
            PersistentCollection::Resource => self.debug(8, || format!("RESOURCE initiated with value: '{}'.", key())),
            PersistentCollection::Global | PersistentCollection::Ip => self.debug(5, || {
                let name = collection.variable().name().to_ascii_lowercase();
                format!("Collection `{name}' initialized with value: {}", key())
            }),
        }
    }

    /// Does what the phase's `SecDefaultAction` says; where there is none, nothing.
    fn block(&mut self, graph: &RuleGraph, rule: &Rule, draft: &mut Draft) {
        let disruptive = graph.defaults.at(rule.phase).disruptive.as_ref();
        if self.may_disrupt("block") {
            self.debug(8, || "Marking request as disruptive.".to_owned());
            if let Some(disruptive) = disruptive {
                self.decide(graph, rule, disruptive, draft);
            }
        } else if let Some(disruptive) = disruptive {
            self.pending.detect(disruptive, draft.entry.rule);
        }
    }

    fn disrupt(&mut self, graph: &RuleGraph, rule: &Rule, disruptive: &Disruptive, draft: &mut Draft) {
        // The last name is ModSecurity's own spelling: logs are searched for it.
        if self.may_disrupt(if let Disruptive::Redirect(_) = disruptive { "redirert" } else { disruptive.name() }) {
            self.decide(graph, rule, disruptive, draft);
        } else {
            self.pending.detect(disruptive, draft.entry.rule);
        }
    }

    fn may_disrupt(&self, action: &str) -> bool {
        let is_on = self.engine_mode() == EngineMode::On;
        self.debug(4, || match is_on {
            true => format!("Running (disruptive)     action: {action}."),
            false => format!("Not running any disruptive action (or block): {action}. SecRuleEngine is not On."),
        });
        is_on
    }

    /// Takes back what an earlier rule wanted to be done.
    pub(super) fn pass(&mut self) {
        self.pending.intervention = None;
        self.pending.status = None;
    }

    fn decide(&mut self, graph: &RuleGraph, rule: &Rule, disruptive: &Disruptive, draft: &mut Draft) {
        match disruptive {
            Disruptive::Pass => {
                self.debug(8, || "Running action pass".to_owned());
                self.pass();
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
                self.debug(8, || match disruptive {
                    Disruptive::Drop => "Running action drop [executing deny instead of drop.]".to_owned(),
                    _ => "Running action deny".to_owned(),
                });
                let status = self.pending.status.filter(|status| *status != 200).unwrap_or(DENIED);
                self.stop(rule, status, None, matches!(disruptive, Disruptive::Drop), draft);
            }
            Disruptive::Redirect(template) => {
                let address = self.expand(graph, rule, template);
                let status = self.pending.status.filter(|status| (301..=307).contains(status)).unwrap_or(REDIRECTED);
                self.stop(rule, status, Some(location(&address)), false, draft);
            }
        }
    }

    fn stop(&mut self, rule: &Rule, status: u16, redirect: Option<String>, drop: bool, draft: &mut Draft) {
        draft.entry.disruptive = true;
        self.pending.status = Some(status);
        let mut reason = format!("Access denied with code {status} (phase {}). ", rule.phase.number()).into_bytes();
        draft.entry.write_detail(&mut reason);
        let reason = text(&reason);
        let (index, rule_id) = (Some(draft.entry.rule), draft.entry.id);
        let found = Some(Box::new(draft.entry.clone()));
        self.intervene(Intervention { status, redirect, drop, rule: index, rule_id, reason, found });
    }

    /// Keeps the match of a chain, by its first rule, that logs. An action without a message is silent unless it stops the request or would by
    /// default, as in ModSecurity v3.
    pub(super) fn log_match(&mut self, rule: &Rule, draft: Draft) {
        let speaks =
            !draft.entry.message.is_empty() || draft.entry.disruptive || rule.effects.iter().any(|effect| matches!(effect, Effect::Block));
        let silent = matches!(rule.test, Test::Unconditional) && !speaks;
        if draft.is_kept && !silent && !rule.multi_match && (draft.entry.disruptive || self.may_log(0)) {
            self.collections.arena.work.hold(draft.entry.size());
            self.matches.push(draft.entry);
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
        Effect::OpenCollection { collection, .. } => match collection {
            PersistentCollection::User => "setuid",
            PersistentCollection::Session => "setsid",
            // ModSecurity's own spelling.
            PersistentCollection::Resource => "setsrc",
            PersistentCollection::Global | PersistentCollection::Ip => "initcol",
        },
        Effect::Expire { .. } => "expirevar",
        Effect::Deprecate { .. } => "deprecatevar",
        Effect::SetEnvironment { .. } => "setenv",
        Effect::Control(_) => "ctl",
        Effect::Execute(_) => "exec",
        Effect::Logging(action) => action.name(),
    }
}
