//! The memory of searches: states of automata, kept for later searches of the same pattern.
//!
//! The cache of one search has a limit. But rules have hundreds of patterns, and each search that runs at the same time as another has caches of its own.
//! So all caches together have a limit, too: those that have grown beyond it are made anew.

use regex_automata::dfa::onepass;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{backtrack, pikevm};
use regex_automata::util::pool::Pool;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// The memory of all caches together for each processor, in bytes, and at least. The OWASP CRS keeps 30 MB after thousands of different requests.
const MAX_FOR_PROCESSOR: usize = 64 << 20;
const MIN: usize = 128 << 20;

/// The number of searches after which caches are measured.
const INTERVAL: u8 = 64;

/// The caches of all patterns of the process.
static HELD: LazyLock<Held> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Held::up_to(processors.saturating_mul(MAX_FOR_PROCESSOR).max(MIN))
});

/// The caches of a pattern. A thread finds those that it used before, without waiting for other threads.
pub(super) type CachePool = Pool<Caches, Box<dyn Fn() -> Caches + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// Memory of several caches, with a limit.
#[derive(Debug)]
pub(super) struct Held {
    bytes: AtomicUsize,
    max: usize,
}

/// Memory of a search; each part is made when it is first needed.
#[derive(Debug)]
pub(super) struct Caches {
    pub(super) forward: Cache,
    /// `true` if no search has used `forward`.
    pub(super) is_fresh: bool,
    pub(super) reverse: Option<Cache>,
    pub(super) one_pass: Option<onepass::Cache>,
    pub(super) backtracker: Option<backtrack::Cache>,
    pub(super) stepper: Option<pikevm::Cache>,
    /// The number of searches since they were measured.
    searches: u8,
    /// Their memory when they were measured, in bytes.
    measured: usize,
    /// The memory that they are part of.
    held: &'static Held,
}

/// Makes a pool of the caches of an automaton.
pub(super) fn pool(forward: Arc<DFA>) -> CachePool {
    Pool::new(Box::new(move || Caches::new(&forward, &HELD)))
}

impl Held {
    const fn up_to(max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), max }
    }

    /// Counts memory as `now` in place of `before`. Returns `false` if it has grown and all memory is more than the limit.
    fn replace(&self, before: usize, now: usize) -> bool {
        let added = now.wrapping_sub(before);
        let held = self.bytes.fetch_add(added, Ordering::Relaxed).wrapping_add(added);
        now <= before || held <= self.max
    }
}

impl Caches {
    pub(super) fn new(forward: &DFA, held: &'static Held) -> Self {
        let forward = Cache::new(forward);
        Self { forward, is_fresh: true, reverse: None, one_pass: None, backtracker: None, stepper: None, searches: 0, measured: 0, held }
    }

    /// Ends a search. Now and then the caches are measured, and made anew if they have grown and all caches take too much memory.
    pub(super) fn end_search(&mut self, forward: &DFA) {
        self.searches += 1;
        if self.searches == INTERVAL {
            self.searches = 0;
            self.measure(forward);
        }
    }

    fn measure(&mut self, forward: &DFA) {
        let now = self.memory();
        let before = std::mem::replace(&mut self.measured, now);
        if !self.held.replace(before, now) {
            *self = Self::new(forward, self.held);
        }
    }

    fn memory(&self) -> usize {
        let reverse = self.reverse.as_ref().map_or(0, Cache::memory_usage);
        let others = [
            self.one_pass.as_ref().map(onepass::Cache::memory_usage),
            self.backtracker.as_ref().map(backtrack::Cache::memory_usage),
            self.stepper.as_ref().map(pikevm::Cache::memory_usage),
        ];
        self.forward.memory_usage() + reverse + others.into_iter().flatten().sum::<usize>()
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        self.held.replace(self.measured, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_automata::Input;

    static PLENTY: Held = Held::up_to(usize::MAX);
    static LITTLE: Held = Held::up_to(40 << 10);

    #[test]
    fn caches_that_grow_beyond_the_limit_are_made_anew() {
        let pattern = DFA::new("(?:a[ab]{8}c|b[bc]{9}a)+").unwrap();
        let mut bits = 7_u64;
        let mut letter = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ['a', 'b', 'c'][(bits >> 40) as usize % 3]
        };
        let (mut free, mut limited) = (Caches::new(&pattern, &PLENTY), Caches::new(&pattern, &LITTLE));
        for _ in 0..50 * u32::from(INTERVAL) {
            let text: String = (0..200).map(|_| letter()).collect();
            for caches in [&mut free, &mut limited] {
                pattern.try_search_fwd(&mut caches.forward, &Input::new(&text)).unwrap();
                caches.end_search(&pattern);
            }
            assert!(LITTLE.bytes.load(Ordering::Relaxed) <= LITTLE.max);
        }
        assert!(free.memory() > 2 * LITTLE.max, "{}", free.memory());
        assert_eq!(PLENTY.bytes.load(Ordering::Relaxed), free.measured);
        drop(free);
        assert_eq!(PLENTY.bytes.load(Ordering::Relaxed), 0);
    }
}
