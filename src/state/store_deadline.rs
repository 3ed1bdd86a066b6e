//! The time that a transaction waits for persistent collections.

use super::Collections;
use crate::graph::Settings;
use crate::store::Store;
use crate::vocabulary::Limit;
use std::time::{Duration, Instant};

/// Cost of a call to the store, in units of work.
const CALL: usize = 500;

impl Collections {
    /// Calls the store. After the transaction has waited for it for its maximum time, it is not called again, and the result is empty.
    pub fn ask_store<T: Default>(&mut self, settings: &Settings, store: &dyn Store, ask: impl FnOnce(&dyn Store) -> T) -> T {
        let max = Duration::from_millis(settings.limit(Limit::StoreTime) as u64);
        if self.store_time > max {
            return T::default();
        }
        self.arena.budget.charge(CALL);
        let began = Instant::now();
        let answer = ask(store);
        self.store_time += began.elapsed();
        if self.store_time > max {
            self.arena.budget.exceed(Limit::StoreTime);
        }
        answer
    }
}
