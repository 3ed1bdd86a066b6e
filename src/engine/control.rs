//! `ctl`: changes for one transaction.

use super::Evaluation;
use crate::graph::{AuditEngine, Control, EngineMode};

/// Maximum number of removals of a transaction, because every rule checks all of them.
const MAX_REMOVALS: usize = 4096;

/// Applies a `ctl`.
pub fn carry_out(eval: &mut Evaluation<'_>, control: &Control) {
    match control {
        Control::RuleEngine(mode) => {
            eval.state.overrides.engine = Some(*mode);
            eval.debug(8, || format!("Setting SecRuleEngine to {} as requested by a ctl:ruleEngine action", shown_mode(*mode)));
        }
        Control::AuditEngine(mode) => {
            eval.state.overrides.audit_engine = Some(*mode);
            eval.debug(8, || format!("Setting SecAuditEngine to {} as requested by a ctl:auditEngine action", shown_audit(*mode)));
        }
        Control::AuditLogParts { add, letters } => {
            let parts = eval.audit_parts();
            eval.state.overrides.audit_parts = Some(if *add { parts.with(*letters) } else { parts.without(*letters) });
        }
        Control::ForceRequestBodyVariable(force) => eval.state.overrides.force_request_body = *force,
        Control::RequestBodyAccess(access) => eval.state.overrides.request_body_access = Some(*access),
        Control::RequestBodyProcessor(processor) => {
            eval.state.body_processor = Some(*processor);
            eval.state.collections.places.body_processor = eval.state.collections.places.end;
            eval.state.collections.scalars.body_processor = eval.state.collections.arena.store(processor.name().as_bytes());
        }
        Control::RemoveRules(filter) => {
            if eval.state.overrides.removed_rules.len() >= MAX_REMOVALS {
                eval.debug(1, || format!("No more than {MAX_REMOVALS} removals of rules are kept."));
            } else if !eval.state.overrides.removed_rules.contains(filter) {
                eval.state.overrides.removed_rules.push(filter.clone());
            }
        }
        Control::RemoveTarget(filter) => {
            if eval.state.overrides.removed_targets.len() < MAX_REMOVALS {
                eval.state.overrides.removed_targets.push(filter.clone());
            } else {
                eval.debug(1, || format!("No more than {MAX_REMOVALS} targets can be removed."));
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

/// Returns the number of a mode in ModSecurity's enumeration.
fn shown_audit(mode: AuditEngine) -> u8 {
    match mode {
        AuditEngine::On => 1,
        AuditEngine::Off => 2,
        AuditEngine::RelevantOnly => 3,
    }
}
