//! Variables of every record of a persistent collection: its creation and changes.

use super::{Collections, Selection};
use crate::store::{RecordHistory, RecordKey};
use std::time::{Duration, SystemTime};

impl Collections {
    /// Returns a history variable of a record, as in ModSecurity v2 without TIMEOUT: records do not expire. Only a target with its name selects it,
    /// and only if the collection was opened. Changes by this transaction do not count.
    pub(super) fn history_variable(&mut self, record: &RecordKey, name: &[u8], selection: &Selection<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(entry) = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, entry)| entry) else {
            return Vec::new();
        };
        if self.open_records.key(record.collection).is_none() {
            return Vec::new();
        }
        let history = match self.open_records.history(record.collection) {
            Some(before) => before,
            None => self.ask_store(&selection.graph.settings, selection.store, |store, by| store.history(record, by)).flatten(),
        };
        let now = u64::try_from(self.clock.epoch().0).unwrap_or(0);
        let number = match entry {
            Told::Key => return vec![(name.to_vec(), record.key.to_vec())],
            Told::IsNew => u64::from(history.is_none()),
            Told::CreateTime => history.map_or(now, |history| seconds(history.created)),
            Told::LastUpdateTime => history.map_or(now, |history| seconds(history.updated)),
            Told::UpdateCounter => history.map_or(0, |history| history.updates),
            Told::UpdateRate => history.map_or(0, |history| rate(history, now)),
        };
        vec![(name.to_vec(), number.to_string().into_bytes())]
    }
}

const NAMES: [(&[u8], Told); 6] = [
    (b"CREATE_TIME", Told::CreateTime),
    (b"IS_NEW", Told::IsNew),
    (b"KEY", Told::Key),
    (b"LAST_UPDATE_TIME", Told::LastUpdateTime),
    (b"UPDATE_COUNTER", Told::UpdateCounter),
    (b"UPDATE_RATE", Told::UpdateRate),
];

enum Told {
    /// Creation of the record, in seconds since 1970.
    CreateTime,
    /// 1 if no earlier transaction wrote to it, otherwise 0.
    IsNew,
    /// Its key.
    Key,
    /// Last change, in seconds since 1970.
    LastUpdateTime,
    /// Number of transactions that changed it after its creation.
    UpdateCounter,
    /// Average number of changes per minute since its creation; 0 in the first second.
    UpdateRate,
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn rate(history: RecordHistory, now: u64) -> u64 {
    history.updates.saturating_mul(60).checked_div(now.saturating_sub(seconds(history.created))).unwrap_or(0)
}
