//! Values of actions: their syntax, and errors of values that do not follow it.

use super::context::Context;
use super::templates::action_template;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Template;
use crate::seclang::ActionExpression;
use crate::source::Span;
use crate::vocabulary::Action;

/// Returns the value as a text with macros.
pub fn value_template(context: &mut Context<'_>, written: &ActionExpression) -> Template {
    action_template(context, written.text(), written.value_span())
}

/// Returns the value as a whole number; `what` describes it for the hint.
pub fn number(context: &mut Context<'_>, written: &ActionExpression, what: &str) -> Option<u32> {
    match written.text().trim().parse() {
        Ok(number) => Some(number),
        Err(_) => bad_value(context, written, &format!("`{}` is not a number", written.text()), &format!("write {what}")),
    }
}

/// Returns the value as `name=value`; `what` describes it for the hint.
pub fn pair<'w>(context: &mut Context<'_>, written: &'w ActionExpression, what: &str) -> Option<(&'w str, &'w str)> {
    match written.text().split_once('=') {
        Some((name, value)) => Some((name.trim(), value.trim())),
        None => bad_value(context, written, &format!("`{}` has no equals sign", written.text()), &format!("write {what}")),
    }
}

/// Reports a value that an action does not take.
pub fn bad_value<T>(context: &mut Context<'_>, written: &ActionExpression, message: &str, hint: &str) -> Option<T> {
    let hint = missing_comma(written).unwrap_or_else(|| hint.to_owned());
    context.report(Diagnostic::new(Code::BadActionValue, written.value_span(), message).hint(hint));
    None
}

/// Returns `false` if a quote is never closed and the text would include other actions, which is an error. Otherwise, as in ModSecurity v3, the end
/// of the list closes the quote, with a warning.
pub fn check_quote(context: &mut Context<'_>, written: &ActionExpression) -> bool {
    let Some(value) = written.value.as_ref().filter(|value| value.unclosed) else { return true };
    let quote = Span { start: value.span.start.saturating_sub(1), ..value.span };
    let swallowed = value.text.split(',').skip(1).map(first_name).find(|name| Action::find(name).is_some());
    let Some(swallowed) = swallowed else {
        let message = "this ' is never closed; the end of the list closes it";
        context.report(Diagnostic::new(Code::QuoteClosedByEnd, quote, message).hint("write ' after the text"));
        return true;
    };
    let message = format!("this ' is never closed, so `{swallowed}` would be part of the text");
    context.report(Diagnostic::new(Code::UnclosedQuote, quote, message).hint("write ' after the text, before the comma"));
    false
}

/// Returns the name that a text begins with, such as that of an action.
fn first_name(text: &str) -> &str {
    text.trim_start().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Returns the remedy for a value without quotes that continues with another action, as in `phase:2 deny`.
fn missing_comma(written: &ActionExpression) -> Option<String> {
    let value = written.value.as_ref().filter(|value| !value.quoted)?;
    let (own, behind) = value.text.split_once([' ', '\t'])?;
    Action::find(first_name(behind)).map(|_| format!("a comma is missing after `{own}`"))
}
