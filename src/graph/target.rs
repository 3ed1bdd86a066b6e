//! Targets of rules.

use super::TxName;
use crate::pattern::{Effort, Pattern};
use crate::vocabulary::Variable;
use std::fmt;
use std::sync::Arc;

/// A variable and the selected members.
#[derive(Clone, Debug)]
pub struct Target {
    /// The variable.
    pub variable: Variable,
    /// The selected members.
    pub selector: Selector,
    /// `true` to test the number of values instead of the values.
    pub count: bool,
    /// Excluded members.
    pub exclusions: Vec<Exclusion>,
}

/// Selects members of a collection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Selector {
    /// All of them, or the one value of a scalar.
    All,
    /// Those with this key.
    Key(Key),
    /// Those with a match of the pattern in their key.
    Pattern(Arc<Pattern>),
    /// The nodes that an XPath selects.
    XPath(Box<str>),
}

/// A key, compared without regard to ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As the rule writes it.
    pub text: Box<[u8]>,
    /// Its number, if it is a TX key.
    pub tx: Option<TxName>,
}

/// Members of a target that a rule ignores.
pub type Exclusion = Selector;

impl Selector {
    /// Returns `true` if two selectors were written alike, ignoring case in keys.
    pub fn is_same(&self, other: &Selector) -> bool {
        match (self, other) {
            (Selector::All, Selector::All) => true,
            (Selector::Key(one), Selector::Key(other)) => one.text.eq_ignore_ascii_case(&other.text),
            (Selector::Pattern(one), Selector::Pattern(other)) => one.source() == other.source(),
            (Selector::XPath(one), Selector::XPath(other)) => one == other,
            _ => false,
        }
    }

    /// Returns `true` if it selects a member with this key. A pattern that stops at a limit selects nothing.
    pub fn selects(&self, key: &[u8]) -> bool {
        match self {
            Selector::All => true,
            Selector::Key(wanted) => wanted.text.eq_ignore_ascii_case(key),
            Selector::Pattern(pattern) => pattern.is_match(key, &mut Effort::default()).unwrap_or(false),
            Selector::XPath(_) => false,
        }
    }
}

impl Target {
    /// Makes a target of values without exclusions.
    pub fn new(variable: Variable, selector: Selector) -> Self {
        Self { variable, selector, count: false, exclusions: Vec::new() }
    }

    /// Returns `true` if two targets select the same.
    pub fn is_same(&self, other: &Target) -> bool {
        self.variable == other.variable
            && self.count == other.count
            && self.selector.is_same(&other.selector)
            && self.exclusions.len() == other.exclusions.len()
            && self.exclusions.iter().zip(&other.exclusions).all(|(one, other)| one.is_same(other))
    }

    /// Returns the key of TX that it selects, if it selects one that is known at load.
    pub fn as_tx_key(&self) -> Option<TxName> {
        match (self.variable, &self.selector) {
            (Variable::Tx, Selector::Key(key)) if self.exclusions.is_empty() => key.tx,
            _ => None,
        }
    }

    /// Returns `true` if a member with this key is excluded.
    pub fn excludes(&self, key: &[u8]) -> bool {
        self.exclusions.iter().any(|exclusion| exclusion.selects(key))
    }
}

/// Written as in logs: `ARGS:key`, `&ARGS`, `TX:regex(^a)`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.count { "&" } else { "" };
        write!(f, "{mark}{}", self.variable.name())?;
        match &self.selector {
            Selector::All => Ok(()),
            selector => write!(f, ":{selector}"),
        }
    }
}

/// Written as in logs after the colon: `key`, `regex(^a)`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::All => Ok(()),
            Selector::Key(key) => f.write_str(&String::from_utf8_lossy(&key.text)),
            Selector::Pattern(pattern) => write!(f, "regex({})", String::from_utf8_lossy(pattern.source())),
            Selector::XPath(path) => f.write_str(path),
        }
    }
}
