//! Evaluates one rule, and the rules that are chained to it.

use super::Evaluation;
use super::actions::{after_match, log_match, log_one_of_many};
use super::assignment::assign_all;
use super::candidates::{followed_plan, may_find, open_values};
use super::comparison::{goes_unobserved, holds, note_match};
use super::decision::ask_decision;
use super::expand::expand;
use super::lookup::{OperatorCall, look_up};
use super::pending_match::{PendingMatch, describe_values};
use super::question::{Detail, Question};
use super::sanitise::mask_values;
use super::script::ask_script;
use super::select::select;
use crate::escape::{cut, shown, text};
use crate::graph::{ChainId, OperatorArgument, Plan, Rule, RuleFilter, RuleGraph, RuleIndex, RulePlan, Selector, Test, ValueScan};
use crate::operator::{CapturedValue, Findings, Operator, OperatorError, OperatorKind, OperatorLimits, Wanted};
use crate::prefilter::ValueKind;
use crate::state::{Collections, DetailSource, MatchNote, Matched, PER_VALUE, RuleMatch, Selected, State, Text, Transformed, ValueId};
use crate::vocabulary::Limit;
use std::time::Instant;

/// Maximum number of characters of a value in the debug log.
const LONGEST_SHOWN: usize = 80;

/// Evaluates a rule and, while they match, the rules chained to it. When all match, their effects run from the last to the first.
///
/// MATCHED_VAR and related variables have only the matches of this chain, as in ModSecurity v3 since its pull request 3422.
pub fn evaluate_chain<'r>(eval: &mut Evaluation<'r>, head: RuleIndex, first: &'r Rule) {
    eval.state.collections.matched.clear();
    eval.state.scratch.score = 0;
    eval.state.scratch.notes.clear();
    eval.state.scratch.matched_secret = false;
    let logs = first.logs || first.stops || first.masks_matched || eval.debugs(7);
    let mut draft = PendingMatch::new(first, head, logs);
    let Some(last) = ask_chain(eval, first, &mut draft) else {
        return eval.state.collections.arena.budget.release(draft.hits.iter().map(RuleMatch::size).sum());
    };
    eval.state.matches.append(&mut draft.hits);
    let before = |rule: &&Rule| rule.before.and_then(|before| eval.rules.rule(before));
    if eval.state.secrets.is_some() {
        // Before anything else shows the values.
        std::iter::successors(Some(last), before).for_each(|rule| mask_values(eval, rule));
    }
    if draft.logs {
        describe_values(eval, &mut draft);
    }
    for rule in std::iter::successors(Some(last), before) {
        after_match(eval, rule, &mut draft);
    }
    log_match(eval, first, draft);
}

/// Tests the rules of a chain. Returns the last one if all of them match.
fn ask_chain<'r>(eval: &mut Evaluation<'r>, first: &'r Rule, draft: &mut PendingMatch) -> Option<&'r Rule> {
    let mut matched: Option<&Rule> = None;
    let mut at = Some(first);
    while let Some(rule) = at {
        let is_match = match &rule.test {
            // As in ModSecurity v3, a removed rule within a chain counts as a match, and a removed head ends the chain.
            _ if is_removed_by_id(eval, rule) => matched.is_some(),
            Test::Unconditional => unconditional(eval, rule),
            Test::Operator { targets, kind, argument, negated } => {
                let mut question = Question { targets, kind: *kind, argument, negated: *negated, expanded: None };
                ask(eval, rule, &mut question, draft)
            }
            Test::Script(script) => ask_script(eval, rule, script, draft),
            Test::Decision(script) => ask_decision(eval, script, draft),
        };
        if !is_match {
            return None;
        }
        matched = Some(rule);
        if rule.chained {
            eval.debug(4, || "Executing chained rule.".to_owned());
            if rule.next.is_none() {
                eval.debug(4, || "Rule is marked as chained but there isn't a subsequent rule.".to_owned());
                return None;
            }
        }
        at = rule.next.and_then(|next| eval.rules.rule(next));
        draft.rule = rule.next.unwrap_or(draft.rule);
    }
    matched
}

fn unconditional(eval: &mut Evaluation<'_>, rule: &Rule) -> bool {
    eval.debug(4, || format!("(Rule: {}) Executing unconditional rule...", rule.id));
    assign_all(eval, rule);
    true
}

fn is_removed_by_id(eval: &Evaluation<'_>, rule: &Rule) -> bool {
    let removed = eval.state.overrides.removed_rules.iter().any(|filter| matches!(filter, RuleFilter::Ids(_)) && filter.names(rule));
    if removed {
        eval.debug(9, || format!("Rule id: {} was skipped due to a ruleRemoveById action...", rule.id));
    }
    removed
}

/// Tests every value of every target with the operator.
fn ask(eval: &mut Evaluation<'_>, rule: &Rule, question: &mut Question<'_>, draft: &mut PendingMatch) -> bool {
    let plan = followed_plan(eval);
    if let (Some(_), RulePlan::Comparison(comparison), [target, ..]) = (plan, &rule.plan, question.targets) {
        match holds(eval, comparison) {
            Some(false) => return false,
            Some(true) if !comparison.is_described && goes_unobserved(eval) => {
                note_match(eval, comparison, target);
                assign_all(eval, rule);
                return true;
            }
            _ => {}
        }
    }
    let expanded;
    let call = match question.argument {
        OperatorArgument::Compiled { operator, .. } => OperatorCall::Value(operator),
        OperatorArgument::Lookup { lookup, text } => OperatorCall::Lookup(lookup, text),
        OperatorArgument::Template(template) => {
            let text = expand(eval, rule, template);
            eval.charge(question.kind.work_to_compile(text.len()));
            match Operator::compile_expanded(question.kind, &text, operator_limits(eval.rules)) {
                Ok(operator) => {
                    eval.charge(operator.work_to_build());
                    question.expanded = Some(text);
                    expanded = operator;
                    OperatorCall::Value(&expanded)
                }
                Err(error) => {
                    eval.debug(1, || format!("(Rule: {}) The expanded argument cannot be used: {error}", rule.id));
                    if matches!(&error, OperatorError::Pattern(error) if error.is_too_large()) {
                        limit_exceeded(eval, rule, question);
                    }
                    return false;
                }
            }
        }
    };
    let scan = match (plan, &rule.plan) {
        (Some(plan), RulePlan::Scan(scan)) => Some((plan, scan)),
        _ => None,
    };
    let mut rule_test = RuleTest {
        rule,
        question,
        call,
        scan,
        work_of_value: PER_VALUE + eval.state.overrides.removed_targets.len(),
        wanted: if rule.capture || draft.logs { Wanted::Findings } else { Wanted::Verdict },
        is_observed: eval.state.is_profiled_in_full() || eval.debugs(4),
        may_be_renewed: matches!(question.argument, OperatorArgument::Template(template) if template.may_change()),
        found: false,
        findings: eval.state.scratch.findings.take().unwrap_or_default(),
    };
    eval.debug(4, || announcement(eval, rule, question));
    let found = match scan {
        Some((plan, scan)) => ask_open_targets(eval, plan, scan, &mut rule_test, draft),
        None => ask_target_by_target(eval, &mut rule_test, draft),
    };
    eval.state.scratch.findings = Some(rule_test.findings);
    // A rule that exhausts the budget has no effect: its decision would replace that of the limit.
    let any = found && !eval.state.collections.arena.budget.is_over();
    if any && draft.logs && !rule.multi_match && may_log_detail(eval, rule) {
        detail(eval, question, draft);
    }
    eval.debug(4, || format!("Rule returned {}.", u8::from(any)));
    if !any {
        eval.debug(9, || "Matched vars cleaned.".to_owned());
    }
    any
}

/// Returns `true` if this rule's detail can be the one that is logged: in a chain, that of the last rule with an operator.
fn may_log_detail(eval: &Evaluation<'_>, rule: &Rule) -> bool {
    let next = rule.next.and_then(|next| eval.rules.rule(next));
    next.is_none_or(|next| matches!(next.test, Test::Unconditional)) || !eval.state.overrides.removed_rules.is_empty()
}

/// Describes the match of the last value that matched.
fn detail(eval: &mut Evaluation<'_>, question: &Question<'_>, draft: &mut PendingMatch) {
    if let Some(selected) = eval.state.scratch.notes.last() {
        let mut name = Vec::new();
        selected.label.write(&eval.state.collections.arena, &mut name);
        let value = eval.state.collections.arena.read(selected.value);
        let Detail { text, own, argument, value_start } = question.detail(&name, value);
        let entry = draft.entry();
        (entry.detail, entry.detail_own) = (text, own);
        if eval.state.secrets.is_some() {
            let value = *selected;
            let expanded = question.expanded.as_ref().map(|text| eval.state.collections.arena.store(text));
            entry.sources().detail = value_start.map(|value_start| DetailSource { argument, expanded, value_start, value });
        }
    }
}

/// Returns the message of an operator that is about to run.
fn announcement(eval: &Evaluation<'_>, rule: &Rule, question: &Question<'_>) -> String {
    match (&question.expanded, eval.state.masking(&eval.rules.settings)) {
        (Some(expanded), Some(_)) => Question { expanded: Some(eval.masked(expanded).into_owned()), ..*question }.announcement(rule),
        _ => question.announcement(rule),
    }
}

/// Tests values that no rule can change during the phase, of those targets that may match.
fn ask_open_targets(
    eval: &mut Evaluation<'_>,
    plan: &Plan,
    scan: &ValueScan,
    rule_test: &mut RuleTest<'_>,
    draft: &mut PendingMatch,
) -> bool {
    let mut any = false;
    for target in plan.target_list(scan.target_list) {
        if let Some(lent) = open_values(eval, plan, *target, scan) {
            for value in &lent.values {
                any |= ask_unless_removed(eval, rule_test, &value.selected, Some(value.id), draft);
            }
            eval.state.filter.give_back(lent);
        }
    }
    any
}

/// Selects the values of each target after the previous target was tested: rules change variables while they run.
fn ask_target_by_target(eval: &mut Evaluation<'_>, rule_test: &mut RuleTest<'_>, draft: &mut PendingMatch) -> bool {
    let mut any = false;
    for target in rule_test.question.targets {
        let mut selected = std::mem::take(&mut eval.state.scratch.selected);
        selected.clear();
        select(eval, rule_test.rule, target, &mut selected);
        for value in &selected {
            any |= ask_unless_removed(eval, rule_test, value, None, draft);
        }
        eval.state.scratch.selected = selected;
    }
    any
}

/// Tests one value, unless a `ctl` removes it. A value of a planned target has a number.
#[inline]
fn ask_unless_removed(
    eval: &mut Evaluation<'_>,
    rule_test: &mut RuleTest<'_>,
    selected: &Selected,
    id: Option<ValueId>,
    draft: &mut PendingMatch,
) -> bool {
    eval.charge(rule_test.work_of_value);
    eval.may_go_on(rule_test.rule.phase)
        && !is_removed_target(eval, rule_test.rule, selected)
        && ask_about(eval, rule_test, selected, id, draft)
}

/// Returns `true` if a `ctl:ruleRemoveTarget…` removes this value from this rule. One that names the head of a chain applies to the whole chain.
fn is_removed_target(eval: &Evaluation<'_>, rule: &Rule, value: &Selected) -> bool {
    let names = |filter: &RuleFilter| {
        let head = || rule.chain_head.and_then(|head| eval.rules.rule(head));
        filter.names(rule) || head().is_some_and(|head| filter.names(head))
    };
    eval.state.overrides.removed_targets.iter().any(|filter| {
        value.label.variable() == Some(filter.variable)
            && names(&filter.rules)
            && match (&filter.selector, value.label.key()) {
                (Selector::All, _) => true,
                (Selector::XPath(path), Some(key)) => path.as_bytes() == eval.state.collections.arena.read(key),
                (selector, Some(key)) => selector.selects(eval.state.collections.arena.read(key)),
                (_, None) => false,
            }
    })
}

/// Tests one value: after all transformations, or with `multiMatch` after each that changes it.
fn ask_about(
    eval: &mut Evaluation<'_>,
    rule_test: &mut RuleTest<'_>,
    selected: &Selected,
    id: Option<ValueId>,
    draft: &mut PendingMatch,
) -> bool {
    let RuleTest { rule, question, scan, .. } = *rule_test;
    let mut step = Step { value: selected.value, chain: rule.transformations, ruled_out: false };
    // Other values need a number.
    if rule.transformations != ChainId::EMPTY || scan.is_some() || rule.multi_match {
        let number = || eval.state.transforms.number(&mut eval.state.collections.arena, selected.value, ValueKind::default());
        let id = id.unwrap_or_else(number);
        step.ruled_out = scan.is_some_and(|(plan, scan)| !may_find(eval, plan, id, scan));
        if step.ruled_out && !question.negated {
            return false;
        }
        if rule.multi_match {
            return ask_about_stages(eval, rule_test, selected, id, step.ruled_out, draft);
        }
        if rule.transformations != ChainId::EMPTY {
            step.value = transformed(eval, id, rule.transformations).value;
        }
        if rule_test.is_observed {
            debug_transformations(eval, rule, selected, id);
        }
    }
    test(eval, rule_test, selected, step, draft)
}

/// Tests one value after each of its transformations that changes it.
#[inline(never)]
fn ask_about_stages(
    eval: &mut Evaluation<'_>,
    rule_test: &mut RuleTest<'_>,
    selected: &Selected,
    id: ValueId,
    ruled_out: bool,
    draft: &mut PendingMatch,
) -> bool {
    let rule = rule_test.rule;
    let received = Step { value: selected.value, chain: ChainId::EMPTY, ruled_out };
    let State { transforms, collections, .. } = &mut *eval.state;
    if !transforms.may_change(eval.rules, &collections.arena, id, rule.transformations) && !eval.debugs(9) {
        return test_all(eval, rule_test, selected, &[received], draft);
    }
    let mut steps = vec![received];
    let mut last = selected.value;
    for chain in eval.rules.transformations.prefixes(rule.transformations) {
        let reached = transformed(eval, id, chain);
        if reached.counted && reached.value != last {
            last = reached.value;
            steps.push(Step { value: reached.value, chain, ruled_out });
        }
        debug_transformation(eval, rule, selected, (chain, reached), steps.len() - 1);
    }
    eval.debug(9, || format!("multiMatch is enabled. {} values to be tested.", steps.len()));
    test_all(eval, rule_test, selected, &steps, draft)
}

fn test_all(
    eval: &mut Evaluation<'_>,
    rule_test: &mut RuleTest<'_>,
    selected: &Selected,
    steps: &[Step],
    draft: &mut PendingMatch,
) -> bool {
    steps.iter().fold(false, |any, step| test(eval, rule_test, selected, *step, draft) | any)
}

fn transformed(eval: &mut Evaluation<'_>, value: ValueId, chain: ChainId) -> Transformed {
    eval.state.transforms.value(eval.rules, &mut eval.state.collections.arena, value, chain)
}

/// Tests one value after its transformations.
#[inline(always)]
fn test(eval: &mut Evaluation<'_>, rule_test: &mut RuleTest<'_>, selected: &Selected, step: Step, draft: &mut PendingMatch) -> bool {
    let start = if rule_test.is_observed { observe(eval, selected, step) } else { None };
    rule_test.findings.clear();
    let renewed = if rule_test.may_be_renewed { renewed(eval, rule_test) } else { None };
    let RuleTest { rule, question, call, wanted, ref mut findings, .. } = *rule_test;
    let found = match renewed.as_deref().map_or(call, OperatorCall::Value) {
        OperatorCall::Value(_) if step.ruled_out => false,
        OperatorCall::Value(operator) => {
            let Collections { arena, .. } = &mut eval.state.collections;
            arena.budget.charge(operator.work(step.value.len()));
            if arena.budget.is_over() {
                // The call would exceed the budget, so its result would not be used.
                return false;
            }
            findings.effort.limit = arena.budget.left();
            let found = operator.evaluate(arena.read(step.value), wanted, findings);
            arena.budget.charge(findings.effort.used);
            found
        }
        OperatorCall::Lookup(lookup, text) => look_up(eval, rule, lookup, text, step.value, findings),
    };
    if rule_test.is_observed {
        observe_answer(eval, rule_test, selected, step, found, start);
    }
    let findings = &rule_test.findings;
    if findings.limit_exceeded {
        limit_exceeded(eval, rule, question);
    }
    if findings.too_many_captures && rule.capture {
        eval.exceed(Limit::Captures);
    }
    let is_match = found != question.negated;
    if found || is_match {
        rule_test.found = true;
        take_match(eval, rule_test, selected, step, found, draft);
    }
    is_match
}

/// Stores the captures of a value in which the operator found something, and the effects of a match. A negated rule matches if the operator found
/// nothing.
#[inline(never)]
fn take_match(eval: &mut Evaluation<'_>, rule_test: &RuleTest<'_>, selected: &Selected, step: Step, found: bool, draft: &mut PendingMatch) {
    let RuleTest { rule, question, ref findings, .. } = *rule_test;
    if found && rule.capture {
        capture(eval, question.kind, (selected, step.value), findings);
    }
    if found == question.negated {
        return;
    }
    let note = MatchNote::new(draft.rule, *selected, step.chain);
    if draft.logs {
        eval.state.scratch.notes.add(note, &findings.offsets);
        eval.note_secret(eval.state.scratch.notes.all().len().saturating_sub(1));
        if rule.multi_match {
            detail(eval, question, draft);
        }
    }
    eval.state.collections.note_match(Matched { label: selected.label, value: step.value });
    eval.debug(9, || "Matched vars updated.".to_owned());
    assign_all(eval, rule);
    if rule.multi_match {
        log_one_of_many(eval, rule, &note, draft);
    }
}

/// Writes a value that is tested next to the debug log. Returns the time, if a profile is taken.
#[cold]
#[inline(never)]
fn observe(eval: &Evaluation<'_>, selected: &Selected, step: Step) -> Option<Instant> {
    eval.debug(9, || {
        let mut name = Vec::new();
        selected.label.write(&eval.state.collections.arena, &mut name);
        format!("Target value: \"{}\" (Variable: {})", shown(&eval.masked_test(selected, step.value), LONGEST_SHOWN), text(&name))
    });
    eval.state.is_profiled_in_full().then(Instant::now)
}

/// Adds the result of a test to the profile, and to the debug log.
#[cold]
#[inline(never)]
fn observe_answer(
    eval: &mut Evaluation<'_>,
    rule_test: &RuleTest<'_>,
    selected: &Selected,
    step: Step,
    found: bool,
    start: Option<Instant>,
) {
    let RuleTest { rule, question, ref findings, .. } = *rule_test;
    if let (Some(profile), Some(start)) = (eval.state.full_profile(), start) {
        profile.answer(selected.label.variable(), rule.chain_head.is_none(), found != question.negated, start.elapsed());
    }
    if eval.debugs(4) {
        let value = eval.state.collections.arena.read(step.value);
        let finding = question.finding(found, value, &eval.masked_test(selected, step.value), findings);
        finding.into_iter().for_each(|(level, message)| eval.debug(level, || message));
    }
}

/// Compiles the operator again if matches of earlier values have changed its argument, as in ModSecurity v3: by captures, or by MATCHED_VAR.
#[inline(never)]
fn renewed(eval: &mut Evaluation<'_>, rule_test: &RuleTest<'_>) -> Option<Box<Operator>> {
    let RuleTest { rule, question, found: true, .. } = rule_test else { return None };
    let OperatorArgument::Template(template) = question.argument else { return None };
    let text = expand(eval, rule, template);
    if question.expanded.as_ref() == Some(&text) {
        return None;
    }
    eval.charge(question.kind.work_to_compile(text.len()));
    let operator = Operator::compile_expanded(question.kind, &text, operator_limits(eval.rules)).ok()?;
    eval.charge(operator.work_to_build());
    Some(Box::new(operator))
}

/// Stores the operator's captures in TX. As in ModSecurity v3, captures of earlier matches stay if this one has none with their number.
fn capture(eval: &mut Evaluation<'_>, kind: OperatorKind, (selected, value): (&Selected, Text), findings: &Findings) {
    let rules = eval.rules;
    for capture in &findings.captures {
        let value = match &capture.value {
            CapturedValue::Input(range) => value.part(range.start, range.len()),
            CapturedValue::Text(text) => eval.state.collections.arena.store(text),
        };
        let Collections { tx, arena, .. } = &mut eval.state.collections;
        let slot = match rules.tx_names.of_group(capture.index) {
            Some(name) => tx.known(name),
            None => tx.find_or_make(&rules.tx_names, itoa::Buffer::new().format(capture.index).as_bytes(), &mut arena.budget),
        };
        tx.write(slot, Some(value));
        eval.debug(7, || {
            let what = match kind {
                OperatorKind::Rx | OperatorKind::RxGlobal => "regex subexpression".to_owned(),
                OperatorKind::Pm | OperatorKind::PmFromFile => "pm match".to_owned(),
                OperatorKind::Rbl => "RXL match".to_owned(),
                other => format!("{} match", other.log_name()),
            };
            format!("Added {what} TX.{}: {}", capture.index, text(&eval.masked_test(selected, value)))
        });
    }
}

fn limit_exceeded(eval: &mut Evaluation<'_>, rule: &Rule, question: &Question<'_>) {
    eval.exceed(Limit::PatternSteps);
    let one = eval.state.collections.arena.store(b"1");
    eval.state.collections.scalars.pattern_error = one;
    eval.state.collections.scalars.pattern_limits_exceeded = one;
    eval.raise_flag("MSC_PCRE_ERROR");
    eval.raise_flag("MSC_PCRE_LIMITS_EXCEEDED");
    eval.debug(3, || format!("(Rule: {}) rx: regex error 'MATCH_LIMIT' for pattern '{}'", rule.id, text(question.argument_bytes())));
}

fn debug_transformations(eval: &mut Evaluation<'_>, rule: &Rule, selected: &Selected, original: ValueId) {
    if !eval.debugs(9) {
        return;
    }
    for chain in eval.rules.transformations.prefixes(rule.transformations) {
        let reached = transformed(eval, original, chain);
        debug_transformation(eval, rule, selected, (chain, reached), 0);
    }
}

/// Writes the value after a transformation to the debug log; `changes` is the number of values that the rule tests besides the original.
fn debug_transformation(eval: &Evaluation<'_>, rule: &Rule, selected: &Selected, (chain, reached): (ChainId, Transformed), changes: usize) {
    eval.debug(9, || {
        let name = rule.transformation_name(&eval.rules.transformations, chain);
        format!(" T ({changes}) t:{name}: \"{}\"", text(&cut(&eval.masked_test(selected, reached.value), LONGEST_SHOWN)))
    });
}

/// The test of a rule on its values.
struct RuleTest<'a> {
    rule: &'a Rule,
    question: &'a Question<'a>,
    call: OperatorCall<'a>,
    /// The plan, and the scan that rules out values, if the plan is followed.
    scan: Option<(&'a Plan, &'a ValueScan)>,
    /// Work for each value, in addition to that of the operator.
    work_of_value: usize,
    wanted: Wanted,
    /// `true` if a profile is taken, or tests are written to the debug log.
    is_observed: bool,
    /// `true` if its argument has macros that effects of its own matches may change.
    may_be_renewed: bool,
    /// `true` after it found something in a value: captures may change its own argument.
    found: bool,
    /// The findings of the last value.
    findings: Box<Findings>,
}

/// A value to test, and its transformations.
#[derive(Clone, Copy)]
struct Step {
    value: Text,
    chain: ChainId,
    /// `true` if the prefilter says that the operator finds nothing.
    ruled_out: bool,
}

fn operator_limits(graph: &RuleGraph) -> OperatorLimits {
    OperatorLimits { pattern_steps: graph.settings.limit(Limit::PatternSteps), captures: graph.settings.limit(Limit::Captures) }
}
