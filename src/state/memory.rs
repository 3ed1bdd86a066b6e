//! Reuses the memory of transactions: most requests need about as much as earlier ones, and allocating it again costs more than using it.
//!
//! Memory is cleared before the next transaction. Values are ranges that are checked against the stored bytes, so that a range of an earlier
//! transaction is empty; builds with debug assertions overwrite the bytes as well.

use super::State;
use crate::graph::PlanId;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Maximum number of states that are kept: more than the concurrent transactions of most processes.
const MAX_KEPT: usize = 64;

/// The pools that are in use, by the plans of their rule sets.
static POOLS: Mutex<Option<FxHashMap<PlanId, Weak<MemoryPool>>>> = Mutex::new(None);

/// The states of finished transactions.
#[derive(Debug, Default)]
pub struct MemoryPool {
    free: Mutex<Vec<State>>,
}

impl MemoryPool {
    /// Returns the pool of all rule sets whose plans have a number: sites that inherit the same rules need no memory of their own.
    pub fn of(plan: PlanId) -> Arc<Self> {
        let mut pools = locked(&POOLS);
        let pools = pools.get_or_insert_default();
        if let Some(pool) = pools.get(&plan).and_then(Weak::upgrade) {
            return pool;
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Arc::default();
        pools.insert(plan, Arc::downgrade(&pool));
        pool
    }

    /// Returns a cleared state, reused if possible.
    pub fn take(&self) -> State {
        locked(&self.free).pop().unwrap_or_default()
    }

    /// Clears a state and keeps its memory.
    pub fn give_back(&self, state: State) {
        let state = state.cleared();
        let mut free = locked(&self.free);
        if free.len() < MAX_KEPT {
            free.push(state);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
