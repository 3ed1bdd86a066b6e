//! The memory of transactions, used again: most requests need as much of it as those before, and asking for it anew costs more than using it.
//!
//! What a transaction leaves behind is cleared before the next may have it. Values are ranges that are checked against what was stored since
//! then, so that a range of an earlier transaction reads as nothing; builds with debug assertions overwrite the bytes as well.

use super::gates::Gates;
use super::slots::Slots;
use super::{RuleMatch, Scratch};
use crate::collection::{Collections, forget};
use std::sync::{Mutex, PoisonError};

/// How many transactions' memory is kept at most: more than run at the same time in most processes.
const MOST_KEPT: usize = 64;

/// Memory for one transaction.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) collections: Collections,
    pub(super) slots: Slots,
    pub(super) gates: Gates,
    pub(super) matches: Vec<RuleMatch>,
    pub(super) scratch: Scratch,
}

/// The memory that finished transactions of a rule set left, for those to come.
#[derive(Debug, Default)]
pub struct MemoryPool {
    free: Mutex<Vec<Memory>>,
}

impl MemoryPool {
    /// Cleared memory: used before if there is some, else new.
    pub(super) fn take(&self) -> Memory {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Clears memory and keeps it.
    pub(super) fn give_back(&self, mut memory: Memory) {
        memory.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_KEPT {
            free.push(memory);
        }
    }
}

impl Memory {
    fn clear(&mut self) {
        let Self { collections, slots, gates, matches, scratch } = self;
        collections.clear();
        slots.clear();
        gates.clear();
        forget(matches);
        forget(&mut scratch.selected);
        forget(&mut scratch.text);
        forget(&mut scratch.findings.captures);
        forget(&mut scratch.findings.offsets);
        scratch.findings.clear();
    }
}
