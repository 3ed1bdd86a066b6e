//! Queue of runs: one run of an extension at a time, the one that has waited longest first.

use crate::run::Cause;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Maximum number of events that wait for an extension; the oldest goes.
const MAX_EVENTS: usize = 100;

/// The causes of runs, for each extension.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

/// Why a run by a timetable does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The last one goes on.
    Runs,
    /// The last one waits.
    Waits,
}

#[derive(Debug)]
struct State {
    lines: Vec<Line>,
    count: u64,
    has_ended: bool,
}

/// Causes that wait for an extension, with the numbers of their arrival.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<(u64, Cause)>,
    running: Option<Running>,
    runs: u64,
    failures: u64,
    skipped: u64,
    dropped: u64,
}

/// A run that goes on.
#[derive(Debug)]
struct Running {
    cause: Cause,
    began: SystemTime,
    /// `true` if the history has it.
    is_reported: bool,
}

impl Queue {
    /// Makes a queue for so many extensions.
    pub fn new(extensions: usize) -> Self {
        let lines = (0..extensions).map(|_| Line::default()).collect();
        Self { state: Mutex::new(State { lines, count: 0, has_ended: false }), filled: Condvar::new() }
    }

    /// Adds an event for an extension.
    pub fn add_event(&self, extension: usize, cause: Cause) {
        let mut state = self.lock();
        let number = state.next_number();
        if let Some(line) = state.lines.get_mut(extension) {
            line.waiting.push_back((number, cause));
            if line.waiting.len() > MAX_EVENTS {
                line.waiting.pop_front();
                line.dropped += 1;
            }
        }
        self.filled.notify_one();
    }

    /// Adds a run by the timetable of an extension, unless its last one waits or goes on.
    pub fn add_time(&self, extension: usize) -> Result<(), Refusal> {
        let mut state = self.lock();
        let number = state.next_number();
        if let Some(line) = state.lines.get_mut(extension) {
            let refusal = if line.running.is_some() { Some(Refusal::Runs) } else { (!line.waiting.is_empty()).then_some(Refusal::Waits) };
            if let Some(refusal) = refusal {
                line.skipped += 1;
                return Err(refusal);
            }
            line.waiting.push_back((number, Cause::Timetable));
        }
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for the next cause, and returns it with its extension, which then runs. Returns `None` at the end.
    pub fn next(&self) -> Option<(usize, Cause)> {
        let mut state = self.lock();
        loop {
            if state.has_ended {
                return None;
            }
            let ready = state.lines.iter_mut().enumerate().filter(|(_, line)| line.running.is_none());
            let oldest = ready.filter_map(|(at, line)| Some((line.waiting.front()?.0, at, line))).min_by_key(|(number, ..)| *number);
            if let Some((_, at, line)) = oldest
                && let Some((_, cause)) = line.waiting.pop_front()
            {
                line.running = Some(Running { cause: cause.clone(), began: SystemTime::now(), is_reported: false });
                return Some((at, cause));
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns `true` if the history does not have the run of an extension yet, which the caller adds.
    pub fn report(&self, extension: usize) -> bool {
        let mut state = self.lock();
        let running = state.lines.get_mut(extension).and_then(|line| line.running.as_mut());
        running.is_some_and(|running| !std::mem::replace(&mut running.is_reported, true))
    }

    /// Ends the run of an extension.
    pub fn finish(&self, extension: usize, has_failed: bool) {
        if let Some(line) = self.lock().lines.get_mut(extension) {
            line.running = None;
            line.runs += 1;
            line.failures += u64::from(has_failed);
        }
        self.filled.notify_one();
    }

    /// Ends all waits. Returns what waited and is not run any more: the extension, the oldest cause and the number of causes.
    pub fn end(&self) -> Vec<(usize, Cause, usize)> {
        let mut state = self.lock();
        state.has_ended = true;
        self.filled.notify_all();
        let lines = state.lines.iter_mut().map(|line| std::mem::take(&mut line.waiting)).enumerate();
        lines.filter_map(|(at, mut causes)| Some((at, causes.pop_front()?.1, causes.len() + 1))).collect()
    }

    /// Returns the runs that go on and that the history does not have, which the caller adds: the extension, the cause and the begin of each.
    pub fn report_running(&self) -> Vec<(usize, Cause, SystemTime)> {
        let mut state = self.lock();
        let running = state.lines.iter_mut().enumerate().filter_map(|(at, line)| Some((at, line.running.as_mut()?)));
        let missing = running.filter_map(|(at, running)| {
            let is_missing = !std::mem::replace(&mut running.is_reported, true);
            is_missing.then(|| (at, running.cause.clone(), running.began))
        });
        missing.collect()
    }

    /// Returns the number of events that an extension was too slow for.
    pub fn dropped(&self, extension: usize) -> u64 {
        self.lock().lines.get(extension).map_or(0, |line| line.dropped)
    }

    /// Returns what an extension did.
    pub fn status(&self, extension: usize) -> Value {
        self.lock().lines.get(extension).map_or(Value::Null, |line| {
            json!({
                "running": line.running.is_some(),
                "waiting": line.waiting.len(),
                "runs": line.runs,
                "failures": line.failures,
                "skipped": line.skipped,
                "dropped": line.dropped,
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn event(number: usize) -> Cause {
        Cause::Event(Arc::new(json!(number)))
    }

    #[test]
    fn an_extension_runs_once_at_a_time_and_the_oldest_cause_is_next() {
        let queue = Queue::new(2);
        (1..4).for_each(|number| queue.add_event(0, event(number)));
        queue.add_event(1, event(4));
        assert_eq!(queue.next(), Some((0, event(1))));
        assert_eq!(queue.next(), Some((1, event(4))));
        queue.finish(0, false);
        assert_eq!(queue.next(), Some((0, event(2))));
    }

    #[test]
    fn the_oldest_event_goes_when_the_queue_is_full() {
        let queue = Queue::new(1);
        (0..MAX_EVENTS + 3).for_each(|number| queue.add_event(0, event(number)));
        assert_eq!((queue.next(), queue.dropped(0)), (Some((0, event(3))), 3));
    }

    #[test]
    fn a_timetable_waits_for_nothing() {
        let queue = Queue::new(1);
        assert_eq!(queue.add_time(0), Ok(()));
        assert_eq!(queue.add_time(0), Err(Refusal::Waits));
        assert!(queue.next().is_some());
        assert_eq!(queue.add_time(0), Err(Refusal::Runs));
        queue.finish(0, true);
        assert_eq!(queue.add_time(0), Ok(()));
        assert_eq!(queue.status(0).get("skipped"), Some(&json!(2)));
        assert_eq!((queue.end(), queue.next()), (vec![(0, Cause::Timetable, 1)], None));
    }

    #[test]
    fn a_run_is_reported_once_by_its_thread_or_by_the_end() {
        let queue = Queue::new(2);
        (0..2).for_each(|extension| queue.add_event(extension, event(extension)));
        (1..4).for_each(|number| queue.add_event(1, event(number)));
        assert!(queue.next().is_some() && queue.next().is_some() && queue.report(0));
        assert_eq!(queue.end(), [(1, event(1), 3)]);
        let reported: Vec<usize> = queue.report_running().into_iter().map(|(extension, ..)| extension).collect();
        assert_eq!((reported, queue.report(0), queue.report(1)), (vec![1], false, false));
    }
}
