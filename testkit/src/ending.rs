//! The result of a transaction, in every detail that a user can see, with a plan and without one.

use crate::messages::Messages;
use secrule::internals::RuleMatch;
use secrule::internals::compile::{CompileOptions, Planning};
use secrule::internals::record::error_log;
use secrule::{Intervention, Transaction, Waf, WafBuilder};
use std::sync::Arc;

/// The result of a transaction.
#[derive(Debug, PartialEq)]
pub struct Ending {
    decisions: Vec<Intervention>,
    matches: Vec<RuleMatch>,
    /// Includes captures.
    tx: Vec<(String, String)>,
    error_log: Vec<String>,
    debug_log: Vec<String>,
}

/// A rule set, compiled with a plan and without, or without a part of it.
pub struct Pair {
    planned: Engine,
    unplanned: Engine,
}

struct Engine {
    waf: Waf,
    messages: Arc<Messages>,
}

impl Pair {
    /// Loads rules twice, with a plan and without; `None` if both loads fail with the same text.
    pub fn load(builder: impl Fn() -> WafBuilder) -> Option<Self> {
        Self::with_other_plan(builder, Planning::Off)
    }

    /// Loads rules twice, with a whole plan and with another use of it.
    pub fn with_other_plan(builder: impl Fn() -> WafBuilder, other: Planning) -> Option<Self> {
        let load = |planning| {
            let mut options = CompileOptions::default();
            options.planning = planning;
            // From level 4 on every rule is logged, and so every rule is evaluated.
            let messages = Messages::up_to(3);
            let built = builder().options(options).without_logs().debug_log(messages.clone()).build();
            built.map(|waf| Engine { waf, messages }).map_err(|error| error.to_string())
        };
        match (load(Planning::On), load(other)) {
            (Ok(planned), Ok(unplanned)) => Some(Self { planned, unplanned }),
            (planned, unplanned) => {
                assert_eq!(planned.err(), unplanned.err());
                None
            }
        }
    }

    /// Returns both results of an exchange: with the plan, and without.
    pub fn endings(&self, lead: impl Fn(Transaction) -> (Transaction, Vec<Intervention>)) -> (Ending, Ending) {
        (self.planned.ending(&lead), self.unplanned.ending(&lead))
    }
}

impl Ending {
    /// Returns `true` if a rule logged something.
    pub fn has_matches(&self) -> bool {
        !self.matches.is_empty()
    }
}

impl Engine {
    fn ending(&self, lead: impl Fn(Transaction) -> (Transaction, Vec<Intervention>)) -> Ending {
        let (transaction, decisions) = lead(self.waf.transaction_with_id("same"));
        let lines = transaction.rule_matches().iter().map(|found| error_log::line(&transaction, found));
        let decided = decisions.iter().map(|decision| error_log::intervention(&transaction, decision));
        Ending {
            matches: transaction.rule_matches().to_vec(),
            tx: transaction.tx_variables().collect(),
            error_log: lines.chain(decided).collect(),
            debug_log: self.messages.take(),
            decisions,
        }
    }
}
