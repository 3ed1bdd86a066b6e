//! Actions of rules.

use super::{AuditEngine, BodyProcessor, EngineMode, Key, LogLetters, MarkerId, Phase, Selector, Target, Template};
use crate::mask::Kept;
use crate::script::Script;
use crate::vocabulary::Variable;
use std::ops::RangeInclusive;
use std::time::Duration;

/// `SecDefaultAction` of a phase.
#[derive(Debug, Default)]
pub struct DefaultActions {
    /// The action of `block`.
    pub disruptive: Option<Disruptive>,
    /// Effects before those of every rule that matches.
    pub effects: Vec<Effect>,
}

/// A decision about the request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Disruptive {
    /// Stops the request.
    Deny,
    /// Stops the request; the host may close the connection.
    Drop,
    /// Continues, and revokes an earlier decision.
    Pass,
    /// Redirects the client.
    Redirect(Template),
    /// Lets the request through.
    Allow(AllowScope),
}

/// Scope of `allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowScope {
    /// The rest of this phase.
    Phase,
    /// Everything up to and including the request body.
    Request,
    /// Everything but logging.
    Everything,
}

impl AllowScope {
    /// Returns `true` if it skips a later phase.
    pub fn reaches(self, phase: Phase) -> bool {
        match self {
            Self::Everything => phase != Phase::Logging,
            Self::Request => phase <= Phase::RequestBody,
            Self::Phase => false,
        }
    }
}

/// An effect of a matching rule, besides its decision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// `block`: the phase's default decision.
    Block,
    /// `setvar` of a default action, which runs once.
    Assign(Assignment),
    /// `tag` of a default action or an update.
    Tag(Template),
    /// `msg` of a default action or an update.
    Message(Template),
    /// `logdata` of a default action or an update.
    LogData(Template),
    /// `severity` of a default action or an update.
    Severity(u32),
    /// `status`
    Status(u16),
    /// `skip`
    Skip(u32),
    /// `skipAfter`
    SkipAfter(MarkerId),
    /// `initcol`, `setuid`, `setsid`, `setrsc`
    OpenCollection {
        /// The collection.
        collection: PersistentCollection,
        /// The key of its record.
        key: Template,
    },
    /// `expirevar`
    Expire {
        /// The collection.
        variable: Variable,
        /// The variable in it.
        key: Template,
        /// Time until it expires, in seconds.
        seconds: Template,
    },
    /// `deprecatevar`
    Deprecate {
        /// The collection.
        variable: Variable,
        /// The variable in it.
        key: Template,
        /// The amount and the period in seconds: `1/60`.
        pace: Template,
    },
    /// `setenv`
    SetEnvironment {
        /// The variable's name.
        name: Template,
        /// Its value.
        value: Template,
    },
    /// `ctl`
    Control(Control),
    /// `sanitiseArg`, `sanitiseRequestHeader`, `sanitiseResponseHeader`: the members that logs do not show.
    Mask(Target),
    /// `sanitiseMatched` and `sanitiseMatchedBytes`
    MaskMatched(MaskedPart),
    /// `exec`
    Execute(Script),
    /// `log`, `nolog`, `auditlog`, `noauditlog`: resolved at load, kept for the debug log.
    Logging(LoggingAction),
}

/// The part of a value that matched which logs do not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskedPart {
    /// All of it.
    Whole,
    /// What the operator found in it, without some bytes at both ends.
    Found(Kept),
}

/// The actions that select the logs of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggingAction {
    /// `log`
    Log,
    /// `nolog`
    NoLog,
    /// `auditlog`
    AuditLog,
    /// `noauditlog`
    NoAuditLog,
}

/// A collection whose variables outlive the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PersistentCollection {
    /// GLOBAL
    Global,
    /// IP
    Ip,
    /// RESOURCE
    Resource,
    /// SESSION
    Session,
    /// USER
    User,
}

impl PersistentCollection {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Global, Self::Ip, Self::Resource, Self::Session, Self::User];

    /// Returns `true` if each web application of `SecWebAppId` has records of its own, as in ModSecurity v2: a session or a user of one is none of
    /// another, while a client's address is the same everywhere.
    pub const fn is_of_web_app(self) -> bool {
        matches!(self, Self::Resource | Self::Session | Self::User)
    }
}

/// A `setvar`.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// TX or a persistent collection.
    pub variable: Variable,
    /// The key, if it has no macros; the fast path.
    pub key: Option<Key>,
    /// The key as written.
    pub key_template: Template,
    /// The change.
    pub change: AssignmentChange,
    /// `true` if it writes to an anomaly score, so that the sum that it adds counts as the score of the match.
    pub is_score: bool,
}

/// An `initcol`, `setsid`, `setuid` or `setrsc` of a rule that also writes to the opened collection: it runs for each value that matches.
///
/// ModSecurity v3 opens collections when the whole chain matches, after all `setvar`, so that such a rule writes to another record.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Number of the rule's assignments before it.
    pub before: usize,
    /// The collection.
    pub collection: PersistentCollection,
    /// The key of its record.
    pub key: Template,
}

/// The change of a `setvar`.
#[derive(Clone, Debug)]
pub enum AssignmentChange {
    /// Sets it to a text.
    Set(Template),
    /// Adds a number.
    Add(Template),
    /// Subtracts a number.
    Subtract(Template),
    /// Removes it.
    Remove,
}

/// A `ctl`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Control {
    /// `auditEngine`
    AuditEngine(AuditEngine),
    /// `auditLogParts`: letters to add or to remove.
    AuditLogParts {
        /// `true` to add them.
        add: bool,
        /// The letters.
        letters: LogLetters,
    },
    /// `forceRequestBodyVariable`: `true` if REQUEST_BODY also holds XML bodies.
    ForceRequestBodyVariable(bool),
    /// `requestBodyAccess`
    RequestBodyAccess(bool),
    /// `requestBodyProcessor`
    RequestBodyProcessor(BodyProcessor),
    /// `ruleRemoveBy…`
    RemoveRules(RuleFilter),
    /// `ruleRemoveTargetBy…`
    RemoveTarget(TargetFilter),
    /// `ruleEngine`
    RuleEngine(EngineMode),
}

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleFilter {
    /// Those with an id in this range.
    Ids(RangeInclusive<u64>),
    /// Those with this tag.
    Tag(Box<str>),
    /// Those with this message.
    Message(Box<str>),
}

/// A target of a set of rules.
#[derive(Clone, Debug)]
pub struct TargetFilter {
    /// The rules.
    pub rules: RuleFilter,
    /// The variable.
    pub variable: Variable,
    /// The selected members.
    pub selector: Selector,
}

/// The pace of `deprecatevar`: an amount for each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// The amount to subtract in each period.
    pub amount: i64,
    /// The period.
    pub period: Duration,
}

impl Pace {
    /// Reads `amount/seconds`: two whole numbers, the second above 0.
    #[doc(hidden)]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (amount, seconds) = std::str::from_utf8(text).ok()?.split_once('/')?;
        let (amount, seconds): (u32, u32) = (amount.trim().parse().ok()?, seconds.trim().parse().ok()?);
        (seconds > 0).then(|| Self { amount: i64::from(amount), period: Duration::from_secs(seconds.into()) })
    }
}

impl PersistentCollection {
    /// Returns the collection of a variable.
    #[doc(hidden)]
    pub fn of(variable: Variable) -> Option<Self> {
        match variable {
            Variable::Global => Some(Self::Global),
            Variable::Ip => Some(Self::Ip),
            Variable::Resource => Some(Self::Resource),
            Variable::Session => Some(Self::Session),
            Variable::User => Some(Self::User),
            _ => None,
        }
    }

    /// Returns the variable of the collection.
    #[doc(hidden)]
    pub fn variable(self) -> Variable {
        match self {
            Self::Global => Variable::Global,
            Self::Ip => Variable::Ip,
            Self::Resource => Variable::Resource,
            Self::Session => Variable::Session,
            Self::User => Variable::User,
        }
    }
}

impl LoggingAction {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::NoLog => "nolog",
            Self::AuditLog => "auditlog",
            Self::NoAuditLog => "noauditlog",
        }
    }
}

impl Disruptive {
    /// Returns `true` if it stops the exchange: `deny`, `drop`, `redirect`.
    pub fn stops(&self) -> bool {
        match self {
            Self::Deny | Self::Drop | Self::Redirect(_) => true,
            Self::Pass | Self::Allow(_) => false,
        }
    }

    /// Returns the action's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Drop => "drop",
            Self::Pass => "pass",
            Self::Redirect(_) => "redirect",
            Self::Allow(_) => "allow",
        }
    }
}
