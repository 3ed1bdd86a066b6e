//! Access of the rules of a phase to bodies, which decides which bodies a host must pass, and which it may forward at once.

use super::{
    Assignment, AssignmentChange, AuditEngine, Control, Disruptive, Effect, EngineMode, Lookup, OperatorArgument, Part, Phase, PhaseMap,
    Rule, RuleGraph, RuleIndex, Selector, Step, Target, Template, Test,
};
use crate::vocabulary::Variable;
use std::sync::Arc;

/// The start of the keys of TX under which the engine itself keeps flags.
const FLAGS: &[u8] = b"msc_";

/// Possible effects of one rule, or of several rules together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyUse {
    /// Runs.
    pub runs: bool,
    /// Reads a part of the request body, or has it written to the audit log.
    pub reads_request: bool,
    /// Reads a part of the response body, or has it written to the audit log.
    pub reads_response: bool,
    /// Stops the exchange while the engine is on.
    pub stops: bool,
    /// Switches the engine on: `ctl:ruleEngine=On`.
    pub switches_on: bool,
    /// Has the request body judged: `ctl:requestBodyAccess=On`.
    pub opens_request: bool,
}

/// Possible effects of the rules of a graph, determined at load.
#[derive(Clone, Debug, Default)]
pub struct BodyUses {
    /// Those of the chains of each phase, with the first rule of each. Chains that never run are left out.
    chains: PhaseMap<Arc<[(RuleIndex, BodyUse)]>>,
    /// Those of all chains of a phase together.
    phases: PhaseMap<BodyUse>,
}

impl BodyUses {
    /// Determines the possible effects of the rules of a graph.
    pub fn of(graph: &RuleGraph) -> Self {
        Self::extending(&Self::default(), graph, &Phase::ALL, &[])
    }

    /// Determines the possible effects of the rules of a graph that extends another. Only these phases, and the chains of these rules, differ from
    /// those of the other.
    pub fn extending(base: &Self, graph: &RuleGraph, phases: &[Phase], changed: &[RuleIndex]) -> Self {
        let heads = changed.iter().filter_map(|index| Some(graph.rule(*index)?.chain_head.unwrap_or(*index)));
        let heads: Vec<RuleIndex> = heads.collect();
        let mut uses = base.clone();
        for phase in phases.iter().copied() {
            // In the order of their numbers, as all rules of one load.
            let known = base.chains.at(phase);
            let find = |head: &RuleIndex| known.get(known.binary_search_by_key(head, |(head, _)| *head).ok()?).copied();
            let chain = |step: &Step| match step {
                Step::Rule(index) => {
                    let head = graph.rule(*index).filter(|_| graph.removal(*index).is_none())?;
                    find(index).filter(|_| !heads.contains(index)).or_else(|| Some((*index, BodyUse::of_chain(graph, head))))
                }
                Step::Marker(_) => None,
            };
            let chains: Vec<_> = graph.phases.at(phase).iter().filter_map(chain).collect();
            *uses.phases.at_mut(phase) = chains.iter().map(|(_, of_chain)| *of_chain).fold(BodyUse::default(), BodyUse::or);
            *uses.chains.at_mut(phase) = chains.into();
        }
        uses
    }

    /// Returns the possible effects of all rules of a phase.
    pub fn at(&self, phase: Phase) -> BodyUse {
        *self.phases.at(phase)
    }

    /// Returns the possible effects of those chains of a phase whose first rule passes a test.
    pub fn of_chains(&self, graph: &RuleGraph, phase: Phase, runs: impl Fn(&Rule) -> bool) -> BodyUse {
        let chains = self.chains.at(phase).iter().filter(|(head, _)| graph.rule(*head).is_some_and(&runs));
        chains.map(|(_, of_chain)| *of_chain).fold(BodyUse::default(), BodyUse::or)
    }
}

impl BodyUse {
    fn of_chain(graph: &RuleGraph, head: &Rule) -> Self {
        let rules = std::iter::successors(Some(head), |rule| rule.next.and_then(|next| graph.rule(next)));
        rules.map(|rule| Self::of_rule(graph, rule)).fold(Self::default(), Self::or)
    }

    fn of_rule(graph: &RuleGraph, rule: &Rule) -> Self {
        let defaults = graph.defaults.at(rule.phase);
        let updated = rule.updated.as_deref();
        let effects = rule.effects.iter().chain(&defaults.effects).chain(updated.iter().flat_map(|updated| &updated.effects));
        let blocks = effects.clone().any(|effect| matches!(effect, Effect::Block));
        let disruptive = rule.disruptive.iter().chain(updated.and_then(|updated| updated.disruptive.as_ref()));
        let disruptive = disruptive.chain(defaults.disruptive.as_ref().filter(|_| blocks));
        let decides = disruptive.clone().any(Disruptive::stops);
        let texts = [&rule.metadata.message, &rule.metadata.log_data].into_iter().flatten().chain(&rule.metadata.tags);
        let texts = texts.fold(Self::default(), |all, text| all.or(Self::of_text(text)));
        let assigned = rule.assignments.iter().fold(texts, |all, assignment| all.or(Self::of_assignment(assignment)));
        let opened = rule.openings.iter().fold(assigned, |all, opening| all.or(Self::of_text(&opening.key)));
        let redirected = disruptive.fold(opened, |all, disruptive| all.or(Self::of_disruptive(disruptive)));
        let all = effects.fold(redirected, |all, effect| all.or(Self::of_effect(effect)));
        let own = Self { runs: true, stops: decides, ..Self::default() };
        all.or(own).or(Self::of_test(&rule.test))
    }

    fn of_test(test: &Test) -> Self {
        match test {
            Test::Unconditional => Self::default(),
            Test::Operator { targets, argument, .. } => {
                let argument = match argument {
                    OperatorArgument::Template(template) => Self::of_text(template),
                    OperatorArgument::Lookup { lookup, .. } => Self::of_lookup(lookup),
                    OperatorArgument::Compiled { .. } => Self::default(),
                };
                targets.iter().fold(argument, |all, target| all.or(Self::of_target(target)))
            }
            Test::Script(_) => Self::of_script(),
            Test::Decision(_) => Self { stops: true, ..Self::of_script() },
        }
    }

    fn of_lookup(lookup: &Lookup) -> Self {
        match lookup {
            Lookup::Place | Lookup::BlockList(_) | Lookup::Program(_) => Self::default(),
            Lookup::Script(_) => Self::of_script(),
            // The tree of the request body, whatever the target is.
            #[cfg(feature = "xml-validation")]
            Lookup::Dtd(_) | Lookup::Schema(_) => Self { reads_request: true, ..Self::default() },
        }
    }

    fn of_disruptive(disruptive: &Disruptive) -> Self {
        match disruptive {
            Disruptive::Redirect(address) => Self::of_text(address),
            Disruptive::Deny | Disruptive::Drop | Disruptive::Pass | Disruptive::Allow(_) => Self::default(),
        }
    }

    fn of_effect(effect: &Effect) -> Self {
        match effect {
            Effect::Control(control) => Self::of_control(control),
            Effect::Execute(_) => Self::of_script(),
            Effect::Assign(assignment) => Self::of_assignment(assignment),
            Effect::Tag(text) | Effect::Message(text) | Effect::LogData(text) => Self::of_text(text),
            Effect::OpenCollection { key, .. } => Self::of_text(key),
            Effect::Expire { key, seconds: value, .. } | Effect::Deprecate { key, pace: value, .. } => {
                Self::of_text(key).or(Self::of_text(value))
            }
            Effect::SetEnvironment { name, value } => Self::of_text(name).or(Self::of_text(value)),
            // What these cover is in the logs only if the body was read for another reason.
            Effect::Block
            | Effect::Severity(_)
            | Effect::Status(_)
            | Effect::Skip(_)
            | Effect::SkipAfter(_)
            | Effect::Mask(_)
            | Effect::MaskMatched(_)
            | Effect::Logging(_) => Self::default(),
        }
    }

    fn of_control(control: &Control) -> Self {
        let none = Self::default();
        match control {
            Control::AuditEngine(mode) => {
                Self { reads_request: *mode != AuditEngine::Off, reads_response: *mode != AuditEngine::Off, ..none }
            }
            Control::AuditLogParts { add, letters } => {
                Self { reads_request: *add && letters.contains('C'), reads_response: *add && letters.contains('E'), ..none }
            }
            Control::RuleEngine(mode) => Self { switches_on: *mode == EngineMode::On, ..none },
            Control::RequestBodyAccess(access) => Self { opens_request: *access, ..none },
            Control::ForceRequestBodyVariable(_)
            | Control::RequestBodyProcessor(_)
            | Control::RemoveRules(_)
            | Control::RemoveTarget(_) => none,
        }
    }

    fn of_assignment(assignment: &Assignment) -> Self {
        let value = match &assignment.change {
            AssignmentChange::Set(text) | AssignmentChange::Add(text) | AssignmentChange::Subtract(text) => Self::of_text(text),
            AssignmentChange::Remove => Self::default(),
        };
        value.or(Self::of_text(&assignment.key_template))
    }

    fn of_text(text: &Template) -> Self {
        let target = |part: &Part| match part {
            Part::Value(target) => Some(Self::of_target(target)),
            Part::Text(_) => None,
        };
        text.parts().iter().filter_map(target).fold(Self::default(), Self::or)
    }

    fn of_target(target: &Target) -> Self {
        let variable = target.variable;
        let of_query = matches!(variable, Variable::ArgsGet | Variable::ArgsGetNames);
        let of_request =
            ["ARGS", "FILES", "MULTIPART_", "REQBODY_", "REQUEST_BODY", "FULL_REQUEST", "XML", "INBOUND_DATA_ERROR", "URLENCODED_ERROR"];
        let of_response = ["RESPONSE_BODY", "RESPONSE_CONTENT_LENGTH", "OUTBOUND_DATA_ERROR"];
        let is_of = |families: &[&str]| families.iter().any(|family| variable.name().starts_with(family));
        // Limits are exceeded while a body is read; TX has flags that say so, such as MSC_LIMITS_EXCEEDED.
        let is_flag = match (variable, &target.selector) {
            (Variable::LimitsExceeded, _) => true,
            (Variable::Tx, Selector::Key(key)) => key.text.get(..FLAGS.len()).is_some_and(|start| start.eq_ignore_ascii_case(FLAGS)),
            (Variable::Tx, _) => true,
            _ => false,
        };
        let (reads_request, reads_response) = (is_flag || (!of_query && is_of(&of_request)), is_flag || is_of(&of_response));
        Self { reads_request, reads_response, ..Self::default() }
    }

    /// Returns the effects of a script: it may read everything, and does not decide.
    fn of_script() -> Self {
        Self { reads_request: true, reads_response: true, ..Self::default() }
    }

    /// Returns the effects of one or the other.
    fn or(self, other: Self) -> Self {
        Self {
            runs: self.runs | other.runs,
            reads_request: self.reads_request | other.reads_request,
            reads_response: self.reads_response | other.reads_response,
            stops: self.stops | other.stops,
            switches_on: self.switches_on | other.switches_on,
            opens_request: self.opens_request | other.opens_request,
        }
    }
}
