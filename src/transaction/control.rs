//! `ctl`: what rules change for one transaction.

use super::Transaction;
use crate::graph::{AuditEngine, Control, EngineMode, LogLetters, RuleFilter, TargetFilter};

/// How many removals one transaction may gather: each rule looks at all of them.
const MOST_REMOVALS: usize = 4096;

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

impl Transaction {
    pub(super) fn control(&mut self, control: &Control) {
        match control {
            Control::RuleEngine(mode) => {
                self.overrides.engine = Some(*mode);
                self.debug(8, || format!("Setting SecRuleEngine to {} as requested by a ctl:ruleEngine action", shown_mode(*mode)));
            }
            Control::AuditEngine(mode) => {
                self.overrides.audit_engine = Some(*mode);
                self.debug(8, || format!("Setting SecAuditEngine to {} as requested by a ctl:auditEngine action", shown_audit(*mode)));
            }
            Control::AuditLogParts { add, letters } => {
                let parts = self.audit_parts();
                self.overrides.audit_parts = Some(if *add { parts.with(*letters) } else { parts.without(*letters) });
            }
            Control::ForceRequestBodyVariable(force) => self.overrides.force_request_body = *force,
            Control::RequestBodyAccess(access) => self.overrides.request_body_access = Some(*access),
            Control::RequestBodyProcessor(processor) => {
                self.body_processor = Some(*processor);
                self.collections.places.body_processor = self.collections.places.end;
                self.collections.scalars.body_processor = self.collections.arena.store(processor.name().as_bytes());
            }
            Control::RemoveRules(filter) => {
                if self.overrides.removed_rules.len() >= MOST_REMOVALS {
                    self.debug(1, || format!("No more than {MOST_REMOVALS} removals of rules are kept."));
                } else if !self.overrides.removed_rules.contains(filter) {
                    self.overrides.removed_rules.push(filter.clone());
                }
            }
            Control::RemoveTarget(filter) => {
                if self.overrides.removed_targets.len() < MOST_REMOVALS {
                    self.overrides.removed_targets.push(filter.clone());
                } else {
                    self.debug(1, || format!("No more than {MOST_REMOVALS} targets can be removed."));
                }
            }
        }
    }
}

fn shown_mode(mode: EngineMode) -> &'static str {
    match mode {
        EngineMode::On => "Enabled",
        EngineMode::Off => "Disabled",
        EngineMode::DetectionOnly => "DetectionOnly",
    }
}

/// ModSecurity shows the numbers of its own enumeration.
fn shown_audit(mode: AuditEngine) -> u8 {
    match mode {
        AuditEngine::On => 1,
        AuditEngine::Off => 2,
        AuditEngine::RelevantOnly => 3,
    }
}
