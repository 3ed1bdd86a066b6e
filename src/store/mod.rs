//! Keeps variables that outlive a transaction: takes a record and a name, gives a value; imports `graph`.
//!
//! Everything stands behind [`Store`]; [`MemoryStore`] keeps it in the process.

mod bans;
mod memory;
mod rates;

pub use memory::MemoryStore;
pub use rates::{Rate, RateLimits};

use crate::graph::{PersistentCollection, SiteId};
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

/// A record holds as many variables as it may: a new one is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where persistent collections are kept. Names are compared without regard to ASCII case.
///
/// Each call is atomic by itself, so that counters stay right when transactions run at the same time.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The value of a variable.
    fn read(&self, record: &RecordKey, name: &[u8]) -> Option<Vec<u8>>;

    /// Every variable of a record with its value, sorted by name.
    fn read_all(&self, record: &RecordKey) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Sets a variable, unless it would be one more than `most` in its record.
    fn write(&self, record: &RecordKey, name: &[u8], value: &[u8], most: usize) -> Result<(), Full>;

    /// Adds to a variable, where what is no number counts as 0, and gives the sum; not where it would be one more than `most` in its record.
    fn add(&self, record: &RecordKey, name: &[u8], amount: i64, most: usize) -> Result<i64, Full>;

    /// Removes a variable.
    fn remove(&self, record: &RecordKey, name: &[u8]);

    /// Removes a variable at a moment, unless it is set anew before; nothing happens where it does not exist.
    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime);

    /// Turns an address away from a site until a moment, or from all with site 0.
    fn ban(&self, site: SiteId, address: IpAddr, until: SystemTime);

    /// Ends a ban from exactly this site; whether there was one.
    fn unban(&self, site: SiteId, address: IpAddr) -> bool;

    /// Whether an address is turned away from exactly this site.
    fn is_banned(&self, site: SiteId, address: IpAddr) -> bool;
}
