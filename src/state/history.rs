//! Variables that every record of a persistent collection has: its key, its creation, changes and timeout.

use super::{Collections, Selection};
use crate::graph::RecordField;
use crate::store::{RecordHistory, RecordKey, Variables};
use std::time::{Duration, SystemTime};

impl Collections {
    /// Returns fields of a record with their values, if the collection was opened and the store answers. Changes by this transaction do not count,
    /// except that of the timeout.
    pub(super) fn record_fields(&mut self, record: &RecordKey, fields: &[RecordField], selection: &Selection<'_>) -> Variables {
        if fields.is_empty() || self.open_records.key(record.collection).is_none() {
            return Variables::new();
        }
        let settings = &selection.graph.settings;
        let kept = self.open_records.history(record.collection);
        let asks = |field: &RecordField| match field {
            RecordField::Key => false,
            RecordField::Timeout => true,
            _ => kept.is_none(),
        };
        let current = match fields.iter().any(asks) {
            true => match self.ask_store(settings, selection.store, |store, by| store.history(record, by)) {
                Some(history) => history,
                None => return Variables::new(),
            },
            false => None,
        };
        let before = kept.unwrap_or(current);
        let now = u64::try_from(self.clock.epoch().0).unwrap_or(0);
        let number = |field: RecordField| match field {
            RecordField::IsNew => u64::from(before.is_none()),
            RecordField::CreateTime => before.map_or(now, |history| seconds(history.created)),
            RecordField::LastUpdateTime => before.map_or(now, |history| seconds(history.updated)),
            RecordField::Timeout => current.and_then(|history| history.timeout).unwrap_or(settings.collection_timeout).as_secs(),
            RecordField::UpdateCounter => before.map_or(0, updates),
            RecordField::UpdateRate => before.map_or(0, |history| rate(history, now)),
            RecordField::Key => 0,
        };
        let value = |field: RecordField| match field {
            RecordField::Key => record.key.to_vec(),
            field => number(field).to_string().into_bytes(),
        };
        fields.iter().map(|field| (field.name().as_bytes().to_vec(), value(*field))).collect()
    }
}

/// Returns the number of transactions that changed a record.
fn updates(history: RecordHistory) -> u64 {
    history.updates.saturating_add(1)
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn rate(history: RecordHistory, now: u64) -> u64 {
    updates(history).saturating_mul(60).checked_div(now.saturating_sub(seconds(history.created))).unwrap_or(0)
}
