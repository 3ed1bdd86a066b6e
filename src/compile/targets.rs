//! Target lists as written into targets as meant.

use super::directives::Builder;
use crate::body::xml::check_xpath;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Selector, Target};
use crate::pattern::{Pattern, PatternError, PatternOptions};
use crate::seclang::{SelectorExpression, TargetExpression, TargetMode, Targets};
use crate::source::Spanned;
use crate::vocabulary::{Shape, Support, Variable, did_you_mean};

/// A change to a rule's targets.
#[derive(Clone, Debug)]
pub enum TargetChange {
    /// Looks at one more.
    Add(Target),
    /// Leaves something out.
    Exclude(Variable, Selector),
}

impl Builder<'_> {
    /// The targets of a rule: exclusions, wherever they stand in the list, apply to the targets of the same variable.
    pub fn targets(&mut self, written: &Targets) -> Vec<Target> {
        let changes = self.target_changes(written);
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

    /// Reports XPaths that make no sense with the namespaces of their rule.
    pub fn check_paths(&mut self, written: &Targets, namespaces: &[(Box<str>, Box<str>)]) {
        let namespaces: Vec<(&str, &str)> = namespaces.iter().map(|(prefix, uri)| (prefix.as_ref(), uri.as_ref())).collect();
        for selector in written.list.iter().filter_map(|target| target.selector.as_ref()) {
            if let SelectorExpression::XPath(path) = &selector.node
                && let Err(error) = check_xpath(path, &namespaces)
            {
                let hint = "a prefix needs an xmlns action in the same rule, such as xmlns:n=http://example.org/";
                self.report(Diagnostic::new(Code::BadSelector, selector.span, format!("`{path}` is no XPath: {error}")).hint(hint));
            }
        }
    }

    /// A list of targets, one by one.
    pub fn target_changes(&mut self, written: &Targets) -> Vec<TargetChange> {
        written.list.iter().filter_map(|target| self.target_change(target)).collect()
    }

    fn target_change(&mut self, written: &TargetExpression) -> Option<TargetChange> {
        let (variable, selector) = self.variable_and_selector(written)?;
        Some(match written.mode {
            TargetMode::Exclude => TargetChange::Exclude(variable, selector),
            mode => TargetChange::Add(Target { count: mode == TargetMode::Count, ..Target::new(variable, selector) }),
        })
    }

    /// The variable that a target names, and what it selects.
    pub fn variable_and_selector(&mut self, written: &TargetExpression) -> Option<(Variable, Selector)> {
        let variable = self.variable(&written.variable)?;
        let selector = match &written.selector {
            None => Selector::All,
            Some(selector) if variable.shape() == Shape::Scalar => {
                let message = format!("`{}` holds one value, so that nothing can be selected from it", variable.name());
                self.report(Diagnostic::new(Code::NotACollection, selector.span, message).hint("take away the selector"));
                return None;
            }
            Some(selector) => self.selector(variable, selector)?,
        };
        Some((variable, selector))
    }

    fn selector(&mut self, variable: Variable, written: &Spanned<SelectorExpression>) -> Option<Selector> {
        match &written.node {
            SelectorExpression::Key(key) => Some(Selector::Key(self.key(variable, key))),
            SelectorExpression::XPath(path) => Some(Selector::XPath(path.as_str().into())),
            SelectorExpression::Pattern { source, .. } => match key_pattern(source) {
                Ok(selector) => Some(selector),
                Err(error) => {
                    let message = format!("`{source}` is no regular expression: {error}");
                    self.report(Diagnostic::new(Code::BadSelector, written.span, message));
                    None
                }
            },
        }
    }

    fn variable(&mut self, written: &Spanned<String>) -> Option<Variable> {
        let name = &written.node;
        let Some(entry) = Variable::find(name) else {
            let names = Variable::table().filter(|entry| entry.variable.is_some()).map(|entry| entry.name);
            let hint = did_you_mean(name, names, "");
            self.report(Diagnostic::new(Code::UnknownVariable, written.span, format!("unknown variable `{name}`")).maybe_hint(hint));
            return None;
        };
        if let Support::Refused(why) = entry.support {
            self.report(Diagnostic::new(Code::UnsupportedVariable, written.span, format!("`{name}` is not supported")).hint(why));
        }
        entry.variable
    }
}

/// The selector of keys that a pattern finds something in, without regard to case.
pub fn key_pattern(source: &str) -> Result<Selector, PatternError> {
    let options = PatternOptions { case_insensitive: true, ..PatternOptions::default() };
    Pattern::shared(source.as_bytes(), options).map(Selector::Pattern)
}

/// Applies changes to the targets of a rule that exists already.
///
/// As in ModSecurity v3 a pattern that is left out this way is left out of every target, whatever its variable.
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

/// Leaves something out: a target that was written the same way goes, a wider one of the same variable gets an exclusion.
///
/// As in ModSecurity v3, a target that names one key stays unless the exclusion names it too, and a count goes or counts all.
fn exclude(targets: &mut Vec<Target>, variable: Variable, selector: &Selector) {
    let same = |target: &Target| target.variable == variable && target.selector.is_same(selector);
    targets.retain(|target| !same(target));
    for target in targets.iter_mut().filter(|target| target.variable == variable && !target.count) {
        if matches!(target.selector, Selector::All | Selector::Pattern(_)) && !matches!(selector, Selector::All) {
            target.exclusions.push(selector.clone());
        }
    }
}
