//! Compiled rules: defaults, chains, updates and removals are resolved.

use super::{Assignment, ChainId, Disruptive, Effect, Lookup, Opening, Phase, RuleFilter, RulePlan, Target, Template, TransformationTree};
use crate::operator::{Operator, OperatorKind};
use crate::script::Script;
use std::sync::Arc;

/// The number of a rule within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id; 0 if it has none: chained rules and some actions.
    pub id: u64,
    /// Its place in the files.
    pub location: Location,
    /// Its phase.
    pub phase: Phase,
    /// Its condition.
    pub test: Test,
    /// The transformations before the operator.
    pub transformations: ChainId,
    /// Spellings of transformations that differ from their names: logs show them as written.
    pub spellings: Vec<(ChainId, Box<str>)>,
    /// `true` if the operator runs after each step that changes the value.
    pub multi_match: bool,
    /// `true` if captures of the operator are stored in TX.
    pub capture: bool,
    /// `true` if a chained rule follows.
    pub chained: bool,
    /// The next rule of its chain; a chain that was never closed has none.
    pub next: Option<RuleIndex>,
    /// The rule before it in its chain.
    pub before: Option<RuleIndex>,
    /// The first rule of its chain, for all but the first.
    pub chain_head: Option<RuleIndex>,
    /// Texts that describe it.
    pub metadata: Metadata,
    /// `true` if a match is written to the error log.
    pub logs: bool,
    /// `true` if a match is written to the audit log.
    pub audits: bool,
    /// `setvar`: runs for each value that matches.
    pub assignments: Vec<Assignment>,
    /// Persistent collections that are opened before an assignment to them.
    pub openings: Vec<Opening>,
    /// Runs once if the rule and all rules chained to it match, in order.
    pub effects: Vec<Effect>,
    /// Its decision, except `block`.
    pub disruptive: Option<Disruptive>,
    /// Prefixes of namespaces in its XPath targets.
    pub namespaces: Vec<(Box<str>, Box<str>)>,
    /// Actions that `SecRuleUpdateActionById` added.
    pub updated: Option<Box<UpdatedActions>>,
    /// `true` if it, or a rule that is chained to it, may stop the request, so that an intervention needs a reason.
    pub stops: bool,
    /// `true` if it, or a rule that is chained to it, keeps values that matched out of the logs.
    pub masks_matched: bool,
    /// Its part of the plan.
    pub plan: RulePlan,
}

/// The condition of a rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Test {
    /// No condition: it always matches.
    Unconditional,
    /// An operator on targets.
    Operator {
        /// The targets, in order.
        targets: Vec<Target>,
        /// The kind of operator.
        kind: OperatorKind,
        /// The operator with its argument.
        argument: OperatorArgument,
        /// `true` if the result is negated.
        negated: bool,
    },
    /// `SecRuleScript`: a script that returns the reason of a match.
    Script(Script),
    /// `SecDecisionScript`: a script that blocks, passes or leaves the decision to the next.
    Decision(Script),
}

/// An operator's argument.
#[derive(Clone, Debug)]
pub enum OperatorArgument {
    /// Known at load.
    Compiled {
        /// The compiled operator.
        operator: Arc<Operator>,
        /// The argument as written.
        text: Box<str>,
    },
    /// Known after its macros are expanded.
    Template(Template),
    /// Known at load, for an operator that needs more than the value.
    Lookup {
        /// The look-up.
        lookup: Arc<Lookup>,
        /// The argument as written.
        text: Box<str>,
    },
}

/// The place of a rule in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file's path, or the name of the text.
    pub file: Arc<str>,
    /// The line of its first word, from 1: the one that logs name.
    pub line: usize,
    /// The line of its last word, from 1.
    pub last_line: usize,
}

/// Texts that describe a rule.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// `msg`
    pub message: Option<Template>,
    /// `logdata`
    pub log_data: Option<Template>,
    /// `severity`, 0 (emergency) to 7 (debug)
    pub severity: Option<u32>,
    /// `tag`, in order
    pub tags: Vec<Template>,
    /// `rev`
    pub revision: Box<str>,
    /// `ver`
    pub version: Box<str>,
    /// `maturity`
    pub maturity: u32,
    /// `accuracy`
    pub accuracy: u32,
}

/// Additions of `SecRuleUpdateActionById` to a rule.
#[derive(Clone, Debug, Default)]
pub struct UpdatedActions {
    /// Done before the rule's own effects. A `setvar` among them runs once, when the chain matches.
    pub effects: Vec<Effect>,
    /// Replaces the rule's own decision.
    pub disruptive: Option<Disruptive>,
}

impl UpdatedActions {
    /// Returns `true` if they replace the rule's own decision.
    pub fn decides(&self) -> bool {
        self.disruptive.is_some() || self.effects.iter().any(|effect| matches!(effect, Effect::Block))
    }
}

/// The directive that removed a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// `SecRuleRemoveById`
    Id,
    /// `SecRuleRemoveByMsg`
    Message,
    /// `SecRuleRemoveByTag`
    Tag,
}

impl Rule {
    /// Returns the name of the rule in logs: its id, or its place.
    pub fn reference(&self) -> String {
        match self.id {
            0 => format!("{}:{}", self.location.file, self.location.line),
            id => id.to_string(),
        }
    }

    /// Returns the name of the last transformation of a chain in logs, as the rule writes it.
    pub fn transformation_name<'a>(&'a self, tree: &TransformationTree, chain: ChainId) -> &'a str {
        let spelled = self.spellings.iter().find(|(spelled, _)| *spelled == chain).map(|(_, spelling)| &**spelling);
        spelled.or_else(|| tree.last_step(chain).map(|step| step.transformation.name())).unwrap_or_default()
    }

    /// Returns `true` if it has exactly this tag, as written.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.metadata.tags.iter().any(|template| template.source() == tag)
    }

    /// Returns `true` if it has exactly this message, as written.
    pub fn has_message(&self, message: &str) -> bool {
        self.metadata.message.as_ref().is_some_and(|template| template.source() == message)
    }
}

impl RuleFilter {
    /// Returns `true` for a rule of the set: its id is in the range, or it has exactly this tag or message as written.
    pub fn names(&self, rule: &Rule) -> bool {
        match self {
            Self::Ids(ids) => rule.id != 0 && ids.contains(&rule.id),
            Self::Tag(tag) => rule.has_tag(tag),
            Self::Message(message) => rule.has_message(message),
        }
    }
}
