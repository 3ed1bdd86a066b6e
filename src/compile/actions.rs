//! Compiles actions.

use super::action_values::{bad_value, check_quote, number, pair, value_template};
use super::context::Context;
use super::controls::read_control;
use super::draft::{ParsedAction, RuleActions, SpelledTransformation};
use super::lints::several_decisions;
use super::masks::{kept_bytes, masked_member};
use super::scripts::{MAIN, is_lua, read_script};
use super::templates::{action_template, collection_key, place_of, template};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{
    AllowScope, Assignment, AssignmentChange, Disruptive, Effect, LoggingAction, MaskedPart, Pace, PersistentCollection, Phase,
};
use crate::script::Script;
use crate::seclang::{self, ActionExpression, Actions, AssignmentKind};
use crate::transform::Transformation;
use crate::vocabulary::{Action, ActionArgument, Limit, Support, Variable, did_you_mean, in_sentence};

/// The part of a key of TX by which anomaly scores are known: the OWASP CRS 3 and 4 keep theirs in `anomaly_score` and its like.
const SCORE: &str = "anomaly_score";

const SEVERITIES: [&str; 8] = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

/// Actions whose values are texts, which often contain commas.
const TEXTS: [&str; 8] = ["msg", "logdata", "tag", "rev", "ver", "redirect", "setvar", "setenv"];

/// Compiles all actions of a rule.
pub fn rule_actions(context: &mut Context<'_>, written: Option<&Actions>) -> RuleActions {
    let mut actions = RuleActions::default();
    context.report_all(several_decisions(written));
    for (action, before) in each_with_the_one_before(written) {
        if let Some(action) = read_action(context, action, before) {
            actions.add(action);
        }
    }
    actions.shrink_to_fit();
    actions
}

/// Compiles the actions of a list, each with its expression; an invalid action is reported and left out.
pub fn parsed_actions<'w>(context: &mut Context<'_>, written: Option<&'w Actions>) -> Vec<(ParsedAction, &'w ActionExpression)> {
    context.report_all(several_decisions(written));
    each_with_the_one_before(written).filter_map(|(action, before)| Some((read_action(context, action, before)?, action))).collect()
}

fn each_with_the_one_before(written: Option<&Actions>) -> impl Iterator<Item = (&ActionExpression, Option<&ActionExpression>)> {
    let list = written.map(|actions| actions.list.as_slice()).unwrap_or_default();
    list.iter().zip(std::iter::once(None).chain(list.iter().map(Some)))
}

/// Compiles an action; `before` is the one before it.
fn read_action(context: &mut Context<'_>, written: &ActionExpression, before: Option<&ActionExpression>) -> Option<ParsedAction> {
    let name = &written.name.node;
    if !check_quote(context, written) {
        return None;
    }
    let Some(entry) = Action::find(name) else {
        let hint = did_you_mean(name, Action::table().filter(|entry| entry.action.is_some()).map(|entry| entry.name), "");
        let hint = hint.or_else(|| comma_in_text(name, before)).unwrap_or_else(|| String::from("check the spelling"));
        context.report(Diagnostic::new(Code::UnknownAction, written.name.span, format!("unknown action `{name}`")).hint(hint));
        return None;
    };
    if let Support::Refused(why) = entry.support {
        context.report(Diagnostic::new(Code::UnsupportedAction, written.name.span, format!("`{name}` is not supported")).hint(why));
    }
    let action = entry.action?;
    let empty = written.text().trim().is_empty();
    match entry.argument {
        ActionArgument::Required if empty => {
            let hint = format!("write {}:… ({})", entry.name, in_sentence(entry.doc));
            bad_value(context, written, &format!("`{}` needs a value", entry.name), &hint)
        }
        ActionArgument::None if written.value.is_some() => {
            bad_value(context, written, &format!("`{}` takes no value", entry.name), "remove the colon and what follows it")
        }
        _ => understood(context, action, written),
    }
}

fn understood(context: &mut Context<'_>, action: Action, written: &ActionExpression) -> Option<ParsedAction> {
    let text = written.text();
    Some(match action {
        Action::Id => ParsedAction::Id(id(context, written)?),
        Action::Phase => match Phase::parse(text) {
            Some(phase) => ParsedAction::Phase(phase),
            None => return bad_value(context, written, &format!("`{text}` is not a phase"), "write 1 to 5, request, response or logging"),
        },
        Action::Msg => ParsedAction::Message(value_template(context, written)),
        Action::LogData => ParsedAction::LogData(value_template(context, written)),
        Action::Tag => ParsedAction::Tag(value_template(context, written)),
        Action::Severity => ParsedAction::Severity(severity(context, written)?),
        Action::Rev => ParsedAction::Revision(text.into()),
        Action::Ver => ParsedAction::Version(text.into()),
        Action::Maturity => ParsedAction::Maturity(number(context, written, "a number from 1 to 9")?),
        Action::Accuracy => ParsedAction::Accuracy(number(context, written, "a number from 1 to 9")?),
        Action::Capture => ParsedAction::Capture,
        Action::MultiMatch => ParsedAction::MultiMatch,
        Action::Chain => ParsedAction::Chain,
        Action::T => ParsedAction::Transformation(transformation(context, written)?),
        Action::SetVar => {
            let assignment = assignment(context, written)?;
            let warning = context.references.collections.note_assignment(&assignment, written.span);
            context.report_all(warning);
            ParsedAction::Assign(assignment)
        }
        Action::Deny => ParsedAction::Disruptive(Disruptive::Deny),
        Action::Drop => ParsedAction::Disruptive(Disruptive::Drop),
        Action::Pass => ParsedAction::Disruptive(Disruptive::Pass),
        Action::Redirect => ParsedAction::Disruptive(Disruptive::Redirect(value_template(context, written))),
        Action::Allow => ParsedAction::Disruptive(Disruptive::Allow(allow_scope(context, written)?)),
        Action::XmlNs => namespace(context, written)?,
        _ => {
            let effect = effect(context, action, written)?;
            let warning = context.references.collections.note_effect(&effect, written.span);
            context.report_all(warning);
            ParsedAction::Effect(effect)
        }
    })
}

fn effect(context: &mut Context<'_>, action: Action, written: &ActionExpression) -> Option<Effect> {
    let text = written.text();
    Some(match action {
        Action::Block => Effect::Block,
        Action::Log => Effect::Logging(LoggingAction::Log),
        Action::NoLog => Effect::Logging(LoggingAction::NoLog),
        Action::AuditLog => Effect::Logging(LoggingAction::AuditLog),
        Action::NoAuditLog => Effect::Logging(LoggingAction::NoAuditLog),
        Action::Status => match number(context, written, "a status such as 403")? {
            status @ 100..=999 => Effect::Status(u16::try_from(status).ok()?),
            _ => return bad_value(context, written, &format!("`{text}` is not a status"), "write a status such as 403"),
        },
        Action::Skip => {
            let (count, max) = (number(context, written, "how many rules to skip")?, context.limit(Limit::Skip));
            if count as usize > max {
                let message = format!("`skip` takes at most {max} rules");
                return bad_value(context, written, &message, "use skipAfter and a SecMarker, or raise SecSkipLimit before it");
            }
            Effect::Skip(count)
        }
        Action::SkipAfter => Effect::SkipAfter(context.jump(text, written.value_span())),
        Action::SetUid => Effect::OpenCollection { collection: PersistentCollection::User, key: value_template(context, written) },
        Action::SetSid => Effect::OpenCollection { collection: PersistentCollection::Session, key: value_template(context, written) },
        Action::SetRsc => Effect::OpenCollection { collection: PersistentCollection::Resource, key: value_template(context, written) },
        Action::InitCol => {
            let (collection, key) = pair(context, written, "a collection and a key, such as ip=%{REMOTE_ADDR}")?;
            let variable = Variable::find(collection).and_then(|entry| entry.variable);
            match variable.and_then(PersistentCollection::of) {
                Some(collection) => {
                    Effect::OpenCollection { collection, key: template(context, key, place_of(text, key, written.value_span())) }
                }
                None => {
                    let message = format!("`{collection}` is not a persistent collection");
                    let hint = match collection.split_once(['.', ':']) {
                        Some((collection, _)) => format!(
                            "initcol names a collection and the key of its record, such as initcol:{collection}=%{{REMOTE_ADDR}}; \
                                 setvar sets a variable of it"
                        ),
                        None => String::from("write global, ip, resource, session or user, such as initcol:ip=%{REMOTE_ADDR}"),
                    };
                    return bad_value(context, written, &message, &hint);
                }
            }
        }
        Action::SetEnv => {
            let (name, value) = pair(context, written, "a name and a value, such as flag=1")?;
            let place = |part| place_of(text, part, written.value_span());
            Effect::SetEnvironment { name: template(context, name, place(name)), value: template(context, value, place(value)) }
        }
        Action::ExpireVar => {
            let form = "a variable and seconds, such as ip.counter=60";
            let (name, seconds) = pair(context, written, form)?;
            let Some((variable, key)) = name.split_once(['.', ':']).and_then(|(name, key)| Some((writable(name)?, key))) else {
                return bad_value(
                    context,
                    written,
                    &format!("`{name}` cannot expire: it is not a variable of a persistent collection"),
                    &format!("write {form}"),
                );
            };
            let place = |part| place_of(text, part, written.value_span());
            Effect::Expire { variable, key: template(context, key, place(key)), seconds: template(context, seconds, place(seconds)) }
        }
        Action::DeprecateVar => {
            let form = "a variable, an amount and a number of seconds, such as ip.counter=1/60";
            let (name, pace) = pair(context, written, form)?;
            let Some((variable, key)) = name.split_once(['.', ':']).and_then(|(name, key)| Some((writable(name)?, key))) else {
                return bad_value(
                    context,
                    written,
                    &format!("`{name}` cannot be decreased: it is not a variable of a persistent collection"),
                    &format!("write {form}"),
                );
            };
            let span = written.value_span();
            let (key, pace) = (template(context, key, span), template(context, pace, span));
            if pace.as_literal().is_some_and(|pace| Pace::parse(pace).is_none()) {
                return bad_value(context, written, &format!("`{}` is not an amount per seconds", pace.source()), &format!("write {form}"));
            }
            Effect::Deprecate { variable, key, pace }
        }
        Action::SanitiseArg => masked_member(context, Variable::Args, written)?,
        Action::SanitiseRequestHeader => masked_member(context, Variable::RequestHeaders, written)?,
        Action::SanitiseResponseHeader => masked_member(context, Variable::ResponseHeaders, written)?,
        Action::SanitiseMatched => Effect::MaskMatched(MaskedPart::Whole),
        Action::SanitiseMatchedBytes => Effect::MaskMatched(MaskedPart::Found(kept_bytes(context, written)?)),
        Action::Ctl => Effect::Control(read_control(context, written)?),
        Action::Exec => Effect::Execute(executed(context, written)?),
        _ => {
            let message = format!("`{}` is not built yet", action.name());
            context.report(Diagnostic::new(Code::UnsupportedAction, written.name.span, message).hint("take the action out until it is"));
            return None;
        }
    })
}

fn id(context: &mut Context<'_>, written: &ActionExpression) -> Option<u64> {
    match written.text().trim().parse() {
        Ok(id) if id > 0 => Some(id),
        _ => bad_value(context, written, &format!("`{}` is not a rule id", written.text()), "write a whole number above 0"),
    }
}

fn severity(context: &mut Context<'_>, written: &ActionExpression) -> Option<u32> {
    let text = written.text().trim();
    let by_name = SEVERITIES.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at).ok());
    match by_name.or_else(|| text.parse().ok()) {
        Some(severity) => Some(severity),
        None => bad_value(
            context,
            written,
            &format!("`{text}` is not a severity"),
            &format!("write one of {} or 0 to 7", SEVERITIES.join(", ")),
        ),
    }
}

fn allow_scope(context: &mut Context<'_>, written: &ActionExpression) -> Option<AllowScope> {
    match written.text().to_ascii_lowercase().as_str() {
        "" => Some(AllowScope::Everything),
        "phase" => Some(AllowScope::Phase),
        "request" => Some(AllowScope::Request),
        other => bad_value(context, written, &format!("`allow` does not reach `{other}`"), "write allow, allow:phase or allow:request"),
    }
}

fn transformation(context: &mut Context<'_>, written: &ActionExpression) -> Option<Option<SpelledTransformation>> {
    let name = written.text().trim();
    if name.eq_ignore_ascii_case("none") {
        return Some(None);
    }
    let found = Transformation::from_name(name);
    if found.is_none() {
        let names = Transformation::ALL.iter().map(|transformation| transformation.name());
        let hint = did_you_mean(name, names, "t:");
        let message = format!("unknown transformation `t:{name}`");
        let hint = hint.unwrap_or_else(|| match name.contains([' ', '|']) {
            true => String::from("write a t: for each transformation, with commas between them, such as t:urlDecode,t:lowercase"),
            false => String::from("check the spelling; t: takes a name such as lowercase, urlDecodeUni or none"),
        });
        context.report(Diagnostic::new(Code::UnknownTransformation, written.value_span(), message).hint(hint));
    }
    found.map(|transformation| {
        let spelling = (transformation.name() != name).then(|| name.into());
        Some(SpelledTransformation { transformation, spelling })
    })
}

fn assignment(context: &mut Context<'_>, written: &ActionExpression) -> Option<Assignment> {
    let form = "write a collection and a key, such as tx.score=+5, or !tx.flag to remove one";
    let Some(found) = seclang::assignment(written.text()) else {
        return bad_value(context, written, &format!("`{}` sets no variable", written.text()), form);
    };
    let Some(variable) = writable(found.collection) else {
        let hint = "rules can write to TX, GLOBAL, IP, RESOURCE, SESSION and USER";
        return bad_value(context, written, &format!("`{}` cannot be written to", found.collection), hint);
    };
    let place = |part: &str| place_of(written.text(), part, written.value_span());
    let key_template = action_template(context, found.key, place(found.key));
    let key = key_template.as_literal().is_some().then(|| collection_key(context, variable, found.key));
    let change = match found.kind {
        AssignmentKind::Set(value) => AssignmentChange::Set(action_template(context, value, place(value))),
        AssignmentKind::Add(value) => AssignmentChange::Add(action_template(context, value, place(value))),
        AssignmentKind::Subtract(value) => AssignmentChange::Subtract(action_template(context, value, place(value))),
        AssignmentKind::Remove => AssignmentChange::Remove,
    };
    let is_score = variable == Variable::Tx && key_template.source().to_ascii_lowercase().contains(SCORE);
    Some(Assignment { variable, key, key_template, change, is_score })
}

fn namespace(context: &mut Context<'_>, written: &ActionExpression) -> Option<ParsedAction> {
    let (prefix, uri) = pair(context, written, "a prefix and a URI, such as soap=http://schemas.xmlsoap.org/soap/envelope/")?;
    let uri = uri.trim_matches(['\'', '"']);
    if !uri.contains(':') || prefix.is_empty() {
        return bad_value(context, written, &format!("`{uri}` is not a namespace URI"), "write a prefix and a URI, such as soap=http://…");
    }
    Some(ParsedAction::Namespace(prefix.into(), uri.into()))
}

/// `exec`
pub fn executed(context: &mut Context<'_>, written: &ActionExpression) -> Option<Script> {
    let path = written.text();
    if !is_lua(path) {
        return bad_value(
            context,
            written,
            &format!("`{path}` is not a Lua script"),
            "name a file that ends with .lua: other programs are not run",
        );
    }
    read_script(context, path, MAIN, written.value_span())
}

/// Returns the remedy for a text without quotes that was cut at its comma, as in `msg:hello, world`.
fn comma_in_text(name: &str, before: Option<&ActionExpression>) -> Option<String> {
    let before = before.filter(|before| TEXTS.iter().any(|text| before.is(text)))?;
    let value = before.value.as_ref().filter(|value| !value.quoted && !value.text.is_empty())?;
    let action = &before.name.node;
    Some(format!("if it is part of the text before it, put that in single quotes: {action}:'{}, {name} …'", value.text))
}

fn writable(name: &str) -> Option<Variable> {
    Variable::find(name).and_then(|entry| entry.variable).filter(|variable| variable.is_writable())
}
