//! Counts of a key in a second or a minute, and their sums.

use std::time::Duration;

/// Number of classes of responses, with "no response" as the first.
pub const CLASSES: usize = 6;

/// Counts of a key in a second or a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests without a response, with a response 1xx, 2xx, 3xx, 4xx, 5xx.
    pub classes: [u32; CLASSES],
    /// Time of the backend, in microseconds.
    pub micros: u64,
}

impl Counts {
    /// Adds a request.
    pub fn add_visit(&mut self, status: u16, backend: Duration) {
        let class = match status {
            100..=599 => usize::from(status / 100),
            _ => 0,
        };
        if let Some(count) = self.classes.get_mut(class) {
            *count = count.saturating_add(1);
        }
        self.micros = self.micros.saturating_add(u64::try_from(backend.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds other counts of the key.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.classes.iter_mut().zip(other.classes) {
            *count = count.saturating_add(other);
        }
        self.micros = self.micros.saturating_add(other.micros);
    }

    /// Removes counts of the key that are a part of these.
    pub fn remove(&mut self, part: &Self) {
        for (count, part) in self.classes.iter_mut().zip(part.classes) {
            *count = count.saturating_sub(part);
        }
        self.micros = self.micros.saturating_sub(part.micros);
    }

    /// Returns the number of requests.
    pub fn visits(&self) -> u64 {
        self.classes.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Counts of a key in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of requests.
    pub visits: u64,
    /// Number of responses 1xx, 2xx, 3xx, 4xx and 5xx. Requests without a response are in none of them.
    pub responses: [u64; 5],
    /// Time of the backend.
    pub backend: Duration,
}

impl Totals {
    /// Returns the time of the backend in whole seconds, rounded down.
    pub fn backend_seconds(&self) -> u64 {
        self.backend.as_secs()
    }

    /// Adds counts of the key.
    pub(super) fn add(&mut self, counts: &Counts) {
        self.visits = self.visits.saturating_add(counts.visits());
        for (sum, count) in self.responses.iter_mut().zip(counts.classes.iter().skip(1)) {
            *sum = sum.saturating_add((*count).into());
        }
        self.backend = self.backend.saturating_add(Duration::from_micros(counts.micros));
    }
}
