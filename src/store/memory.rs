//! Persistent collections in the memory of the process.
//!
//! Clients choose keys and values of records, so the number of records and their total bytes are limited. Beyond a limit the least recently used
//! record is dropped. Records are indexed by key, by last use and by the next expiry of a variable, so that a call takes the same time however many
//! there are.

use super::bans::Bans;
use super::record::{Record, Variable};
use super::{Full, RecordHistory, RecordKey, Store, StoreLimits};
use crate::graph::{Pace, SiteId};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Maximum number of records.
const MAX_RECORDS: usize = 100_000;

/// Number of records with expired variables that one call cleans up, so that no call is slow after a burst of clients.
const SWEPT: usize = 16;

/// Persistent collections that live as long as the process.
///
/// It keeps at most 100,000 records, and as many bytes as [`StoreLimits`] allow; beyond that the least recently used records are dropped. A record
/// may take a sixteenth of the bytes. Expired variables are removed by later calls, even if they are never read.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: Mutex<Records>,
    bans: Bans,
}

#[derive(Debug)]
struct Records {
    /// Maximum number of records.
    max: usize,
    by_key: HashMap<Arc<RecordKey>, Kept>,
    /// Records by the number of their last use.
    by_use: BTreeMap<u64, Arc<RecordKey>>,
    /// Records by the time of their next expiry, with a number that makes the key unique.
    by_moment: BTreeMap<(SystemTime, u64), Arc<RecordKey>>,
    /// Counter of uses.
    last_number: u64,
    /// Total bytes of all records.
    bytes: usize,
}

/// A record with its keys in the other two tables.
#[derive(Debug)]
struct Kept {
    record: Record,
    used: u64,
    wakes: Option<(SystemTime, u64)>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            max: MAX_RECORDS,
            by_key: HashMap::default(),
            by_use: BTreeMap::default(),
            by_moment: BTreeMap::default(),
            last_number: 0,
            bytes: 0,
        }
    }
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks the records, and removes some that expired. A thread that panicked while it held the lock left complete records.
    fn lock(&self) -> MutexGuard<'_, Records> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.sweep(SystemTime::now());
        records
    }
}

impl Records {
    /// Returns a record without expired variables; counts as a use.
    fn find(&mut self, key: &RecordKey) -> Option<&mut Kept> {
        let due = self.by_key.get(key)?.wakes.map(|(moment, _)| moment);
        if let Some(moment) = due {
            let now = SystemTime::now();
            if moment <= now {
                self.drop_expired(key, now);
            }
        }
        let kept = self.by_key.get_mut(key)?;
        if kept.used != self.last_number
            && let Some(shared) = self.by_use.remove(&kept.used)
        {
            self.last_number += 1;
            kept.used = self.last_number;
            self.by_use.insert(kept.used, shared);
        }
        Some(kept)
    }

    /// Sets a variable, in a new record if there is none, and drops other records to make room.
    fn set(&mut self, key: &RecordKey, variable: Variable, limits: StoreLimits) -> Result<(), Full> {
        match self.find(key) {
            Some(kept) => {
                let before = kept.record.bytes();
                kept.record.set(variable, limits)?;
                let after = kept.record.bytes();
                self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
            }
            None => {
                let mut record = Record::new(key);
                record.set(variable, limits)?;
                self.insert(Arc::new(key.clone()), record);
            }
        }
        while (self.bytes > limits.bytes || self.by_key.len() > self.max) && self.by_key.len() > 1 {
            let Some((_, least_used)) = self.by_use.pop_first() else { break };
            self.remove(&least_used);
        }
        Ok(())
    }

    fn insert(&mut self, key: Arc<RecordKey>, record: Record) {
        self.last_number += 1;
        self.bytes = self.bytes.saturating_add(record.bytes());
        self.by_use.insert(self.last_number, Arc::clone(&key));
        self.by_key.insert(key, Kept { record, used: self.last_number, wakes: None });
    }

    fn remove(&mut self, key: &RecordKey) {
        let Some(kept) = self.by_key.remove(key) else { return };
        self.by_use.remove(&kept.used);
        kept.wakes.and_then(|wakes| self.by_moment.remove(&wakes));
        self.bytes = self.bytes.saturating_sub(kept.record.bytes());
    }

    /// Changes a record, if it exists; drops it if it is empty then.
    fn change(&mut self, key: &RecordKey, change: impl FnOnce(&mut Record)) {
        let Some(kept) = self.by_key.get_mut(key) else { return };
        let before = kept.record.bytes();
        change(&mut kept.record);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(kept.record.bytes());
        if kept.record.is_empty() {
            self.remove(key);
        }
    }

    /// Schedules a clean-up of a record, unless there is an earlier one.
    fn wake(&mut self, key: &RecordKey, moment: SystemTime) {
        let Some((shared, _)) = self.by_key.get_key_value(key) else { return };
        let shared = Arc::clone(shared);
        let Some(kept) = self.by_key.get_mut(key) else { return };
        if kept.wakes.is_some_and(|(known, _)| known <= moment) {
            return;
        }
        kept.wakes.and_then(|wakes| self.by_moment.remove(&wakes));
        // No two records have the same last use.
        let wakes = (moment, kept.used);
        kept.wakes = Some(wakes);
        self.by_moment.insert(wakes, shared);
    }

    fn drop_expired(&mut self, key: &RecordKey, now: SystemTime) {
        if let Some(kept) = self.by_key.get_mut(key) {
            kept.wakes.take().and_then(|wakes| self.by_moment.remove(&wakes));
        }
        self.change(key, |record| record.drop_expired(now));
        if let Some(next) = self.by_key.get(key).and_then(|kept| kept.record.next_expiry()) {
            self.wake(key, next);
        }
    }

    /// Removes expired variables of a few records.
    fn sweep(&mut self, now: SystemTime) {
        for _ in 0..SWEPT {
            let due = self.by_moment.first_key_value().filter(|((moment, _), _)| *moment <= now);
            let Some(key) = due.map(|(_, key)| Arc::clone(key)) else { break };
            self.drop_expired(&key, now);
        }
    }
}

impl Store for MemoryStore {
    fn read(&self, record: &RecordKey, name: &[u8]) -> Option<Vec<u8>> {
        Some(self.lock().find(record)?.record.get(&name.to_ascii_lowercase())?.value.to_vec())
    }

    fn read_all(&self, record: &RecordKey) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut records = self.lock();
        let variables = records.find(record).map(|kept| kept.record.variables()).unwrap_or_default();
        variables.iter().map(|variable| (variable.name.to_vec(), variable.value.to_vec())).collect()
    }

    fn write(&self, record: &RecordKey, name: &[u8], value: &[u8], limits: StoreLimits) -> Result<(), Full> {
        let name = name.to_ascii_lowercase().into();
        self.lock().set(record, Variable { name, value: value.into(), expires: None, deprecated: SystemTime::now() }, limits)
    }

    fn add(&self, record: &RecordKey, name: &[u8], amount: i64, limits: StoreLimits) -> Result<i64, Full> {
        let mut records = self.lock();
        let name: Box<[u8]> = name.to_ascii_lowercase().into();
        let before = records.find(record).and_then(|kept| kept.record.get(&name));
        let before = before.map(|variable| (variable.number(), variable.expires, variable.deprecated));
        let (value, expires, deprecated) = before.unwrap_or_else(|| (0, None, SystemTime::now()));
        let sum = value.saturating_add(amount);
        let variable = Variable { name, value: sum.to_string().into_bytes().into(), expires, deprecated };
        records.set(record, variable, limits).map(|()| sum)
    }

    fn remove(&self, record: &RecordKey, name: &[u8]) {
        self.lock().change(record, |record| record.remove(&name.to_ascii_lowercase()));
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime) {
        let mut records = self.lock();
        if records.find(record).is_some_and(|kept| kept.record.expire(&name.to_ascii_lowercase(), moment)) {
            records.wake(record, moment);
        }
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace) -> Option<i64> {
        let (mut left, now) = (None, SystemTime::now());
        self.lock().change(record, |record| left = record.deprecate(&name.to_ascii_lowercase(), pace, now));
        left
    }

    fn history(&self, record: &RecordKey) -> Option<RecordHistory> {
        self.lock().find(record).map(|kept| kept.record.history())
    }

    fn begin_update(&self, record: &RecordKey) -> Option<RecordHistory> {
        let mut records = self.lock();
        let kept = records.find(record)?;
        let before = kept.record.history();
        kept.record.begin_update();
        Some(before)
    }

    fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime) {
        self.bans.ban(site, address, until);
    }

    fn unban(&self, site: SiteId, address: IpAddr) -> bool {
        self.bans.unban(site, address, SystemTime::now())
    }

    fn is_banned(&self, site: SiteId, address: IpAddr) -> bool {
        self.bans.is_banned(site, address, SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::PersistentCollection;
    use std::time::Duration;

    fn address(key: &str) -> RecordKey {
        RecordKey { collection: PersistentCollection::Ip, key: key.as_bytes().into(), web_app: "".into() }
    }

    fn limits(variables: usize, bytes: usize) -> StoreLimits {
        StoreLimits { variables, bytes }
    }

    const ROOMY: StoreLimits = StoreLimits { variables: 1_000, bytes: 1 << 30 };

    fn future() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    fn past() -> SystemTime {
        SystemTime::now() - Duration::from_secs(1)
    }

    /// Returns `true` if the tables agree with each other.
    fn is_whole(store: &MemoryStore) -> bool {
        let records = store.records.lock().unwrap();
        let waking = records.by_key.values().filter(|kept| kept.wakes.is_some()).count();
        records.bytes == records.by_key.values().map(|kept| kept.record.bytes()).sum::<usize>()
            && records.by_use.iter().all(|(used, key)| records.by_key.get(key).is_some_and(|kept| kept.used == *used))
            && records.by_moment.iter().all(|(wakes, key)| records.by_key.get(key).is_some_and(|kept| kept.wakes == Some(*wakes)))
            && (records.by_use.len(), records.by_moment.len()) == (records.by_key.len(), waking)
    }

    #[test]
    fn names_have_no_case_and_records_are_apart() {
        let store = MemoryStore::new();
        store.write(&address("1"), b"Seen", b"yes", ROOMY).unwrap();
        assert_eq!(store.read(&address("1"), b"SEEN"), Some(b"yes".to_vec()));
        assert_eq!(store.read(&address("2"), b"seen"), None);
        let session = RecordKey { collection: PersistentCollection::Session, ..address("1") };
        assert_eq!(store.read(&session, b"seen"), None);
        store.remove(&address("1"), b"seen");
        assert_eq!(store.read_all(&address("1")), []);
        assert!(is_whole(&store) && store.lock().by_key.is_empty(), "a record without variables is none");
    }

    #[test]
    fn counters_keep_their_expiry_and_go_when_it_comes() {
        let store = MemoryStore::new();
        assert_eq!(store.add(&address("1"), b"n", 2, ROOMY), Ok(2));
        store.expire(&address("1"), b"n", future());
        assert_eq!(store.add(&address("1"), b"n", 3, ROOMY), Ok(5));
        store.expire(&address("1"), b"n", past());
        assert_eq!(store.read(&address("1"), b"n"), None);
        assert_eq!(store.add(&address("1"), b"n", 1, ROOMY), Ok(1));
        assert!(is_whole(&store));
    }

    #[test]
    fn a_full_record_takes_what_it_has_and_nothing_new() {
        let (store, two) = (MemoryStore::new(), limits(2, 1 << 30));
        assert_eq!(store.write(&address("1"), b"a", b"1", two), Ok(()));
        assert_eq!(store.add(&address("1"), b"b", 1, two), Ok(1));
        assert_eq!(
            (store.write(&address("1"), b"c", b"1", two), store.add(&address("1"), b"c", 1, two)),
            (Err(Full::Record), Err(Full::Record))
        );
        assert_eq!((store.write(&address("1"), b"A", b"2", two), store.add(&address("1"), b"B", 1, two)), (Ok(()), Ok(2)));
        assert_eq!(store.read(&address("1"), b"c"), None);
        store.expire(&address("1"), b"b", past());
        assert_eq!(store.write(&address("1"), b"c", b"1", two), Ok(()));
    }

    #[test]
    fn variables_that_expired_go_though_nobody_reads_them() {
        let store = MemoryStore::new();
        for n in 0..100 {
            let address = address(&n.to_string());
            store.write(&address, b"gone", &[b'x'; 1000], ROOMY).unwrap();
            store.expire(&address, b"gone", past());
            if n % 2 == 0 {
                store.write(&address, b"stays", b"1", ROOMY).unwrap();
                store.expire(&address, b"stays", future());
            }
        }
        for _ in 0..=100 / SWEPT {
            store.read(&address("other"), b"n");
        }
        assert!(is_whole(&store));
        let records = store.records.lock().unwrap();
        assert_eq!(records.by_key.len(), 50);
        assert!(records.by_key.values().all(|kept| kept.record.variables().len() == 1) && records.bytes < 50 * 1000);
    }

    #[test]
    fn a_number_goes_down_by_whole_periods_and_not_below_0() {
        let now = SystemTime::now();
        let (minute, pace) = (Duration::from_secs(60), Pace::parse(b"2/60").unwrap());
        let mut record = Record::new(&address("1"));
        record.set(Variable { name: b"n"[..].into(), value: b"9"[..].into(), expires: None, deprecated: now }, ROOMY).unwrap();
        let left = [minute / 2, minute, minute * 3 / 2, minute * 2, minute * 9, minute * 99];
        let left = left.map(|passed| record.deprecate(b"n", pace, now + passed).unwrap());
        assert_eq!(left, [9, 7, 7, 5, 0, 0]);
        assert_eq!((record.deprecate(b"m", pace, now), record.deprecate(b"n", pace, now - minute)), (None, Some(0)));
    }

    #[test]
    fn the_number_of_records_has_an_end() {
        let store = MemoryStore::new();
        store.lock().max = 3;
        for key in ["0", "1", "2", "3"] {
            store.write(&address(key), b"a", b"b", ROOMY).unwrap();
        }
        assert_eq!(store.lock().by_key.len(), 3);
        assert_eq!(["0", "1", "2", "3"].map(|key| store.read(&address(key), b"a").is_some()), [false, true, true, true]);
        assert!(is_whole(&store));
    }

    #[test]
    fn beyond_its_bytes_a_store_drops_the_record_that_was_not_used_for_longest() {
        let (store, limits) = (MemoryStore::new(), limits(10, 64 << 10));
        let mut written = 0;
        while store.lock().bytes < limits.bytes - 3000 {
            store.write(&address(&written.to_string()), b"a", &[b'x'; 2000], limits).unwrap();
            written += 1;
        }
        assert_eq!(store.lock().by_key.len(), written);
        assert!(store.read(&address("0"), b"a").is_some(), "reading is a use");
        store.write(&address("new"), b"a", &[b'x'; 2000], limits).unwrap();
        assert!(is_whole(&store) && store.lock().bytes <= limits.bytes);
        assert!(store.read(&address("0"), b"a").is_some() && store.read(&address("2"), b"a").is_some());
        assert_eq!(store.read(&address("1"), b"a"), None);
    }

    #[test]
    fn a_value_that_takes_more_than_its_share_is_not_kept_and_drives_nothing_out() {
        let (store, limits) = (MemoryStore::new(), limits(10, 16 << 10));
        store.write(&address("1"), b"a", b"1", limits).unwrap();
        store.write(&address("2"), b"a", b"1", limits).unwrap();
        assert_eq!(store.write(&address("2"), b"a", &[b'x'; 1000], limits), Err(Full::Store));
        assert_eq!(store.write(&address("3"), b"a", &[b'x'; 1000], limits), Err(Full::Store));
        assert_eq!(store.write(&address("2"), &[b'n'; 1000], b"1", limits), Err(Full::Store));
        assert_eq!(store.read(&address("2"), b"a"), Some(b"1".to_vec()));
        assert!(is_whole(&store));
        assert_eq!(store.lock().by_key.len(), 2);
    }
}
