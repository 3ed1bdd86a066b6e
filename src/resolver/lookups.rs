//! Look-ups by a few threads, for all transactions.
//!
//! The same question is asked only once at a time, and not again while its answer is cached. After one caller has timed out, the next ones do not
//! wait for the same answer. Threads start on demand, in the process that needs them, and end when they are idle for a while: a server that forks its
//! workers after it loaded the rules has none.

use crate::once_per_process::OncePerProcess;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time after which an idle thread ends.
const IDLE: Duration = Duration::from_secs(10);

/// Maximum number of callers per question that are informed of a late answer.
const MAX_LISTENERS: usize = 8;

/// Limits of look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LookupLimits {
    /// Maximum number of look-ups at the same time; each uses a thread.
    pub threads: usize,
    /// Maximum number of waiting questions; further ones get no answer.
    pub line: usize,
    /// Maximum number of cached answers.
    pub answers: usize,
}

/// Questions, their answers, and the threads of their look-ups.
pub(super) struct Lookups<Q, A> {
    limits: LookupLimits,
    lookup: Arc<Lookup<Q, A>>,
    /// A process that is forked from one with threads has none of them.
    shared: OncePerProcess<Shared<Q, A>>,
}

/// Looks up an answer, without a time limit, and returns the time for which it is cached.
type Lookup<Q, A> = dyn Fn(&Q) -> (A, Duration) + Send + Sync;

/// Receives an answer that came too late for its caller.
pub(super) type Listener<A> = Box<dyn FnOnce(&A) + Send>;

struct Shared<Q, A> {
    limits: LookupLimits,
    lookup: Arc<Lookup<Q, A>>,
    state: Mutex<State<Q, A>>,
    /// A question waits.
    work: Condvar,
    /// An answer came.
    answered: Condvar,
}

struct State<Q, A> {
    questions: HashMap<Q, Progress<A>>,
    line: VecDeque<Q>,
    threads: usize,
    idle: usize,
}

enum Progress<A> {
    /// Not answered yet; `late` after a caller timed out.
    Open {
        late: bool,
        listeners: Vec<Listener<A>>,
    },
    Known {
        answer: A,
        until: Instant,
    },
}

impl<Q: Clone + Eq + Hash + Send + 'static, A: Clone + Send + 'static> Lookups<Q, A> {
    pub(super) fn new(limits: LookupLimits, lookup: impl Fn(&Q) -> (A, Duration) + Send + Sync + 'static) -> Self {
        Self { limits, lookup: Arc::new(lookup), shared: OncePerProcess::new() }
    }

    fn shared(&self) -> Arc<Shared<Q, A>> {
        let state = || State { questions: HashMap::new(), line: VecDeque::new(), threads: 0, idle: 0 };
        let make = || Shared {
            limits: self.limits,
            lookup: Arc::clone(&self.lookup),
            state: Mutex::new(state()),
            work: Condvar::new(),
            answered: Condvar::new(),
        };
        let Ok(shared) = self.shared.get_or_make(|| Ok::<_, Infallible>(make()));
        shared
    }

    /// Returns the answer if it is cached, or comes within `wait`. Otherwise the look-up continues, and `listener` receives the answer.
    pub(super) fn ask(&self, question: &Q, wait: Duration, listener: Option<Listener<A>>) -> Option<A> {
        let shared = self.shared();
        let deadline = Instant::now() + wait;
        let mut state = shared.lock();
        let is_late = match state.questions.get(question) {
            Some(Progress::Known { answer, until }) if *until > Instant::now() => return Some(answer.clone()),
            Some(Progress::Open { late, .. }) => *late,
            _ => {
                if state.line.len() >= shared.limits.line || !Shared::ensure_thread(&shared, &mut state) {
                    return None;
                }
                state.make_room(shared.limits.answers);
                state.questions.insert(question.clone(), Progress::Open { late: false, listeners: Vec::new() });
                state.line.push_back(question.clone());
                shared.work.notify_one();
                false
            }
        };
        let deadline = if is_late { Instant::now() } else { deadline };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match state.questions.get_mut(question)? {
                Progress::Known { answer, .. } => return Some(answer.clone()),
                Progress::Open { late, listeners } if left.is_zero() => {
                    *late = true;
                    listeners.extend(listener.filter(|_| listeners.len() < MAX_LISTENERS));
                    return None;
                }
                Progress::Open { .. } => {}
            }
            state = shared.answered.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<Q: Clone + Eq + Hash + Send + 'static, A: Clone + Send + 'static> Shared<Q, A> {
    fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread unless one is idle or the maximum is reached; returns `true` if there is any thread.
    fn ensure_thread(shared: &Arc<Self>, state: &mut State<Q, A>) -> bool {
        if state.idle > state.line.len() || state.threads >= shared.limits.threads.max(1) {
            return true;
        }
        let worker = Arc::clone(shared);
        if std::thread::Builder::new().name("secrule-resolver".to_owned()).spawn(move || worker.work()).is_ok() {
            state.threads = state.threads.saturating_add(1);
        }
        state.threads > 0
    }

    /// Runs a thread: answers waiting questions, until there were none for a while.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            let Some(question) = state.line.pop_front() else {
                state.idle = state.idle.saturating_add(1);
                let (woken, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.idle = state.idle.saturating_sub(1);
                if wait.timed_out() && state.line.is_empty() {
                    state.threads = state.threads.saturating_sub(1);
                    return;
                }
                continue;
            };
            drop(state);
            let (answer, lives) = (self.lookup)(&question);
            state = self.lock();
            let known = Progress::Known { answer: answer.clone(), until: Instant::now() + lives };
            let before = state.questions.insert(question, known);
            self.answered.notify_all();
            if let Some(Progress::Open { listeners, .. }) = before.filter(|before| before.has_listeners()) {
                // Listeners write to a store: other questions continue meanwhile.
                drop(state);
                listeners.into_iter().for_each(|listener| listener(&answer));
                state = self.lock();
            }
        }
    }
}

impl<A> Progress<A> {
    fn has_listeners(&self) -> bool {
        matches!(self, Progress::Open { listeners, .. } if !listeners.is_empty())
    }
}

impl<Q: Eq + Hash, A> State<Q, A> {
    /// Removes answers if there are too many: first the expired ones, then all.
    fn make_room(&mut self, limit: usize) {
        if self.questions.len() < limit {
            return;
        }
        let now = Instant::now();
        self.questions.retain(|_, progress| match progress {
            Progress::Known { until, .. } => *until > now,
            Progress::Open { .. } => true,
        });
        if self.questions.len() >= limit {
            self.questions.retain(|_, progress| matches!(progress, Progress::Open { .. }));
        }
    }
}

impl<Q, A> fmt::Debug for Lookups<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(5);

    fn limits() -> LookupLimits {
        LookupLimits { threads: 1, line: 5, answers: 10 }
    }

    /// Look-ups that double a number.
    fn lookups() -> Lookups<u32, u32> {
        Lookups::new(limits(), |number: &u32| (number * 2, LONG))
    }

    #[test]
    fn a_listener_hears_of_an_answer_that_came_too_late() {
        let lookups = lookups();
        let (sender, heard) = mpsc::channel();
        let listener: Listener<u32> = Box::new(move |answer| sender.send(*answer).unwrap());
        assert_eq!(lookups.ask(&3, Duration::ZERO, Some(listener)), None);
        assert_eq!(heard.recv_timeout(LONG), Ok(6));
        assert_eq!(lookups.ask(&3, Duration::ZERO, None), Some(6));
    }

    #[test]
    fn a_caller_who_need_not_wait_hears_of_nothing_twice() {
        let (sender, heard) = mpsc::channel();
        let listener: Listener<u32> = Box::new(move |answer| sender.send(*answer).unwrap());
        assert_eq!(lookups().ask(&2, LONG, Some(listener)), Some(4));
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
    }

    #[test]
    fn neither_the_line_nor_the_memory_grows_without_end() {
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let held: Lookups<u32, u32> = Lookups::new(limits(), move |number| {
            // Ends when the other end of the channel is dropped.
            let _ = released.lock().unwrap().recv();
            (number * 2, LONG)
        });
        for number in 0..50 {
            assert_eq!(held.ask(&number, Duration::ZERO, None), None);
        }
        assert!(held.shared().lock().line.len() <= 5);
        drop(release);
        let quick = lookups();
        for number in 0..50 {
            assert_eq!(quick.ask(&number, LONG, None), Some(number * 2));
        }
        assert!(quick.shared().lock().questions.len() <= 10);
    }
}
