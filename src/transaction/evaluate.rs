//! Evaluates one rule, and the rules that are chained to it.

use super::Transaction;
use super::escape::{cut, shown, text};
use super::gates::Member;
use super::lookup::Respondent;
use super::matches::{MatchedValues, RuleMatch};
use super::question::Question;
use super::slots::{Slot, ValueId};
use crate::collection::{Collections, Matched, PER_VALUE, Selected, Selection, Text, write_place};
use crate::graph::{ChainId, OperatorArgument, Plan, Rule, RuleFilter, RuleGraph, RuleIndex, Selector, Target, TargetId, Test};
use crate::operator::{CapturedValue, Findings, Operator, OperatorError, OperatorKind, OperatorLimits, Wanted};
use crate::pattern::ValueKind;
use crate::vocabulary::Limit;
use std::cell::Cell;
use std::time::Instant;

/// The most characters of a value in the debug log.
const LONGEST_SHOWN: usize = 80;

/// A rule on its way to a log: what is known of it so far.
#[derive(Debug)]
pub struct Draft {
    pub entry: RuleMatch,
    /// Whether anybody will read it.
    pub logs: bool,
    /// Whether it will be written to the error log or the audit log.
    pub is_kept: bool,
    /// Entries of their own for what a rule with `multiMatch` found, kept when the whole chain matches: ModSecurity v3 logs them even when the
    /// chain fails.
    pub hits: Vec<RuleMatch>,
    /// The last value that matched, until what matched is put in words.
    pub last: Option<Selected>,
    /// The values that matched.
    pub values: MatchedValues,
}

impl Transaction {
    /// Evaluates a rule and, while they match, the rules chained to it. When all match, their effects run from the last to the first.
    ///
    /// MATCHED_VAR and its relatives tell what this chain matched, and nothing of rules before: as in ModSecurity v3 since its
    /// pull request 3422.
    pub(super) fn evaluate_chain(&mut self, graph: &RuleGraph, starter: RuleIndex, first: &Rule) {
        self.collections.matched.clear();
        let logs = first.logs || first.stops || self.debugs(7);
        let mut draft = Draft {
            entry: blank_match(first, starter),
            logs,
            is_kept: first.logs || first.audits,
            hits: Vec::new(),
            last: None,
            values: MatchedValues::default(),
        };
        let Some(last) = self.ask_chain(graph, first, &mut draft) else {
            return self.collections.arena.work.release(draft.hits.iter().map(RuleMatch::size).sum());
        };
        self.matches.append(&mut draft.hits);
        if draft.logs {
            draft.entry.name_values(&draft.values, &self.collections.arena);
        }
        let before = |rule: &&Rule| rule.before.and_then(|before| graph.rule(before));
        for rule in std::iter::successors(Some(last), before) {
            self.after_match(graph, rule, &mut draft);
        }
        self.log_match(first, draft);
    }

    /// The last rule of a chain, if all of it match.
    fn ask_chain<'g>(&mut self, graph: &'g RuleGraph, first: &'g Rule, draft: &mut Draft) -> Option<&'g Rule> {
        let mut matched: Option<&Rule> = None;
        let mut at = Some(first);
        while let Some(rule) = at {
            let is_match = match &rule.test {
                // ModSecurity v3 treats a removed rule of a chain as one that matched, and a removed starter as done.
                _ if self.is_removed_by_id(rule) => matched.is_some(),
                Test::Unconditional => self.unconditional(graph, rule),
                Test::Operator { targets, kind, argument, negated } => {
                    let mut question = Question { targets, kind: *kind, argument, negated: *negated, expanded: None };
                    self.ask(graph, rule, &mut question, draft)
                }
                Test::Script(script) => self.ask_script(graph, rule, script, draft),
                Test::Decision(script) => self.ask_decision(graph, script, draft),
            };
            if !is_match {
                return None;
            }
            matched = Some(rule);
            if rule.chained {
                self.debug(4, || "Executing chained rule.".to_owned());
                if rule.next.is_none() {
                    self.debug(4, || "Rule is marked as chained but there isn't a subsequent rule.".to_owned());
                    return None;
                }
            }
            at = rule.next.and_then(|next| graph.rule(next));
        }
        matched
    }

    fn unconditional(&mut self, graph: &RuleGraph, rule: &Rule) -> bool {
        self.debug(4, || format!("(Rule: {}) Executing unconditional rule...", rule.id));
        self.assign_all(graph, rule);
        true
    }

    pub(super) fn is_removed_by_id(&self, rule: &Rule) -> bool {
        let removed = self.overrides.removed_rules.iter().any(|filter| matches!(filter, RuleFilter::Ids(_)) && filter.names(rule));
        if removed {
            self.debug(9, || format!("Rule id: {} was skipped due to a ruleRemoveById action...", rule.id));
        }
        removed
    }

    /// Asks the operator about every value of every target.
    fn ask(&mut self, graph: &RuleGraph, rule: &Rule, question: &mut Question<'_>, draft: &mut Draft) -> bool {
        let plan = self.followed_plan(graph);
        if plan.is_some_and(|plan| self.cannot_match(plan, graph, rule)) {
            return false;
        }
        if plan.is_some() && !draft.logs && self.matches_quietly(rule) {
            self.assign_all(graph, rule);
            return true;
        }
        let expanded;
        let respondent = match question.argument {
            OperatorArgument::Compiled { operator, .. } => Respondent::Value(operator),
            OperatorArgument::Lookup { lookup, text } => Respondent::Lookup(lookup, text),
            OperatorArgument::Template(template) => {
                let text = self.expand(graph, rule, template);
                self.spend(question.kind.work_to_compile(text.len()));
                match Operator::compile_expanded(question.kind, &text, operator_limits(graph)) {
                    Ok(operator) => {
                        self.spend(operator.work_to_build());
                        question.expanded = Some(text);
                        expanded = operator;
                        Respondent::Value(&expanded)
                    }
                    Err(error) => {
                        self.debug(1, || format!("(Rule: {}) The expanded argument cannot be used: {error}", rule.id));
                        if matches!(&error, OperatorError::Pattern(error) if error.is_too_large()) {
                            self.limit_exceeded(rule, question);
                        }
                        return false;
                    }
                }
            }
        };
        let asked = Asked { rule, question, respondent, found: Cell::new(false) };
        self.debug(4, || question.announcement(rule));
        let found = match (plan, rule.plan.group) {
            (Some(plan), Some(group)) => self.ask_group(plan, graph, &asked, plan.group(group), draft),
            _ => self.ask_target_by_target(graph, &asked, draft),
        };
        // A rule that ends the budget does nothing more: its decision would take back that of the limit.
        let any = found && !self.collections.arena.work.is_over();
        if any && self.tells_detail(graph, rule) {
            self.detail(question, draft);
        }
        self.debug(4, || format!("Rule returned {}.", u8::from(any)));
        if !any {
            self.debug(9, || "Matched vars cleaned.".to_owned());
        }
        any
    }

    /// Whether what this rule found may be what the log shows: of a chain it is what the last rule found that asked anything.
    fn tells_detail(&self, graph: &RuleGraph, rule: &Rule) -> bool {
        let next = rule.next.and_then(|next| graph.rule(next));
        next.is_none_or(|next| matches!(next.test, Test::Unconditional)) || !self.overrides.removed_rules.is_empty()
    }

    /// Words what matched what, of the last value that matched.
    fn detail(&self, question: &Question<'_>, draft: &mut Draft) {
        if let Some(selected) = draft.last.take() {
            let mut name = Vec::new();
            selected.label.write(&self.collections.arena, &mut name);
            let value = self.collections.arena.read(selected.value);
            (draft.entry.detail, draft.entry.detail_own) = question.detail(&name, value);
        }
    }

    /// Asks about values that no rule can change while the phase runs.
    fn ask_group(&mut self, plan: &Plan, graph: &RuleGraph, asked: &Asked<'_>, targets: &[TargetId], draft: &mut Draft) -> bool {
        let mut any = false;
        for target in targets {
            if self.is_open(plan, graph, *target, asked.rule) {
                let members = self.members(plan, graph, *target);
                for member in &members {
                    any |= self.ask_unless_removed(graph, asked, member, draft);
                }
                self.gates.give_back(*target, members);
            }
        }
        any
    }

    /// Selects the values of each target after the target before it was asked about: rules change variables while they run.
    fn ask_target_by_target(&mut self, graph: &RuleGraph, asked: &Asked<'_>, draft: &mut Draft) -> bool {
        let mut any = false;
        for target in asked.question.targets {
            let mut selected = std::mem::take(&mut self.scratch.selected);
            selected.clear();
            self.select(graph, asked.rule, target, &mut selected);
            for value in &selected {
                let id = self.slots.number(&mut self.collections.arena, value.value, ValueKind::default());
                let member = Member { selected: *value, id, bytes: self.slots.bytes(id) };
                any |= self.ask_unless_removed(graph, asked, &member, draft);
            }
            self.scratch.selected = selected;
        }
        any
    }

    fn ask_unless_removed(&mut self, graph: &RuleGraph, asked: &Asked<'_>, member: &Member, draft: &mut Draft) -> bool {
        self.spend(PER_VALUE + self.overrides.removed_targets.len());
        self.may_go_on(asked.rule.phase)
            && !self.is_removed_target(graph, asked.rule, &member.selected)
            && self.ask_about(graph, asked, member, draft)
    }

    pub(super) fn select(&mut self, graph: &RuleGraph, rule: &Rule, target: &Target, selected: &mut Vec<Selected>) {
        let texts = self.rule_texts(graph, rule, target);
        let selection =
            Selection { graph, store: self.ground.store.as_ref(), namespaces: &rule.namespaces, rule: texts.as_ref(), max: usize::MAX };
        if self.debugs(7) && !target.exclusions.is_empty() {
            let mut all = Vec::new();
            self.collections.select(&Target { exclusions: Vec::new(), ..target.clone() }, &selection, &mut all);
            for key in all.iter().filter_map(|value| value.label.key()).map(|key| self.collections.arena.read(key)) {
                if target.excludes(key) {
                    self.debug(7, || format!("Excluding key: {} from target value.", text(key)));
                }
            }
        }
        if target.variable == crate::vocabulary::Variable::Xml && self.collections.xml.is_some() {
            for (prefix, address) in &rule.namespaces {
                self.debug(4, || format!("Registered XML namespace href \"{address}\" prefix \"{prefix}\""));
            }
        }
        self.collections.select(target, &selection, selected);
    }

    /// Whether a `ctl:ruleRemoveTarget…` takes this value out of this rule. One that names the first rule of a chain is for the whole chain.
    fn is_removed_target(&self, graph: &RuleGraph, rule: &Rule, value: &Selected) -> bool {
        let names = |filter: &RuleFilter| {
            let starter = || rule.starter.and_then(|starter| graph.rule(starter));
            filter.names(rule) || starter().is_some_and(|starter| filter.names(starter))
        };
        self.overrides.removed_targets.iter().any(|filter| {
            value.label.variable() == Some(filter.variable)
                && names(&filter.rules)
                && match (&filter.selector, value.label.key()) {
                    (Selector::All, _) => true,
                    (Selector::XPath(path), Some(key)) => path.as_bytes() == self.collections.arena.read(key),
                    (selector, Some(key)) => selector.selects(self.collections.arena.read(key)),
                    (_, None) => false,
                }
        })
    }

    /// Asks the operator about one value: after all transformations, or with `multiMatch` after each that changes it.
    fn ask_about(&mut self, graph: &RuleGraph, asked: &Asked<'_>, member: &Member, draft: &mut Draft) -> bool {
        let Asked { rule, question, .. } = asked;
        let Member { selected, id, .. } = member;
        if !rule.multi_match {
            let hopeless = !self.may_find(graph, rule, *id);
            if hopeless && !question.negated {
                return false;
            }
            let slot = self.transformed(graph, *id, rule.transformations);
            self.debug_transformations(graph, rule, *id);
            return self.test(graph, asked, selected, Step { value: slot.value, chain: rule.transformations, hopeless }, draft);
        }
        let mut steps = vec![Step { value: selected.value, chain: ChainId::EMPTY, hopeless: false }];
        let mut last = selected.value;
        for chain in graph.transformations.prefixes(rule.transformations) {
            let slot = self.transformed(graph, *id, chain);
            if slot.counted && slot.value != last {
                last = slot.value;
                steps.push(Step { value: slot.value, chain, hopeless: false });
            }
            self.debug_transformation(graph, rule, chain, slot, steps.len() - 1);
        }
        self.debug(9, || format!("multiMatch is enabled. {} values to be tested.", steps.len()));
        steps.into_iter().fold(false, |any, step| self.test(graph, asked, selected, step, draft) | any)
    }

    fn transformed(&mut self, graph: &RuleGraph, value: ValueId, chain: ChainId) -> Slot {
        self.slots.value(graph, &mut self.collections.arena, value, chain)
    }

    fn test(&mut self, graph: &RuleGraph, asked: &Asked<'_>, selected: &Selected, step: Step, draft: &mut Draft) -> bool {
        let Asked { rule, question, respondent, found: has_found } = asked;
        self.debug(9, || {
            let mut name = Vec::new();
            selected.label.write(&self.collections.arena, &mut name);
            format!("Target value: \"{}\" (Variable: {})", shown(self.collections.arena.read(step.value), LONGEST_SHOWN), text(&name))
        });
        let mut findings = std::mem::take(&mut self.scratch.findings);
        findings.clear();
        let wanted = if rule.capture || draft.logs { Wanted::Findings } else { Wanted::Verdict };
        let renewed = self.renewed(graph, asked);
        let respondent = renewed.as_ref().map_or(*respondent, Respondent::Value);
        let start = self.profile.as_ref().map(|_| Instant::now());
        let found = match respondent {
            Respondent::Value(_) if step.hopeless => false,
            Respondent::Value(operator) => {
                self.spend(operator.work(step.value.len()));
                if self.collections.arena.work.is_over() {
                    // What it costs is more than is left: the answer would be of no use.
                    self.scratch.findings = findings;
                    return false;
                }
                findings.effort.limit = self.collections.arena.work.left();
                let found = operator.evaluate(self.collections.arena.read(step.value), wanted, &mut findings);
                self.spend(findings.effort.used);
                found
            }
            Respondent::Lookup(lookup, text) => self.look_up((graph, rule), lookup, text, step.value, &mut findings),
        };
        if let (Some(profile), Some(start)) = (&mut self.profile, start) {
            profile.answer(selected.label.variable(), rule.starter.is_none(), found != question.negated, start.elapsed());
        }
        if findings.limit_exceeded {
            self.limit_exceeded(rule, question);
        }
        if findings.too_many_captures && rule.capture {
            self.exceed(Limit::Captures);
        }
        if self.debugs(4)
            && let Some((level, message)) = question.finding(found, self.collections.arena.read(step.value), &findings)
        {
            self.debug(level, || message);
        }
        let is_match = found != question.negated;
        has_found.set(has_found.get() || found || is_match);
        if found && rule.capture {
            self.capture(graph, question.kind, step.value, &findings);
        }
        if is_match {
            if draft.logs {
                self.refer(graph, rule, selected, step.chain, &findings, &mut draft.entry.reference);
                draft.last = Some(*selected);
                draft.values.add(*selected);
                if rule.multi_match {
                    self.detail(question, draft);
                }
            }
            self.collections.note_match(Matched { label: selected.label, value: step.value });
            self.debug(9, || "Matched vars updated.".to_owned());
            self.assign_all(graph, rule);
            if rule.multi_match {
                self.log_one_of_many(graph, rule, selected, draft);
            }
        }
        self.scratch.findings = findings;
        is_match
    }

    /// The operator anew, where what the rule found in the values before has changed its argument, as in ModSecurity v3: what it stored, or what
    /// MATCHED_VAR is now.
    fn renewed(&mut self, graph: &RuleGraph, asked: &Asked<'_>) -> Option<Operator> {
        let Asked { rule, question, .. } = asked;
        let OperatorArgument::Template(template) = question.argument else { return None };
        if !asked.found.get() || !template.may_change() {
            return None;
        }
        let text = self.expand(graph, rule, template);
        if question.expanded.as_ref() == Some(&text) {
            return None;
        }
        self.spend(question.kind.work_to_compile(text.len()));
        let operator = Operator::compile_expanded(question.kind, &text, operator_limits(graph)).ok()?;
        self.spend(operator.work_to_build());
        Some(operator)
    }

    /// Where a match stands in the request, in ModSecurity's notation: what was found `oOFFSET,LENGTH`, the value `vOFFSET,LENGTH`, and the
    /// transformations; with `multiMatch` the last.
    fn refer(&self, graph: &RuleGraph, rule: &Rule, selected: &Selected, chain: ChainId, findings: &Findings, reference: &mut Vec<u8>) {
        for (offset, length) in &findings.offsets {
            write_place(reference, b'o', *offset, *length);
        }
        self.collections.write_origins(selected, reference);
        let steps = graph.transformations.prefixes(chain);
        let first = if rule.multi_match { steps.len().saturating_sub(1) } else { 0 };
        for (place, step) in steps.into_iter().skip(first).enumerate() {
            reference.extend_from_slice(if place == 0 { b"t:" } else { b",t:" });
            reference.extend_from_slice(rule.transformation_name(&graph.transformations, step).as_bytes());
        }
    }

    /// Stores what the operator captured in TX. As in ModSecurity v3 groups of earlier matches stay where this one has none.
    fn capture(&mut self, graph: &RuleGraph, kind: OperatorKind, value: Text, findings: &Findings) {
        for capture in &findings.captures {
            let value = match &capture.value {
                CapturedValue::Input(range) => value.part(range.start, range.len()),
                CapturedValue::Text(text) => self.collections.arena.store(text),
            };
            let Collections { tx, arena, .. } = &mut self.collections;
            let slot = match graph.tx_names.of_group(capture.index) {
                Some(name) => tx.known(name),
                None => tx.find_or_make(&graph.tx_names, itoa::Buffer::new().format(capture.index).as_bytes(), &mut arena.work),
            };
            tx.write(slot, Some(value));
            self.debug(7, || {
                let what = match kind {
                    OperatorKind::Rx | OperatorKind::RxGlobal => "regex subexpression".to_owned(),
                    OperatorKind::Pm | OperatorKind::PmFromFile => "pm match".to_owned(),
                    OperatorKind::Rbl => "RXL match".to_owned(),
                    other => format!("{} match", other.log_name()),
                };
                format!("Added {what} TX.{}: {}", capture.index, text(self.collections.arena.read(value)))
            });
        }
    }

    fn limit_exceeded(&mut self, rule: &Rule, question: &Question<'_>) {
        self.exceed(Limit::PatternSteps);
        let one = self.collections.arena.store(b"1");
        self.collections.scalars.pattern_error = one;
        self.collections.scalars.pattern_limits_exceeded = one;
        self.raise_flag("MSC_PCRE_ERROR");
        self.raise_flag("MSC_PCRE_LIMITS_EXCEEDED");
        self.debug(3, || format!("(Rule: {}) rx: regex error 'MATCH_LIMIT' for pattern '{}'", rule.id, text(question.argument_bytes())));
    }

    fn debug_transformations(&mut self, graph: &RuleGraph, rule: &Rule, original: ValueId) {
        if !self.debugs(9) {
            return;
        }
        for chain in graph.transformations.prefixes(rule.transformations) {
            let slot = self.transformed(graph, original, chain);
            self.debug_transformation(graph, rule, chain, slot, 0);
        }
    }

    /// The value after a transformation; `changes` counts those that the rule looks at besides the original.
    fn debug_transformation(&self, graph: &RuleGraph, rule: &Rule, chain: ChainId, slot: Slot, changes: usize) {
        self.debug(9, || {
            let name = rule.transformation_name(&graph.transformations, chain);
            format!(" T ({changes}) t:{name}: \"{}\"", text(&cut(self.collections.arena.read(slot.value), LONGEST_SHOWN)))
        });
    }
}

/// A rule that asks.
struct Asked<'a> {
    rule: &'a Rule,
    question: &'a Question<'a>,
    respondent: Respondent<'a>,
    /// Whether it found something in a value: what it stored then may change its own argument.
    found: Cell<bool>,
}

/// A value that is tested, and the transformations it went through.
#[derive(Clone, Copy)]
struct Step {
    value: Text,
    chain: ChainId,
    /// Whether the plan knows that the operator finds nothing.
    hopeless: bool,
}

fn operator_limits(graph: &RuleGraph) -> OperatorLimits {
    OperatorLimits { pattern_steps: graph.settings.limit(Limit::PatternSteps), captures: graph.settings.limit(Limit::Captures) }
}

fn blank_match(rule: &Rule, index: RuleIndex) -> RuleMatch {
    RuleMatch {
        rule: index,
        id: rule.id,
        phase: rule.phase,
        message: Vec::new(),
        data: Vec::new(),
        severity: None,
        tags: Vec::new(),
        detail: Vec::new(),
        values: Vec::new(),
        value_count: 0,
        detail_own: 0,
        reference: Vec::new(),
        disruptive: false,
        audits: rule.audits,
    }
}
