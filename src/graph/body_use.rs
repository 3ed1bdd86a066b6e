//! Rules that look at a request body although `SecRequestBodyAccess` is `Off`: only for their sake such a body is kept.

use super::{AuditEngine, Control, Effect, Phase, Rule, RuleGraph, Test};
use crate::vocabulary::Variable;

/// What rules may do with a request body that phase 2 does not judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyUse {
    /// Some rule has `ctl:requestBodyAccess=On`.
    pub may_be_judged: bool,
    /// Some rule behind phase 2 looks at what was read from the body, or may have it written to the audit log.
    pub is_seen_later: bool,
}

impl BodyUse {
    /// Reads it off the rules.
    pub fn of(graph: &RuleGraph) -> Self {
        let turns_on = |effect: &Effect| matches!(effect, Effect::Control(Control::RequestBodyAccess(true)));
        Self {
            may_be_judged: graph.rules.iter().any(|rule| rule.effects.iter().any(turns_on)),
            is_seen_later: graph.rules.iter().any(|rule| rule.phase > Phase::RequestBody && looks_at_body(rule)),
        }
    }
}

fn looks_at_body(rule: &Rule) -> bool {
    let asks = match &rule.test {
        Test::Unconditional => false,
        Test::Operator { targets, .. } => targets.iter().any(|target| is_read_from_body(target.variable)),
        Test::Script(_) | Test::Decision(_) => true,
    };
    asks || rule.effects.iter().any(may_write_down)
}

fn may_write_down(effect: &Effect) -> bool {
    match effect {
        Effect::Control(Control::AuditEngine(mode)) => *mode != AuditEngine::Off,
        Effect::Control(Control::AuditLogParts { add, letters }) => *add && letters.contains('C'),
        _ => false,
    }
}

fn is_read_from_body(variable: Variable) -> bool {
    let of_query = matches!(variable, Variable::ArgsGet | Variable::ArgsGetNames);
    let families = ["ARGS", "FILES", "MULTIPART_", "REQBODY_", "REQUEST_BODY", "FULL_REQUEST", "XML"];
    !of_query && families.iter().any(|family| variable.name().starts_with(family))
}
