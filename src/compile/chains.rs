//! Rules and markers in the order of the files, and the chains that rules form.

use super::context::Context;
use super::draft::{Draft, LogFlags, SpelledTransformation};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{DefaultActions, Disruptive, Effect, MarkerId, Phase, PhaseMap, Rule, RuleIndex, Step, TransformationTree};
use crate::seclang::{ActionExpression, Actions};
use crate::source::Span;
use crate::vocabulary::{Action, ActionRole, Limit};

/// The rules and markers read so far.
#[derive(Default)]
pub struct RuleDrafts {
    rules: Vec<Draft>,
    /// The chain heads and markers of each phase.
    steps: PhaseMap<Vec<Step>>,
    open_chain: Option<OpenChain>,
}

/// A chain whose next rule is expected.
#[derive(Clone, Copy)]
enum OpenChain {
    /// It began with this rule; its last rule is `last`.
    Built {
        /// The first rule.
        head: RuleIndex,
        /// The last rule so far.
        last: RuleIndex,
    },
    /// One of its rules could not be built: the rest is read only for its errors.
    Abandoned,
}

impl RuleDrafts {
    /// Adds a rule to the open chain, or to its phase.
    pub fn add(&mut self, context: &mut Context<'_>, mut draft: Draft, actions: Option<&Actions>) {
        let index = RuleIndex(u32::try_from(self.rules.len()).unwrap_or(u32::MAX));
        let goes_on = draft.rule.chained;
        match self.open_chain.take() {
            Some(OpenChain::Abandoned) => return self.open_chain = goes_on.then_some(OpenChain::Abandoned),
            Some(OpenChain::Built { head, last }) => {
                if draft.rule.disruptive.take().is_some() {
                    let message = "only the first rule of a chain can have a disruptive action";
                    let hint = "move it to the rule that begins the chain";
                    let place = actions.and_then(decision).map_or(draft.span, |action| action.span);
                    context.report(Diagnostic::new(Code::MisplacedAction, place, message).hint(hint));
                }
                context.report_all(too_long(index.0.saturating_sub(head.0) as usize + 1, context.limit(Limit::ChainLength), draft.span));
                draft.rule.chain_head = Some(head);
                draft.rule.before = Some(last);
                draft.rule.phase = self.rules.get(head.0 as usize).map_or(draft.rule.phase, |first| first.rule.phase);
                if let Some(before) = self.rules.get_mut(last.0 as usize) {
                    before.rule.next = Some(index);
                }
                self.open_chain = goes_on.then_some(OpenChain::Built { head, last: index });
            }
            None => {
                self.steps.at_mut(draft.rule.phase).push(Step::Rule(index));
                self.open_chain = goes_on.then_some(OpenChain::Built { head: index, last: index });
            }
        }
        self.rules.push(draft);
        context.references.rules = self.rules.len();
    }

    /// Adds a marker, to every phase.
    pub fn add_marker(&mut self, marker: MarkerId) {
        for phase in Phase::ALL {
            self.steps.at_mut(phase).push(Step::Marker(marker));
        }
    }

    /// Returns the rules so far.
    pub fn as_slice(&self) -> &[Draft] {
        &self.rules
    }

    /// Returns `true` if the next rule belongs to the chain of the one before it.
    pub fn is_in_chain(&self) -> bool {
        self.open_chain.is_some()
    }

    /// Returns the phase of the next rule, which sets the phase `own`: that of its chain, if the head of the chain sets one.
    pub fn phase_of_next(&self, own: Option<Phase>) -> Option<Phase> {
        match self.open_chain {
            Some(OpenChain::Built { head, .. }) => match self.rules.get(head.0 as usize) {
                Some(head) => head.has_phase.then_some(head.rule.phase),
                None => own,
            },
            _ => own,
        }
    }

    /// Removes the open chain, because a rule of it could not be built; `goes_on` is `true` if the chain continues.
    pub fn abandon_chain(&mut self, goes_on: bool) {
        if let Some(OpenChain::Built { head, .. }) = self.open_chain.take()
            && let Some(first) = self.rules.get(head.0 as usize)
        {
            // Markers may be within a chain, so that its head need not be the last step.
            let steps = self.steps.at_mut(first.rule.phase);
            if let Some(at) = steps.iter().rposition(|step| *step == Step::Rule(head)) {
                steps.remove(at);
            }
            self.rules.truncate(head.0 as usize);
        }
        self.open_chain = goes_on.then_some(OpenChain::Abandoned);
    }

    /// Ends a load, and warns of a chain that is still open, which never matches. As in ModSecurity v3, it may continue in the next file of the load,
    /// but not in the next load.
    pub fn end_load(&mut self) -> Option<Diagnostic> {
        let Some(OpenChain::Built { last, .. }) = self.open_chain.take() else { return None };
        let draft = self.rules.get(last.0 as usize)?;
        let hint = "remove `chain`, or add the rule that ends the chain after it";
        Some(Diagnostic::new(Code::OpenChain, draft.span, "no rule ends this chain, so it never matches").hint(hint))
    }

    /// Returns the number of steps so far in each phase.
    pub fn step_counts(&self) -> PhaseMap<usize> {
        let mut counts = PhaseMap::default();
        self.steps.iter().for_each(|(phase, steps)| *counts.at_mut(phase) = steps.len());
        counts
    }

    /// Returns `true` if the last rule is followed by none, although it has `chain`.
    pub fn end_in_chain(&self) -> bool {
        self.rules.last().is_some_and(|draft| draft.rule.chained)
    }

    /// Applies the transformations and log flags of its phase to each rule. Returns all rules, and the steps of each phase.
    pub fn join(
        self,
        default_transformations: &PhaseMap<Vec<SpelledTransformation>>,
        defaults: &PhaseMap<DefaultActions>,
        tree: &mut TransformationTree,
    ) -> (Vec<Rule>, PhaseMap<Vec<Step>>) {
        let mut inherited = LogFlags::DEFAULT;
        let mut rules = Vec::with_capacity(self.rules.len());
        // From the last to the first: the log flags of a chain's later rules reach its earlier ones.
        for draft in self.rules.into_iter().rev() {
            let (by_default, defaults) = (default_transformations.at(draft.rule.phase), defaults.at(draft.rule.phase));
            let mut rule = draft.rule;
            let before = if draft.transformations.reset { &[][..] } else { by_default };
            for transformation in before.iter().chain(&draft.transformations.list) {
                transformation.append_to(&mut rule, tree);
            }
            if rule.next.is_none() {
                inherited = LogFlags::DEFAULT;
            }
            let flags = inherited.after(&defaults.effects).after(&rule.effects);
            inherited = flags;
            rules.push(Rule { logs: flags.log, audits: flags.audit, ..rule });
        }
        rules.reverse();
        (rules, self.steps)
    }
}

/// Returns the error of a chain that exceeds its limit, at the first rule beyond it.
fn too_long(length: usize, limit: usize, span: Span) -> Option<Diagnostic> {
    (length == limit.saturating_add(1)).then(|| {
        let message = format!("the chain has more than {limit} rules");
        Diagnostic::new(Code::ChainTooLong, span, message).hint("raise SecChainLimit before it, or split the chain")
    })
}

/// Marks each rule from which on its chain may stop a request. Updates and defaults must be applied before.
pub fn mark_stopping_chains(rules: &mut [Rule], defaults: &PhaseMap<DefaultActions>) {
    let by_default = |phase| defaults.at(phase).disruptive.as_ref().is_some_and(Disruptive::stops);
    let of_rule = |rule: &Rule| {
        let updated = rule.updated.as_ref().and_then(|updated| updated.disruptive.as_ref());
        rule.disruptive.iter().chain(updated).any(Disruptive::stops)
    };
    let mut marks: Vec<bool> = rules.iter().map(|rule| of_rule(rule) || by_default(rule.phase)).collect();
    // A rule comes before those that are chained to it.
    for (at, rule) in rules.iter().enumerate().rev() {
        let follows = rule.next.and_then(|next| marks.get(next.0 as usize)).copied().unwrap_or(false);
        marks.get_mut(at).into_iter().for_each(|mark| *mark |= follows);
    }
    rules.iter_mut().zip(marks).for_each(|(rule, mark)| rule.stops = mark);
}

/// Marks each rule from which on its chain keeps values that matched out of the logs. Updates and defaults must be applied before.
pub fn mark_masking_chains(rules: &mut [Rule], defaults: &PhaseMap<DefaultActions>) {
    let masks = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::MaskMatched(_)));
    for at in (0..rules.len()).rev() {
        let Some(rule) = rules.get(at) else { break };
        let updated = rule.updated.as_ref().map_or(&[][..], |updated| &updated.effects);
        let follows = rule.next.and_then(|next| rules.get(next.0 as usize)).is_some_and(|next| next.masks_matched);
        let mark = masks(&rule.effects) || masks(updated) || masks(&defaults.at(rule.phase).effects) || follows;
        rules.get_mut(at).into_iter().for_each(|rule| rule.masks_matched = mark);
    }
}

/// Returns the action that decides about the request.
fn decision(actions: &Actions) -> Option<&ActionExpression> {
    let entry = |action: &ActionExpression| Action::find(&action.name.node);
    let decides = |action: &&ActionExpression| entry(action).is_some_and(|entry| entry.role == ActionRole::Disruptive);
    actions.list.iter().filter(|action| !action.is("block")).find(decides)
}
