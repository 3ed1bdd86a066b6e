//! Statistics of the requests of the last hour: visits → numbers of visits, of responses and the time of the backend, for a key and a window.
//!
//! ```text
//! visits ──count──→ this second ──closes──→ 60 closed seconds ──a minute closes──→ 61 closed minutes
//!                   a map                   blocks of all keys                     blocks of the 50,000 most frequent keys
//! ```
//!
//! Counts of the last 60 seconds are exact for all keys. Beyond them, the counts of a minute are exact for its 50,000 most frequent keys, and 0
//! for others: counters of a million keys for each minute would take a quarter of a gigabyte. A question about a minute and more therefore
//! begins with the nearest full minute, and a plugin never gets more than there was in it.
//!
//! A combination costs nothing until the first question about it, which gets zeros: no plugin that asks for addresses pays for paths.
//!
//! A block is a sorted table in about ten bytes an entry (`block.rs`). Fixed columns would take 22, and a map 48.
//!
//! ```
//! use secrule_plugins::key::Key;
//! use secrule_plugins::statistics::Statistics;
//! use secrule_plugins::visit::Visit;
//! use std::time::Duration;
//!
//! let mut statistics = Statistics::new();
//! let ip = [192, 0, 2, 7].into();
//! let visit = Visit {
//!     second: 1_700_000_000,
//!     ip,
//!     host: "www.example",
//!     url_path: b"/login",
//!     sessions: &[],
//!     status: 404,
//!     backend: Duration::from_millis(700),
//!     is_attack: false,
//! };
//! assert_eq!(statistics.totals(&Key::Ip(ip), 10, visit.second).visits, 0); // counts addresses from now on
//! statistics.count(&visit);
//! statistics.count(&visit);
//! let totals = statistics.totals(&Key::Ip(ip), 10, visit.second);
//! assert_eq!((totals.visits, totals.backend_seconds(), totals.responses), (2, 1, [0, 0, 0, 2, 0]));
//! ```

mod block;
mod counts;
mod history;
mod limits;
mod minute;

pub use counts::Totals;
pub use limits::Limits;

use crate::key::{Combination, Key, KeyHash, KeyHasher};
use crate::timeline::Timeline;
use crate::visit::Visit;
use history::History;

/// Longest window of a question, in seconds: 60 minutes and 60 seconds.
pub const MAX_WINDOW: u32 = 3_660;

/// Counts the requests without attack of the last hour.
#[derive(Debug, Default)]
pub struct Statistics {
    hasher: KeyHasher,
    limits: Limits,
    timeline: Timeline,
    /// One for each combination that was asked about, in the order of [`Combination::ALL`].
    histories: [Option<Box<History>>; 4],
}

impl Statistics {
    /// Makes statistics that count nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes statistics with limits of their own.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Returns the hasher of its keys, for other users of the same keys.
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Counts requests of a combination from now on. Does nothing if they are counted already.
    pub fn switch_on(&mut self, combination: Combination) {
        if let Some(history) = self.histories.get_mut(combination as usize) {
            history.get_or_insert_default();
        }
    }

    /// Counts a request in each combination that is switched on, unless it is an attack.
    pub fn count(&mut self, visit: &Visit<'_>) {
        let second = self.timeline.at(visit.second);
        if visit.is_attack {
            return;
        }
        for (history, combination) in self.histories.iter_mut().zip(Combination::ALL) {
            let Some(history) = history else { continue };
            let key = shortened(self.hasher.hash(&Key::of(visit, combination)));
            history.advance(second, &self.limits);
            history.count(key, visit.status, visit.backend, &self.limits);
        }
    }

    /// Returns the counts of a key in the last `window` seconds, the current second included.
    ///
    /// `now` are Unix seconds of the same clock as [`Visit::second`]. A window of 0 counts as 1, one beyond [`MAX_WINDOW`] as `MAX_WINDOW`. A
    /// window of more than 60 seconds begins with the full minute nearest to its begin, but not later than 60 seconds ago.
    ///
    /// The first question about a combination switches it on, and gets zeros.
    pub fn totals(&mut self, key: &Key<'_>, window: u32, now: u64) -> Totals {
        let combination = key.combination();
        self.switch_on(combination);
        let second = self.timeline.at(now);
        let key = shortened(self.hasher.hash(key));
        let Some(Some(history)) = self.histories.get_mut(combination as usize) else { return Totals::default() };
        history.advance(second, &self.limits);
        history.totals(key, window.clamp(1, MAX_WINDOW).into())
    }

    /// Returns the number of visits that were not counted in a combination, because the [`Limits`] were reached, since the start.
    pub fn uncounted(&self) -> u64 {
        self.histories.iter().flatten().map(|history| history.uncounted()).sum()
    }

    /// Returns the bytes that all counts take.
    pub fn bytes(&self) -> usize {
        self.histories.iter().flatten().map(|history| size_of::<History>() + history.bytes()).sum()
    }
}

/// Returns the 48 bits of a number that blocks keep. Two of 50,000 keys have the same with a probability of 1 in 200,000, and nobody can choose them.
fn shortened(hash: KeyHash) -> u64 {
    hash.0 >> 16
}

#[cfg(test)]
mod tests;
