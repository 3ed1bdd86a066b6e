//! Keeps variables that outlive a transaction: takes a record and a name, gives a value; imports `graph`.
//!
//! Everything stands behind [`Store`]; [`MemoryStore`] keeps it in the process.

mod bans;
mod memory;
mod rates;
mod record;

pub use memory::MemoryStore;
pub use rates::{Rate, RateLimits};

use crate::graph::{Pace, PersistentCollection, SiteId};
use std::net::IpAddr;
use std::time::SystemTime;

/// What names one record: the variables of one address, session, user, resource, or of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordKey {
    /// The collection.
    pub collection: PersistentCollection,
    /// The key that `initcol`, `setsid`, `setuid` or `setrsc` gave; empty where none did.
    pub key: Box<[u8]>,
    /// `SecWebAppId`
    pub web_app: Box<str>,
}

/// How much a store may hold. Each call that writes names the limits of its rule set, for rule sets may share a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// How many variables a record may have: `SecStoreVariablesLimit`.
    pub variables: usize,
    /// How many bytes all keys, names and values may take, with what it takes to keep them: `SecStoreBytesLimit`. A store that has more lets
    /// the records go that were not used for longest. One that keeps its records outside of the process may have limits of its own.
    pub bytes: usize,
}

/// Why a variable is not kept. What was there before stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// Its record has as many variables as it may.
    Record,
    /// Its record would take too many of the store's bytes.
    Store,
}

/// When a record was made and when it changed last, and how often it changed since it was made: once for each transaction that wrote to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHistory {
    /// When it was made.
    pub created: SystemTime,
    /// When it was changed last.
    pub updated: SystemTime,
    /// How many transactions changed it since, besides the one that made it.
    pub updates: u64,
}

/// Where persistent collections are kept. Names are compared without regard to ASCII case.
///
/// Each call is atomic by itself, so that counters stay right when transactions run at the same time.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The value of a variable.
    fn read(&self, record: &RecordKey, name: &[u8]) -> Option<Vec<u8>>;

    /// Every variable of a record with its value, sorted by name.
    fn read_all(&self, record: &RecordKey) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Sets a variable that does not expire, within limits.
    ///
    /// # Errors
    ///
    /// Where the limits do not allow it; then nothing changes.
    fn write(&self, record: &RecordKey, name: &[u8], value: &[u8], limits: StoreLimits) -> Result<(), Full>;

    /// Adds to a variable, where what is not a number counts as 0, and gives the sum. When it expires does not change.
    ///
    /// # Errors
    ///
    /// Where the limits do not allow it; then nothing changes.
    fn add(&self, record: &RecordKey, name: &[u8], amount: i64, limits: StoreLimits) -> Result<i64, Full>;

    /// Removes a variable.
    fn remove(&self, record: &RecordKey, name: &[u8]);

    /// Removes a variable at a moment, unless it is set anew before; nothing happens where it does not exist.
    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime);

    /// Takes from a number what its pace says for the whole periods that passed since it was set, or since something was taken from it; not below
    /// 0. Gives what is left, or nothing where the variable does not exist.
    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace) -> Option<i64>;

    /// The history of a record; nothing where there is no record, or the store keeps no history.
    fn history(&self, _record: &RecordKey) -> Option<RecordHistory> {
        None
    }

    /// Notes that a transaction is about to write to a record for the first time, and gives the history that the record had until then.
    fn begin_update(&self, record: &RecordKey) -> Option<RecordHistory> {
        self.history(record)
    }

    /// Turns an address away from a site until a moment, or from all with site 0.
    fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime);

    /// Ends a ban from exactly this site; whether there was one.
    fn unban(&self, site: SiteId, address: IpAddr) -> bool;

    /// Returns `true` if an address is turned away from exactly this site.
    fn is_banned(&self, site: SiteId, address: IpAddr) -> bool;
}
