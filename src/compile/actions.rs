//! Actions as written into actions as meant.

use super::directives::Builder;
use super::draft::{ParsedAction, RuleActions, SpelledTransformation};
use super::templates::place_of;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{
    AllowScope, Assignment, AssignmentChange, Disruptive, Effect, LoggingAction, Pace, PersistentCollection, Phase, Template,
};
use crate::seclang::{ActionExpression, Actions, AssignmentKind, assignment};
use crate::source::{Sources, Span};
use crate::transform::Transformation;
use crate::vocabulary::{Action, ActionArgument, Limit, Support, Variable, did_you_mean, in_sentence};

const SEVERITIES: [&str; 8] = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

/// Actions whose values are texts, in which people write commas.
const TEXTS: [&str; 8] = ["msg", "logdata", "tag", "rev", "ver", "redirect", "setvar", "setenv"];

impl Builder<'_> {
    /// All actions of a rule.
    pub fn rule_actions(&mut self, written: Option<&Actions>, sources: &Sources) -> RuleActions {
        let mut actions = RuleActions::default();
        for action in self.parsed_actions(written, sources) {
            actions.add(action);
        }
        actions
    }

    /// The actions of a list, one by one; what cannot be understood is reported and left out.
    pub fn parsed_actions(&mut self, written: Option<&Actions>, sources: &Sources) -> Vec<ParsedAction> {
        self.check_decisions(written);
        let list = written.map(|actions| actions.list.as_slice()).unwrap_or_default();
        let before = std::iter::once(None).chain(list.iter().map(Some));
        list.iter().zip(before).filter_map(|(action, before)| self.action(action, before, sources)).collect()
    }

    /// An action, and the one before it.
    fn action(&mut self, written: &ActionExpression, before: Option<&ActionExpression>, sources: &Sources) -> Option<ParsedAction> {
        let name = &written.name.node;
        if !self.check_quote(written) {
            return None;
        }
        let Some(entry) = Action::find(name) else {
            let hint = did_you_mean(name, Action::table().filter(|entry| entry.action.is_some()).map(|entry| entry.name), "");
            let hint = hint.or_else(|| comma_in_text(name, before)).unwrap_or_else(|| String::from("look at the spelling"));
            self.report(Diagnostic::new(Code::UnknownAction, written.name.span, format!("unknown action `{name}`")).hint(hint));
            return None;
        };
        if let Support::Refused(why) = entry.support {
            self.report(Diagnostic::new(Code::UnsupportedAction, written.name.span, format!("`{name}` is not supported")).hint(why));
        }
        let action = entry.action?;
        let empty = written.text().trim().is_empty();
        match entry.argument {
            ActionArgument::Required if empty => {
                let hint = format!("write {}:… ({})", entry.name, in_sentence(entry.doc));
                self.bad_value(written, &format!("`{}` lacks its value", entry.name), &hint)
            }
            ActionArgument::None if written.value.is_some() => {
                self.bad_value(written, &format!("`{}` takes no value", entry.name), "take away the colon and what follows it")
            }
            _ => self.understood(action, written, sources),
        }
    }

    fn understood(&mut self, action: Action, written: &ActionExpression, sources: &Sources) -> Option<ParsedAction> {
        let text = written.text();
        Some(match action {
            Action::Id => ParsedAction::Id(self.id(written)?),
            Action::Phase => match Phase::parse(text) {
                Some(phase) => ParsedAction::Phase(phase),
                None => return self.bad_value(written, &format!("`{text}` is no phase"), "write 1 to 5, request, response or logging"),
            },
            Action::Msg => ParsedAction::Message(self.value_template(written)),
            Action::LogData => ParsedAction::LogData(self.value_template(written)),
            Action::Tag => ParsedAction::Tag(self.value_template(written)),
            Action::Severity => ParsedAction::Severity(self.severity(written)?),
            Action::Rev => ParsedAction::Revision(text.into()),
            Action::Ver => ParsedAction::Version(text.into()),
            Action::Maturity => ParsedAction::Maturity(self.number(written, "a number from 1 to 9")?),
            Action::Accuracy => ParsedAction::Accuracy(self.number(written, "a number from 1 to 9")?),
            Action::Capture => ParsedAction::Capture,
            Action::MultiMatch => ParsedAction::MultiMatch,
            Action::Chain => ParsedAction::Chain,
            Action::T => ParsedAction::Transformation(self.transformation(written)?),
            Action::SetVar => ParsedAction::Assign(self.assignment(written)?),
            Action::Deny => ParsedAction::Disruptive(Disruptive::Deny),
            Action::Drop => ParsedAction::Disruptive(Disruptive::Drop),
            Action::Pass => ParsedAction::Disruptive(Disruptive::Pass),
            Action::Redirect => ParsedAction::Disruptive(Disruptive::Redirect(self.value_template(written))),
            Action::Allow => ParsedAction::Disruptive(Disruptive::Allow(self.allow_scope(written)?)),
            Action::XmlNs => self.namespace(written)?,
            _ => ParsedAction::Effect(self.effect(action, written, sources)?),
        })
    }

    fn effect(&mut self, action: Action, written: &ActionExpression, sources: &Sources) -> Option<Effect> {
        let text = written.text();
        Some(match action {
            Action::Block => Effect::Block,
            Action::Log => Effect::Logging(LoggingAction::Log),
            Action::NoLog => Effect::Logging(LoggingAction::NoLog),
            Action::AuditLog => Effect::Logging(LoggingAction::AuditLog),
            Action::NoAuditLog => Effect::Logging(LoggingAction::NoAuditLog),
            Action::Status => match self.number(written, "a status such as 403")? {
                status @ 100..=999 => Effect::Status(u16::try_from(status).ok()?),
                _ => return self.bad_value(written, &format!("`{text}` is no status"), "write a status such as 403"),
            },
            Action::Skip => {
                let (count, most) = (self.number(written, "how many rules to skip")?, self.limit(Limit::Skip));
                if count as usize > most {
                    let message = format!("`skip` passes over {most} rules at most");
                    return self.bad_value(written, &message, "use skipAfter and a SecMarker, or raise SecSkipLimit before it");
                }
                Effect::Skip(count)
            }
            Action::SkipAfter => Effect::SkipAfter(self.jump(text, written.value_span())),
            Action::SetUid => Effect::OpenCollection { collection: PersistentCollection::User, key: self.value_template(written) },
            Action::SetSid => Effect::OpenCollection { collection: PersistentCollection::Session, key: self.value_template(written) },
            Action::SetRsc => Effect::OpenCollection { collection: PersistentCollection::Resource, key: self.value_template(written) },
            Action::InitCol => {
                let (collection, key) = self.pair(written, "a collection and a key, such as ip=%{REMOTE_ADDR}")?;
                let variable = Variable::find(collection).and_then(|entry| entry.variable);
                match variable.and_then(PersistentCollection::of) {
                    Some(collection) => {
                        Effect::OpenCollection { collection, key: self.template(key, place_of(text, key, written.value_span())) }
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
                        return self.bad_value(written, &message, &hint);
                    }
                }
            }
            Action::SetEnv => {
                let (name, value) = self.pair(written, "a name and a value, such as flag=1")?;
                let place = |part| place_of(text, part, written.value_span());
                Effect::SetEnvironment { name: self.template(name, place(name)), value: self.template(value, place(value)) }
            }
            Action::ExpireVar => {
                let form = "a variable and seconds, such as ip.counter=60";
                let (name, seconds) = self.pair(written, form)?;
                let Some((variable, key)) = name.split_once(['.', ':']).and_then(|(name, key)| Some((writable(name)?, key))) else {
                    return self.bad_value(written, &format!("`{name}` is no variable that can expire"), &format!("write {form}"));
                };
                let place = |part| place_of(text, part, written.value_span());
                Effect::Expire { variable, key: self.template(key, place(key)), seconds: self.template(seconds, place(seconds)) }
            }
            Action::DeprecateVar => {
                let form = "a variable, what is taken away and in how many seconds, such as ip.counter=1/60";
                let (name, pace) = self.pair(written, form)?;
                let Some((variable, key)) = name.split_once(['.', ':']).and_then(|(name, key)| Some((writable(name)?, key))) else {
                    return self.bad_value(written, &format!("`{name}` is no variable that can go down"), &format!("write {form}"));
                };
                let span = written.value_span();
                let (key, pace) = (self.template(key, span), self.template(pace, span));
                if pace.as_literal().is_some_and(|pace| Pace::parse(pace).is_none()) {
                    return self.bad_value(written, &format!("`{}` is no pace", pace.source()), &format!("write {form}"));
                }
                Effect::Deprecate { variable, key, pace }
            }
            Action::Ctl => Effect::Control(self.control(written)?),
            Action::Exec => Effect::Execute(self.executed(written, sources)?),
            _ => {
                let message = format!("`{}` is not built yet", action.name());
                self.report(Diagnostic::new(Code::UnsupportedAction, written.name.span, message).hint("take the action out until it is"));
                return None;
            }
        })
    }

    fn id(&mut self, written: &ActionExpression) -> Option<u64> {
        match written.text().trim().parse() {
            Ok(id) if id > 0 => Some(id),
            _ => self.bad_value(written, &format!("`{}` is no valid rule id", written.text()), "write a whole number above 0"),
        }
    }

    fn severity(&mut self, written: &ActionExpression) -> Option<u32> {
        let text = written.text().trim();
        let by_name = SEVERITIES.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at).ok());
        match by_name.or_else(|| text.parse().ok()) {
            Some(severity) => Some(severity),
            None => {
                self.bad_value(written, &format!("`{text}` is no severity"), &format!("write one of {} or 0 to 7", SEVERITIES.join(", ")))
            }
        }
    }

    fn allow_scope(&mut self, written: &ActionExpression) -> Option<AllowScope> {
        match written.text().to_ascii_lowercase().as_str() {
            "" => Some(AllowScope::Everything),
            "phase" => Some(AllowScope::Phase),
            "request" => Some(AllowScope::Request),
            other => self.bad_value(written, &format!("`allow` does not reach `{other}`"), "write allow, allow:phase or allow:request"),
        }
    }

    fn transformation(&mut self, written: &ActionExpression) -> Option<Option<SpelledTransformation>> {
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
                false => String::from("look at the spelling; names such as lowercase, urlDecodeUni or none stand behind t:"),
            });
            self.report(Diagnostic::new(Code::UnknownTransformation, written.value_span(), message).hint(hint));
        }
        found.map(|transformation| {
            let spelling = (transformation.name() != name).then(|| name.into());
            Some(SpelledTransformation { transformation, spelling })
        })
    }

    fn assignment(&mut self, written: &ActionExpression) -> Option<Assignment> {
        let form = "write a collection and a key, such as tx.score=+5, or !tx.flag to remove one";
        let Some(found) = assignment(written.text()) else {
            return self.bad_value(written, &format!("`{}` sets no variable", written.text()), form);
        };
        let Some(variable) = writable(found.collection) else {
            let hint = "rules can write to TX, GLOBAL, IP, RESOURCE, SESSION and USER";
            return self.bad_value(written, &format!("`{}` cannot be written to", found.collection), hint);
        };
        let place = |part: &str| place_of(written.text(), part, written.value_span());
        let key_template = self.action_template(found.key, place(found.key));
        let key = key_template.as_literal().is_some().then(|| self.key(variable, found.key));
        let change = match found.kind {
            AssignmentKind::Set(value) => AssignmentChange::Set(self.action_template(value, place(value))),
            AssignmentKind::Add(value) => AssignmentChange::Add(self.action_template(value, place(value))),
            AssignmentKind::Subtract(value) => AssignmentChange::Subtract(self.action_template(value, place(value))),
            AssignmentKind::Remove => AssignmentChange::Remove,
        };
        Some(Assignment { variable, key, key_template, change })
    }

    fn namespace(&mut self, written: &ActionExpression) -> Option<ParsedAction> {
        let (prefix, uri) = self.pair(written, "a prefix and a URI, such as soap=http://schemas.xmlsoap.org/soap/envelope/")?;
        let uri = uri.trim_matches(['\'', '"']);
        if !uri.contains(':') || prefix.is_empty() {
            return self.bad_value(
                written,
                &format!("`{uri}` is no URI of a namespace"),
                "write a prefix and a URI, such as soap=http://…",
            );
        }
        Some(ParsedAction::Namespace(prefix.into(), uri.into()))
    }

    fn value_template(&mut self, written: &ActionExpression) -> Template {
        self.action_template(written.text(), written.value_span())
    }

    fn number(&mut self, written: &ActionExpression, what: &str) -> Option<u32> {
        match written.text().trim().parse() {
            Ok(number) => Some(number),
            Err(_) => self.bad_value(written, &format!("`{}` is no number", written.text()), &format!("write {what}")),
        }
    }

    /// A value of the form `name=value`.
    fn pair<'w>(&mut self, written: &'w ActionExpression, what: &str) -> Option<(&'w str, &'w str)> {
        match written.text().split_once('=') {
            Some((name, value)) => Some((name.trim(), value.trim())),
            None => self.bad_value(written, &format!("`{}` lacks an equals sign", written.text()), &format!("write {what}")),
        }
    }

    /// Reports a value that an action does not take.
    pub fn bad_value<T>(&mut self, written: &ActionExpression, message: &str, hint: &str) -> Option<T> {
        let hint = missing_comma(written).unwrap_or_else(|| hint.to_owned());
        self.report(Diagnostic::new(Code::BadActionValue, written.value_span(), message).hint(hint));
        None
    }

    /// Looks at a value whose quote is never closed. As in ModSecurity v3 the end of the list closes it, with a warning; where it would take
    /// other actions along, that is an error.
    fn check_quote(&mut self, written: &ActionExpression) -> bool {
        let Some(value) = written.value.as_ref().filter(|value| value.unclosed) else { return true };
        let quote = Span { start: value.span.start.saturating_sub(1), ..value.span };
        let swallowed = value.text.split(',').skip(1).map(first_name).find(|name| Action::find(name).is_some());
        let Some(swallowed) = swallowed else {
            let message = "this ' is never closed; the end of the list closes it";
            self.report(Diagnostic::new(Code::QuoteClosedByEnd, quote, message).hint("write ' behind the text"));
            return true;
        };
        let message = format!("this ' is never closed, so that `{swallowed}` would be part of the text");
        self.report(Diagnostic::new(Code::UnclosedQuote, quote, message).hint("write ' behind the text, before the comma"));
        false
    }
}

/// The name that a text begins with, such as that of an action.
fn first_name(text: &str) -> &str {
    text.trim_start().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// What to do where a value without quotes goes on with another action, as in `phase:2 deny`.
fn missing_comma(written: &ActionExpression) -> Option<String> {
    let value = written.value.as_ref().filter(|value| !value.quoted)?;
    let (own, behind) = value.text.split_once([' ', '\t'])?;
    Action::find(first_name(behind)).map(|_| format!("a comma is missing behind `{own}`"))
}

/// What to do where a text without quotes was cut at its comma, as in `msg:hello, world`.
fn comma_in_text(name: &str, before: Option<&ActionExpression>) -> Option<String> {
    let before = before.filter(|before| TEXTS.iter().any(|text| before.is(text)))?;
    let value = before.value.as_ref().filter(|value| !value.quoted && !value.text.is_empty())?;
    let action = &before.name.node;
    Some(format!("if it is part of the text before it, put that in single quotes: {action}:'{}, {name} …'", value.text))
}

fn writable(name: &str) -> Option<Variable> {
    Variable::find(name).and_then(|entry| entry.variable).filter(|variable| variable.is_writable())
}
