//! `SecRuleUpdate…` and `SecRuleRemove…`: changes to rules elsewhere in the files.
//!
//! As in ModSecurity v3, they apply to every rule of the rule set, in any order.

use super::actions::parsed_actions;
use super::context::Context;
use super::draft::{LogFlags, OwnTransformations, ParsedAction, as_effect};
use super::references::no_rule;
use super::targets::{TargetChange, apply, target_changes};
use super::values::id_range;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ChainId, Disruptive, Effect, Removal, Rule, RuleFilter, RuleIndex, Target, Test, TransformationTree, UpdatedActions};
use crate::seclang::{Actions, Argument, Targets};
use crate::source::Span;
use crate::vocabulary::Directive;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// A change to rules.
pub enum Update {
    /// The rules never run.
    Remove(RuleFilter, Removal),
    /// The rules get other targets.
    Targets(RuleFilter, Vec<TargetChange>),
    /// The rules get other actions.
    Actions(RuleFilter, ActionUpdate),
}

/// The additions of `SecRuleUpdateActionById`.
#[derive(Default)]
pub struct ActionUpdate {
    effects: Vec<Effect>,
    disruptive: Option<Disruptive>,
    transformations: OwnTransformations,
}

/// `SecRuleRemoveById`, `SecRuleRemoveByTag`, `SecRuleRemoveByMsg`
pub fn removals(context: &mut Context<'_>, directive: Directive, arguments: &[Argument]) -> Vec<(Update, Span)> {
    let mut updates = Vec::new();
    for argument in arguments {
        let text = argument.text.as_str();
        match directive {
            Directive::SecRuleRemoveById => {
                for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
                    if let Some(range) = rule_ids(context, part, argument.span) {
                        updates.push((Update::Remove(RuleFilter::Ids(range), Removal::Id), argument.span));
                    }
                }
            }
            Directive::SecRuleRemoveByTag => updates.push((Update::Remove(RuleFilter::Tag(text.into()), Removal::Tag), argument.span)),
            _ => updates.push((Update::Remove(RuleFilter::Message(text.into()), Removal::Message), argument.span)),
        }
    }
    updates
}

/// `SecRuleUpdateTargetById`, `SecRuleUpdateTargetByTag`, `SecRuleUpdateTargetByMsg`
pub fn target_update(
    context: &mut Context<'_>,
    directive: Option<Directive>,
    rules: &Argument,
    targets: &Targets,
) -> Option<(Update, Span)> {
    let changes = target_changes(context, targets);
    let text = rules.text.as_str();
    let filter = match directive {
        Some(Directive::SecRuleUpdateTargetById) => RuleFilter::Ids(rule_ids(context, text, rules.span)?),
        Some(Directive::SecRuleUpdateTargetByTag) => RuleFilter::Tag(text.into()),
        _ => RuleFilter::Message(text.into()),
    };
    Some((Update::Targets(filter, changes), rules.span))
}

/// `SecRuleUpdateActionById`
pub fn action_update(context: &mut Context<'_>, rule: &Argument, written: &Actions) -> Option<(Update, Span)> {
    let range = rule_ids(context, &rule.text, rule.span)?;
    let mut update = ActionUpdate::default();
    for (action, place) in parsed_actions(context, Some(written)) {
        match action {
            ParsedAction::Transformation(transformation) => update.transformations.add(transformation),
            ParsedAction::Assign(assignment) => update.effects.push(Effect::Assign(assignment)),
            ParsedAction::Disruptive(disruptive) => update.disruptive = Some(disruptive),
            other => match as_effect(other) {
                Ok(effect) => update.effects.push(effect),
                Err(_) => {
                    let message = format!("`{}` cannot be changed from outside the rule", place.name.node);
                    context.report(Diagnostic::new(Code::MisplacedAction, place.span, message).hint("change it in the rule itself"));
                }
            },
        }
    }
    Some((Update::Actions(RuleFilter::Ids(range), update), rule.span))
}

/// Returns the ids in a text; reports a text without ids.
fn rule_ids(context: &mut Context<'_>, text: &str, span: Span) -> Option<RangeInclusive<u64>> {
    let range = id_range(text);
    if range.is_none() {
        let message = format!("`{text}` is not a rule id");
        context.report(Diagnostic::new(Code::BadDirectiveValue, span, message).hint("write an id, or a range such as 1000-1999"));
    }
    range
}

/// Applies updates to the rules, in the order of the files. Returns the positions of the updates that match no rule.
pub fn apply_updates<'u>(
    updates: impl IntoIterator<Item = &'u (Update, Span)>,
    rules: &mut [Rule],
    removed: &mut FxHashMap<RuleIndex, Removal>,
    tree: &mut TransformationTree,
) -> Vec<usize> {
    let mut missing = Vec::new();
    for (at, (update, _)) in updates.into_iter().enumerate() {
        let mut matches_none = true;
        for (index, rule) in (0..).map(RuleIndex).zip(rules.iter_mut()).filter(|(_, rule)| update.concerns(rule)) {
            matches_none = false;
            match update {
                Update::Remove(_, removal) => drop(removed.entry(index).or_insert(*removal)),
                Update::Targets(_, changes) => update_targets(changes, rule),
                Update::Actions(_, update) => update_actions(update, rule, tree),
            }
        }
        if matches_none {
            missing.push(at);
        }
    }
    missing
}

/// Returns the targets of the rules whose targets these updates change.
pub fn written_targets(updates: &[(Update, Span)], rules: &[Rule]) -> HashMap<RuleIndex, Vec<Target>> {
    let changes: Vec<&Update> = updates.iter().map(|(update, _)| update).filter(|update| matches!(update, Update::Targets(..))).collect();
    let targets = |(index, rule): (RuleIndex, &Rule)| match &rule.test {
        Test::Operator { targets, .. } if changes.iter().any(|update| update.concerns(rule)) => Some((index, targets.clone())),
        _ => None,
    };
    (0..).map(RuleIndex).zip(rules).filter_map(targets).collect()
}

/// Returns warnings about updates that match no rule.
pub fn missing_rules<'u>(updates: impl IntoIterator<Item = &'u (Update, Span)>) -> Vec<Diagnostic> {
    let missing: Vec<(&RuleFilter, Span)> = updates.into_iter().map(|(update, span)| (update.filter(), *span)).collect();
    // Several ids of one argument give one warning.
    let warning = |references: &[(&RuleFilter, Span)]| {
        let filters: Vec<&RuleFilter> = references.iter().map(|(filter, _)| *filter).collect();
        references.first().map(|(_, span)| no_rule(&filters, *span))
    };
    missing.chunk_by(|(_, one), (_, other)| one == other).filter_map(warning).collect()
}

/// Applies changes to the targets of a rule.
pub fn update_targets(changes: &[TargetChange], rule: &mut Rule) {
    if let Test::Operator { targets, .. } = &mut rule.test {
        apply(targets, changes);
    }
}

fn update_actions(update: &ActionUpdate, rule: &mut Rule, tree: &mut TransformationTree) {
    let added = rule.updated.get_or_insert_with(|| Box::new(UpdatedActions::default()));
    added.effects.extend(update.effects.iter().cloned());
    added.disruptive = update.disruptive.clone().or(added.disruptive.take());
    let flags = LogFlags { log: rule.logs, audit: rule.audits }.after(&update.effects);
    (rule.logs, rule.audits) = (flags.log, flags.audit);
    if update.transformations.reset {
        rule.transformations = ChainId::EMPTY;
    }
    update.transformations.list.iter().for_each(|step| step.append_to(rule, tree));
}

impl Update {
    /// Returns the rules that it changes.
    pub fn filter(&self) -> &RuleFilter {
        match self {
            Self::Remove(filter, _) | Self::Targets(filter, _) | Self::Actions(filter, _) => filter,
        }
    }

    /// Returns `true` if it changes this rule. As in ModSecurity v3, the id of a rule within a chain matches only changes of targets.
    pub fn concerns(&self, rule: &Rule) -> bool {
        let filter = self.filter();
        let may_be_chained = matches!(self, Self::Targets(..)) || !matches!(filter, RuleFilter::Ids(_));
        filter.names(rule) && (may_be_chained || rule.chain_head.is_none())
    }
}
