//! The memory of transactions, used again: most requests need as much of it as those before, and asking for it anew costs more than using it.
//!
//! What a transaction leaves behind is cleared before the next may have it. Values are ranges that are checked against what was stored since
//! then, so that a range of an earlier transaction reads as nothing; builds with debug assertions overwrite the bytes as well.

use super::State;
use std::sync::{Mutex, PoisonError};

/// How many states are kept at most: more than transactions run at the same time in most processes.
const MOST_KEPT: usize = 64;

/// The states that finished transactions of a rule set left, for those to come.
#[derive(Debug, Default)]
pub struct MemoryPool {
    free: Mutex<Vec<State>>,
}

impl MemoryPool {
    /// A cleared state: used before if there is one, else new.
    pub fn take(&self) -> State {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Clears a state and keeps its memory.
    pub fn give_back(&self, state: State) {
        let state = state.cleared();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_KEPT {
            free.push(state);
        }
    }
}
