//! Steps of a phase that read and write nothing but TX.

use super::TxName;
use crate::operator::Relation;

/// A rule that tests nothing, or compares one TX variable, as a step of its phase.
#[derive(Clone, Copy, Debug)]
pub struct TxStep {
    /// Its test; `None` if it always matches.
    pub comparison: Option<TxComparison>,
    /// The steps after a match.
    pub on_match: OnMatch,
}

/// The steps after a match of a [`TxStep`].
#[derive(Clone, Copy, Debug)]
pub enum OnMatch {
    /// The rule is evaluated in the general way, because it has other effects, or a log describes its match.
    Evaluate,
    /// The rule's assignments to TX run, if it has any, and the phase continues elsewhere.
    Act {
        /// `true` if it also revokes an earlier decision, as `pass` does.
        passes: bool,
        /// `true` if it has assignments.
        assigns: bool,
        /// The position of the next step that is not a marker: after the rule, or after the marker that it jumps to.
        next: u32,
    },
}

/// A comparison of one TX variable with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxComparison {
    /// The variable.
    pub name: TxName,
    /// `true` to compare the number of such variables, 1 or 0, instead of the value.
    pub count: bool,
    /// The relation.
    pub relation: Relation,
    /// The number to compare with.
    pub operand: TxOperand,
    /// `true` if the result is negated.
    pub negated: bool,
    /// `true` if a log describes the match.
    pub is_described: bool,
}

/// The number that a TX variable is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxOperand {
    /// Known at load.
    Number(i64),
    /// The value of another variable, as in `@ge %{tx.threshold}`; 0 if it is not set.
    Variable(TxName),
}

impl TxComparison {
    /// Returns `true` if the rule matches, given the number of its variable and that of its operand. An unset variable never matches, not even a
    /// negated comparison.
    pub fn holds(&self, variable: Option<i64>, operand: i64) -> bool {
        let compared = if self.count { Some(i64::from(variable.is_some())) } else { variable };
        compared.is_some_and(|number| self.relation.compares(number, operand) != self.negated)
    }
}
