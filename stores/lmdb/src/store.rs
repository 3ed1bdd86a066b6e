//! The operations of the store.

use super::opened::Opened;
use secrule::internals::graph::Pace;
use secrule::internals::once_per_process::OncePerProcess;
use secrule::{AddError, Ban, Down, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, Update, Variables, WriteError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A store in a file of LMDB.
///
/// It is opened by the first call of each process. The file takes no more than its size; beyond half of it, the records and counts that did not change
/// for longest are dropped.
#[derive(Debug)]
pub struct LmdbStore {
    path: PathBuf,
    size: u64,
    opened: OncePerProcess<Opened>,
}

impl LmdbStore {
    /// The size of a file if none is given, in bytes.
    pub const SIZE: u64 = 256 << 20;

    /// Names a file, and its maximum size in bytes. Nothing is opened yet.
    pub fn new(path: impl AsRef<Path>, size: u64) -> Self {
        Self { path: path.as_ref().to_owned(), size: size.max(1 << 20), opened: OncePerProcess::new() }
    }

    fn opened(&self) -> Result<Arc<Opened>, Down> {
        self.opened.get_or_make(|| Opened::new(&self.path, self.size))
    }
}

impl Store for LmdbStore {
    fn read(&self, record: &RecordKey, name: &[u8], _: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.opened()?.read(|operations| operations.read(record, name))
    }

    fn read_all(&self, record: &RecordKey, _: Instant) -> Result<Variables, Down> {
        self.opened()?.read(|operations| operations.read_all(record))
    }

    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.opened()?.write(by, |operations, _| operations.write(update, name, value))
    }

    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, by: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
        self.opened()?.write(by, |operations, _| operations.add(update, name, amount))
    }

    fn remove(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<(), Down> {
        self.opened()?.write(by, |operations, _| operations.remove(record, name))
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, by: Instant) -> Result<(), Down> {
        self.opened()?.write(by, |operations, _| operations.expire(record, name, moment))
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, by: Instant) -> Result<Option<i64>, Down> {
        self.opened()?.write(by, |operations, _| operations.deprecate(record, name, pace))
    }

    fn history(&self, record: &RecordKey, _: Instant) -> Result<Option<RecordHistory>, Down> {
        self.opened()?.read(|operations| operations.history(record))
    }

    fn remove_record(&self, record: &RecordKey, by: Instant) -> Result<bool, Down> {
        self.opened()?.write(by, |operations, _| operations.remove_record(record))
    }

    fn records(&self, web_app: &str, after: Option<&RecordKey>, most: usize, _: Instant) -> Result<Vec<RecordKey>, Down> {
        self.opened()?.read(|operations| operations.records(web_app, after, most))
    }

    fn ban(&self, key: &RequestKey, until: SystemTime, by: Instant) -> Result<(), Down> {
        let opened = self.opened()?;
        opened.write(by, |operations, _| operations.ban(key, until))?;
        opened.look_at_bans()
    }

    fn unban(&self, key: &RequestKey, by: Instant) -> Result<bool, Down> {
        let opened = self.opened()?;
        let was_banned = opened.write(by, |operations, _| operations.unban(key))?;
        opened.look_at_bans()?;
        Ok(was_banned)
    }

    fn banned_until(&self, keys: &[RequestKey], _: Instant) -> Result<Option<SystemTime>, Down> {
        self.opened()?.read(|operations| operations.banned_until(keys))
    }

    fn bans(&self, after: Option<&RequestKey>, most: usize, _: Instant) -> Result<Vec<Ban>, Down> {
        self.opened()?.read(|operations| operations.bans(after, most))
    }

    fn has_bans(&self) -> bool {
        self.opened().is_ok_and(|opened| opened.has_bans())
    }

    fn count(&self, key: &RequestKey, quota: Quota, by: Instant) -> Result<Rate, Down> {
        self.opened()?.write(by, |operations, now| operations.count(key, quota, now))
    }

    fn limit(&self, key: &RequestKey, quota: Quota, until: SystemTime, by: Instant) -> Result<(), Down> {
        let opened = self.opened()?;
        opened.write(by, |operations, _| operations.limit(key, quota, until))?;
        opened.look_at_bans()
    }

    fn limited_until(&self, keys: &[RequestKey], by: Instant) -> Result<Option<SystemTime>, Down> {
        self.opened()?.write(by, |operations, now| operations.limited_until(keys, now))
    }

    fn put_list(&self, name: &str, entries: &[&str], by: Instant) -> Result<(), Down> {
        self.opened()?.write(by, |operations, _| operations.put_list(name, entries))
    }

    fn list(&self, name: &str, known: Option<u64>, _: Instant) -> Result<Option<(u64, Vec<String>)>, Down> {
        self.opened()?.read(|operations| operations.list(name, known))
    }

    fn changes(&self, _: Instant) -> Result<u64, Down> {
        self.opened()?.read(|operations| operations.changes())
    }

    fn map_get(&self, map: &str, key: &[u8], _: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.opened()?.read(|operations| operations.map_get(map, key))
    }

    fn map_set(&self, map: &str, key: &[u8], value: &[u8], by: Instant) -> Result<(), WriteError> {
        self.opened()?.write(by, |operations, _| operations.map_set(map, key, value))
    }

    fn map_add(&self, map: &str, key: &[u8], amount: f64, by: Instant) -> Result<f64, AddError> {
        self.opened()?.write(by, |operations, _| operations.map_add(map, key, amount))
    }

    fn map_remove(&self, map: &str, key: &[u8], by: Instant) -> Result<(), Down> {
        self.opened()?.write(by, |operations, _| operations.map_remove(map, key))
    }

    fn map_size(&self, map: &str, _: Instant) -> Result<u64, Down> {
        self.opened()?.read(|operations| operations.map_size(map))
    }

    fn map_clear(&self, map: &str, by: Instant) -> Result<(), Down> {
        self.opened()?.write(by, |operations, _| operations.map_clear(map))
    }

    fn lease(&self, name: &str, owner: &str, time: Duration, by: Instant) -> Result<bool, Down> {
        self.opened()?.write(by, |operations, _| operations.lease(name, owner, time))
    }
}
