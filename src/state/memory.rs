//! Reuses the memory of transactions: most requests need about as much as earlier ones, and allocating it again costs more than using it.
//!
//! Memory is cleared before the next transaction. Values are ranges that are checked against the stored bytes, so that a range of an earlier
//! transaction is empty; builds with debug assertions overwrite the bytes as well.

use super::State;
use std::sync::{Mutex, PoisonError};

/// Maximum number of states that are kept: more than the concurrent transactions of most processes.
const MAX_KEPT: usize = 64;

/// The states of finished transactions of a rule set.
#[derive(Debug, Default)]
pub struct MemoryPool {
    free: Mutex<Vec<State>>,
}

impl MemoryPool {
    /// Returns a cleared state, reused if possible.
    pub fn take(&self) -> State {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Clears a state and keeps its memory.
    pub fn give_back(&self, state: State) {
        let state = state.cleared();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_KEPT {
            free.push(state);
        }
    }
}
