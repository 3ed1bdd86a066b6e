//! One list: the sketch of the current second, those of the five seconds before, and the list made of them.

use super::sketch::{Counter, Sketch};
use super::top_type::TopType;
use super::{MAX_ENTRIES, sketch};
use crate::key::KeyHash;
use crate::key_map::KeyMap;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Number of closed seconds of a list.
const SECONDS: u64 = 5;

/// An entry of a list: the parts of its type, and the number of visits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopEntry {
    /// Address of the client.
    pub ip: Option<IpAddr>,
    /// Host, at most 1 KiB.
    pub host: Option<String>,
    /// Path without the query, at most 1 KiB.
    pub url_path: Option<Vec<u8>>,
    /// Value of the session, at most 1 KiB.
    pub session: Option<Vec<u8>>,
    /// Number of visits.
    pub count: u64,
}

/// A list of a type.
#[derive(Debug, Default)]
pub struct List {
    now: u64,
    current: Sketch,
    /// Closed seconds that had visits, the oldest first.
    seconds: VecDeque<(u64, Vec<Counter>)>,
    /// The list, if the current second had a question.
    entries: Option<Vec<TopEntry>>,
}

impl List {
    /// Goes on to a second. Does nothing if it is not later than the current one.
    pub fn advance(&mut self, second: u64) {
        if second <= self.now {
            return;
        }
        let counters = self.current.close();
        if !counters.is_empty() {
            self.seconds.push_back((self.now, counters));
        }
        self.now = second;
        self.entries = None;
        while self.seconds.front().is_some_and(|(oldest, _)| oldest.saturating_add(SECONDS) < second) {
            self.seconds.pop_front();
        }
    }

    /// Counts a visit in the current second.
    pub fn count(&mut self, hash: KeyHash, key: &[u8]) {
        self.current.add(hash.0, key);
    }

    /// Returns the list.
    pub fn top(&mut self, top_type: TopType) -> &[TopEntry] {
        self.entries.get_or_insert_with(|| merge(&self.seconds, top_type))
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> usize {
        let seconds = self.seconds.iter().map(|(_, counters)| sketch::counters_bytes(counters)).sum::<usize>();
        let text = |entry: &TopEntry| {
            let [url_path, session] = [&entry.url_path, &entry.session].map(|text| text.as_ref().map_or(0, Vec::len));
            entry.host.as_ref().map_or(0, String::len) + url_path + session
        };
        let entries = self.entries.iter().flatten().map(|entry| size_of::<TopEntry>() + text(entry)).sum::<usize>();
        self.current.bytes() + seconds + entries
    }
}

/// Returns the most frequent keys of these seconds.
fn merge(seconds: &VecDeque<(u64, Vec<Counter>)>, top_type: TopType) -> Vec<TopEntry> {
    let mut sums: KeyMap<(u64, &[u8])> = KeyMap::default();
    for counter in seconds.iter().flat_map(|(_, counters)| counters) {
        let (sum, _) = sums.entry(counter.hash).or_insert((0, &counter.key));
        *sum += u64::from(counter.min_count());
    }
    let mut sums = sums.into_values().map(|(count, key)| (Reverse(count), key)).collect::<Vec<_>>();
    // Keys of as many visits are sorted, so that the same visits make the same list.
    if sums.len() > MAX_ENTRIES {
        sums.select_nth_unstable(MAX_ENTRIES);
        sums.truncate(MAX_ENTRIES);
    }
    sums.sort_unstable();
    sums.into_iter().map(|(Reverse(count), key)| top_type.read_key(key, count)).collect()
}
