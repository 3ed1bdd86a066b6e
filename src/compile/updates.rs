//! `SecRuleUpdate…` and `SecRuleRemove…`: changes to rules that stand elsewhere in the files.
//!
//! As in ModSecurity v3 they apply to every rule of the rule set, wherever they are written.

use super::actions::parsed_actions;
use super::controls::id_range;
use super::directives::Builder;
use super::draft::{LogFlags, OwnTransformations, ParsedAction, as_effect};
use super::references::no_rule;
use super::targets::{TargetChange, apply, target_changes};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ChainId, Disruptive, Effect, Removal, Rule, RuleFilter, Test, UpdatedActions};
use crate::seclang::{Actions, Argument, Targets};
use crate::source::Span;
use crate::vocabulary::{Directive, DirectiveEntry};

/// A change to rules.
pub enum Update {
    /// They never run.
    Remove(RuleFilter, Removal),
    /// They look at other targets.
    Targets(RuleFilter, Vec<TargetChange>),
    /// They do other things.
    Actions(RuleFilter, ActionUpdate),
}

/// What `SecRuleUpdateActionById` adds.
#[derive(Default)]
pub struct ActionUpdate {
    effects: Vec<Effect>,
    disruptive: Option<Disruptive>,
    transformations: OwnTransformations,
}

impl Builder<'_> {
    pub fn removal(&mut self, directive: Directive, arguments: &[Argument]) {
        for argument in arguments {
            match directive {
                Directive::SecRuleRemoveById => {
                    for part in argument.text.split([',', ' ']).filter(|part| !part.is_empty()) {
                        match id_range(part) {
                            Some(range) => self.updates.push((Update::Remove(RuleFilter::Ids(range), Removal::Id), argument.span)),
                            None => self.no_id(part, argument.span),
                        }
                    }
                }
                Directive::SecRuleRemoveByTag => {
                    self.updates.push((Update::Remove(RuleFilter::Tag(argument.text.as_str().into()), Removal::Tag), argument.span));
                }
                _ => {
                    self.updates.push((Update::Remove(RuleFilter::Message(argument.text.as_str().into()), Removal::Message), argument.span))
                }
            }
        }
    }

    fn no_id(&mut self, text: &str, span: Span) {
        let message = format!("`{text}` is not a rule id");
        self.context.report(Diagnostic::new(Code::BadDirectiveValue, span, message).hint("write an id, or a range such as 1000-1999"));
    }

    pub fn update_targets(&mut self, entry: &DirectiveEntry, rules: &Argument, targets: &Targets) {
        let changes = target_changes(&mut self.context, targets);
        let filter = match entry.directive {
            Some(Directive::SecRuleUpdateTargetById) => match id_range(&rules.text) {
                Some(range) => RuleFilter::Ids(range),
                None => return self.no_id(&rules.text, rules.span),
            },
            Some(Directive::SecRuleUpdateTargetByTag) => RuleFilter::Tag(rules.text.as_str().into()),
            _ => RuleFilter::Message(rules.text.as_str().into()),
        };
        self.updates.push((Update::Targets(filter, changes), rules.span));
    }

    pub fn update_actions(&mut self, rule: &Argument, written: &Actions) {
        let Some(range) = id_range(&rule.text) else {
            return self.no_id(&rule.text, rule.span);
        };
        let mut update = ActionUpdate::default();
        for (action, place) in parsed_actions(&mut self.context, Some(written)).into_iter().zip(&written.list) {
            match action {
                ParsedAction::Transformation(transformation) => update.transformations.add(transformation),
                ParsedAction::Assign(assignment) => update.effects.push(Effect::Assign(assignment)),
                ParsedAction::Disruptive(disruptive) => update.disruptive = Some(disruptive),
                other => match as_effect(other) {
                    Ok(effect) => update.effects.push(effect),
                    Err(_) => {
                        let message = format!("`{}` cannot be changed from outside the rule", place.name.node);
                        self.context
                            .report(Diagnostic::new(Code::MisplacedAction, place.span, message).hint("change it in the rule itself"));
                    }
                },
            }
        }
        self.updates.push((Update::Actions(RuleFilter::Ids(range), update), rule.span));
    }

    /// Applies all updates to the rules of the graph, in the order of the files.
    pub fn apply_updates(&mut self) {
        let mut missing = Vec::new();
        for (update, span) in std::mem::take(&mut self.updates) {
            let filter = match &update {
                Update::Remove(filter, _) | Update::Targets(filter, _) | Update::Actions(filter, _) => filter,
            };
            let meant: Vec<usize> =
                self.graph.rules.iter().enumerate().filter(|(_, rule)| is_meant(&update, filter, rule)).map(|(at, _)| at).collect();
            if meant.is_empty() {
                missing.push((filter.clone(), span));
            }
            for at in meant {
                self.apply_update(&update, at);
            }
        }
        // Several ids of one argument are one warning.
        for references in missing.chunk_by(|(_, one), (_, other)| one == other) {
            if let Some((_, span)) = references.first() {
                let filters: Vec<&RuleFilter> = references.iter().map(|(filter, _)| filter).collect();
                self.context.report(no_rule(&filters, *span));
            }
        }
    }

    fn apply_update(&mut self, update: &Update, at: usize) {
        let Some(rule) = self.graph.rules.get_mut(at) else { return };
        match update {
            Update::Remove(_, removal) => rule.removed = rule.removed.or(Some(*removal)),
            Update::Targets(_, changes) => {
                if let Test::Operator { targets, .. } = &mut rule.test {
                    apply(targets, changes);
                }
            }
            Update::Actions(_, update) => {
                let added = rule.updated.get_or_insert_with(|| Box::new(UpdatedActions::default()));
                added.effects.extend(update.effects.iter().cloned());
                added.disruptive = update.disruptive.clone().or(added.disruptive.take());
                let flags = LogFlags { log: rule.logs, audit: rule.audits }.after(&update.effects);
                (rule.logs, rule.audits) = (flags.log, flags.audit);
                if update.transformations.reset {
                    rule.transformations = ChainId::EMPTY;
                }
                let tree = &mut self.graph.transformations;
                update.transformations.list.iter().for_each(|step| step.append_to(rule, tree));
            }
        }
    }
}

/// As in ModSecurity v3 the id of a rule within a chain names it only where targets are changed.
fn is_meant(update: &Update, filter: &RuleFilter, rule: &Rule) -> bool {
    let may_be_chained = matches!(update, Update::Targets(..)) || !matches!(filter, RuleFilter::Ids(_));
    filter.names(rule) && (may_be_chained || rule.starter.is_none())
}
