//! Joins rules into chains, and gives every rule the defaults of its phase.

use super::directives::Builder;
use super::draft::{Draft, LogFlags};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{DefaultActions, Disruptive, PhaseMap, Rule, RuleIndex, Step};
use crate::seclang::{ActionExpression, Actions};
use crate::source::Span;
use crate::vocabulary::{Action, ActionRole, Limit};

/// A chain whose next rule is to come.
#[derive(Clone, Copy)]
pub enum OpenChain {
    /// It began with this rule, and reaches to the one before the next.
    Built {
        /// The first rule.
        starter: RuleIndex,
        /// The last rule so far.
        last: RuleIndex,
    },
    /// One of its rules could not be built: the rest is read for its errors only.
    Abandoned,
}

impl Builder<'_> {
    /// Adds a rule: to the open chain, or to its phase.
    pub fn add_rule(&mut self, mut draft: Draft, actions: Option<&Actions>) {
        let index = RuleIndex(u32::try_from(self.drafts.len()).unwrap_or(u32::MAX));
        let goes_on = draft.rule.chained;
        match self.open_chain.take() {
            Some(OpenChain::Abandoned) => return self.open_chain = goes_on.then_some(OpenChain::Abandoned),
            Some(OpenChain::Built { starter, last }) => {
                if draft.rule.disruptive.take().is_some() {
                    let message = "only the first rule of a chain can have a disruptive action";
                    let hint = "move it to the rule that begins the chain";
                    let place = actions.and_then(decision).map_or(draft.span, |action| action.span);
                    self.context.report(Diagnostic::new(Code::MisplacedAction, place, message).hint(hint));
                }
                self.check_length(index.0.saturating_sub(starter.0) as usize + 1, draft.span);
                draft.rule.starter = Some(starter);
                draft.rule.before = Some(last);
                draft.rule.phase = self.drafts.get(starter.0 as usize).map_or(draft.rule.phase, |first| first.rule.phase);
                if let Some(before) = self.drafts.get_mut(last.0 as usize) {
                    before.rule.next = Some(index);
                }
                self.open_chain = goes_on.then_some(OpenChain::Built { starter, last: index });
            }
            None => {
                self.graph.phases.at_mut(draft.rule.phase).push(Step::Rule(index));
                self.open_chain = goes_on.then_some(OpenChain::Built { starter: index, last: index });
            }
        }
        self.drafts.push(draft);
        self.context.references.rules = self.drafts.len();
    }

    /// The first rule of the chain that is open.
    pub fn chain_starter(&self) -> Option<&Draft> {
        match self.open_chain {
            Some(OpenChain::Built { starter, .. }) => self.drafts.get(starter.0 as usize),
            _ => None,
        }
    }

    /// Complains about the first rule of a chain that is one too many.
    fn check_length(&mut self, length: usize, span: Span) {
        let most = self.context.limit(Limit::ChainLength);
        if length == most.saturating_add(1) {
            let message = format!("the chain has more than {most} rules");
            self.context
                .report(Diagnostic::new(Code::ChainTooLong, span, message).hint("raise SecChainLimit before it, or split the chain"));
        }
    }

    /// Takes the open chain back, because a rule of it could not be built; `goes_on` says whether more of it is to come.
    pub fn abandon_chain(&mut self, goes_on: bool) {
        if let Some(OpenChain::Built { starter, .. }) = self.open_chain.take()
            && let Some(first) = self.drafts.get(starter.0 as usize)
        {
            // Markers may stand within a chain, so that its first rule need not be the last step.
            let steps = self.graph.phases.at_mut(first.rule.phase);
            if let Some(at) = steps.iter().rposition(|step| *step == Step::Rule(starter)) {
                steps.remove(at);
            }
            self.drafts.truncate(starter.0 as usize);
        }
        self.open_chain = goes_on.then_some(OpenChain::Abandoned);
    }

    /// Ends a load: a chain that is still open never matches. As in ModSecurity v3 it may go on in the next file of the load, but not in the
    /// next load.
    pub fn close_chain(&mut self) {
        if let Some(OpenChain::Built { last, .. }) = self.open_chain.take()
            && let Some(draft) = self.drafts.get(last.0 as usize)
        {
            let hint = "take `chain` away, or add the rule that ends the chain behind it";
            self.context
                .report(Diagnostic::new(Code::OpenChain, draft.span, "no rule ends this chain, so that it never matches").hint(hint));
        }
    }

    /// Gives each rule the transformations and logging of its phase, and moves the rules into the graph.
    pub fn join_rules(&mut self) {
        let mut inherited = LogFlags::DEFAULT;
        let mut rules = Vec::with_capacity(self.drafts.len());
        // From the last to the first: the log flags of a chain's later rules reach its earlier ones.
        for draft in std::mem::take(&mut self.drafts).into_iter().rev() {
            let defaults = self.defaults.at(draft.rule.phase);
            let mut rule = draft.rule;
            let before = if draft.transformations.reset { &[][..] } else { &defaults.transformations };
            for transformation in before.iter().chain(&draft.transformations.list) {
                transformation.append_to(&mut rule, &mut self.graph.transformations);
            }
            if rule.next.is_none() {
                inherited = LogFlags::DEFAULT;
            }
            let flags = inherited.after(&defaults.effects).after(&rule.effects);
            inherited = flags;
            rules.push(Rule { logs: flags.log, audits: flags.audit, ..rule });
        }
        rules.reverse();
        self.graph.rules = rules;
        let mut defaults = PhaseMap::<DefaultActions>::default();
        for phase in crate::graph::Phase::ALL {
            let draft = std::mem::take(self.defaults.at_mut(phase));
            *defaults.at_mut(phase) = DefaultActions { disruptive: draft.disruptive, effects: draft.effects };
        }
        self.graph.defaults = defaults;
    }

    /// Tells each rule whether the chain from it on may stop a request, now that updates and defaults are known.
    pub fn mark_stopping_chains(&mut self) {
        let stops = |disruptive: &Disruptive| !matches!(disruptive, Disruptive::Pass | Disruptive::Allow(_));
        let by_default = |phase| self.graph.defaults.at(phase).disruptive.as_ref().is_some_and(stops);
        let of_rule = |rule: &Rule| {
            let updated = rule.updated.as_ref().and_then(|updated| updated.disruptive.as_ref());
            rule.disruptive.iter().chain(updated).any(stops)
        };
        let mut marks: Vec<bool> = self.graph.rules.iter().map(|rule| of_rule(rule) || by_default(rule.phase)).collect();
        // A rule stands before those that are chained to it.
        for (at, rule) in self.graph.rules.iter().enumerate().rev() {
            let follows = rule.next.and_then(|next| marks.get(next.0 as usize)).copied().unwrap_or(false);
            marks.get_mut(at).into_iter().for_each(|mark| *mark |= follows);
        }
        self.graph.rules.iter_mut().zip(marks).for_each(|(rule, mark)| rule.stops = mark);
    }
}

/// The action that decides about the request.
fn decision(actions: &Actions) -> Option<&ActionExpression> {
    let entry = |action: &ActionExpression| Action::find(&action.name.node);
    let decides = |action: &&ActionExpression| entry(action).is_some_and(|entry| entry.role == ActionRole::Disruptive);
    actions.list.iter().filter(|action| !action.is("block")).find(decides)
}
