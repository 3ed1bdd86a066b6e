//! Leaves a store alone that does not answer, so that each request does not wait for it anew.

use super::route::{Failure, Route};
use super::{Down, Store};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of failures within [`WINDOW`] that open the breaker.
const FAILURES: u32 = 5;

/// The time in which failures are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The time after which an open breaker lets one call through.
const PAUSE: Duration = Duration::from_secs(1);

/// A store behind a circuit breaker: after 5 calls in a second that it did not answer, all calls fail at once. After a second, and then once a second,
/// one call is passed on; when the store answers it, all are again.
#[derive(Debug)]
pub struct Breaker<S> {
    store: S,
    state: Mutex<State>,
    clock: fn() -> Instant,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Calls are passed on.
    Closed { failures: u32, since: Instant },
    /// Calls fail until the moment, and then one is passed on.
    Open { until: Instant },
}

impl<S: Store> Breaker<S> {
    /// Puts a breaker before a store.
    pub fn new(store: S) -> Self {
        Self::with_clock(store, Instant::now)
    }

    fn with_clock(store: S, clock: fn() -> Instant) -> Self {
        Self { store, state: Mutex::new(State::Closed { failures: 0, since: clock() }), clock }
    }

    /// Returns the store behind it.
    pub fn store(&self) -> &S {
        &self.store
    }

    fn admit(&self) -> Result<(), Down> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open { until } = *state else { return Ok(()) };
        let now = (self.clock)();
        if now < until {
            return Err(Down::new("it has not answered for some time, and is asked again once a second"));
        }
        // Others wait for the outcome of this call.
        *state = State::Open { until: now + PAUSE };
        Ok(())
    }

    fn note(&self, is_down: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            State::Closed { .. } if !is_down => return,
            State::Open { .. } if is_down => return,
            State::Open { .. } => State::Closed { failures: 0, since: (self.clock)() },
            State::Closed { failures, since } => {
                let now = (self.clock)();
                let (failures, since) = if now.duration_since(since) < WINDOW { (failures + 1, since) } else { (1, now) };
                if failures < FAILURES { State::Closed { failures, since } } else { State::Open { until: now + PAUSE } }
            }
        };
    }
}

impl<S: Store> Route for Breaker<S> {
    fn route<R, E: Failure>(&self, by: Instant, ask: impl FnOnce(&dyn Store) -> Result<R, E>) -> Result<R, E> {
        self.admit()?;
        // Without any time for an answer, nothing is learned of the store.
        let is_late = Instant::now() >= by;
        let answer = ask(&self.store);
        match answer.as_ref().err().and_then(Failure::down) {
            Some(_) if is_late => {}
            // A store that does not keep what it was asked for did answer.
            Some(down) => self.note(*down != Down::LACKING),
            None => self.note(false),
        }
        answer
    }

    fn has_bans(&self) -> bool {
        self.store.has_bans()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pace, RecordHistory, RecordKey, Update, Variables, WriteError};
    use super::*;
    use crate::graph::PersistentCollection;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::SystemTime;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static MILLIS: AtomicU64 = AtomicU64::new(0);

    fn now() -> Instant {
        *START + Duration::from_millis(MILLIS.load(Ordering::Relaxed))
    }

    /// A store that counts its calls, and answers them or not.
    #[derive(Debug, Default)]
    struct Counted {
        calls: AtomicU64,
        is_down: AtomicBool,
    }

    impl Counted {
        fn answer<R: Default>(&self) -> Result<R, Down> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if self.is_down.load(Ordering::Relaxed) { Err(Down::new("off")) } else { Ok(R::default()) }
        }
    }

    impl Store for Counted {
        fn read(&self, _: &RecordKey, _: &[u8], _: Instant) -> Result<Option<Vec<u8>>, Down> {
            self.answer()
        }

        fn read_all(&self, _: &RecordKey, _: Instant) -> Result<Variables, Down> {
            self.answer()
        }

        fn write(&self, _: Update<'_>, _: &[u8], _: &[u8], _: Instant) -> Result<Option<RecordHistory>, WriteError> {
            Ok(self.answer()?)
        }

        fn add(&self, _: Update<'_>, _: &[u8], _: i64, _: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
            Ok(self.answer()?)
        }

        fn set_timeout(&self, _: Update<'_>, _: Duration, _: Instant) -> Result<Option<RecordHistory>, WriteError> {
            Ok(self.answer()?)
        }

        fn touch(&self, _: Update<'_>, _: Instant) -> Result<Option<RecordHistory>, WriteError> {
            Ok(self.answer()?)
        }

        fn remove(&self, _: &RecordKey, _: &[u8], _: Instant) -> Result<(), Down> {
            self.answer()
        }

        fn expire(&self, _: &RecordKey, _: &[u8], _: SystemTime, _: Instant) -> Result<(), Down> {
            self.answer()
        }

        fn deprecate(&self, _: &RecordKey, _: &[u8], _: Pace, _: Instant) -> Result<Option<i64>, Down> {
            self.answer()
        }

        fn history(&self, _: &RecordKey, _: Instant) -> Result<Option<RecordHistory>, Down> {
            self.answer()
        }
    }

    #[test]
    fn a_store_that_fails_is_left_alone_and_asked_once_a_second() {
        let breaker = Breaker::with_clock(Counted::default(), now);
        let record = RecordKey::new(PersistentCollection::Ip, b"", "");
        let asked = |times: usize, pause: u64| {
            MILLIS.fetch_add(pause, Ordering::Relaxed);
            let before = breaker.store().calls.load(Ordering::Relaxed);
            let by = Instant::now() + PAUSE;
            let answers = (0..times).filter(|_| breaker.read(&record, b"a", by).is_ok()).count();
            (breaker.store().calls.load(Ordering::Relaxed) - before, answers)
        };
        assert_eq!(asked(10, 0), (10, 10));
        breaker.store().is_down.store(true, Ordering::Relaxed);
        // Failures that are far apart do not open it.
        assert_eq!((asked(4, 1_500), asked(4, 1_500)), ((4, 0), (4, 0)));
        assert_eq!(asked(10, 1_500), (5, 0));
        assert_eq!((asked(10, 999), asked(10, 1), asked(10, 500)), ((0, 0), (1, 0), (0, 0)));
        breaker.store().is_down.store(false, Ordering::Relaxed);
        assert_eq!((asked(10, 0), asked(10, 500)), ((0, 0), (10, 10)));
    }

    #[test]
    fn what_a_store_does_not_keep_is_no_failure() {
        let breaker = Breaker::new(Counted::default());
        assert!((0..20).all(|_| breaker.changes(Instant::now()) == Err(Down::LACKING)));
        assert!(breaker.read(&RecordKey::new(PersistentCollection::Ip, b"", ""), b"a", Instant::now()).is_ok());
    }
}
