//! The operations of the store.

use super::address::{Address, DEFAULT_SIZE, SCHEME};
use super::opened::Opened;
use super::place::Place;
use super::table::{Reading, Writing};
use super::write_lock::wait;
use secrule::internals::graph::Pace;
use secrule::internals::once_per_process::OncePerProcess;
use secrule::internals::store::{Breaker, Operations};
use secrule::{
    AddError, BadAddress, Ban, Down, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, StoreKind, Update, Variables, WriteError,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The time after which a process looks again whether others have set bans.
const REFRESH: Duration = Duration::from_millis(50);

/// A store in a file of LMDB.
///
/// It is opened by the first call of each process.
#[derive(Debug)]
pub struct LmdbStore {
    path: PathBuf,
    size: u64,
    opened: OncePerProcess<Opened>,
    /// `true` if there were bans or limits at the last look, or if that is unknown.
    has_bans: AtomicBool,
    made: Instant,
    /// The time of the next look at the bans, in milliseconds after `made`.
    next_look: AtomicU64,
}

impl LmdbStore {
    /// The stores that `SecCollectionStore lmdb:PATH[?size=256M]` names.
    pub const KIND: StoreKind = StoreKind { schemes: &[SCHEME], make: |address| Ok(Arc::new(Breaker::new(Self::parse(address)?))) };

    /// The size of a file if an address does not name one, in bytes: 256 MiB.
    pub const SIZE: u64 = DEFAULT_SIZE;

    /// Names a folder in which each user has a file, `secrule-UID.mdb`, and the maximum size of the file in bytes. Nothing is opened yet.
    pub fn in_folder(folder: impl AsRef<Path>, size: u64) -> Self {
        // A path that ends with a separator names a folder.
        Self::new(folder.as_ref().join(""), size)
    }

    /// Names a file, and its maximum size in bytes. A path that ends with `/`, or is a folder, is that of [`in_folder`](Self::in_folder). Nothing is
    /// opened yet.
    pub fn new(path: impl AsRef<Path>, size: u64) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            size,
            opened: OncePerProcess::new(),
            has_bans: AtomicBool::new(false),
            made: Instant::now(),
            next_look: AtomicU64::new(0),
        }
    }

    /// Names a file by an address such as `lmdb:/var/lib/waf/store.mdb?size=256M`. Nothing is opened yet.
    ///
    /// # Errors
    /// If the address names no file, or has other options.
    pub fn parse(address: &str) -> Result<Self, BadAddress> {
        let Address { path, size } = Address::parse(address)?;
        Ok(Self::new(path, size))
    }

    /// Returns the path of the file, in a folder that of this user's. It need not exist.
    pub fn file(&self) -> PathBuf {
        Place::of(&self.path).data
    }

    /// Checks that this process may make and open the files, and that no other user may write to them.
    ///
    /// # Errors
    /// If that is not so.
    pub fn check(&self) -> Result<(), Down> {
        Place::of(&self.path).check()
    }

    fn opened(&self, by: Instant) -> Result<Arc<Opened>, Down> {
        if let Some(opened) = self.opened.made() {
            return Ok(opened);
        }
        // LMDB opens a file once in a process, and a child must close its parent's first. That does no harm to the parent.
        drop(self.opened.take_inherited());
        let opened = wait(by, || self.opened.try_get_or_make(|| Opened::new(&Place::of(&self.path), self.size, by)))?;
        opened.ok_or_else(|| Down::new("another thread has been opening it for too long"))
    }

    fn read<R>(&self, by: Instant, operation: impl FnOnce(&Operations<'_, Reading<'_>>) -> Result<R, Down>) -> Result<R, Down> {
        self.opened(by)?.read(operation)
    }

    fn write<R, E: From<Down>>(
        &self,
        by: Instant,
        operation: impl FnOnce(&mut Operations<'_, Writing<'_>>, SystemTime) -> Result<R, E>,
    ) -> Result<R, E> {
        self.opened(by)?.write(by, operation)
    }

    /// As [`write`](Self::write), for an operation that changes bans or limits.
    fn write_bans<R>(&self, by: Instant, operation: impl FnOnce(&mut Operations<'_, Writing<'_>>) -> Result<R, Down>) -> Result<R, Down> {
        let (result, has_bans) = self.write(by, |operations, _| {
            let result = operation(operations)?;
            Ok::<_, Down>((result, operations.has_bans()?))
        })?;
        self.has_bans.store(has_bans, Ordering::Release);
        Ok(result)
    }

    /// Looks whether there are bans or limits. A file that does not exist has none, and is not made for this.
    fn look_at_bans(&self) -> Result<bool, Down> {
        if self.opened.made().is_none() && !Place::of(&self.path).data.exists() {
            return Ok(false);
        }
        self.read(Instant::now(), |operations| operations.has_bans())
    }
}

impl Store for LmdbStore {
    fn read(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.read(by, |operations| operations.read(record, name))
    }

    fn read_all(&self, record: &RecordKey, by: Instant) -> Result<Variables, Down> {
        self.read(by, |operations| operations.read_all(record))
    }

    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.write(by, |operations, _| operations.write(update, name, value))
    }

    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, by: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
        self.write(by, |operations, _| operations.add(update, name, amount))
    }

    fn set_timeout(&self, update: Update<'_>, timeout: Duration, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.write(by, |operations, _| operations.set_timeout(update, timeout))
    }

    fn touch(&self, update: Update<'_>, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.write(by, |operations, _| operations.touch(update))
    }

    fn remove(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<(), Down> {
        self.write(by, |operations, _| operations.remove(record, name))
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, by: Instant) -> Result<(), Down> {
        self.write(by, |operations, _| operations.expire(record, name, moment))
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, by: Instant) -> Result<Option<i64>, Down> {
        self.write(by, |operations, _| operations.deprecate(record, name, pace))
    }

    fn history(&self, record: &RecordKey, by: Instant) -> Result<Option<RecordHistory>, Down> {
        self.read(by, |operations| operations.history(record))
    }

    fn remove_record(&self, record: &RecordKey, by: Instant) -> Result<bool, Down> {
        self.write(by, |operations, _| operations.remove_record(record))
    }

    fn records(&self, web_app: &str, after: Option<&RecordKey>, limit: usize, by: Instant) -> Result<Vec<RecordKey>, Down> {
        self.read(by, |operations| operations.records(web_app, after, limit))
    }

    fn ban(&self, key: &RequestKey, until: SystemTime, by: Instant) -> Result<(), Down> {
        self.write_bans(by, |operations| operations.ban(key, until))
    }

    fn unban(&self, key: &RequestKey, by: Instant) -> Result<bool, Down> {
        self.write_bans(by, |operations| operations.unban(key))
    }

    fn banned_until(&self, keys: &[RequestKey], by: Instant) -> Result<Option<SystemTime>, Down> {
        self.read(by, |operations| operations.banned_until(keys))
    }

    fn bans(&self, after: Option<&RequestKey>, limit: usize, by: Instant) -> Result<Vec<Ban>, Down> {
        self.read(by, |operations| operations.bans(after, limit))
    }

    fn has_bans(&self) -> bool {
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.next_look.load(Ordering::Relaxed);
        let next = now + REFRESH.as_millis() as u64;
        if now >= due && self.next_look.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // Where this is unknown, requests ask for their bans: within their own deadline, and with what `SecCollectionFailure` says.
            self.has_bans.store(self.look_at_bans().unwrap_or(true), Ordering::Release);
        }
        self.has_bans.load(Ordering::Acquire)
    }

    fn count(&self, key: &RequestKey, quota: Quota, by: Instant) -> Result<Rate, Down> {
        self.write(by, |operations, now| operations.count(key, quota, now))
    }

    fn limit(&self, key: &RequestKey, quota: Quota, until: SystemTime, by: Instant) -> Result<(), Down> {
        self.write_bans(by, |operations| operations.limit(key, quota, until))
    }

    fn limited_until(&self, keys: &[RequestKey], by: Instant) -> Result<Option<SystemTime>, Down> {
        if !self.read(by, |operations| operations.has_limit(keys))? {
            return Ok(None);
        }
        self.write(by, |operations, now| operations.limited_until(keys, now))
    }

    fn put_list(&self, name: &str, entries: &[&str], by: Instant) -> Result<(), WriteError> {
        self.write(by, |operations, _| operations.put_list(name, entries))
    }

    fn list(&self, name: &str, known: Option<u64>, by: Instant) -> Result<Option<(u64, Vec<String>)>, Down> {
        self.read(by, |operations| operations.list(name, known))
    }

    fn changes(&self, by: Instant) -> Result<u64, Down> {
        self.read(by, |operations| operations.changes())
    }

    fn map_get(&self, map: &str, key: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.read(by, |operations| operations.map_get(map, key))
    }

    fn map_set(&self, map: &str, key: &[u8], value: &[u8], by: Instant) -> Result<(), WriteError> {
        self.write(by, |operations, _| operations.map_set(map, key, value))
    }

    fn map_add(&self, map: &str, key: &[u8], amount: f64, by: Instant) -> Result<f64, AddError> {
        self.write(by, |operations, _| operations.map_add(map, key, amount))
    }

    fn map_remove(&self, map: &str, key: &[u8], by: Instant) -> Result<(), Down> {
        self.write(by, |operations, _| operations.map_remove(map, key))
    }

    fn map_size(&self, map: &str, by: Instant) -> Result<u64, Down> {
        self.read(by, |operations| operations.map_size(map))
    }

    fn map_clear(&self, map: &str, by: Instant) -> Result<(), Down> {
        self.write(by, |operations, _| operations.map_clear(map))
    }

    fn lease(&self, name: &str, owner: &str, time: Duration, by: Instant) -> Result<bool, Down> {
        self.write(by, |operations, _| operations.lease(name, owner, time))
    }
}
