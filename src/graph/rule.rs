//! Rules as meant: defaults, chains, updates and removals are resolved.

use super::{Assignment, ChainId, Disruptive, Effect, Lookup, Opening, Phase, RulePlan, Target, Template, TransformationTree};
use crate::operator::{Operator, OperatorKind};
use crate::script::Script;
use std::sync::Arc;

/// The number of a rule within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id; 0 for what has none: chained rules and some actions.
    pub id: u64,
    /// Where it was written.
    pub location: Location,
    /// When it runs.
    pub phase: Phase,
    /// What it asks.
    pub test: Test,
    /// What values go through before the operator sees them.
    pub transformations: ChainId,
    /// How the rule writes transformations, where that is not their name: logs show it as written.
    pub spellings: Vec<(ChainId, Box<str>)>,
    /// Whether the operator is asked after each step that changes the value.
    pub multi_match: bool,
    /// Whether what the operator captures is stored in TX.
    pub capture: bool,
    /// Whether it goes on with the next rule of its chain.
    pub chained: bool,
    /// The next rule of its chain; a chain that was never closed has none.
    pub next: Option<RuleIndex>,
    /// The rule before it in its chain.
    pub before: Option<RuleIndex>,
    /// The first rule of its chain, for all but the first.
    pub starter: Option<RuleIndex>,
    /// Texts that describe it.
    pub metadata: Metadata,
    /// Whether a match is written to the error log.
    pub logs: bool,
    /// Whether a match is written to the audit log.
    pub audits: bool,
    /// `setvar`: done for each value that matches.
    pub assignments: Vec<Assignment>,
    /// Persistent collections that are opened before an assignment to them.
    pub openings: Vec<Opening>,
    /// Done once when the rule and all that are chained to it match, in order.
    pub effects: Vec<Effect>,
    /// What it decides, `block` apart.
    pub disruptive: Option<Disruptive>,
    /// Prefixes of namespaces in its XPath targets.
    pub namespaces: Vec<(Box<str>, Box<str>)>,
    /// Actions that `SecRuleUpdateActionById` added.
    pub updated: Option<Box<UpdatedActions>>,
    /// Why it never runs.
    pub removed: Option<Removal>,
    /// Whether it, or a rule that is chained to it, may stop the request, so that an intervention needs to say why.
    pub stops: bool,
    /// What the plan knows of it.
    pub plan: RulePlan,
}

/// What a rule asks.
#[derive(Debug)]
#[non_exhaustive]
pub enum Test {
    /// Nothing: it always matches.
    Unconditional,
    /// An operator about targets.
    Operator {
        /// What is looked at, in order.
        targets: Vec<Target>,
        /// What is asked.
        kind: OperatorKind,
        /// The operator with its argument.
        argument: OperatorArgument,
        /// Whether the answer is turned around.
        negated: bool,
    },
    /// `SecRuleScript`: a script that returns why it matches.
    Script(Script),
    /// `SecDecisionScript`: a script that blocks, lets pass or leaves the decision to the next.
    Decision(Script),
}

/// An operator's argument.
#[derive(Debug)]
pub enum OperatorArgument {
    /// Known at load.
    Compiled {
        /// The operator, ready to be asked.
        operator: Operator,
        /// The argument as written.
        text: Box<str>,
    },
    /// Known when the macros are.
    Template(Template),
    /// Known at load, but asked of more than the value.
    Lookup {
        /// What is looked up.
        lookup: Lookup,
        /// The argument as written.
        text: Box<str>,
    },
}

/// Where a rule was written.
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

/// What `SecRuleUpdateActionById` adds to a rule.
#[derive(Debug, Default)]
pub struct UpdatedActions {
    /// Done before the rule's own effects. A `setvar` among them runs once, when the chain matches.
    pub effects: Vec<Effect>,
    /// Takes the place of the rule's own decision.
    pub disruptive: Option<Disruptive>,
}

impl UpdatedActions {
    /// Returns `true` if they take the place of the rule's own decision.
    pub fn decides(&self) -> bool {
        self.disruptive.is_some() || self.effects.iter().any(|effect| matches!(effect, Effect::Block))
    }
}

/// Why a rule never runs.
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
    /// How logs name the rule: its id, or where it was written.
    pub fn reference(&self) -> String {
        match self.id {
            0 => format!("{}:{}", self.location.file, self.location.line),
            id => id.to_string(),
        }
    }

    /// What logs call the last transformation of one of its chains: the name as the rule writes it.
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
