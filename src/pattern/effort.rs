//! Work of a search beyond reading each byte once.

/// Cost of a backtracking step in units of work; a unit is about one byte read in linear time.
const WORK_OF_STEP: usize = 8;

/// Work of searches, in units of work, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Work done so far: steps of the backtracking engine, and bytes that an automaton with counted repetitions reads in many states. A search that
    /// is given up because of the limit has added the work that it would have taken.
    pub used: usize,
    /// Maximum work.
    pub limit: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { used: 0, limit: usize::MAX }
    }
}

impl Effort {
    /// Adds work that is about to be done. Returns `false` if it exceeds the limit.
    pub(super) fn allows(&mut self, work: usize) -> bool {
        self.used = self.used.saturating_add(work);
        self.used <= self.limit
    }

    /// Returns the maximum number of steps in all, if a search allows `limit` itself.
    pub(super) fn step_limit(&self, limit: usize) -> usize {
        limit.min(self.limit / WORK_OF_STEP)
    }

    /// Returns the number of steps so far.
    pub(super) fn steps(&self) -> usize {
        self.used / WORK_OF_STEP
    }

    /// Sets the number of steps so far.
    pub(super) fn note_steps(&mut self, steps: usize) {
        self.used = self.used.max(steps.saturating_mul(WORK_OF_STEP));
    }
}
