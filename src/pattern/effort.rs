//! What a search takes besides looking at each byte once.

/// What the backtracking engine takes for a step, in units of about a byte that is looked at in linear time.
const WORK_OF_STEP: usize = 8;

/// The work of searches, in units of work, and how much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// What was done so far: steps of the backtracking engine, and bytes that an automaton of counted repetitions looks at in many states. A search
    /// that is given up for lack of what is left has added what it would have taken.
    pub used: usize,
    /// How much may be done.
    pub limit: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { used: 0, limit: usize::MAX }
    }
}

impl Effort {
    /// Adds work that is about to be done; whether it may be.
    pub(super) fn allows(&mut self, work: usize) -> bool {
        self.used = self.used.saturating_add(work);
        self.used <= self.limit
    }

    /// How many steps there may be in all, where a search allows so many itself.
    pub(super) fn step_limit(&self, limit: usize) -> usize {
        limit.min(self.limit / WORK_OF_STEP)
    }

    /// The steps that were taken so far.
    pub(super) fn steps(&self) -> usize {
        self.used / WORK_OF_STEP
    }

    /// Notes how many steps were taken in all.
    pub(super) fn note_steps(&mut self, steps: usize) {
        self.used = self.used.max(steps.saturating_mul(WORK_OF_STEP));
    }
}
