//! Rows that wait in memory for the embedded database.

use super::tables::{Minute, WafEvent};
use std::collections::VecDeque;

/// Limit of events, in bytes. The oldest go.
const MAX_BYTES: usize = 32 << 20;
/// Limit of minutes: a day.
const MAX_MINUTES: usize = 24 * 60;

/// Rows that are not written yet. Those beyond the limits are dropped and counted, the oldest first.
#[derive(Debug, Default)]
pub struct Waiting {
    events: VecDeque<WafEvent>,
    minutes: VecDeque<Minute>,
    bytes: usize,
    dropped: u64,
}

impl Waiting {
    /// Adds an event, with fields that are not too long.
    pub fn add_event(&mut self, mut event: WafEvent) {
        event.cut();
        self.bytes += event.size();
        self.events.push_back(event);
        while self.bytes > MAX_BYTES
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.size();
            self.dropped += 1;
        }
    }

    /// Adds a minute.
    pub fn add_minute(&mut self, minute: Minute) {
        self.minutes.push_back(minute);
        while self.minutes.len() > MAX_MINUTES {
            self.minutes.pop_front();
            self.dropped += 1;
        }
    }

    /// Returns the events, the oldest first.
    pub fn events(&self) -> &VecDeque<WafEvent> {
        &self.events
    }

    /// Returns the minutes, the oldest first.
    pub fn minutes(&self) -> &VecDeque<Minute> {
        &self.minutes
    }

    /// Returns `true` if no row waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.minutes.is_empty()
    }

    /// Removes the rows, which are written.
    pub fn clear(&mut self) {
        self.events.clear();
        self.minutes.clear();
        self.bytes = 0;
    }

    /// Drops and counts the rows, which nothing will write. Returns their number.
    pub fn give_up(&mut self) -> u64 {
        let count = u64::try_from(self.events.len() + self.minutes.len()).unwrap_or(u64::MAX);
        self.clear();
        self.dropped += count;
        count
    }

    /// Returns the number of rows that were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
