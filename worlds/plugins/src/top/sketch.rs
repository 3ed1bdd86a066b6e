//! Counts the frequent keys of a second, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005).
//!
//! While there is room, each new key gets a counter, and all counts are exact. Afterwards a new key takes over the counter with the smallest
//! count: its own count is then between 1 and that count plus 1, and the difference is kept as the error. So a key with more than 1/10,000 of
//! the visits has a counter, and one that is frequent has an exact one, because it got a counter early and never was the smallest.
//!
//! The smallest counter is found by a hand that goes round: counts only grow, so a counter that the hand passed stays larger than the smallest
//! count of its round. That takes constant time a visit, on average.

use crate::key_map::{KeyMap, map_bytes};

/// Maximum number of counters.
const COUNTERS: usize = 10_000;

/// Maximum size of the keys, in bytes.
const KEY_BYTES: usize = 1 << 20;

/// Counter of a key.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Hash of the key.
    pub hash: u64,
    /// The key.
    pub key: Box<[u8]>,
    /// Number of visits at most.
    count: u32,
    /// Part of the count that may be other keys'.
    error: u32,
}

impl Counter {
    /// Returns the number of visits at least.
    pub fn min_count(&self) -> u32 {
        self.count.saturating_sub(self.error)
    }
}

/// Counters of a second.
#[derive(Clone, Debug)]
pub struct Sketch {
    counters: Vec<Counter>,
    places: KeyMap<u32>,
    key_bytes: usize,
    hand: Hand,
    max_counters: usize,
    max_key_bytes: usize,
}

/// Place of the next counter to look at.
#[derive(Clone, Copy, Debug)]
struct Hand {
    place: usize,
    /// No count is smaller.
    smallest: u32,
    /// Smallest count that was seen in this round.
    seen: u32,
}

impl Hand {
    const START: Self = Self { place: 0, smallest: 0, seen: u32::MAX };
}

impl Default for Sketch {
    fn default() -> Self {
        Self::with_limits(COUNTERS, KEY_BYTES)
    }
}

impl Sketch {
    /// Makes a sketch without counts. A key that is longer than `max_key_bytes` counts nevertheless, alone.
    pub fn with_limits(max_counters: usize, max_key_bytes: usize) -> Self {
        Self { counters: Vec::new(), places: KeyMap::default(), key_bytes: 0, hand: Hand::START, max_counters, max_key_bytes }
    }

    /// Counts a visit.
    pub fn add(&mut self, hash: u64, key: &[u8]) {
        if let Some(counter) = self.places.get(&hash).and_then(|place| self.counters.get_mut(*place as usize)) {
            counter.count = counter.count.saturating_add(1);
            return;
        }
        let mut error = 0;
        while self.counters.len() >= self.max_counters || self.key_bytes.saturating_add(key.len()) > self.max_key_bytes {
            match self.remove_smallest() {
                Some(count) => error = count,
                None => break,
            }
        }
        let Ok(place) = u32::try_from(self.counters.len()) else { return };
        self.places.insert(hash, place);
        self.counters.push(Counter { hash, key: key.into(), count: error.saturating_add(1), error });
        self.key_bytes += key.len();
    }

    /// Returns the counters, and begins a new second.
    pub fn close(&mut self) -> Vec<Counter> {
        self.places.clear();
        // Seconds resemble each other, so the map is used again. After a flood it shrinks.
        self.places.shrink_to(self.counters.len().saturating_mul(2));
        self.key_bytes = 0;
        self.hand = Hand::START;
        let capacity = self.counters.len();
        std::mem::replace(&mut self.counters, Vec::with_capacity(capacity))
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> usize {
        counters_bytes(&self.counters) + map_bytes(self.places.capacity(), size_of::<(u64, u32)>())
    }

    /// Removes a counter with the smallest count, and returns this count.
    fn remove_smallest(&mut self) -> Option<u32> {
        // A round finds the smallest count, the next one a counter with it.
        for _ in 0..self.counters.len().saturating_mul(2).saturating_add(2) {
            let Some(counter) = self.counters.get(self.hand.place) else {
                self.hand = Hand { place: 0, smallest: self.hand.seen, seen: u32::MAX };
                continue;
            };
            if counter.count <= self.hand.smallest {
                let place = self.hand.place;
                let removed = self.counters.swap_remove(place);
                self.places.remove(&removed.hash);
                self.key_bytes = self.key_bytes.saturating_sub(removed.key.len());
                if let Some(moved) = self.counters.get(place) {
                    self.places.insert(moved.hash, u32::try_from(place).ok()?);
                }
                return Some(removed.count);
            }
            self.hand.seen = self.hand.seen.min(counter.count);
            self.hand.place += 1;
        }
        None
    }
}

/// Returns the bytes that counters take, with about 16 for the bookkeeping of each key.
pub fn counters_bytes(counters: &Vec<Counter>) -> usize {
    counters.capacity() * size_of::<Counter>() + counters.iter().map(|counter| counter.key.len() + 16).sum::<usize>()
}
