//! A store in the memory of the process.

use super::keyspace::Sizes;
use super::operations::Operations;
use super::{AddError, Ban, Down, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, Update, Variables, WriteError};
use crate::graph::Pace;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Maximum size of all entries, in bytes, whatever the limits of the rule sets.
const MAX_BYTES: u64 = 1 << 30;

/// A store that lives as long as the process, and is not shared with others.
///
/// Clients choose keys and values, so its size is limited: by [`StoreLimits`](super::StoreLimits), and by 1 GiB in all. Beyond it the least recently
/// used records and counts are dropped. A record may take a sixteenth of it. What expired is removed by later calls.
#[derive(Debug)]
pub struct MemoryStore {
    entries: Mutex<Entries>,
    has_bans: AtomicBool,
    clock: fn() -> SystemTime,
}

#[derive(Debug, Default)]
struct Entries {
    table: BTreeMap<Box<[u8]>, Box<[u8]>>,
    sizes: Sizes,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { entries: Mutex::default(), has_bans: AtomicBool::new(false), clock: SystemTime::now }
    }
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty store with a clock of its own, for tests.
    pub fn with_clock(clock: fn() -> SystemTime) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Returns the size of its entries, in bytes.
    pub fn bytes(&self) -> u64 {
        let sizes = self.entries.lock().unwrap_or_else(PoisonError::into_inner).sizes;
        sizes.bytes + sizes.lasting_bytes
    }

    /// Runs an operation at a moment. A thread that panicked while it held the lock left whole entries, at worst with a place in an index too many.
    fn run<R>(&self, operation: impl FnOnce(&mut Operations<'_, BTreeMap<Box<[u8]>, Box<[u8]>>>, SystemTime) -> R) -> R {
        let now = (self.clock)();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entries { table, sizes } = &mut *entries;
        operation(&mut Operations::new(table, sizes, now, MAX_BYTES), now)
    }

    /// As [`run`](Self::run), for an operation on bans or limits: those that ended are noticed, too.
    fn run_on_bans<R>(
        &self,
        operation: impl FnOnce(&mut Operations<'_, BTreeMap<Box<[u8]>, Box<[u8]>>>, SystemTime) -> Result<R, Down>,
    ) -> Result<R, Down> {
        self.run(|operations, now| {
            let result = operation(operations, now);
            self.has_bans.store(operations.has_bans()?, Ordering::Release);
            result
        })
    }
}

impl Store for MemoryStore {
    fn read(&self, record: &RecordKey, name: &[u8], _: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.run(|operations, _| operations.read(record, name))
    }

    fn read_all(&self, record: &RecordKey, _: Instant) -> Result<Variables, Down> {
        self.run(|operations, _| operations.read_all(record))
    }

    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], _: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.run(|operations, _| operations.write(update, name, value))
    }

    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, _: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
        self.run(|operations, _| operations.add(update, name, amount))
    }

    fn set_timeout(&self, update: Update<'_>, timeout: Duration, _: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.run(|operations, _| operations.set_timeout(update, timeout))
    }

    fn touch(&self, update: Update<'_>, _: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.run(|operations, _| operations.touch(update))
    }

    fn remove(&self, record: &RecordKey, name: &[u8], _: Instant) -> Result<(), Down> {
        self.run(|operations, _| operations.remove(record, name))
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, _: Instant) -> Result<(), Down> {
        self.run(|operations, _| operations.expire(record, name, moment))
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, _: Instant) -> Result<Option<i64>, Down> {
        self.run(|operations, _| operations.deprecate(record, name, pace))
    }

    fn history(&self, record: &RecordKey, _: Instant) -> Result<Option<RecordHistory>, Down> {
        self.run(|operations, _| operations.history(record))
    }

    fn remove_record(&self, record: &RecordKey, _: Instant) -> Result<bool, Down> {
        self.run(|operations, _| operations.remove_record(record))
    }

    fn records(&self, web_app: &str, after: Option<&RecordKey>, limit: usize, _: Instant) -> Result<Vec<RecordKey>, Down> {
        self.run(|operations, _| operations.records(web_app, after, limit))
    }

    fn ban(&self, key: &RequestKey, until: SystemTime, _: Instant) -> Result<(), Down> {
        self.run_on_bans(|operations, _| operations.ban(key, until))
    }

    fn unban(&self, key: &RequestKey, _: Instant) -> Result<bool, Down> {
        self.run_on_bans(|operations, _| operations.unban(key))
    }

    fn banned_until(&self, keys: &[RequestKey], _: Instant) -> Result<Option<SystemTime>, Down> {
        self.run_on_bans(|operations, _| operations.banned_until(keys))
    }

    fn bans(&self, after: Option<&RequestKey>, limit: usize, _: Instant) -> Result<Vec<Ban>, Down> {
        self.run(|operations, _| operations.bans(after, limit))
    }

    fn has_bans(&self) -> bool {
        self.has_bans.load(Ordering::Acquire)
    }

    fn count(&self, key: &RequestKey, quota: Quota, _: Instant) -> Result<Rate, Down> {
        self.run(|operations, now| operations.count(key, quota, now))
    }

    fn limit(&self, key: &RequestKey, quota: Quota, until: SystemTime, _: Instant) -> Result<(), Down> {
        self.run_on_bans(|operations, _| operations.limit(key, quota, until))
    }

    fn limited_until(&self, keys: &[RequestKey], _: Instant) -> Result<Option<SystemTime>, Down> {
        self.run_on_bans(|operations, now| operations.limited_until(keys, now))
    }

    fn put_list(&self, name: &str, entries: &[&str], _: Instant) -> Result<(), WriteError> {
        self.run(|operations, _| operations.put_list(name, entries))
    }

    fn list(&self, name: &str, known: Option<u64>, _: Instant) -> Result<Option<(u64, Vec<String>)>, Down> {
        let found = self.run(|operations, _| operations.packed_list(name, known))?;
        Ok(found.map(|(version, list)| (version, list.entries())))
    }

    fn changes(&self, _: Instant) -> Result<u64, Down> {
        self.run(|operations, _| operations.changes())
    }

    fn map_get(&self, map: &str, key: &[u8], _: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.run(|operations, _| operations.map_get(map, key))
    }

    fn map_set(&self, map: &str, key: &[u8], value: &[u8], _: Instant) -> Result<(), WriteError> {
        self.run(|operations, _| operations.map_set(map, key, value))
    }

    fn map_add(&self, map: &str, key: &[u8], amount: f64, _: Instant) -> Result<f64, AddError> {
        self.run(|operations, _| operations.map_add(map, key, amount))
    }

    fn map_remove(&self, map: &str, key: &[u8], _: Instant) -> Result<(), Down> {
        self.run(|operations, _| operations.map_remove(map, key))
    }

    fn map_size(&self, map: &str, _: Instant) -> Result<u64, Down> {
        self.run(|operations, _| operations.map_size(map))
    }

    fn map_clear(&self, map: &str, _: Instant) -> Result<(), Down> {
        self.run(|operations, _| operations.map_clear(map))
    }

    fn lease(&self, name: &str, owner: &str, time: Duration, _: Instant) -> Result<bool, Down> {
        self.run(|operations, _| operations.lease(name, owner, time))
    }
}

#[cfg(test)]
mod tests {
    use super::super::StoreLimits;
    use super::*;
    use crate::graph::PersistentCollection;
    use std::sync::atomic::AtomicU64;

    /// The time of the stores below, in milliseconds. Tests that use it are one after the other, in one test.
    static NOW: AtomicU64 = AtomicU64::new(1_000_000);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.load(Ordering::Relaxed))
    }

    fn address(number: usize) -> RecordKey {
        RecordKey::new(PersistentCollection::Ip, number.to_string().as_bytes(), "")
    }

    fn write(store: &MemoryStore, number: usize, length: usize, limits: StoreLimits) {
        NOW.fetch_add(1_000, Ordering::Relaxed);
        store.write(Update::first(&address(number), limits), b"a", &vec![b'x'; length], Instant::now()).unwrap();
    }

    fn holds(store: &MemoryStore, number: usize) -> bool {
        store.read(&address(number), b"a", Instant::now()).unwrap().is_some()
    }

    /// Returns the number of entries, without places in indexes; every place has its entry, and the sizes are those of the entries.
    fn entries(store: &MemoryStore) -> usize {
        let Entries { table, sizes } = &*store.entries.lock().unwrap();
        let named = |prefix: u8| table.keys().filter(move |key| key.first() == Some(&prefix)).count();
        let entries = table.iter().filter(|(key, _)| key.first() == Some(&b'K'));
        let bytes: usize = entries.map(|(key, value)| key.len() - 2 + value.len() + 160).sum();
        assert_eq!(sizes.bytes + sizes.lasting_bytes, bytes as u64);
        assert!(named(b'U') <= named(b'K') && named(b'X') <= named(b'K'));
        named(b'K')
    }

    #[test]
    fn what_did_not_change_for_longest_makes_room_and_what_expired_goes_though_nobody_reads_it() {
        let (store, limits) = (MemoryStore::with_clock(now), StoreLimits::new(10, 64 << 10));
        let mut written = 0;
        while store.bytes() < 60_000 {
            write(&store, written, 2_000, limits);
            written += 1;
        }
        write(&store, 0, 2_000, limits);
        let before = entries(&store);
        for number in 0..3 {
            write(&store, 1_000 + number, 2_000, limits);
        }
        assert!(store.bytes() <= 64 << 10 && entries(&store) <= before + 3);
        assert!(holds(&store, 0) && holds(&store, written - 1) && !holds(&store, 1));

        let store = MemoryStore::with_clock(now);
        let roomy = StoreLimits::new(1_000, 1 << 30);
        for number in 0..100 {
            write(&store, number, 1_000, roomy);
            let end = now() + Duration::from_secs(if number % 2 == 0 { 200 } else { 10_000 });
            store.expire(&address(number), b"a", end, Instant::now()).unwrap();
        }
        assert_eq!(entries(&store), 100);
        NOW.fetch_add(300_000, Ordering::Relaxed);
        (0..5).for_each(|_| write(&store, 1, 10, roomy));
        assert_eq!(entries(&store), 50);
    }

    #[test]
    fn a_map_that_is_cleared_goes_a_few_values_at_a_time() {
        let store = MemoryStore::new();
        let by = Instant::now();
        (0..100).for_each(|number| store.map_set("m", format!("{number}").as_bytes(), b"v", by).unwrap());
        store.map_clear("m", by).unwrap();
        assert!(entries(&store) > 100);
        (0..8).for_each(|_| store.map_set("m", b"new", b"v", by).unwrap());
        // The value, and the state of the map.
        assert_eq!(entries(&store), 2);
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let key = RequestKey::of_host(None, "shop.example");
        let quota = Quota::new(1, Duration::from_secs(1), 1);
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut entries = Entries::default();
        let mut count = |seconds: u64| {
            let Entries { table, sizes } = &mut entries;
            Operations::new(table, sizes, at(seconds), MAX_BYTES).count(&key, quota, at(seconds)).unwrap()
        };
        assert_eq!([count(1_000), count(1_000), count(1_001)], [Rate::Within, Rate::Beyond, Rate::Within]);
        assert_eq!([count(10), count(10), count(11)], [Rate::Within, Rate::Beyond, Rate::Within]);
    }
}
