//! Compiles `ctl` actions.

use super::action_values::bad_value;
use super::context::Context;
use super::targets::variable_and_selector;
use super::values::{audit_engine, engine_mode, id_range, on_off};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{BodyProcessor, Control, LogLetters, RuleFilter, TargetFilter};
use crate::seclang::{ActionExpression, parse_target};
use crate::vocabulary::{self, Support, did_you_mean};

/// Returns the change of a `ctl`.
pub fn read_control(context: &mut Context<'_>, written: &ActionExpression) -> Option<Control> {
    let (name, value) = written.text().split_once('=').map_or((written.text(), ""), |(name, value)| (name.trim(), value.trim()));
    let Some(entry) = vocabulary::Control::find(name) else {
        let known = vocabulary::Control::table().filter(|entry| entry.control.is_some()).map(|entry| entry.name);
        let hint = did_you_mean(name, known, "ctl:");
        let message = format!("unknown option `ctl:{name}`");
        context.report(Diagnostic::new(Code::UnknownAction, written.value_span(), message).maybe_hint(hint));
        return None;
    };
    if let Support::Refused(why) = entry.support {
        let message = format!("`ctl:{name}` is not supported");
        context.report(Diagnostic::new(Code::UnsupportedAction, written.value_span(), message).hint(why));
    }
    let control = entry.control?;
    let understood = match control {
        vocabulary::Control::AuditEngine => audit_engine(value).map(Control::AuditEngine),
        vocabulary::Control::AuditLogParts => audit_log_parts(value),
        vocabulary::Control::ForceRequestBodyVariable => on_off(value).map(Control::ForceRequestBodyVariable),
        vocabulary::Control::RequestBodyAccess => on_off(value).map(Control::RequestBodyAccess),
        vocabulary::Control::RequestBodyProcessor => BodyProcessor::parse(value).map(Control::RequestBodyProcessor),
        vocabulary::Control::RuleEngine => engine_mode(value).map(Control::RuleEngine),
        vocabulary::Control::RuleRemoveById => id_range(value).map(RuleFilter::Ids).map(Control::RemoveRules),
        vocabulary::Control::RuleRemoveByTag => text(value).map(RuleFilter::Tag).map(Control::RemoveRules),
        vocabulary::Control::RuleRemoveByMsg => text(value).map(RuleFilter::Message).map(Control::RemoveRules),
        vocabulary::Control::RuleRemoveTargetById
        | vocabulary::Control::RuleRemoveTargetByTag
        | vocabulary::Control::RuleRemoveTargetByMsg => return remove_target(context, control, value, written),
    };
    if let Some(Control::RemoveRules(filter)) = &understood {
        context.references.note_removal(filter, written.value_span());
    }
    understood.or_else(|| {
        let message =
            if value.is_empty() { format!("`ctl:{name}` needs a value") } else { format!("`ctl:{name}` does not take `{value}`") };
        bad_value(context, written, &message, &format!("write {}", entry.value))
    })
}

fn remove_target(context: &mut Context<'_>, control: vocabulary::Control, value: &str, written: &ActionExpression) -> Option<Control> {
    let rules_and_target = value.split_once(';').and_then(|(rules, target)| {
        let rules = match control {
            vocabulary::Control::RuleRemoveTargetById => RuleFilter::Ids(id_range(rules)?),
            vocabulary::Control::RuleRemoveTargetByTag => RuleFilter::Tag(text(rules)?),
            _ => RuleFilter::Message(text(rules)?),
        };
        Some((rules, target.trim()))
    });
    let Some((rules, target)) = rules_and_target else {
        return bad_value(
            context,
            written,
            &format!("`{value}` is not a rule and a target"),
            "write the rule, a semicolon and a target, such as 1000;ARGS:x",
        );
    };
    let span = written.value_span();
    match parse_target(target, span.source, span.end.saturating_sub(target.len())) {
        Ok(target) => {
            let (variable, selector) = variable_and_selector(context, &target)?;
            context.references.note_removal(&rules, span);
            Some(Control::RemoveTarget(TargetFilter { rules, variable, selector }))
        }
        Err(diagnostic) => {
            context.report(diagnostic);
            None
        }
    }
}

fn text(value: &str) -> Option<Box<str>> {
    (!value.is_empty()).then(|| value.into())
}

fn audit_log_parts(value: &str) -> Option<Control> {
    let (add, letters) = match value.strip_prefix('+') {
        Some(letters) => (true, letters),
        None => (false, value.strip_prefix('-')?),
    };
    Some(Control::AuditLogParts { add, letters: LogLetters::parse(letters).filter(|_| !letters.is_empty())? })
}
