//! How often something was done, and for how long.

use std::time::Duration;

/// How often something was done, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often.
    pub count: u64,
    /// How long, all times together.
    pub time: Duration,
}

impl Cost {
    /// Counts one more.
    pub fn add(&mut self, time: Duration) {
        self.merge(Cost { count: 1, time });
    }

    /// Keeps the shorter time of the same work.
    pub fn keep_fastest(&mut self, other: Cost) {
        self.time = self.time.min(other.time);
    }

    /// Counts what was counted elsewhere.
    pub fn merge(&mut self, other: Cost) {
        self.count += other.count;
        self.time += other.time;
    }
}
