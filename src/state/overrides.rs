//! Changes by `ctl` for one transaction.

use crate::graph::{AuditEngine, EngineMode, LogLetters, RuleFilter, TargetFilter};

/// Changes to the configuration, for one transaction.
#[derive(Debug, Default)]
pub struct Overrides {
    pub engine: Option<EngineMode>,
    pub audit_engine: Option<AuditEngine>,
    pub audit_parts: Option<LogLetters>,
    pub request_body_access: Option<bool>,
    pub force_request_body: bool,
    pub removed_rules: Vec<RuleFilter>,
    pub removed_targets: Vec<TargetFilter>,
}
