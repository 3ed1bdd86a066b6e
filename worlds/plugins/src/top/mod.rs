//! The most frequent keys of the last five seconds: visits → a list of keys with their numbers of visits.
//!
//! Each second has a sketch (`sketch.rs`) of at most 10,000 keys, and the list is the sum of five of them. It does not change within a second, so
//! it is made once a second, by the first question.
//!
//! A list costs nothing until the first question about it, which gets an empty list.
//!
//! ```
//! use secrule_plugins::top::{TopLists, TopType};
//! use secrule_plugins::visit::Visit;
//! use std::time::Duration;
//!
//! let mut lists = TopLists::new();
//! let visit = Visit {
//!     second: 1_700_000_000,
//!     ip: [192, 0, 2, 7].into(),
//!     host: "www.example",
//!     url_path: b"/login",
//!     sessions: &[],
//!     status: 404,
//!     backend: Duration::ZERO,
//!     is_attack: false,
//! };
//! assert!(lists.top(TopType::IpHost, 10, visit.second).is_empty()); // counts addresses and hosts from now on
//! lists.count(&visit);
//! let top = lists.top(TopType::IpHost, 10, visit.second + 1);
//! assert_eq!((top[0].ip, top[0].host.as_deref(), top[0].count), (Some(visit.ip), Some("www.example"), 1));
//! ```

mod list;
mod sketch;
mod top_type;

pub use list::TopEntry;
pub use top_type::TopType;

use crate::key::KeyHasher;
use crate::timeline::Timeline;
use crate::visit::Visit;
use list::List;

/// Longest list, in entries.
pub const MAX_ENTRIES: usize = 1_000;

/// Maximum number of sessions of a request that count.
const SESSIONS: usize = 8;

/// Counts all requests, attacks too, in the lists that were asked for.
#[derive(Debug, Default)]
pub struct TopLists {
    hasher: KeyHasher,
    timeline: Timeline,
    /// One for each type that was asked about, in the order of [`TopType::ALL`].
    lists: [Option<Box<List>>; 8],
    /// The key of a visit, for a list.
    key: Vec<u8>,
}

impl TopLists {
    /// Makes lists that count nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts requests of a type of list from now on. Does nothing if they are counted already.
    pub fn switch_on(&mut self, top_type: TopType) {
        if let Some(list) = self.lists.get_mut(top_type as usize) {
            list.get_or_insert_default();
        }
    }

    /// Counts a request in each list that is switched on, once for each session in the lists of sessions. The first 8 sessions count.
    pub fn count(&mut self, visit: &Visit<'_>) {
        let second = self.timeline.at(visit.second);
        for (list, top_type) in self.lists.iter_mut().zip(TopType::ALL) {
            let Some(list) = list else { continue };
            list.advance(second);
            let sessions = match top_type.has_session() {
                true => visit.sessions.get(..SESSIONS).unwrap_or(visit.sessions),
                false => &[[].as_slice()],
            };
            for session in sessions {
                top_type.write_key(visit, session, &mut self.key);
                list.count(self.hasher.hash_bytes(&self.key), &self.key);
            }
        }
    }

    /// Returns the most frequent keys of the five seconds before the current one, the most frequent first: at most `n` of them, and at most
    /// [`MAX_ENTRIES`].
    ///
    /// `now` are Unix seconds of the same clock as [`Visit::second`]. Texts longer than 1 KiB are cut, and count as what is left of them. Counts are
    /// exact unless a second had more than 10,000 keys or 1 MiB of them. Then counts of rare keys may be too small, never too large.
    ///
    /// The first question about a type switches its list on, and gets an empty one.
    pub fn top(&mut self, top_type: TopType, n: usize, now: u64) -> &[TopEntry] {
        self.switch_on(top_type);
        let second = self.timeline.at(now);
        let Some(Some(list)) = self.lists.get_mut(top_type as usize) else { return &[] };
        list.advance(second);
        let entries = list.top(top_type);
        entries.get(..n).unwrap_or(entries)
    }

    /// Returns the bytes that all lists take.
    pub fn bytes(&self) -> usize {
        self.lists.iter().flatten().map(|list| size_of::<List>() + list.bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
