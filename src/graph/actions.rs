//! What rules do.

use super::{AuditEngine, BodyProcessor, EngineMode, Key, LogLetters, MarkerId, Rule, Selector, Template};
use crate::script::Script;
use crate::vocabulary::Variable;
use std::ops::RangeInclusive;
use std::time::Duration;

/// `SecDefaultAction` of a phase.
#[derive(Debug, Default)]
pub struct DefaultActions {
    /// What `block` does.
    pub disruptive: Option<Disruptive>,
    /// Done before the effects of every rule that matches.
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
    /// Goes on, and takes back a decision that was made before.
    Pass,
    /// Sends the client elsewhere.
    Redirect(Template),
    /// Lets the request through.
    Allow(AllowScope),
}

/// How far `allow` reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowScope {
    /// The rest of this phase.
    Phase,
    /// Up to and with the request body.
    Request,
    /// Everything but logging.
    Everything,
}

/// Something a rule does besides deciding.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// `block`: does what the phase's default says.
    Block,
    /// `setvar` of a default action, which is done once.
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
        /// Which collection.
        collection: PersistentCollection,
        /// Under which key.
        key: Template,
    },
    /// `expirevar`
    Expire {
        /// Which collection.
        variable: Variable,
        /// Which variable of it.
        key: Template,
        /// After how many seconds.
        seconds: Template,
    },
    /// `deprecatevar`
    Deprecate {
        /// Which collection.
        variable: Variable,
        /// Which variable of it.
        key: Template,
        /// How much is taken away in how many seconds: `1/60`.
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
    /// `exec`
    Execute(Script),
    /// `log`, `nolog`, `auditlog`, `noauditlog`: resolved at load, kept for the debug log.
    Logging(LoggingAction),
}

/// The actions that say what is logged.
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

/// A `setvar`.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// TX or a persistent collection.
    pub variable: Variable,
    /// The key, when it holds no macros; the fast way.
    pub key: Option<Key>,
    /// The key as written.
    pub key_template: Template,
    /// What happens to it.
    pub change: AssignmentChange,
    /// Whether it writes to an anomaly score, so that what it adds counts as the score of the match.
    pub is_score: bool,
}

/// An `initcol`, `setsid`, `setuid` or `setrsc` of a rule that also writes to what it opens: done for each value that matches.
///
/// ModSecurity v3 opens collections when the whole chain matches, behind all `setvar`, so that such a rule writes elsewhere.
#[derive(Clone, Debug)]
pub struct Opening {
    /// How many of the rule's assignments stand before it.
    pub before: usize,
    /// Which collection.
    pub collection: PersistentCollection,
    /// Under which key.
    pub key: Template,
}

/// What a `setvar` does.
#[derive(Clone, Debug)]
pub enum AssignmentChange {
    /// Sets it to a text.
    Set(Template),
    /// Adds a number.
    Add(Template),
    /// Takes a number away.
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
    /// `auditLogParts`: letters to add or to take away.
    AuditLogParts {
        /// Whether they are added.
        add: bool,
        /// Which.
        letters: LogLetters,
    },
    /// `forceRequestBodyVariable`: whether REQUEST_BODY holds an XML body too.
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

/// Which rules are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleFilter {
    /// Those with an id in this range.
    Ids(RangeInclusive<u64>),
    /// Those with this tag.
    Tag(Box<str>),
    /// Those with this message.
    Message(Box<str>),
}

/// Which target of which rules is meant.
#[derive(Clone, Debug)]
pub struct TargetFilter {
    /// The rules.
    pub rules: RuleFilter,
    /// The variable.
    pub variable: Variable,
    /// Which of its members.
    pub selector: Selector,
}

/// How fast a number goes down: by an amount in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What is taken away each time.
    pub amount: i64,
    /// How long it takes.
    pub period: Duration,
}

impl Pace {
    /// Reads `amount/seconds`: two whole numbers, the second above 0.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (amount, seconds) = std::str::from_utf8(text).ok()?.split_once('/')?;
        let (amount, seconds): (u32, u32) = (amount.trim().parse().ok()?, seconds.trim().parse().ok()?);
        (seconds > 0).then(|| Self { amount: i64::from(amount), period: Duration::from_secs(seconds.into()) })
    }
}

impl RuleFilter {
    /// Returns `true` for a rule that is meant: its id is in the range, or it has exactly this tag or message as written.
    pub fn names(&self, rule: &Rule) -> bool {
        match self {
            Self::Ids(ids) => rule.id != 0 && ids.contains(&rule.id),
            Self::Tag(tag) => rule.has_tag(tag),
            Self::Message(message) => rule.has_message(message),
        }
    }
}

impl PersistentCollection {
    /// The collection that a variable reads.
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

    /// The variable that reads it.
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
    /// Its name.
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
    /// The action's name.
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
