//! Compiles operators.

use super::context::Context;
use super::files::read_data;
use super::lookups::read_lookup;
use super::targets::report_bad_pattern;
use super::templates::{argument_template, report_unclosed_macro};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::OperatorArgument;
use crate::operator::{ArgumentKind, Operator, OperatorError, OperatorKind, OperatorLimits, fuzzy_hash_argument};
use crate::seclang::{OperatorExpression, unclosed_macro};
use crate::vocabulary::{Limit, REFUSED_OPERATORS, did_you_mean};
use std::sync::Arc;

/// Returns the kind of an operator and its argument, compiled if it has no macros. `None` for a rule that cannot be built.
pub fn read_operator(context: &mut Context<'_>, written: &OperatorExpression) -> Option<(OperatorKind, OperatorArgument)> {
    let kind = operator_kind(context, written)?;
    let text = written.argument.node.as_str();
    let span = if text.is_empty() { written.span } else { written.argument.span };
    let complain = |message: String| Diagnostic::new(Code::OperatorArgument, span, message);
    match kind.argument() {
        ArgumentKind::None if !text.trim().is_empty() => {
            context.report(complain(format!("`@{}` takes no argument", kind.name())).hint("remove the argument"));
            return None;
        }
        ArgumentKind::None => {}
        _ if text.is_empty() && kind != OperatorKind::Rx => {
            let hint = format!("write it after the name, as in \"@{} …\"", kind.name());
            context.report(complain(format!("`@{}` needs an argument", kind.name())).hint(hint));
            return None;
        }
        ArgumentKind::Text { macros: true } if text.contains("%{") => {
            if let Some(unclosed) = unclosed_macro(text).filter(|unclosed| names_variable(unclosed)) {
                report_unclosed_macro(context, text, unclosed, span);
                return None;
            }
            let template = argument_template(context, text, span);
            if template.as_literal().is_none() {
                return Some((kind, OperatorArgument::Template(template)));
            }
        }
        _ => {}
    }
    if let Some(lookup) = read_lookup(context, kind, written) {
        return lookup.ok().map(|lookup| (kind, OperatorArgument::Lookup { lookup: Arc::new(lookup), text: text.into() }));
    }
    let files = operator_files(context, kind, written)?;
    let limits = OperatorLimits { pattern_steps: context.limit(Limit::PatternSteps), captures: context.limit(Limit::Captures) };
    match Operator::compile(kind, text.as_bytes(), &files, limits) {
        Ok(operator) => Some((kind, OperatorArgument::Compiled { operator: Arc::new(operator), text: text.into() })),
        Err(OperatorError::Pattern(error)) => {
            report_bad_pattern(context, Code::BadOperatorArgument, text, &error, span);
            None
        }
        Err(error) => {
            let file = match &error {
                OperatorError::AddressInFile { place, .. } => text.split_ascii_whitespace().nth(place.file),
                _ => None,
            };
            let of = file.map_or_else(String::new, |file| format!("`{file}`: "));
            let message = format!("`@{}` does not take this: {of}{error}", kind.name());
            context.report(Diagnostic::new(Code::BadOperatorArgument, span, message).hint(remedy(kind)));
            None
        }
    }
}

fn operator_kind(context: &mut Context<'_>, written: &OperatorExpression) -> Option<OperatorKind> {
    let Some(name) = &written.name else {
        if written.argument.node.is_empty() {
            context.report(
                Diagnostic::new(Code::OperatorArgument, written.span, "expected an operator")
                    .hint("write \"@rx ^a\" or \"@unconditionalMatch\""),
            );
            return None;
        }
        if let Some(meant) = operator_behind_mark(&written.argument.node) {
            let message = "expected an operator after the @";
            let hint = format!("write \"{meant} …\"; a pattern that begins with @ is written \"@rx @…\"");
            context.report(Diagnostic::new(Code::UnknownOperator, written.argument.span, message).hint(hint));
            return None;
        }
        return Some(OperatorKind::Rx);
    };
    let kind = OperatorKind::from_name(&name.node);
    if kind.is_none() {
        let refused = REFUSED_OPERATORS.iter().find(|(refused, _)| refused.eq_ignore_ascii_case(&name.node));
        context.report(match refused {
            Some((refused, why)) => {
                Diagnostic::new(Code::UnsupportedOperator, name.span, format!("`@{refused}` is not supported")).hint(*why)
            }
            None => {
                let hint = did_you_mean(&name.node, OperatorKind::all().map(OperatorKind::name), "@");
                let hint = hint.or_else(|| Some(String::from("a pattern that begins with @ is written \"@rx @…\"")));
                Diagnostic::new(Code::UnknownOperator, name.span, format!("unknown operator `@{}`", name.node)).maybe_hint(hint)
            }
        });
    }
    kind
}

/// Returns the contents of the files and addresses in an operator's argument.
fn operator_files(context: &mut Context<'_>, kind: OperatorKind, written: &OperatorExpression) -> Option<Vec<Vec<u8>>> {
    let (text, span) = (written.argument.node.as_str(), written.argument.span);
    let names: Vec<&str> = match (kind, kind.argument()) {
        // An argument with another syntax is refused by the operator.
        (OperatorKind::FuzzyHash, _) => fuzzy_hash_argument(text).into_iter().map(|argument| argument.file).collect(),
        (_, ArgumentKind::Files) => text.split_ascii_whitespace().collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(|name| read_data(context, name, span)).collect()
}

/// Returns `true` if a `%{` without its `}` is probably a macro: otherwise it is text, such as that of `@contains %{`.
fn names_variable(unclosed: &str) -> bool {
    unclosed.trim_start_matches("%{").trim_start().starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// Returns the intended operator if its name does not follow the `@` directly, as in `@!rx` and `@ rx`.
fn operator_behind_mark(pattern: &str) -> Option<String> {
    let behind = pattern.strip_prefix('@')?;
    let name = behind.trim_start_matches(['!', ' ', '\t']);
    let negation = if behind.contains('!') && behind.len() > name.len() { "!" } else { "" };
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let begins_otherwise = behind.starts_with(['!', ' ', '\t']);
    let is_meant = OperatorKind::from_name(name).is_some() || (behind.starts_with('!') && !name.is_empty());
    (begins_otherwise && is_meant).then(|| format!("{negation}@{name}"))
}

/// Returns the remedy for an argument that an operator does not take.
fn remedy(kind: OperatorKind) -> &'static str {
    match kind {
        OperatorKind::IpMatch => "write addresses and networks with commas between them, such as 10.0.0.0/8,2001:db8::1",
        OperatorKind::IpMatchFromFile => "write an address or a network on each line of the file, such as 10.0.0.0/8",
        OperatorKind::ValidateByteRange => "write the numbers of bytes and ranges with commas between them, such as 9,10,13,32-126",
        OperatorKind::FuzzyHash => "write a file of ssdeep hashes and a score, such as hashes.txt 60",
        _ => "write fewer or shorter words",
    }
}
