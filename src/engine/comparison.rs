//! Answers rules that compare one TX variable with a number without evaluating them in the general way: most rules of the OWASP CRS that are reached
//! in order only check the paranoia level. `compile/plan.rs` decides at load which rules qualify; `chain.rs` evaluates all others.

use super::Evaluation;
use crate::graph::{EngineMode, MarkerId, OnMatch, Selector, Target, TxComparison};
use crate::state::{Label, Matched, Text};
use crate::vocabulary::Variable;

/// The answer of a rule that compares a TX variable.
pub enum Answer {
    /// It does not match.
    No,
    /// It matches: [`note_match`] records the match, and the rule continues in the general way.
    Yes,
    /// It matches, and has no other effect: the phase continues at the marker.
    Jump(MarkerId),
    /// It matches, but must be evaluated in the general way.
    Ask,
}

/// Answers a comparison, if its rule need not be evaluated.
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

/// Records the match for MATCHED_VAR and related variables. The target is that of the rule.
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

/// Returns `true` if no profile is taken, and no `ctl` may have removed the rule or its target.
fn goes_unobserved(eval: &Evaluation<'_>) -> bool {
    let overrides = &eval.state.overrides;
    eval.state.profile.is_none()
        && overrides.removed_rules.is_empty()
        && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
}
