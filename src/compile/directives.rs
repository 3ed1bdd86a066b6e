//! Reads the directives of a load: looks up each in the table of directives, and calls its function.

use super::arguments::check_arguments;
use super::context::Context;
use super::rule_set::RuleSetDraft;
use super::{rules, settings, updates};
use crate::diagnostic::{Code, Diagnostic};
use crate::seclang::{Argument, Body, Directive};
use crate::vocabulary::{self, DirectiveEntry, Support, did_you_mean};

/// Reads the directives of one load. Returns `true` if they set the engine's mode, as the configuration of a whole site does.
pub fn read_load(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, directives: &[Directive]) -> bool {
    rule_set.load += 1;
    for directive in directives {
        if context.has_too_many_errors() {
            break;
        }
        if let Some(entry) = find(context, directive) {
            carry_out(context, rule_set, directive, &entry);
        }
    }
    context.report_all(rule_set.rules.end_load());
    let (sets_engine, overruled) = context.settings.end_load();
    context.report_all(overruled);
    sets_engine
}

/// Returns the row of a directive, if it has an effect here and its arguments are valid; otherwise reports the problem.
fn find(context: &mut Context<'_>, directive: &Directive) -> Option<DirectiveEntry> {
    let name = &directive.name.node;
    let Some(entry) = vocabulary::Directive::find(name) else {
        let known = vocabulary::Directive::table().filter(|entry| entry.directive.is_some()).map(|entry| entry.name);
        let hint = did_you_mean(name, known, "").unwrap_or_else(|| match name.get(..3) {
            Some(start) if start.eq_ignore_ascii_case("sec") => String::from("check the spelling, or find what this engine calls it"),
            _ => String::from("it may belong to the web server: move it to the web server's configuration"),
        });
        context.report(Diagnostic::new(Code::UnknownDirective, directive.name.span, format!("unknown directive `{name}`")).hint(hint));
        return None;
    };
    let arguments: &[Argument] = match &directive.body {
        Body::Arguments(arguments) => arguments,
        _ => &[],
    };
    match entry.support {
        Support::Refused(why) => {
            let message = format!("`{}` is not supported", entry.name);
            context.report(Diagnostic::new(Code::UnsupportedDirective, directive.name.span, message).hint(why));
            return None;
        }
        Support::NoEffect(why) => {
            if check_arguments(context, &entry, arguments, directive.span) {
                let message = format!("`{}` has no effect: {why}", entry.name);
                context.report(Diagnostic::new(Code::NoEffect, directive.name.span, message).hint("remove the line"));
            }
            return None;
        }
        Support::Works => {}
    }
    check_arguments(context, &entry, arguments, directive.span).then_some(entry)
}

/// Calls the function of a directive: those of rules are here, those that set a value in [`settings::set`].
fn carry_out(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, directive: &Directive, entry: &DirectiveEntry) {
    match &directive.body {
        Body::Rule { targets, operator, actions } => rules::rule(context, rule_set, directive, (targets, operator, actions.as_ref())),
        Body::Actions(actions) if entry.directive == Some(vocabulary::Directive::SecDefaultAction) => {
            rules::default_action(context, rule_set, actions)
        }
        Body::Actions(actions) => rules::unconditional(context, rule_set, directive, actions),
        Body::Script { file, actions } => rules::script(context, rule_set, directive, file, actions.as_ref()),
        Body::UpdateTargets { rules, targets } => {
            rule_set.updates.extend(updates::target_update(context, entry.directive, rules, targets));
        }
        Body::UpdateActions { rule, actions } => rule_set.updates.extend(updates::action_update(context, rule, actions)),
        Body::Arguments(arguments) => {
            let Some(known) = entry.directive else { return };
            context.settings.note(known, directive.span, arguments);
            match known {
                vocabulary::Directive::SecMarker => add_marker(context, rule_set, arguments),
                vocabulary::Directive::SecRuleRemoveById
                | vocabulary::Directive::SecRuleRemoveByMsg
                | vocabulary::Directive::SecRuleRemoveByTag => rule_set.updates.extend(updates::removals(context, known, arguments)),
                vocabulary::Directive::SecDecisionScript => rules::decision_script(context, rule_set, directive, arguments),
                setting => settings::set(context, setting, directive.name.span, entry, arguments),
            }
        }
    }
}

/// `SecMarker`
fn add_marker(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, arguments: &[Argument]) {
    if let Some(argument) = arguments.first() {
        let marker = context.names.marker(argument.text.trim_matches(['\'', '"']));
        context.references.placed_markers.push(marker);
        rule_set.rules.add_marker(marker);
    }
}
