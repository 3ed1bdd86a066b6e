//! Compares a TX variable with a number without evaluating the rule in the general way: most rules of the OWASP CRS that are reached in order only
//! check the paranoia level. `compile/tx_steps.rs` decides at load which rules qualify.

use super::Evaluation;
use crate::graph::{Selector, Target, TxComparison, TxName, TxOperand};
use crate::state::{Collections, Label, Matched, PER_VALUE};
use crate::vocabulary::{Limit, Variable};

/// Returns `true` if a comparison holds; `None` if its rule must be evaluated, because the text of its operand exceeds the limit of macros.
#[inline]
pub fn holds(eval: &mut Evaluation<'_>, comparison: &TxComparison) -> Option<bool> {
    let operand = match comparison.operand {
        TxOperand::Number(number) => number,
        TxOperand::Variable(name) => operand(eval, name)?,
    };
    let Collections { tx, arena, .. } = &mut eval.state.collections;
    Some(comparison.holds(tx.number(tx.known(comparison.name), arena), operand))
}

/// Returns the number of a TX variable that another is compared with; `None` if its text exceeds the limit of macros.
#[inline(never)]
fn operand(eval: &mut Evaluation<'_>, name: TxName) -> Option<i64> {
    let max = eval.rules.settings.limit(Limit::MacroBytes);
    let Collections { tx, arena, .. } = &mut eval.state.collections;
    let operand = tx.known(name);
    let length = tx.read(operand).map_or(0, |text| text.len());
    if length > max {
        return None;
    }
    arena.budget.charge(length + PER_VALUE);
    Some(tx.number(operand, arena).unwrap_or(0))
}

/// Records a match for MATCHED_VAR and related variables. The target is that of the rule.
pub fn note_match(eval: &mut Evaluation<'_>, comparison: &TxComparison, target: &Target) {
    let Selector::Key(key) = &target.selector else { return };
    let tx = &eval.state.collections.tx;
    let value = tx.read(tx.known(comparison.name));
    let arena = &mut eval.state.collections.arena;
    let matched = match (comparison.count, value) {
        (true, value) => Matched { label: Label::of_count(target, arena), value: arena.store_number(u8::from(value.is_some())) },
        (false, Some(value)) => Matched { label: Label::Keyed(Variable::Tx, arena.store(&key.text)), value },
        (false, None) => return,
    };
    eval.state.collections.note_match(matched);
}

/// Returns `true` if no full profile is taken, and no `ctl` may have removed the rule or its target.
pub fn goes_unobserved(eval: &Evaluation<'_>) -> bool {
    let overrides = &eval.state.overrides;
    !eval.state.is_profiled_in_full()
        && overrides.removed_rules.is_empty()
        && overrides.removed_targets.iter().all(|filter| filter.variable != Variable::Tx)
}
