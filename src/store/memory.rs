//! Persistent collections in the memory of the process.

use super::bans::Bans;
use super::{Full, RecordKey, Store};
use crate::graph::SiteId;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How many records are kept. A record is made for whatever a client sends as a key, so that their number must have an end.
const MOST_RECORDS: usize = 100_000;

/// Persistent collections that live as long as the process.
///
/// When there are too many records, the quarter that was not used for longest is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: Mutex<Records>,
    bans: Bans,
}

#[derive(Debug, Default)]
struct Records {
    by_key: HashMap<RecordKey, Record>,
    /// Counts the uses of records; the higher a record's number, the later it was used.
    uses: u64,
}

#[derive(Debug, Default)]
struct Record {
    variables: BTreeMap<Vec<u8>, Variable>,
    used: u64,
}

#[derive(Debug)]
struct Variable {
    value: Vec<u8>,
    expires: Option<SystemTime>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A thread that panicked while it held the lock left whole records behind: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn record(&mut self, key: &RecordKey) -> &mut Record {
        if self.by_key.len() >= MOST_RECORDS && !self.by_key.contains_key(key) {
            self.drop_least_used();
        }
        self.uses += 1;
        let record = self.by_key.entry(key.clone()).or_default();
        record.used = self.uses;
        record
    }

    fn drop_least_used(&mut self) {
        let mut used: Vec<u64> = self.by_key.values().map(|record| record.used).collect();
        used.sort_unstable();
        let oldest_kept = used.get(used.len() / 4).copied().unwrap_or(0);
        self.by_key.retain(|_, record| record.used >= oldest_kept);
    }

    fn existing(&mut self, key: &RecordKey) -> Option<&mut Record> {
        let record = self.by_key.get_mut(key)?;
        record.drop_expired();
        Some(record)
    }
}

impl Record {
    fn drop_expired(&mut self) {
        let now = SystemTime::now();
        self.variables.retain(|_, variable| variable.expires.is_none_or(|moment| moment > now));
    }

    fn set(&mut self, name: Vec<u8>, value: Variable, most: usize) -> Result<(), Full> {
        if self.variables.len() >= most && !self.variables.contains_key(&name) {
            self.drop_expired();
            if self.variables.len() >= most {
                return Err(Full);
            }
        }
        self.variables.insert(name, value);
        Ok(())
    }
}

impl Store for MemoryStore {
    fn read(&self, record: &RecordKey, name: &[u8]) -> Option<Vec<u8>> {
        Some(self.lock().existing(record)?.variables.get(&name.to_ascii_lowercase())?.value.clone())
    }

    fn read_all(&self, record: &RecordKey) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut records = self.lock();
        let variables = records.existing(record).map(|record| &record.variables);
        variables.into_iter().flatten().map(|(name, variable)| (name.clone(), variable.value.clone())).collect()
    }

    fn write(&self, record: &RecordKey, name: &[u8], value: &[u8], most: usize) -> Result<(), Full> {
        self.lock().record(record).set(name.to_ascii_lowercase(), Variable { value: value.to_vec(), expires: None }, most)
    }

    fn add(&self, record: &RecordKey, name: &[u8], amount: i64, most: usize) -> Result<i64, Full> {
        let mut records = self.lock();
        let name = name.to_ascii_lowercase();
        let before = records
            .existing(record)
            .and_then(|record| record.variables.get(&name))
            .map(|variable| (number(&variable.value), variable.expires));
        let (value, expires) = before.unwrap_or_default();
        let sum = value.saturating_add(amount);
        records.record(record).set(name, Variable { value: sum.to_string().into_bytes(), expires }, most).map(|()| sum)
    }

    fn remove(&self, record: &RecordKey, name: &[u8]) {
        if let Some(record) = self.lock().existing(record) {
            record.variables.remove(&name.to_ascii_lowercase());
        }
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime) {
        if let Some(variable) = self.lock().existing(record).and_then(|record| record.variables.get_mut(&name.to_ascii_lowercase())) {
            variable.expires = Some(moment);
        }
    }

    fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime) {
        self.bans.ban(site, address, until);
    }

    fn unban(&self, site: SiteId, address: IpAddr) -> bool {
        self.bans.unban(site, address)
    }

    fn is_banned(&self, site: SiteId, address: IpAddr) -> bool {
        self.bans.is_banned(site, address)
    }
}

/// A value as a number: what is none counts as 0.
fn number(value: &[u8]) -> i64 {
    std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::PersistentCollection;
    use std::time::Duration;

    fn address(key: &str) -> RecordKey {
        RecordKey { collection: PersistentCollection::Ip, key: key.as_bytes().into(), web_app: "".into() }
    }

    #[test]
    fn names_have_no_case_and_records_are_apart() {
        let store = MemoryStore::new();
        store.write(&address("1"), b"Seen", b"yes", 1).unwrap();
        assert_eq!(store.read(&address("1"), b"SEEN"), Some(b"yes".to_vec()));
        assert_eq!(store.read(&address("2"), b"seen"), None);
        let session = RecordKey { collection: PersistentCollection::Session, ..address("1") };
        assert_eq!(store.read(&session, b"seen"), None);
        store.remove(&address("1"), b"seen");
        assert_eq!(store.read_all(&address("1")), []);
    }

    #[test]
    fn counters_keep_their_expiry_and_go_when_it_comes() {
        let store = MemoryStore::new();
        assert_eq!(store.add(&address("1"), b"n", 2, 1), Ok(2));
        store.expire(&address("1"), b"n", SystemTime::now() + Duration::from_secs(60));
        assert_eq!(store.add(&address("1"), b"n", 3, 1), Ok(5));
        store.expire(&address("1"), b"n", SystemTime::now() - Duration::from_secs(1));
        assert_eq!(store.read(&address("1"), b"n"), None);
        assert_eq!(store.add(&address("1"), b"n", 1, 1), Ok(1));
    }

    #[test]
    fn a_full_record_takes_what_it_has_and_nothing_new() {
        let store = MemoryStore::new();
        assert_eq!(store.write(&address("1"), b"a", b"1", 2), Ok(()));
        assert_eq!(store.add(&address("1"), b"b", 1, 2), Ok(1));
        assert_eq!((store.write(&address("1"), b"c", b"1", 2), store.add(&address("1"), b"c", 1, 2)), (Err(Full), Err(Full)));
        assert_eq!((store.write(&address("1"), b"A", b"2", 2), store.add(&address("1"), b"B", 1, 2)), (Ok(()), Ok(2)));
        assert_eq!(store.read(&address("1"), b"c"), None);
        store.expire(&address("1"), b"b", SystemTime::now() - Duration::from_secs(1));
        assert_eq!(store.write(&address("1"), b"c", b"1", 2), Ok(()));
    }

    #[test]
    fn the_number_of_records_has_an_end() {
        let store = MemoryStore::new();
        for n in 0..=MOST_RECORDS {
            store.write(&address(&n.to_string()), b"a", b"b", 1).unwrap();
        }
        assert!(store.lock().by_key.len() <= MOST_RECORDS);
        assert_eq!(store.read(&address("0"), b"a"), None);
        assert!(store.read(&address(&MOST_RECORDS.to_string()), b"a").is_some());
    }
}
