//! The budget of a transaction, and the limits that it exceeded.

use crate::vocabulary::{Limit, LimitSet};
use std::cell::Cell;

/// Cost of a value in addition to its bytes, in units of the budget.
pub const PER_VALUE: usize = 64;

/// Bytes that may be stored beyond the memory limit, for flags and for the logging phase.
const RESERVE: usize = 1 << 20;

/// Maximum end offset of a value, in bytes.
const FURTHEST: usize = u32::MAX as usize - RESERVE;

/// The work of one transaction, in units of about a byte read: it depends only on rules and request, not on the machine.
#[derive(Debug)]
pub struct Budget {
    left: i64,
    /// Maximum memory in bytes.
    memory: usize,
    /// Number of bytes of values.
    stored: usize,
    /// Number of bytes of bookkeeping.
    held: usize,
    exceeded: LimitSet,
    reported: LimitSet,
    /// -1 if an exceeded limit was not reported yet, otherwise 0.
    unreported: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: i64::MAX, memory: FURTHEST, stored: 0, held: 0, exceeded: LimitSet::EMPTY, reported: LimitSet::EMPTY, unreported: 0 }
    }
}

impl Budget {
    /// Makes a budget of work and memory.
    pub fn of(budget: usize, memory: usize) -> Self {
        Self { left: i64::try_from(budget).unwrap_or(i64::MAX), memory: memory.min(FURTHEST), ..Self::default() }
    }

    /// Charges work that is done or about to be done.
    #[inline]
    pub fn charge(&mut self, units: usize) {
        // One charge is far less than the range below zero.
        self.left = self.left.wrapping_sub(units as i64);
    }

    /// Returns `true` if the work exceeds the budget.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.left < 0
    }

    /// Returns the rest of the budget.
    pub fn left(&self) -> usize {
        usize::try_from(self.left).unwrap_or(0)
    }

    /// Returns the rest of the budget as a counter; [`leave`](Self::leave) takes it back.
    pub fn steps(&self) -> Cell<usize> {
        Cell::new(self.left())
    }

    /// Sets the rest to that of a counter. An empty counter counts as exceeded.
    pub fn leave(&mut self, steps: usize) {
        self.left = i64::try_from(steps).ok().filter(|left| *left > 0).unwrap_or(-1);
    }

    /// Sets the rest of the budget, whatever was charged before.
    pub fn allow(&mut self, units: usize) {
        self.left = i64::try_from(units).unwrap_or(i64::MAX);
    }

    /// Marks a limit as exceeded.
    pub fn exceed(&mut self, limit: Limit) {
        self.exceeded.insert(limit);
        self.unreported = if self.exceeded == self.reported { 0 } else { -1 };
    }

    /// Returns `true` if values may take `bytes` bytes in all. Otherwise exhausts the budget.
    #[inline]
    pub fn may_store(&mut self, bytes: usize) -> bool {
        let fits = bytes.saturating_add(self.held) <= self.memory;
        if fits {
            self.stored = bytes;
        }
        fits || self.exceed_memory()
    }

    /// Reserves `bytes` for bookkeeping, such as the places of values in lists. Returns `false`, and exhausts the budget, if that exceeds
    /// `SecTransactionMemoryLimit`; the caller may keep what it just allocated.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let fits = held.saturating_add(self.stored) <= self.memory;
        if fits {
            self.held = held;
        }
        fits || self.exceed_memory()
    }

    /// Releases bookkeeping. After exhaustion it may not have been counted, and nothing is released.
    pub fn release(&mut self, bytes: usize) {
        if !self.is_over() {
            self.held = self.held.saturating_sub(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn exceed_memory(&mut self) -> bool {
        if !self.exceeded.contains(Limit::Memory) {
            self.memory = self.memory.saturating_add(RESERVE);
        }
        self.exceed(Limit::Memory);
        self.left = -1;
        false
    }

    /// Returns the exceeded limits.
    pub fn exceeded(&self) -> LimitSet {
        self.exceeded
    }

    /// Returns `true` if the budget is exhausted, or an exceeded limit was not reported yet. Otherwise rules may continue without a check.
    #[inline]
    pub fn needs_attention(&self) -> bool {
        (self.left | self.unreported) < 0
    }

    /// Returns the limits that were exceeded since the last call.
    pub fn take_new(&mut self) -> LimitSet {
        let new = self.exceeded.without(self.reported);
        self.reported = self.exceeded;
        self.unreported = 0;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_unit_may_be_spent() {
        let mut budget = Budget::of(10, 10);
        budget.charge(10);
        assert!(!budget.is_over() && !budget.needs_attention());
        budget.charge(1);
        assert!(budget.is_over());
    }

    #[test]
    fn beyond_the_memory_nothing_is_left_but_room_for_flags() {
        let mut budget = Budget::of(10, 10);
        assert!(budget.may_store(6) && budget.reserve(4) && !budget.is_over());
        assert!(!budget.reserve(1) && budget.is_over() && budget.exceeded().contains(Limit::Memory));
        assert!(budget.reserve(1) && budget.may_store(7));
        assert!(!budget.reserve(RESERVE) && !budget.may_store(RESERVE + 7) && budget.may_store(RESERVE + 5));
    }

    #[test]
    fn what_is_forgotten_may_be_held_again() {
        let mut budget = Budget::of(10, 10);
        assert!(budget.reserve(8));
        budget.release(6);
        assert!(budget.reserve(8) && !budget.reserve(1));
        budget.release(10);
        assert!(!budget.reserve(RESERVE + 1));
    }

    #[test]
    fn a_limit_is_reported_once() {
        let mut budget = Budget::default();
        budget.exceed(Limit::Cookies);
        assert!(budget.needs_attention());
        assert_eq!(budget.take_new().iter().collect::<Vec<_>>(), [Limit::Cookies]);
        budget.exceed(Limit::Cookies);
        assert!(!budget.needs_attention() && budget.exceeded().contains(Limit::Cookies));
    }
}
