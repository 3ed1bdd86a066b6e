//! Compiles target lists.

use super::context::Context;
use super::templates::{collection_key, key_pattern, part_of};
use crate::body::xml::check_xpath;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Selector, Target};
use crate::pattern::PatternError;
use crate::seclang::{SelectorExpression, TargetExpression, TargetMode, Targets};
use crate::source::{Span, Spanned};
use crate::vocabulary::{Shape, Support, Variable, did_you_mean};

/// A change to a rule's targets.
#[derive(Clone, Debug)]
pub enum TargetChange {
    /// Adds a target.
    Add(Target),
    /// Excludes members.
    Exclude(Variable, Selector),
}

/// Returns the targets of a rule; exclusions anywhere in the list apply to the targets of the same variable.
pub fn read_targets(context: &mut Context<'_>, written: &Targets) -> Vec<Target> {
    let changes = target_changes(context, written);
    let mut targets = Vec::new();
    for change in &changes {
        if let TargetChange::Add(target) = change {
            targets.push(target.clone());
        }
    }
    for change in changes {
        if let TargetChange::Exclude(variable, selector) = change {
            exclude(&mut targets, variable, &selector);
        }
    }
    targets
}

/// Reports XPaths that are not valid with the namespaces of their rule.
pub fn check_paths(context: &mut Context<'_>, written: &Targets, namespaces: &[(Box<str>, Box<str>)]) {
    let namespaces: Vec<(&str, &str)> = namespaces.iter().map(|(prefix, uri)| (prefix.as_ref(), uri.as_ref())).collect();
    for selector in written.list.iter().filter_map(|target| target.selector.as_ref()) {
        if let SelectorExpression::XPath(path) = &selector.node
            && let Err(error) = check_xpath(path, &namespaces)
        {
            let hint = match path.contains(':') {
                true => "a prefix needs an xmlns action in the same rule, such as xmlns:n=http://example.org/",
                false => "close each [ with ] and each ( with ), and begin the path with /, as in XML:/* or XML://a[@b='c']",
            };
            context.report(Diagnostic::new(Code::BadSelector, selector.span, format!("`{path}` is not an XPath: {error}")).hint(hint));
        }
    }
}

/// Reports an invalid regular expression, at the wrong byte.
pub fn report_bad_pattern(context: &mut Context<'_>, code: Code, source: &str, error: &PatternError, span: Span) {
    let place = part_of(source, error.position(), 1, span);
    // If the byte is not known, the place is that of the whole pattern.
    let message = match place == span {
        true => format!("invalid regular expression: {error}"),
        false => format!("invalid regular expression: {}", error.message()),
    };
    let hint = pattern_remedy(error.message());
    context.report(Diagnostic::new(code, place, message).hint(hint));
}

/// Returns the changes of a list of targets, one by one.
pub fn target_changes(context: &mut Context<'_>, written: &Targets) -> Vec<TargetChange> {
    written.list.iter().filter_map(|target| target_change(context, target)).collect()
}

fn target_change(context: &mut Context<'_>, written: &TargetExpression) -> Option<TargetChange> {
    let (variable, selector) = variable_and_selector(context, written)?;
    if written.mode == TargetMode::Values {
        context.references.collections.note_target(variable, &selector, written.span);
    }
    Some(match written.mode {
        TargetMode::Exclude => TargetChange::Exclude(variable, selector),
        mode => TargetChange::Add(Target { count: mode == TargetMode::Count, ..Target::new(variable, selector) }),
    })
}

/// Returns the variable and the selector of a target.
pub fn variable_and_selector(context: &mut Context<'_>, written: &TargetExpression) -> Option<(Variable, Selector)> {
    let variable = variable(context, &written.variable)?;
    let selector = match &written.selector {
        None => Selector::All,
        Some(selector) if variable.shape() == Shape::Scalar => {
            let message = format!("`{}` has one value, so nothing can be selected from it", variable.name());
            context.report(Diagnostic::new(Code::NotACollection, selector.span, message).hint("remove the selector"));
            return None;
        }
        Some(selector) => read_selector(context, variable, selector)?,
    };
    Some((variable, selector))
}

fn read_selector(context: &mut Context<'_>, variable: Variable, written: &Spanned<SelectorExpression>) -> Option<Selector> {
    if let Some((message, hint)) = misread(&written.node) {
        context.report(Diagnostic::new(Code::BadSelector, written.span, message).hint(hint));
        return None;
    }
    match &written.node {
        SelectorExpression::Key(key) => Some(Selector::Key(collection_key(context, variable, key))),
        SelectorExpression::XPath(path) => Some(Selector::XPath(path.as_str().into())),
        // `misread` has reported it.
        SelectorExpression::OpenPattern(_) => None,
        SelectorExpression::Pattern { source, .. } => match key_pattern(source) {
            Ok(selector) => Some(selector),
            Err(error) => {
                report_bad_pattern(context, Code::BadSelector, source, &error, written.span);
                None
            }
        },
    }
}

fn variable(context: &mut Context<'_>, written: &Spanned<String>) -> Option<Variable> {
    let name = &written.node;
    let Some(entry) = Variable::find(name) else {
        let names = Variable::table().filter(|entry| entry.variable.is_some()).map(|entry| entry.name);
        let hint = did_you_mean(name, names, "");
        context.report(Diagnostic::new(Code::UnknownVariable, written.span, format!("unknown variable `{name}`")).maybe_hint(hint));
        return None;
    };
    if let Support::Refused(why) = entry.support {
        context.report(Diagnostic::new(Code::UnsupportedVariable, written.span, format!("`{name}` is not supported")).hint(why));
    }
    entry.variable
}

/// Returns the remedy for an error in a regular expression.
fn pattern_remedy(problem: &str) -> &'static str {
    let is_about = |words: &[&str]| words.iter().any(|word| problem.contains(word));
    if is_about(&["range out of order"]) {
        "write the smaller character first, or move the - to the end of the class, where it is a literal"
    } else if is_about(&["not supported"]) {
        "write the pattern without it, perhaps as two rules joined by chain"
    } else if is_about(&["too large", "too deep", "too big"]) {
        "write smaller numbers, or several rules with shorter patterns"
    } else {
        "complete the pattern here, or write \\ before a literal character, such as \\( or \\["
    }
}

/// Returns the error of a selector that would select nothing: with marks that are not part of a key, or with a macro, which it cannot have.
fn misread(selector: &SelectorExpression) -> Option<(&'static str, &'static str)> {
    let text = match selector {
        SelectorExpression::Key(text) | SelectorExpression::Pattern { source: text, .. } => text,
        SelectorExpression::OpenPattern(_) => {
            let hint = "close it, as in ARGS:/^x/, or in single quotes if it holds blanks: ARGS:'/a b/'; a key that begins with / stands in \
                        single quotes, too: ARGS:'/x'";
            return Some(("this pattern has no closing /", hint));
        }
        SelectorExpression::XPath(_) => return None,
    };
    if has_macro(text) {
        let hint = "macros in keys are not expanded: test all members, and test MATCHED_VAR_NAME in a chained rule";
        return Some(("a selector cannot hold a macro", hint));
    }
    let is_key = matches!(selector, SelectorExpression::Key(_));
    let is_quoted = text.trim_start_matches('\\').starts_with('"') || text.ends_with('"');
    (is_key && is_quoted).then_some(("a key cannot be in double quotes", "write it without quotes, or in single quotes: ARGS:'q'"))
}

/// Returns `true` if a text contains something like a macro. In a pattern, `%{2}` is two percent signs.
fn has_macro(text: &str) -> bool {
    let names = text.split("%{").skip(1).map(str::trim_start);
    names.into_iter().any(|name| name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'))
}

/// Applies changes to the targets of an existing rule.
///
/// As in ModSecurity v3, a pattern that is excluded in this way is excluded from every target of any variable.
pub fn apply(targets: &mut Vec<Target>, changes: &[TargetChange]) {
    for change in changes {
        match change {
            TargetChange::Add(target) => targets.push(target.clone()),
            TargetChange::Exclude(_, selector @ Selector::Pattern(_)) => {
                targets.iter_mut().filter(|target| !target.count).for_each(|target| target.exclusions.push(selector.clone()));
            }
            TargetChange::Exclude(variable, selector) => exclude(targets, *variable, selector),
        }
    }
}

/// Excludes members: a target that was written in the same way is removed, a wider one of the same variable gets an exclusion.
///
/// As in ModSecurity v3, a target with one key stays unless the exclusion has it too, and a count is removed or counts everything.
fn exclude(targets: &mut Vec<Target>, variable: Variable, selector: &Selector) {
    let same = |target: &Target| target.variable == variable && target.selector.is_same(selector);
    targets.retain(|target| !same(target));
    for target in targets.iter_mut().filter(|target| target.variable == variable && !target.count) {
        if matches!(target.selector, Selector::All | Selector::Pattern(_)) && !matches!(selector, Selector::All) {
            target.exclusions.push(selector.clone());
        }
    }
}
