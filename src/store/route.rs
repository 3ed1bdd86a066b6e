//! Stores that pass each call on to another one.

use super::{AddError, Ban, Down, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, Update, Variables, WriteError};
use crate::graph::Pace;
use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// Passes calls on to a store. What implements it is a [`Store`].
pub trait Route: Send + Sync + Debug {
    /// Passes a call with a deadline on, or answers it with a failure.
    ///
    /// # Errors
    /// Those of the call, and that no store is asked.
    fn route<R, E: Failure>(&self, by: Instant, ask: impl FnOnce(&dyn Store) -> Result<R, E>) -> Result<R, E>;

    /// See [`Store::has_bans`].
    fn has_bans(&self) -> bool;
}

/// An error of a store.
pub trait Failure: From<Down> {
    /// Returns the reason if the store did not answer.
    fn down(&self) -> Option<&Down>;
}

impl Failure for Down {
    fn down(&self) -> Option<&Down> {
        Some(self)
    }
}

impl Failure for WriteError {
    fn down(&self) -> Option<&Down> {
        match self {
            Self::Down(down) => Some(down),
            Self::Full(_) => None,
        }
    }
}

impl Failure for AddError {
    fn down(&self) -> Option<&Down> {
        match self {
            Self::Write(error) => error.down(),
            Self::NoNumber => None,
        }
    }
}

/// Makes a method that passes its arguments and its deadline on, for each line `name(argument: type, …) -> result;`.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($argument: $type,)* by: Instant) -> $result {
            self.route(by, |store| store.$name($($argument,)* by))
        })*
    };
}

impl<T: Route> Store for T {
    fn has_bans(&self) -> bool {
        Route::has_bans(self)
    }

    passed_on! {
        read(record: &RecordKey, name: &[u8]) -> Result<Option<Vec<u8>>, Down>;
        read_all(record: &RecordKey) -> Result<Variables, Down>;
        write(update: Update<'_>, name: &[u8], value: &[u8]) -> Result<Option<RecordHistory>, WriteError>;
        add(update: Update<'_>, name: &[u8], amount: i64) -> Result<(i64, Option<RecordHistory>), WriteError>;
        set_timeout(update: Update<'_>, timeout: Duration) -> Result<Option<RecordHistory>, WriteError>;
        touch(update: Update<'_>) -> Result<Option<RecordHistory>, WriteError>;
        remove(record: &RecordKey, name: &[u8]) -> Result<(), Down>;
        expire(record: &RecordKey, name: &[u8], moment: SystemTime) -> Result<(), Down>;
        deprecate(record: &RecordKey, name: &[u8], pace: Pace) -> Result<Option<i64>, Down>;
        history(record: &RecordKey) -> Result<Option<RecordHistory>, Down>;
        remove_record(record: &RecordKey) -> Result<bool, Down>;
        records(web_app: &str, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>, Down>;
        ban(key: &RequestKey, until: SystemTime) -> Result<(), Down>;
        unban(key: &RequestKey) -> Result<bool, Down>;
        banned_until(keys: &[RequestKey]) -> Result<Option<SystemTime>, Down>;
        bans(after: Option<&RequestKey>, limit: usize) -> Result<Vec<Ban>, Down>;
        count(key: &RequestKey, quota: Quota) -> Result<Rate, Down>;
        limit(key: &RequestKey, quota: Quota, until: SystemTime) -> Result<(), Down>;
        limited_until(keys: &[RequestKey]) -> Result<Option<SystemTime>, Down>;
        put_list(name: &str, entries: &[&str]) -> Result<(), WriteError>;
        list(name: &str, known: Option<u64>) -> Result<Option<(u64, Vec<String>)>, Down>;
        changes() -> Result<u64, Down>;
        map_get(map: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Down>;
        map_set(map: &str, key: &[u8], value: &[u8]) -> Result<(), WriteError>;
        map_add(map: &str, key: &[u8], amount: f64) -> Result<f64, AddError>;
        map_remove(map: &str, key: &[u8]) -> Result<(), Down>;
        map_size(map: &str) -> Result<u64, Down>;
        map_clear(map: &str) -> Result<(), Down>;
        lease(name: &str, owner: &str, time: Duration) -> Result<bool, Down>;
    }
}
