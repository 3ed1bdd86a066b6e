//! The counts of a combination: the current second, the closed seconds, the closed minutes.

use super::block::{Block, BlockWriter};
use super::counts::{Counts, Totals};
use super::limits::Limits;
use super::minute::Closing;
use crate::key_map::{KeyMap, map_bytes};
use std::collections::VecDeque;
use std::time::Duration;

/// Seconds of a minute, and number of closed seconds that are kept.
const MINUTE: u64 = 60;

/// Number of closed minutes that are kept: a window of 3,660 seconds has at least the half of the oldest.
const MINUTES: u64 = 61;

/// Expected size of an entry of a block, in bytes.
const ENTRY_BYTES: usize = 10;

/// Number of visits between two parts of the work that closes a minute: at 50,000 visits a second all 256 parts are done within a second.
const VISITS_A_PART: u32 = 128;

/// Counts of all keys of a combination.
#[derive(Debug, Default)]
pub struct History {
    now: u64,
    current: KeyMap<Counts>,
    /// Closed seconds that had visits, the oldest first.
    seconds: VecDeque<(u64, Block)>,
    bytes_of_seconds: usize,
    /// Closed minutes that had visits, the oldest first.
    minutes: VecDeque<(u64, Block)>,
    /// The minute before, in the first second after it.
    closing: Option<Closing>,
    visits_since_part: u32,
    uncounted: u64,
}

impl History {
    /// Goes on to a second. Does nothing if it is not later than the current one.
    pub fn advance(&mut self, second: u64, limits: &Limits) {
        if second <= self.now {
            return;
        }
        self.finish_minute(limits);
        self.close_second();
        let minute = self.now / MINUTE;
        if second / MINUTE > minute && self.seconds_of(minute).next().is_some() {
            self.closing = Some(Closing::new(minute, limits));
            // The work is spread over the next second. After a pause, when the first seconds of the minute are dropped now, it is done at once.
            if second > (minute + 1) * MINUTE {
                self.finish_minute(limits);
            }
        }
        self.now = second;
        while let Some((oldest, _)) = self.seconds.front()
            && oldest.saturating_add(MINUTE) < second
            && let Some((_, block)) = self.seconds.pop_front()
        {
            self.bytes_of_seconds = self.bytes_of_seconds.saturating_sub(block.bytes());
        }
        while self.minutes.front().is_some_and(|(oldest, _)| oldest.saturating_add(MINUTES) < second / MINUTE) {
            self.minutes.pop_front();
        }
    }

    /// Counts a request in the current second.
    pub fn count(&mut self, key: u64, status: u16, backend: Duration, limits: &Limits) {
        if self.closing.is_some() {
            self.visits_since_part += 1;
            if self.visits_since_part >= VISITS_A_PART {
                self.close_part(limits);
            }
        }
        if let Some(counts) = self.current.get_mut(&key) {
            counts.add_visit(status, backend);
            return;
        }
        let bytes = self.bytes_of_seconds.saturating_add(self.current.len().saturating_mul(ENTRY_BYTES));
        if self.current.len() >= limits.keys_of_a_second || bytes >= limits.bytes_of_seconds {
            self.uncounted = self.uncounted.saturating_add(1);
            return;
        }
        self.current.entry(key).or_default().add_visit(status, backend);
    }

    /// Returns the counts of a key in a window of at least one second, the current one included.
    pub fn totals(&self, key: u64, window: u64) -> Totals {
        let mut totals = Totals::default();
        if let Some(counts) = self.current.get(&key) {
            totals.add(counts);
        }
        let last_minute = (self.now / MINUTE).checked_sub(1);
        let mut counted_of_last_minute = Counts::default();
        let mut exact_from = (self.now + 1).saturating_sub(window.min(MINUTE));
        if let Some(closing) = self.closing.as_ref().filter(|_| window > MINUTE) {
            exact_from = exact_from.min(closing.minute * MINUTE);
        }
        for (second, block) in self.seconds.iter().rev().take_while(|(second, _)| *second >= exact_from) {
            let Some(counts) = block.find(key) else { continue };
            totals.add(&counts);
            if Some(second / MINUTE) == last_minute {
                counted_of_last_minute.add(&counts);
            }
        }
        if window <= MINUTE {
            return totals;
        }
        // A minute belongs to the window if at least half of it lies within.
        let from = (self.now + 1).saturating_sub(window);
        for (minute, block) in self.minutes.iter().rev().take_while(|(minute, _)| minute * MINUTE + MINUTE / 2 >= from) {
            let Some(mut counts) = block.find(key) else { continue };
            if Some(*minute) == last_minute {
                counts.remove(&counted_of_last_minute);
            }
            totals.add(&counts);
        }
        totals
    }

    /// Returns the number of requests that were not counted.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> usize {
        let blocks = self.minutes.iter().map(|(_, block)| block.bytes()).sum::<usize>() + self.bytes_of_seconds;
        let places = (self.seconds.capacity() + self.minutes.capacity()) * size_of::<(u64, Block)>();
        blocks + places + self.closing.as_ref().map_or(0, Closing::bytes) + map_bytes(self.current.capacity(), size_of::<(u64, Counts)>())
    }

    fn close_second(&mut self) {
        if self.current.is_empty() {
            return;
        }
        let mut keys = self.current.keys().copied().collect::<Vec<_>>();
        keys.sort_unstable();
        let mut writer = BlockWriter::new(keys.len());
        for key in &keys {
            if let Some(counts) = self.current.get(key) {
                writer.push(*key, counts);
            }
        }
        let block = writer.finish();
        self.bytes_of_seconds = self.bytes_of_seconds.saturating_add(block.bytes());
        self.seconds.push_back((self.now, block));
        self.current.clear();
        // Seconds resemble each other, so the map is used again. After a flood it shrinks.
        self.current.shrink_to(keys.len().saturating_mul(2));
    }

    /// Does a part of the work that closes a minute. Returns `true` if there is none left.
    fn close_part(&mut self, limits: &Limits) -> bool {
        self.visits_since_part = 0;
        let Some(mut closing) = self.closing.take() else { return true };
        let is_done = closing.do_part(self.seconds_of(closing.minute));
        if is_done {
            self.minutes.push_back((closing.minute, closing.finish(limits)));
        } else {
            self.closing = Some(closing);
        }
        is_done
    }

    fn finish_minute(&mut self, limits: &Limits) {
        while !self.close_part(limits) {}
    }

    /// Returns the closed seconds of a minute.
    fn seconds_of(&self, minute: u64) -> impl Iterator<Item = &Block> {
        self.seconds.iter().filter(move |(second, _)| second / MINUTE == minute).map(|(_, block)| block)
    }
}
