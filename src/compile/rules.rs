//! Directives of rules and of their defaults; each becomes a draft.

use super::actions::{parsed_actions, rule_actions};
use super::context::Context;
use super::decisions;
use super::draft::{DefaultDraft, Draft, ParsedAction, RuleActions, as_effect};
use super::lints;
use super::masks;
use super::operators::read_operator;
use super::rule_set::RuleSetDraft;
use super::scripts::{MAIN, SHOULD_BLOCK, read_script};
use super::targets::{check_paths, read_targets};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ChainId, Disruptive, Effect, Location, Phase, Rule, RulePlan, Test};
use crate::seclang::{Actions, Argument, Directive, OperatorExpression, Targets};
use crate::source::Span;
use std::collections::HashMap;

/// `SecRule`
pub fn rule(
    context: &mut Context<'_>,
    rule_set: &mut RuleSetDraft,
    directive: &Directive,
    (targets, operator, actions): (&Targets, &OperatorExpression, Option<&Actions>),
) {
    let understood = rule_actions(context, actions);
    check_paths(context, targets, &understood.namespaces);
    context.report_all(lints::early_target(targets, rule_set.rules.phase_of_next(understood.phase)));
    let targets = read_targets(context, targets);
    let built = read_operator(context, operator);
    if !rule_set.rules.is_in_chain() {
        check_id(context, &mut rule_set.ids, &understood, actions, directive.span);
    }
    let Some((kind, argument)) = built else {
        return rule_set.rules.abandon_chain(understood.chain);
    };
    context.report_all(lints::doubtful_argument(operator, kind));
    let transforms = !understood.transformations.list.is_empty();
    context.report_all(masks::bytes_not_known(actions, kind, operator.negated, transforms));
    let test = Test::Operator { targets, kind, argument, negated: operator.negated };
    let draft = draft(context, test, understood, directive.span);
    rule_set.rules.add(context, draft, actions);
}

/// `SecAction`
pub fn unconditional(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, directive: &Directive, actions: &Actions) {
    let understood = rule_actions(context, Some(actions));
    context.report_all(masks::nothing_to_mask(Some(actions)));
    let draft = draft(context, Test::Unconditional, understood, directive.span);
    rule_set.rules.add(context, draft, Some(actions));
}

/// `SecRuleScript`
pub fn script(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, directive: &Directive, file: &Argument, actions: Option<&Actions>) {
    let understood = rule_actions(context, actions);
    context.report_all(masks::nothing_to_mask(actions));
    let Some(script) = read_script(context, &file.text, MAIN, file.span) else {
        return rule_set.rules.abandon_chain(understood.chain);
    };
    let draft = draft(context, Test::Script(script), understood, directive.span);
    rule_set.rules.add(context, draft, actions);
}

/// `SecDecisionScript FILE [phase:1|2]`
pub fn decision_script(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, directive: &Directive, arguments: &[Argument]) {
    if rule_set.rules.is_in_chain() {
        let message = "a decision script cannot be part of a chain";
        let hint = "move it before or after the chain";
        return context.report(Diagnostic::new(Code::BadDirectiveValue, directive.span, message).hint(hint));
    }
    let [file, options @ ..] = arguments else { return };
    let phase = match options {
        [] => Phase::RequestHeaders,
        [phase] if phase.text.eq_ignore_ascii_case("phase:1") => Phase::RequestHeaders,
        [phase] if phase.text.eq_ignore_ascii_case("phase:2") => Phase::RequestBody,
        [other, ..] => return decisions::report_bad_value(context, other, "write phase:1 or phase:2"),
    };
    let Some(script) = read_script(context, &file.text, SHOULD_BLOCK, file.span) else { return };
    let actions = RuleActions { phase: Some(phase), disruptive: Some(Disruptive::Deny), ..RuleActions::default() };
    let draft = draft(context, Test::Decision(script), actions, directive.span);
    rule_set.rules.add(context, draft, None);
}

/// `SecDefaultAction`
pub fn default_action(context: &mut Context<'_>, rule_set: &mut RuleSetDraft, written: &Actions) {
    let mut draft = DefaultDraft { load: rule_set.load, ..DefaultDraft::default() };
    let mut phase = Phase::RequestHeaders;
    let mut misplaced = Vec::new();
    for (action, place) in parsed_actions(context, Some(written)) {
        match action {
            ParsedAction::Phase(named) => phase = named,
            ParsedAction::Disruptive(disruptive) => draft.disruptive = Some(disruptive),
            ParsedAction::Transformation(Some(transformation)) => draft.transformations.push(transformation),
            ParsedAction::Assign(assignment) => draft.effects.push(Effect::Assign(assignment)),
            other => match as_effect(other) {
                Ok(effect) => draft.effects.push(effect),
                Err(_) => misplaced.push((place.name.node.clone(), place.span)),
            },
        }
    }
    for (name, span) in misplaced {
        let message = format!("`{name}` is not suitable for SecDefaultAction");
        context.report(Diagnostic::new(Code::MisplacedAction, span, message).hint("put it into the rules"));
    }
    if draft.disruptive.is_none() {
        let hint = "add pass, deny, drop, redirect or allow";
        context.report(Diagnostic::new(Code::DefaultNotDisruptive, written.span, "SecDefaultAction needs a disruptive action").hint(hint));
    }
    let earlier = rule_set.defaults.at_mut(phase);
    if earlier.load == rule_set.load {
        let message = format!("phase {} already has a SecDefaultAction", phase.number());
        context.report(Diagnostic::new(Code::DefaultTwice, written.span, message).hint("join the two"));
        return;
    }
    earlier.load = draft.load;
    earlier.transformations.append(&mut draft.transformations);
    earlier.effects.append(&mut draft.effects);
    earlier.disruptive = draft.disruptive.or(earlier.disruptive.take());
}

/// Reports a rule without an id, or with that of another.
fn check_id(context: &mut Context<'_>, ids: &mut HashMap<u64, Span>, understood: &RuleActions, actions: Option<&Actions>, span: Span) {
    let place = actions.and_then(|actions| actions.find("id")).map_or(span, |action| action.value_span());
    match understood.id {
        // A bad id was reported before.
        None if actions.is_some_and(|actions| actions.find("id").is_some()) => {}
        None => context
            .report(Diagnostic::new(Code::MissingId, span, "the rule has no id").hint("add id:N with a number that no other rule has")),
        Some(id) => {
            if let Some(first) = ids.insert(id, place) {
                let (file, position) = context.sources.locate(first);
                let hint = format!("it is at {file}:{position}; give one of the two another id");
                context.report(Diagnostic::new(Code::DuplicateId, place, format!("there is already a rule {id}")).hint(hint));
            }
        }
    }
}

fn draft(context: &Context<'_>, test: Test, actions: RuleActions, span: Span) -> Draft {
    let (file, position) = context.sources.locate(span);
    let (_, last) = context.sources.locate(Span { start: span.end, ..span });
    let rule = Rule {
        id: actions.id.unwrap_or(0),
        location: Location { file, line: position.line, last_line: last.line },
        phase: actions.phase.unwrap_or(Phase::RequestHeaders),
        test,
        transformations: ChainId::EMPTY,
        spellings: Vec::new(),
        multi_match: actions.multi_match,
        capture: actions.capture,
        chained: actions.chain,
        next: None,
        before: None,
        chain_head: None,
        metadata: actions.metadata,
        logs: true,
        audits: true,
        assignments: actions.assignments,
        openings: actions.openings,
        effects: actions.effects,
        disruptive: actions.disruptive,
        namespaces: actions.namespaces,
        updated: None,
        stops: false,
        masks_matched: false,
        plan: RulePlan::default(),
    };
    Draft { rule, has_phase: actions.phase.is_some(), transformations: actions.transformations, span }
}
