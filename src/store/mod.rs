//! Keeps variables that outlive a transaction: takes a record and a name, gives a value; imports `graph`.
//!
//! [`Store`] is the interface; [`MemoryStore`] keeps the variables in the process.

mod bans;
mod memory;
mod rates;
mod record;

pub use memory::MemoryStore;
pub use rates::{Rate, RateLimits};

use crate::graph::{Pace, PersistentCollection, SiteId};
use std::net::IpAddr;
use std::time::SystemTime;

/// The key of a record: the variables of one address, session, user or resource, or of all requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RecordKey {
    /// The collection.
    pub collection: PersistentCollection,
    /// The key that `initcol`, `setsid`, `setuid` or `setrsc` gave; empty if none did.
    pub key: Box<[u8]>,
    /// `SecWebAppId`
    pub web_app: Box<str>,
}

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

/// Reason why a variable is not stored. The old value stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// Its record has the maximum number of variables.
    Record,
    /// Its record would take too large a part of the store.
    Store,
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
}

impl RecordHistory {
    /// The history of a record, for stores that keep one.
    pub fn new(created: SystemTime, updated: SystemTime, updates: u64) -> Self {
        Self { created, updated, updates }
    }
}

/// A store of persistent collections. Names are compared without regard to ASCII case.
///
/// Each call is atomic, so that counters stay correct when transactions run at the same time.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Returns the value of a variable.
    fn read(&self, record: &RecordKey, name: &[u8]) -> Option<Vec<u8>>;

    /// Returns every variable of a record with its value, sorted by name.
    fn read_all(&self, record: &RecordKey) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Sets a variable that does not expire, within limits.
    ///
    /// # Errors
    ///
    /// If the limits do not allow it; nothing changes then.
    fn write(&self, record: &RecordKey, name: &[u8], value: &[u8], limits: StoreLimits) -> Result<(), Full>;

    /// Adds to a variable and returns the sum; a value that is not a number counts as 0. The expiry does not change.
    ///
    /// # Errors
    ///
    /// If the limits do not allow it; nothing changes then.
    fn add(&self, record: &RecordKey, name: &[u8], amount: i64, limits: StoreLimits) -> Result<i64, Full>;

    /// Removes a variable.
    fn remove(&self, record: &RecordKey, name: &[u8]);

    /// Sets the time at which a variable is removed, unless it is set again before. Does nothing if the variable does not exist.
    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime);

    /// Decreases a number by its pace for each full period since it was set or decreased, but not below 0. Returns the rest, or `None` if the
    /// variable does not exist.
    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace) -> Option<i64>;

    /// Returns the history of a record; `None` if there is no record, or the store keeps no history.
    fn history(&self, _record: &RecordKey) -> Option<RecordHistory> {
        None
    }

    /// Called before a transaction first writes to a record; returns the history of the record until then.
    fn begin_update(&self, record: &RecordKey) -> Option<RecordHistory> {
        self.history(record)
    }

    /// Bans an address from a site until a time; site 0 means all sites.
    fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime);

    /// Ends a ban from exactly this site. Returns `true` if there was one.
    fn unban(&self, site: SiteId, address: IpAddr) -> bool;

    /// Returns `true` if an address is banned from exactly this site.
    fn is_banned(&self, site: SiteId, address: IpAddr) -> bool;
}
