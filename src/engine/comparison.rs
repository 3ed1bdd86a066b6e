//! Answers rules that compare one TX variable with a number, without asking them: most rules of the OWASP CRS that are come to in order only ask for
//! the paranoia level. Which rules qualify is decided at load, by `compile/plan.rs`; all others are asked the general way, by `chain.rs`.

use super::Evaluation;
use crate::graph::{EngineMode, MarkerId, OnMatch, Selector, Target, TxComparison};
use crate::state::{Label, Matched, Text};
use crate::vocabulary::Variable;

/// How a rule answers that compares a TX variable.
pub enum Answer {
    /// It does not match.
    No,
    /// It matches: [`note_match`] notes what, and the rule goes on as every rule that matched.
    Yes,
    /// It matches, and has done all that it does: the phase goes on at the marker.
    Jump(MarkerId),
    /// It matches, but must be asked as every other rule.
    Ask,
}

/// Answers a comparison as far as that needs no question to its rule.
pub fn answer(eval: &mut Evaluation<'_>, comparison: &TxComparison) -> Answer {
    let value = value(eval, comparison);
    if !comparison.holds(value.map(|value| eval.state.collections.arena.read(value))) {
        return Answer::No;
    }
    match comparison.on_match {
        OnMatch::Note if goes_unobserved(eval) => Answer::Yes,
        OnMatch::Jump { marker, passes } if goes_unobserved(eval) => {
            if passes && eval.engine_mode() == EngineMode::On {
                eval.state.pending.take_back();
            }
            Answer::Jump(marker)
        }
        _ => Answer::Ask,
    }
}

/// Notes what matched, for MATCHED_VAR and its relatives. The target is that of the rule.
pub fn note_match(eval: &mut Evaluation<'_>, comparison: &TxComparison, target: &Target) {
    let Selector::Key(key) = &target.selector else { return };
    let value = value(eval, comparison);
    let arena = &mut eval.state.collections.arena;
    let matched = match (comparison.count, value) {
        (true, value) => Matched { label: Label::of_count(target, arena), value: arena.store_number(u8::from(value.is_some())) },
        (false, Some(value)) => Matched { label: Label::Keyed(Variable::Tx, arena.store(&key.text)), value },
        (false, None) => return,
    };
    eval.state.collections.note_match(matched);
}

fn value(eval: &Evaluation<'_>, comparison: &TxComparison) -> Option<Text> {
    let tx = &eval.state.collections.tx;
    tx.read(tx.known(comparison.name))
}

/// Returns `true` if nobody measures rules, and no `ctl` may have taken the rule or its target out.
fn goes_unobserved(eval: &Evaluation<'_>) -> bool {
    let overrides = &eval.state.overrides;
    eval.state.profile.is_none()
        && overrides.removed_rules.is_empty()
        && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
}
