//! A match on its way to a log: gathered while a chain is asked, completed by the actions of its rules.

use crate::graph::{Rule, RuleIndex};
use crate::state::{MatchedValues, RuleMatch, Selected};

/// A rule on its way to a log: what is known of it so far.
#[derive(Debug)]
pub struct PendingMatch {
    pub entry: RuleMatch,
    /// Whether anybody will read it.
    pub logs: bool,
    /// Whether it will be written to the error log or the audit log.
    pub is_kept: bool,
    /// Entries of their own for what a rule with `multiMatch` found, kept when the whole chain matches: ModSecurity v3 logs them even when the
    /// chain fails.
    pub hits: Vec<RuleMatch>,
    /// The last value that matched, until what matched is put in words.
    pub last: Option<Selected>,
    /// The values that matched.
    pub values: MatchedValues,
}

impl PendingMatch {
    /// The match of a chain that begins with this rule, before anything matched. With `logs`, somebody will read it.
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
