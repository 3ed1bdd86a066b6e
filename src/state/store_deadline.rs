//! The time that a transaction waits for a store, and what comes of a store that does not answer.

use super::Collections;
use crate::graph::Settings;
use crate::store::{Down, Store};
use crate::vocabulary::Limit;
use std::time::{Duration, Instant};

/// Cost of a call to the store, in units of work.
const CALL: usize = 500;

impl Collections {
    /// Calls the store, which must return by the instant that it is given. Returns `None` if the store does not answer, or did not answer
    /// before in this transaction, or if the transaction has waited for it for its maximum time.
    pub fn ask_store<T>(
        &mut self,
        settings: &Settings,
        store: &dyn Store,
        ask: impl FnOnce(&dyn Store, Instant) -> Result<T, Down>,
    ) -> Option<T> {
        let milliseconds = |limit: Limit| Duration::from_millis(u64::try_from(settings.limit(limit)).unwrap_or(u64::MAX));
        let max = milliseconds(Limit::StoreTime);
        // One call in vain is all that a request waits for.
        if self.store_failure.is_some() || self.store_time > max {
            return None;
        }
        self.arena.budget.charge(CALL);
        let began = Instant::now();
        let wait = milliseconds(Limit::StoreCall).min(max.saturating_sub(self.store_time));
        let by = began.checked_add(wait).unwrap_or(began);
        let answer = ask(store, by);
        self.store_time += began.elapsed();
        if self.store_time > max {
            self.arena.budget.exceed(Limit::StoreTime);
        }
        match answer {
            Ok(answer) => Some(answer),
            Err(down) => {
                self.store_failure.get_or_insert(down);
                self.arena.budget.exceed(Limit::StoreCall);
                None
            }
        }
    }
}
