//! Work that waits for a plugin, bounded by number and by bytes.
//!
//! Requests beyond a bound are dropped. A tick is never dropped: each function that is called again and again has at most one that waits.

use crate::registration::Target;
use crate::tickers::WaitingTick;
use secrule_host::Exchange;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Maximum number of bytes of the requests that wait for a plugin. A request that waits for several plugins counts for each.
const MAX_BYTES: usize = 64 << 20;

/// Work for the thread of a plugin.
#[derive(Debug)]
pub enum Job {
    /// A request for a function.
    Request {
        /// The function.
        registration: usize,
        /// The request.
        exchange: Arc<Exchange>,
        /// The kind of request.
        target: Target,
    },
    /// A tick for a function.
    Tick {
        /// The function.
        registration: usize,
        /// The time between two ticks, in seconds.
        seconds: u64,
        /// Lets the next tick wait when this one has ended.
        waiting: WaitingTick,
    },
}

/// The jobs of one plugin, in their order.
#[derive(Debug)]
pub struct Queue {
    max_requests: usize,
    max_bytes: usize,
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Jobs with the bytes that they count for.
    jobs: VecDeque<(Job, usize)>,
    requests: usize,
    bytes: usize,
    is_running: bool,
    is_closed: bool,
}

impl Queue {
    /// Makes a queue for this number of requests.
    pub fn new(max_requests: usize) -> Self {
        Self { max_requests, max_bytes: MAX_BYTES, state: Mutex::default(), filled: Condvar::new() }
    }

    /// Adds a request that takes this number of bytes. Returns `false` if there is no room, or no thread takes jobs.
    pub fn add_request(&self, registration: usize, exchange: &Arc<Exchange>, target: Target, bytes: usize) -> bool {
        let mut state = self.lock();
        let has_room = state.requests < self.max_requests && state.bytes.saturating_add(bytes) <= self.max_bytes;
        if state.is_closed || !has_room {
            return false;
        }
        state.requests += 1;
        state.bytes += bytes;
        self.add(state, Job::Request { registration, exchange: Arc::clone(exchange), target }, bytes);
        true
    }

    /// Adds a tick. Returns `true` if it waits behind as many requests as may wait.
    pub fn add_tick(&self, registration: usize, seconds: u64, waiting: WaitingTick) -> bool {
        let state = self.lock();
        let is_full = state.requests >= self.max_requests || state.bytes >= self.max_bytes;
        if !state.is_closed {
            self.add(state, Job::Tick { registration, seconds, waiting }, 0);
        }
        is_full
    }

    fn add(&self, mut state: MutexGuard<'_, State>, job: Job, bytes: usize) {
        state.jobs.push_back((job, bytes));
        drop(state);
        self.filled.notify_one();
    }

    /// Waits for the next job, whose predecessor has then ended. Returns `None` if the queue is closed and empty.
    pub fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.is_running = false;
        loop {
            if let Some((job, bytes)) = state.jobs.pop_front() {
                state.requests -= usize::from(matches!(job, Job::Request { .. }));
                state.bytes -= bytes;
                state.is_running = true;
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the number of jobs that wait or run.
    pub fn pending(&self) -> usize {
        let state = self.lock();
        state.jobs.len() + usize::from(state.is_running)
    }

    /// Takes no more jobs; those that wait are still run.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
    }

    /// Takes no more jobs, and drops those that wait.
    pub fn end(&self) {
        *self.lock() = State { is_closed: true, ..State::default() };
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::internals::exchange::{AttackRecord, ExchangeRecord};

    fn queue(max_requests: usize, max_bytes: usize) -> Queue {
        Queue { max_bytes, ..Queue::new(max_requests) }
    }

    fn exchange(body: usize) -> Arc<Exchange> {
        let attack = AttackRecord { request_body: vec![b'x'; body].into(), ..AttackRecord::default() };
        let record = ExchangeRecord { attack: Some(attack), ..ExchangeRecord::decode(&[0; 256]).unwrap() };
        Arc::new(record.into_owned())
    }

    fn add(queue: &Queue, exchange: &Arc<Exchange>) -> bool {
        queue.add_request(0, exchange, Target::Detect, exchange.size())
    }

    #[test]
    fn a_queue_is_bounded_by_number_and_by_bytes() {
        let (small, large) = (exchange(0), exchange(50_000));
        assert!(large.size() >= small.size() + 50_000);
        let by_number = queue(2, usize::MAX);
        assert_eq!([(); 3].map(|()| add(&by_number, &large)), [true, true, false]);
        let by_bytes = queue(1_000, 110_000);
        assert_eq!([(); 3].map(|()| add(&by_bytes, &large)), [true, true, false]);
        assert!(add(&by_bytes, &small), "there is room for a small one");
        assert!(by_bytes.next().is_some() && add(&by_bytes, &large), "what was taken makes room");
    }

    #[test]
    fn a_full_queue_takes_a_tick_and_says_that_it_is_late() {
        let queue = queue(1, usize::MAX);
        assert!(!queue.add_tick(1, 5, WaitingTick::default()));
        assert!(add(&queue, &exchange(0)) && queue.add_tick(1, 5, WaitingTick::default()));
        let order: Vec<_> = (0..3).map(|_| matches!(queue.next(), Some(Job::Tick { .. }))).collect();
        assert_eq!(order, [true, false, true]);
    }

    #[test]
    fn a_closed_queue_still_gives_what_waits_and_one_that_has_ended_does_not() {
        let (closed, ended) = (queue(9, usize::MAX), queue(9, usize::MAX));
        for queue in [&closed, &ended] {
            assert!(add(queue, &exchange(0)));
        }
        closed.close();
        ended.end();
        assert!(!add(&closed, &exchange(0)) && !add(&ended, &exchange(0)));
        assert_eq!((closed.pending(), ended.pending()), (1, 0));
        assert!(closed.next().is_some() && closed.next().is_none() && ended.next().is_none());
    }
}
