//! Values that logs do not show: `SecSanitise` and the `sanitise…` actions.

use super::action_values::bad_value;
use super::context::Context;
use super::targets::{check_paths, read_targets};
use super::templates::collection_key;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Effect, Selector, Target};
use crate::mask::Kept;
use crate::operator::OperatorKind;
use crate::seclang::{ActionExpression, Actions, Argument, SelectorExpression, TargetExpression, TargetMode, parse_targets};
use crate::vocabulary::{Action, Variable};

/// `SecSanitise`
pub fn masked_targets(context: &mut Context<'_>, arguments: &[Argument]) {
    for argument in arguments {
        let span = argument.span;
        match parse_targets(&argument.text, span.source, span.end.saturating_sub(argument.text.len())) {
            Ok(written) => {
                let wrong: Vec<Diagnostic> = written.list.iter().filter_map(cannot_mask).collect();
                if !wrong.is_empty() {
                    context.report_all(wrong);
                    continue;
                }
                check_paths(context, &written, &[]);
                let targets = read_targets(context, &written);
                context.settings.load.masked.extend(targets);
            }
            Err(diagnostic) => context.report(diagnostic),
        }
    }
}

/// Returns the error of a target that cannot be masked.
fn cannot_mask(written: &TargetExpression) -> Option<Diagnostic> {
    let name = &written.variable.node;
    // Unknown names are reported later.
    let variable = Variable::find(name)?.variable?;
    let error = |message: String, hint: String| Some(Diagnostic::new(Code::BadDirectiveValue, written.span, message).hint(hint));
    if written.mode == TargetMode::Count {
        return error(format!("`SecSanitise` does not take the number of `{name}`"), String::from("remove the &, to mask the values"));
    }
    let member = |collection: &str, usual: &str| {
        let key = match written.selector.as_ref().map(|selector| &selector.node) {
            Some(SelectorExpression::Key(key)) => key,
            _ => usual,
        };
        error(format!("`SecSanitise` does not take `{name}`: logs would show the value"), format!("write {collection}:{key}"))
    };
    match variable {
        Variable::Args
        | Variable::ArgsGet
        | Variable::ArgsPost
        | Variable::RequestHeaders
        | Variable::ResponseHeaders
        | Variable::RequestCookies
        | Variable::FilesTmpContent
        | Variable::RequestBody
        | Variable::ResponseBody
        | Variable::QueryString => None,
        Variable::Xml if written.selector.is_some() => None,
        Variable::Xml => {
            error(String::from("`SecSanitise` needs the nodes of `XML`"), String::from("write an XPath, such as XML://password"))
        }
        Variable::ArgsNames | Variable::ArgsGetNames | Variable::ArgsPostNames => member("ARGS", "password"),
        Variable::RequestHeadersNames => member("REQUEST_HEADERS", "Authorization"),
        Variable::ResponseHeadersNames => member("RESPONSE_HEADERS", "Set-Cookie"),
        Variable::RequestCookiesNames => member("REQUEST_COOKIES", "session"),
        _ => error(
            format!("`SecSanitise` does not take `{name}`"),
            String::from(
                "write ARGS, ARGS_GET, ARGS_POST, REQUEST_HEADERS, REQUEST_COOKIES, RESPONSE_HEADERS, FILES_TMP_CONTENT, XML, QUERY_STRING, \
                 REQUEST_BODY or RESPONSE_BODY; where its value comes from one of them, it is masked too",
            ),
        ),
    }
}

/// Returns the effect of an action that names a member of a collection.
pub fn masked_member(context: &mut Context<'_>, variable: Variable, written: &ActionExpression) -> Option<Effect> {
    let name = written.text().trim();
    if name.contains("%{") {
        let action = &written.name.node;
        let message = format!("`{action}` takes a name without macros");
        return bad_value(context, written, &message, "write the name, or use sanitiseMatched in a rule that matches the value");
    }
    let key = collection_key(context, variable, name);
    Some(Effect::Mask(Target::new(variable, Selector::Key(key))))
}

/// Reads the value of `sanitiseMatchedBytes`: nothing, `first` or `first/last`.
pub fn kept_bytes(context: &mut Context<'_>, written: &ActionExpression) -> Option<Kept> {
    let text = written.text().trim();
    if text.is_empty() {
        return Some(Kept::default());
    }
    let (first, last) = text.split_once('/').unwrap_or((text, "0"));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) => Some(Kept { first, last }),
        _ => {
            let message = format!("`{text}` is not a number of bytes");
            bad_value(context, written, &message, "write the numbers of bytes to keep at both ends, such as 1/4, or nothing")
        }
    }
}

/// Returns the error of `sanitiseMatched` and `sanitiseMatchedBytes` in a rule that tests nothing.
pub fn nothing_to_mask(actions: Option<&Actions>) -> Vec<Diagnostic> {
    let error = |written: &ActionExpression| {
        let message = format!("`{}` masks nothing here: this rule tests no value", written.name.node);
        let hint = "name the value, such as sanitiseArg:password, or put it into a SecRule";
        Diagnostic::new(Code::MisplacedAction, written.name.span, message).hint(hint)
    };
    masking_actions(actions).map(|(_, written)| error(written)).collect()
}

/// Warns of `sanitiseMatchedBytes` where the operator or a transformation cannot say which bytes matched.
pub fn bytes_not_known(actions: Option<&Actions>, kind: OperatorKind, is_negated: bool, transforms: bool) -> Option<Diagnostic> {
    let (_, written) = masking_actions(actions).find(|(action, _)| *action == Action::SanitiseMatchedBytes)?;
    let (reason, hint) = match (kind.locates() && !is_negated, transforms) {
        (true, false) => return None,
        (true, true) => ("a transformation may change the value", "write t:none, or sanitiseMatched to mask the whole value in any case"),
        (false, _) => ("the operator does not tell them", "write sanitiseMatched, or use @rx"),
    };
    let message = format!("`{}` masks the whole value if it cannot know which bytes matched: {reason}", written.name.node);
    Some(Diagnostic::new(Code::BytesNotKnown, written.name.span, message).hint(hint))
}

fn masking_actions(actions: Option<&Actions>) -> impl Iterator<Item = (Action, &ActionExpression)> {
    let list = actions.into_iter().flat_map(|actions| &actions.list);
    let known = list.filter_map(|written| Some((Action::find(&written.name.node)?.action?, written)));
    known.filter(|(action, _)| matches!(action, Action::SanitiseMatched | Action::SanitiseMatchedBytes))
}
