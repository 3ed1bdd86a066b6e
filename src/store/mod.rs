//! Keeps what outlives a transaction: variables of records, bans, limits, lists, maps; imports `graph` and `operator`.
//!
//! [`Store`] is the interface. [`MemoryStore`] keeps all of it in the process. What keeps it in a table elsewhere on the machine takes the operations
//! from [`Operations`]. [`Lists`] are copies of what is too large to be asked for by each request.

mod breaker;
mod encoding;
mod keys;
mod keyspace;
mod kind;
mod lists;
mod memory;
mod operations;
mod record;
mod route;
mod sum;
mod table;

pub use breaker::Breaker;
pub use keys::{Ban, MAX_URL_PATH, Quota, RecordKey, RequestKey, key_host, key_url_path};
pub use keyspace::Sizes;
pub use kind::{BadAddress, StoreKind};
pub use lists::{LIST_TIME, ListError, Lists, MAX_LIST_BYTES, MAX_LIST_ENTRIES, Need, list_entries, note_changed_list};
pub use memory::MemoryStore;
pub use operations::Operations;
pub use route::{Failure, Route};
pub use table::{Pair, Readable, Table};

use crate::graph::Pace;
use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

/// The variables of a record: names in lower case, and values.
pub type Variables = Vec<(Vec<u8>, Vec<u8>)>;

/// A time in milliseconds since 1970.
pub type Moment = u64;

/// Limits of a store. Each call that writes passes those of its rule set, because rule sets may share a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Maximum number of variables of a record: `SecStoreVariablesLimit`.
    pub variables: usize,
    /// Maximum number of bytes of all keys, names and values, including overhead: `SecStoreBytesLimit`. Beyond it a store drops the least recently
    /// used records. A store outside of the process may have limits of its own.
    pub bytes: usize,
}

/// Reason why something is not stored. What was there before stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// Its record or map has the maximum number of variables.
    #[error("it has the maximum number of variables")]
    Record,
    /// It would take too large a part of the store.
    #[error("it would take too large a part of the store")]
    Store,
}

/// The store does not answer: it cannot be reached, or not by the deadline. Nothing is known of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store does not answer: {0}")]
pub struct Down(Cow<'static, str>);

/// Reason why a call that writes fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
    /// The store does not answer.
    #[error(transparent)]
    Down(#[from] Down),
}

/// Reason why a number is not added to a value of a map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The value is not a number.
    #[error("the value is not a number")]
    NoNumber,
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Result of counting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// It is within the quota.
    Within,
    /// It exceeds the quota.
    Beyond,
}

/// Times of a record's creation and last change, and the number of changes in between: one for each transaction that wrote to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordHistory {
    /// Time of its creation.
    pub created: SystemTime,
    /// Time of its last change.
    pub updated: SystemTime,
    /// Number of transactions that changed it, without the one that created it.
    pub updates: u64,
    /// The time without a change after which it is removed, if rules set one for this record.
    pub timeout: Option<Duration>,
}

/// A change of a record.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Update<'a> {
    /// The record.
    pub record: &'a RecordKey,
    /// The limits of the rule set.
    pub limits: StoreLimits,
    /// The time without a change after which a record without a timeout of its own is removed: `SecCollectionTimeout`; `None` for no end.
    pub timeout: Option<Duration>,
    /// `true` for the first change of a transaction: it is counted, and the history until then is returned.
    pub is_first: bool,
}

/// A store of what outlives a transaction.
///
/// Each call is atomic, so that counters stay correct when transactions run at the same time, in several processes or on several machines. Each call
/// returns by its deadline. A store that does not answer by then says [`Down`], which is not "absent". Names of variables are compared without regard to
/// ASCII case.
///
/// A store that keeps records alone leaves the other methods as they are: they say `Down`.
///
/// # Errors
///
/// All methods fail with [`Down`] if the store does not answer by the deadline. Those that write also fail if there is no room; nothing changes then.
#[allow(clippy::missing_errors_doc, reason = "said once for all methods")]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Returns the value of a variable; `None` if it does not exist, or expired.
    fn read(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down>;

    /// Returns every variable of a record with its value, sorted by name.
    fn read_all(&self, record: &RecordKey, by: Instant) -> Result<Variables, Down>;

    /// Sets a variable; its expiry does not change. Returns the history of the record until then, if there was a record and the update is the first.
    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], by: Instant) -> Result<Option<RecordHistory>, WriteError>;

    /// Adds to a variable and returns the sum; a value that is not a number counts as 0. The expiry does not change.
    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, by: Instant) -> Result<(i64, Option<RecordHistory>), WriteError>;

    /// Sets the time without a change after which the record is removed, instead of that of updates. The record is made if there is none, and stays
    /// until that time, with variables or without. Returns as [`write`](Self::write) does.
    fn set_timeout(&self, update: Update<'_>, timeout: Duration, by: Instant) -> Result<Option<RecordHistory>, WriteError>;

    /// Notes a change of a record by [`remove`](Self::remove) or [`expire`](Self::expire): its timeout begins anew, and the first change of a
    /// transaction is counted. Does nothing if there is no record. Returns as [`write`](Self::write) does.
    fn touch(&self, update: Update<'_>, by: Instant) -> Result<Option<RecordHistory>, WriteError>;

    /// Removes a variable.
    fn remove(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<(), Down>;

    /// Sets the time at which a variable is removed, unless it is set again before. Does nothing if the variable does not exist.
    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, by: Instant) -> Result<(), Down>;

    /// Decreases a number by its pace for each full period since it was set or decreased, but not below 0. Returns the rest, or `None` if the
    /// variable does not exist.
    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, by: Instant) -> Result<Option<i64>, Down>;

    /// Returns the history of a record; `None` if there is no record.
    fn history(&self, record: &RecordKey, by: Instant) -> Result<Option<RecordHistory>, Down>;

    /// Removes a record. Returns `true` if there was one.
    fn remove_record(&self, _record: &RecordKey, _by: Instant) -> Result<bool, Down> {
        Err(Down::LACKING)
    }

    /// Returns at most `limit` records of a web application, or those that all share if it is empty: those that follow one in the order of the store.
    fn records(&self, _web_app: &str, _after: Option<&RecordKey>, _limit: usize, _by: Instant) -> Result<Vec<RecordKey>, Down> {
        Err(Down::LACKING)
    }

    /// Bans requests until a time.
    fn ban(&self, _key: &RequestKey, _until: SystemTime, _by: Instant) -> Result<(), Down> {
        Err(Down::LACKING)
    }

    /// Ends a ban. Returns `true` if there was one with exactly this key.
    fn unban(&self, _key: &RequestKey, _by: Instant) -> Result<bool, Down> {
        Err(Down::LACKING)
    }

    /// Returns the end of the ban that ends last, of those that have one of these keys.
    fn banned_until(&self, _keys: &[RequestKey], _by: Instant) -> Result<Option<SystemTime>, Down> {
        Err(Down::LACKING)
    }

    /// Returns at most `limit` bans, those that follow one in the order of the store.
    fn bans(&self, _after: Option<&RequestKey>, _limit: usize, _by: Instant) -> Result<Vec<Ban>, Down> {
        Err(Down::LACKING)
    }

    /// Returns `false` if there is no ban and no limit of [`limit`](Self::limit), as far as the process knows: another process may have set one in the
    /// last 100 ms. Where that is unknown it is `true`, so that requests ask, and learn that the store is down. It takes no longer than reading a variable
    /// of the process.
    fn has_bans(&self) -> bool {
        false
    }

    /// Counts a request against a quota.
    fn count(&self, _key: &RequestKey, _quota: Quota, _by: Instant) -> Result<Rate, Down> {
        Err(Down::LACKING)
    }

    /// Limits requests to a quota until a time.
    fn limit(&self, _key: &RequestKey, _quota: Quota, _until: SystemTime, _by: Instant) -> Result<(), Down> {
        Err(Down::LACKING)
    }

    /// Counts a request against all limits that have one of these keys. Returns the end of one that it exceeds.
    fn limited_until(&self, _keys: &[RequestKey], _by: Instant) -> Result<Option<SystemTime>, Down> {
        Err(Down::LACKING)
    }

    /// Replaces a list of addresses and networks.
    fn put_list(&self, _name: &str, _entries: &[&str], _by: Instant) -> Result<(), WriteError> {
        Err(Down::LACKING.into())
    }

    /// Returns a list, and its version; `None` if it is the one with the version that is known, or if there is none.
    fn list(&self, _name: &str, _known: Option<u64>, _by: Instant) -> Result<Option<(u64, Vec<String>)>, Down> {
        Err(Down::LACKING)
    }

    /// Returns the number of changes of bans, limits and lists since the store was made: a process refreshes its copies when it has changed.
    fn changes(&self, _by: Instant) -> Result<u64, Down> {
        Err(Down::LACKING)
    }

    /// Returns a value of a map.
    fn map_get(&self, _map: &str, _key: &[u8], _by: Instant) -> Result<Option<Vec<u8>>, Down> {
        Err(Down::LACKING)
    }

    /// Sets a value of a map.
    fn map_set(&self, _map: &str, _key: &[u8], _value: &[u8], _by: Instant) -> Result<(), WriteError> {
        Err(Down::LACKING.into())
    }

    /// Adds to a value of a map and returns the sum; a missing value counts as 0.
    fn map_add(&self, _map: &str, _key: &[u8], _amount: f64, _by: Instant) -> Result<f64, AddError> {
        Err(AddError::Write(Down::LACKING.into()))
    }

    /// Removes a value of a map.
    fn map_remove(&self, _map: &str, _key: &[u8], _by: Instant) -> Result<(), Down> {
        Err(Down::LACKING)
    }

    /// Returns the number of values of a map.
    fn map_size(&self, _map: &str, _by: Instant) -> Result<u64, Down> {
        Err(Down::LACKING)
    }

    /// Removes all values of a map.
    fn map_clear(&self, _map: &str, _by: Instant) -> Result<(), Down> {
        Err(Down::LACKING)
    }

    /// Takes a lease, or renews one of the same owner, for some time. Returns `false` if another owner has it.
    fn lease(&self, _name: &str, _owner: &str, _time: Duration, _by: Instant) -> Result<bool, Down> {
        Err(Down::LACKING)
    }
}

impl StoreLimits {
    /// Limits of the variables of a record, and of the bytes of all records.
    pub const fn new(variables: usize, bytes: usize) -> Self {
        Self { variables, bytes }
    }
}

impl<'a> Update<'a> {
    /// The first change of a transaction to a record without a timeout.
    pub fn first(record: &'a RecordKey, limits: StoreLimits) -> Self {
        Self { record, limits, timeout: None, is_first: true }
    }

    /// A further change of the same transaction.
    #[must_use]
    pub fn further(self) -> Self {
        Self { is_first: false, ..self }
    }

    /// The same change, with a time without a change after which the record is removed.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

impl RecordHistory {
    /// The times of creation and last change, and the number of changes in between, of a record without a timeout of its own.
    pub const fn new(created: SystemTime, updated: SystemTime, updates: u64) -> Self {
        Self { created, updated, updates, timeout: None }
    }

    /// The same history, of a record with a timeout of its own.
    #[must_use]
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

impl Down {
    /// A store that does not keep what was asked for.
    pub const LACKING: Self = Self(Cow::Borrowed("it does not keep this"));

    /// A store that does not answer for a reason, such as `connection refused`.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl From<Down> for AddError {
    fn from(down: Down) -> Self {
        Self::Write(down.into())
    }
}

impl From<std::convert::Infallible> for Down {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Returns the moment of a time.
fn moment(time: SystemTime) -> Moment {
    milliseconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Returns a duration in milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the end of a ban or of a limit as logs show it: `2026-11-30T14:05:00Z`.
pub fn time_text(time: SystemTime) -> String {
    chrono::DateTime::<chrono::Utc>::from(time).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Returns the time of a moment.
fn time(moment: Moment) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(moment)).unwrap_or(SystemTime::UNIX_EPOCH)
}
