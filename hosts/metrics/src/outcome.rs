//! Outcomes of exchanges.

use secrule::internals::graph::EngineMode;
use secrule::{Action, Limit, Transaction};

/// The outcome of an exchange. Each exchange has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Detect,
    Block,
    Redirect,
    Error,
    Off,
}

/// Limits beyond which an exchange that passes was not judged by all rules, or not with all data.
const UNJUDGED: [Limit; 4] = [Limit::Budget, Limit::Memory, Limit::StoreCall, Limit::StoreTime];

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Pass, Self::Detect, Self::Block, Self::Redirect, Self::Error, Self::Off];

    /// Number of outcomes.
    pub const COUNT: usize = Self::ALL.len();

    /// Returns the outcome of an exchange that is over.
    pub fn of(transaction: &Transaction) -> Self {
        match transaction.intervention().map(|intervention| intervention.action()) {
            Some(Action::Redirect { .. }) => Self::Redirect,
            Some(_) => Self::Block,
            None if transaction.engine_mode() == EngineMode::Off => Self::Off,
            None if transaction.detected().is_some() => Self::Detect,
            None if failed(transaction) => Self::Error,
            None => Self::Pass,
        }
    }

    /// Returns the value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Detect => "detect",
            Self::Block => "block",
            Self::Redirect => "redirect",
            Self::Error => "error",
            Self::Off => "off",
        }
    }
}

/// Returns `true` if rules did not judge the exchange as they should have.
fn failed(transaction: &Transaction) -> bool {
    let limits = transaction.limits();
    !transaction.script_failures().is_empty() || UNJUDGED.into_iter().any(|limit| limits.contains(limit))
}
