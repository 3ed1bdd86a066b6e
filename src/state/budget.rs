//! What a transaction may still do, and the limits that it exceeded.

use crate::vocabulary::{Limit, LimitSet};
use std::cell::Cell;

/// What one value costs besides its bytes, in units of budget.
pub const PER_VALUE: usize = 64;

/// How many bytes may be stored beyond the limit of memory, for flags and for what the logging phase writes down.
const RESERVE: usize = 1 << 20;

/// No value reaches further than this, in bytes.
const FURTHEST: usize = u32::MAX as usize - RESERVE;

/// The work of one transaction, in units of about a byte looked at: a measure that depends on rules and request alone, not on the machine.
#[derive(Debug)]
pub struct Budget {
    left: i64,
    /// How many bytes may be kept.
    memory: usize,
    /// How many bytes values take.
    stored: usize,
    /// How many bytes are taken by what is known of values.
    held: usize,
    exceeded: LimitSet,
    told: LimitSet,
    /// -1 while a limit was exceeded of which nobody was told, otherwise 0.
    news: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: i64::MAX, memory: FURTHEST, stored: 0, held: 0, exceeded: LimitSet::EMPTY, told: LimitSet::EMPTY, news: 0 }
    }
}

impl Budget {
    /// A transaction that may do so much, and store so many bytes.
    pub fn of(budget: usize, memory: usize) -> Self {
        Self { left: i64::try_from(budget).unwrap_or(i64::MAX), memory: memory.min(FURTHEST), ..Self::default() }
    }

    /// Notes work that is done or about to be done.
    #[inline]
    pub fn charge(&mut self, units: usize) {
        // What is spent at once is far less than what is beneath zero.
        self.left = self.left.wrapping_sub(units as i64);
    }

    /// Returns `true` if more was done than may be.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.left < 0
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        usize::try_from(self.left).unwrap_or(0)
    }

    /// What is left, for those who take from it step by step; [`leave`](Self::leave) takes it in again.
    pub fn steps(&self) -> Cell<usize> {
        Cell::new(self.left())
    }

    /// Takes in what others left of it. Where that is nothing, they would have done more.
    pub fn leave(&mut self, steps: usize) {
        self.left = i64::try_from(steps).ok().filter(|left| *left > 0).unwrap_or(-1);
    }

    /// Allows so much more, whatever was done before.
    pub fn allow(&mut self, units: usize) {
        self.left = i64::try_from(units).unwrap_or(i64::MAX);
    }

    /// Notes that a limit was exceeded.
    pub fn exceed(&mut self, limit: Limit) {
        self.exceeded.insert(limit);
        self.news = if self.exceeded == self.told { 0 } else { -1 };
    }

    /// Returns `true` if values may take so many bytes in all. Where they may not, no work is left.
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

    /// Takes back what was held, for it is forgotten. Where the work is over it may not have been counted, and nothing is taken back.
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

    /// The limits that were exceeded.
    pub fn exceeded(&self) -> LimitSet {
        self.exceeded
    }

    /// Returns `true` if rules are to go on as before: there is work left, and no limit was exceeded of which nobody was told.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        (self.left | self.news) >= 0
    }

    /// Gives the limits that were exceeded since it was last asked.
    pub fn news(&mut self) -> LimitSet {
        let news = self.exceeded.without(self.told);
        self.told = self.exceeded;
        self.news = 0;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_unit_may_be_spent() {
        let mut budget = Budget::of(10, 10);
        budget.charge(10);
        assert!(!budget.is_over() && budget.is_quiet());
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
    fn a_limit_is_news_once() {
        let mut budget = Budget::default();
        budget.exceed(Limit::Cookies);
        assert!(!budget.is_quiet());
        assert_eq!(budget.news().iter().collect::<Vec<_>>(), [Limit::Cookies]);
        budget.exceed(Limit::Cookies);
        assert!(budget.is_quiet() && budget.exceeded().contains(Limit::Cookies));
    }
}
