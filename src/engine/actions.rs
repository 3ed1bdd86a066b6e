//! Actions of a rule after it and all rules chained to it match.

use super::Evaluation;
use super::assignment::{assign, deprecate, expire, open_collection};
use super::control::carry_out;
use super::expand::expand;
use super::pending_match::{PendingMatch, name_values, write_places};
use super::sanitise::{expand_for_log, masked_text};
use super::script::run_script;
use crate::escape::text;
use crate::graph::{Disruptive, Effect, EngineMode, LoggingAction, PersistentCollection, Rule, Template, Test, UpdatedActions};
use crate::http::location::location;
use crate::state::{Action, Intervention, MatchNote, MatchText};
use crate::vocabulary::Limit;

/// Default status of `deny` and `drop`.
const DENIED: u16 = 403;

/// Maximum bytes of offsets that the entries of a rule with `multiMatch` share. As in ModSecurity v3, each entry has the offsets of earlier ones;
/// without a limit their size would grow with the square of the request.
const MAX_SHARED_PLACES: usize = 1024;

/// Default status of `redirect`, unless a rule sets one from 301 to 307.
const REDIRECTED: u16 = 302;

/// Runs the effects of a rule of a chain, in v3's order: the phase's defaults, texts, updates, its own, its decision.
pub fn after_match(eval: &mut Evaluation<'_>, rule: &Rule, draft: &mut PendingMatch) {
    for effect in &eval.rules.defaults.at(rule.phase).effects {
        run_effect(eval, rule, effect, draft);
    }
    tag(eval, rule, draft);
    let updated = rule.updated.as_deref();
    for effect in updated.map_or(&[][..], |updated| &updated.effects) {
        run_effect(eval, rule, effect, draft);
    }
    let replaced = updated.and_then(|updated| updated.disruptive.as_ref());
    let is_replaced = updated.is_some_and(UpdatedActions::decides);
    describe(eval, rule, draft);
    for _ in &rule.namespaces {
        eval.debug(9, || "Running action: xmlns".to_owned());
    }
    for effect in &rule.effects {
        if matches!(effect, Effect::Block) && is_replaced {
            continue;
        }
        run_effect(eval, rule, effect, draft);
    }
    if let Some(disruptive) = if is_replaced { replaced } else { rule.disruptive.as_ref() } {
        disrupt(eval, rule, disruptive, draft);
    }
}

/// Adds the rule's tags to the log entry.
fn tag(eval: &mut Evaluation<'_>, rule: &Rule, draft: &mut PendingMatch) {
    if !draft.logs {
        return;
    }
    for template in &rule.metadata.tags {
        eval.debug(4, || "Running (non-disruptive) action: tag".to_owned());
        add_tag(eval, rule, template, draft);
    }
}

fn add_tag(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template, draft: &mut PendingMatch) {
    let place = MatchText::Tag(draft.entry().tags.len());
    let tag = expand_for_log(eval, rule, template, place, draft);
    eval.debug(9, || format!("Rule tag: {}", text(&masked_text(eval, draft.entry(), place, &tag))));
    draft.entry().tags.push(tag);
}

/// Adds the texts that describe the rule to the log entry.
fn describe(eval: &mut Evaluation<'_>, rule: &Rule, draft: &mut PendingMatch) {
    if let Some(severity) = rule.metadata.severity {
        set_severity(eval, severity, draft);
    }
    if !draft.logs {
        return;
    }
    if let Some(template) = &rule.metadata.log_data {
        draft.entry().data = expand_for_log(eval, rule, template, MatchText::Data, draft);
    }
    if let Some(template) = &rule.metadata.message {
        set_message(eval, rule, template, draft);
    }
}

fn set_message(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template, draft: &mut PendingMatch) {
    let message = expand_for_log(eval, rule, template, MatchText::Message, draft);
    eval.debug(9, || format!("Saving msg: {}", text(&masked_text(eval, draft.entry(), MatchText::Message, &message))));
    draft.entry().message = message;
}

/// Adds a log entry for one of the matches of a rule with `multiMatch`, as ModSecurity v3 does.
///
/// Until 3.0.9 v3 omitted the tags in these entries. Unlike v3, no entry is logged if `nolog` applies in the end.
pub fn log_one_of_many(eval: &mut Evaluation<'_>, rule: &Rule, note: &MatchNote, draft: &mut PendingMatch) {
    if draft.is_kept && may_log(eval, draft.hits.len()) {
        write_places(eval, draft);
        let mut one = draft.single();
        name_values(eval, std::slice::from_ref(note), &mut one);
        one.entry().score = std::mem::take(&mut eval.state.scratch.score);
        tag(eval, rule, &mut one);
        describe(eval, rule, &mut one);
        let size = one.entry().size();
        eval.charge(size);
        eval.state.collections.arena.budget.reserve(size);
        draft.hits.push(one.into_entry());
        if draft.entry().reference.len() > MAX_SHARED_PLACES {
            draft.entry().reference.clear();
        }
    }
}

/// Returns `true` if another match may be logged, in addition to `more` pending ones. A match that stops the request is always logged.
fn may_log(eval: &mut Evaluation<'_>, more: usize) -> bool {
    let fits = eval.state.matches.len() + more < eval.rules.settings.limit(Limit::Matches);
    if !fits {
        eval.exceed(Limit::Matches);
    }
    fits
}

fn set_severity(eval: &mut Evaluation<'_>, severity: u32, draft: &mut PendingMatch) {
    eval.debug(9, || format!("This rule severity is: {severity} current transaction is: {}", eval.state.collections.highest_severity));
    draft.entry().severity = Some(severity);
    eval.state.collections.highest_severity = eval.state.collections.highest_severity.min(severity);
}

fn run_effect(eval: &mut Evaluation<'_>, rule: &Rule, effect: &Effect, draft: &mut PendingMatch) {
    let rules = eval.rules;
    if !matches!(effect, Effect::Block) {
        eval.debug(9, || format!("Running action: {}", name(effect)));
    }
    match effect {
        Effect::Block => block(eval, rule, draft),
        Effect::Assign(assignment) => assign(eval, rule, assignment),
        Effect::Tag(template) => add_tag(eval, rule, template, draft),
        Effect::Message(template) => set_message(eval, rule, template, draft),
        Effect::LogData(template) => draft.entry().data = expand_for_log(eval, rule, template, MatchText::Data, draft),
        Effect::Severity(severity) => set_severity(eval, *severity, draft),
        Effect::Status(status) => eval.state.pending.name_status(*status),
        Effect::Skip(count) => {
            eval.debug(5, || format!("Skipping the next {count} rules."));
            eval.state.flow.skip = *count;
        }
        Effect::SkipAfter(marker) => {
            eval.debug(5, || format!("Setting skipAfter for: {}", rules.marker(*marker)));
            eval.state.flow.skip_after = Some(*marker);
        }
        Effect::OpenCollection { collection, key } => open_collection(eval, rule, *collection, key),
        Effect::Expire { variable, key, seconds } => {
            let key = expand(eval, rule, key);
            let seconds = expand(eval, rule, seconds);
            expire(eval, rule, *variable, &key, &seconds);
        }
        Effect::Deprecate { variable, key, pace } => {
            let key = expand(eval, rule, key);
            let pace = expand(eval, rule, pace);
            deprecate(eval, rule, *variable, &key, &pace);
        }
        Effect::SetEnvironment { name, value } => {
            let name = expand(eval, rule, name);
            let value = expand(eval, rule, value);
            eval.debug(8, || format!("Setting environment variable: {} to {}", text(&name), text(&eval.masked(&value))));
            eval.state.collections.environment.retain(|(known, _)| *known != name);
            eval.state.collections.arena.budget.reserve(size_of::<(Vec<u8>, Vec<u8>)>() + name.len() + value.len());
            eval.state.collections.environment.push((name, value));
        }
        Effect::Control(control) => carry_out(eval, control),
        Effect::Execute(script) => {
            eval.debug(8, || format!("Running script... {}", script.name()));
            run_script(eval, rule, script, None);
        }
        // Resolved at load: the rule has its log flags.
        Effect::Logging(LoggingAction::Log | LoggingAction::AuditLog) => eval.debug(9, || "Saving transaction to logs".to_owned()),
        Effect::Logging(LoggingAction::NoLog | LoggingAction::NoAuditLog) => {}
        // Done before: `mask_values`.
        Effect::Mask(_) | Effect::MaskMatched(_) => {}
    }
}

/// Runs the phase's `SecDefaultAction`, if there is one.
fn block(eval: &mut Evaluation<'_>, rule: &Rule, draft: &mut PendingMatch) {
    let disruptive = eval.rules.defaults.at(rule.phase).disruptive.as_ref();
    if may_disrupt(eval, "block") {
        eval.debug(8, || "Marking request as disruptive.".to_owned());
        if let Some(disruptive) = disruptive {
            decide(eval, rule, disruptive, draft);
        }
    } else if let Some(disruptive) = disruptive {
        eval.state.pending.detect(disruptive, draft.entry().rule);
    }
}

fn disrupt(eval: &mut Evaluation<'_>, rule: &Rule, disruptive: &Disruptive, draft: &mut PendingMatch) {
    // The last name is ModSecurity's own spelling, which people search for in logs.
    if may_disrupt(eval, if let Disruptive::Redirect(_) = disruptive { "redirert" } else { disruptive.name() }) {
        decide(eval, rule, disruptive, draft);
    } else {
        eval.state.pending.detect(disruptive, draft.entry().rule);
    }
}

fn may_disrupt(eval: &Evaluation<'_>, action: &str) -> bool {
    let is_on = eval.engine_mode() == EngineMode::On;
    eval.debug(4, || match is_on {
        true => format!("Running (disruptive)     action: {action}."),
        false => format!("Not running any disruptive action (or block): {action}. SecRuleEngine is not On."),
    });
    is_on
}

fn decide(eval: &mut Evaluation<'_>, rule: &Rule, disruptive: &Disruptive, draft: &mut PendingMatch) {
    match disruptive {
        Disruptive::Pass => {
            eval.debug(8, || "Running action pass".to_owned());
            eval.state.pending.take_back();
        }
        Disruptive::Allow(scope) => {
            eval.debug(4, || {
                let scope = match scope {
                    crate::graph::AllowScope::Phase => "Phase",
                    crate::graph::AllowScope::Request => "Request",
                    crate::graph::AllowScope::Everything => "FromNowOn",
                };
                format!("Dropping the evaluation of upcoming rules in favor of an `allow' action of type: {scope}")
            });
            eval.state.flow.allow = Some(*scope);
        }
        Disruptive::Deny | Disruptive::Drop => {
            eval.debug(8, || match disruptive {
                Disruptive::Drop => "Running action drop [executing deny instead of drop.]".to_owned(),
                _ => "Running action deny".to_owned(),
            });
            let status = eval.state.pending.status.filter(|status| *status != 200).unwrap_or(DENIED);
            let action = if matches!(disruptive, Disruptive::Drop) { Action::Drop { status } } else { Action::Deny { status } };
            stop(eval, action, draft);
        }
        Disruptive::Redirect(template) => {
            let address = expand(eval, rule, template);
            let status = eval.state.pending.status.filter(|status| (301..=307).contains(status)).unwrap_or(REDIRECTED);
            stop(eval, Action::Redirect { status, location: location(&address) }, draft);
        }
    }
}

fn stop(eval: &mut Evaluation<'_>, action: Action, draft: &mut PendingMatch) {
    let status = action.status();
    draft.entry().disruptive = true;
    eval.state.pending.status = Some(status);
    let reason = draft.entry().denial(status);
    let (index, rule_id) = (Some(draft.entry().rule), draft.entry().id);
    let found = Some(Box::new(draft.entry().clone()));
    eval.intervene(Intervention { action, rule: index, rule_id, reason, found });
}

/// Logs the match of a chain, by its first rule. As in ModSecurity v3, an action without a message is not logged unless it stops the request or would
/// by default.
pub fn log_match(eval: &mut Evaluation<'_>, rule: &Rule, mut draft: PendingMatch) {
    let speaks =
        !draft.entry().message.is_empty() || draft.entry().disruptive || rule.effects.iter().any(|effect| matches!(effect, Effect::Block));
    let silent = matches!(rule.test, Test::Unconditional) && !speaks;
    if draft.is_kept && !silent && !rule.multi_match && (draft.entry().disruptive || may_log(eval, 0)) {
        eval.state.collections.arena.budget.reserve(draft.entry().size());
        draft.entry().score = eval.state.scratch.score;
        eval.state.matches.push(draft.into_entry());
    }
}

/// Returns the name of an effect in the debug log.
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
        Effect::Mask(_) | Effect::MaskMatched(_) => "sanitise",
        Effect::Execute(_) => "exec",
        Effect::Logging(action) => action.name(),
    }
}
