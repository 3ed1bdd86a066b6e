//! At most so many at once for each key: requests to a host, look-ups of names.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Gives out permits, a limited number for each key.
#[derive(Clone, Debug)]
pub struct Permits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// Permits that are given out, for each key that has any.
    taken: Mutex<HashMap<String, usize>>,
    returned: Condvar,
}

/// Returned when it is dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    key: String,
}

impl Permits {
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit, taken: Mutex::default(), returned: Condvar::new() }))
    }

    /// Waits for a permit. Returns `None` if there is none by the deadline.
    pub fn wait(&self, key: &str, by: Instant) -> Option<Permit> {
        let mut taken = self.0.taken();
        while taken.get(key).is_some_and(|count| *count >= self.0.limit) {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            taken = self.0.returned.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = taken.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        Some(Permit { shared: Arc::clone(&self.0), key: key.to_owned() })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.key)),
        }
        self.shared.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_returned_permit_is_given_to_who_waits() {
        let permits = Permits::new(1);
        let first = permits.wait("a", Instant::now()).unwrap();
        assert!(permits.wait("a", Instant::now()).is_none());
        assert!(permits.wait("b", Instant::now()).is_some());
        let waiting = std::thread::spawn({
            let permits = permits.clone();
            move || permits.wait("a", Instant::now() + Duration::from_secs(60)).is_some()
        });
        drop(first);
        assert!(waiting.join().unwrap());
        assert!(permits.0.taken().is_empty());
    }
}
