//! A match before it is logged: collected during the evaluation of a chain, completed by the actions of its rules.

use crate::graph::{Rule, RuleIndex};
use crate::state::{MatchedValues, RuleMatch, Selected};

/// A match before it is logged.
#[derive(Debug)]
pub struct PendingMatch {
    pub entry: RuleMatch,
    /// `true` if a log or a later step uses it.
    pub logs: bool,
    /// `true` if it will be written to the error log or the audit log.
    pub is_kept: bool,
    /// Separate entries of a rule with `multiMatch`, kept if the whole chain matches: ModSecurity v3 logs them even if the chain fails.
    pub hits: Vec<RuleMatch>,
    /// The last value that matched, until its description is written.
    pub last: Option<Selected>,
    /// The values that matched.
    pub values: MatchedValues,
}

impl PendingMatch {
    /// Makes the match of a chain that begins with this rule. With `logs`, a log or a later step uses it.
    pub fn new(first: &Rule, index: RuleIndex, logs: bool) -> Self {
        Self {
            entry: blank_match(first, index),
            logs,
            is_kept: first.logs || first.audits,
            hits: Vec::new(),
            last: None,
            values: MatchedValues::default(),
        }
    }
}

fn blank_match(rule: &Rule, index: RuleIndex) -> RuleMatch {
    RuleMatch {
        rule: index,
        id: rule.id,
        phase: rule.phase,
        message: Vec::new(),
        data: Vec::new(),
        severity: None,
        tags: Vec::new(),
        detail: Vec::new(),
        values: Vec::new(),
        value_count: 0,
        detail_own: 0,
        reference: Vec::new(),
        score: 0,
        disruptive: false,
        audits: rule.audits,
    }
}
