//! A count and a total time.

use std::time::Duration;

/// A count and a total time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The count.
    pub count: u64,
    /// The total time.
    pub time: Duration,
}

impl Cost {
    /// Counts one more.
    pub fn add(&mut self, time: Duration) {
        self.merge(Cost { count: 1, time });
    }

    /// Keeps the shorter time of two measurements of the same work.
    pub fn keep_fastest(&mut self, other: Cost) {
        self.time = self.time.min(other.time);
    }

    /// Adds another cost.
    pub fn merge(&mut self, other: Cost) {
        self.count += other.count;
        self.time += other.time;
    }
}
