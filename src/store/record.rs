//! A record: the variables of an address, a session, a user…, and their size.

use super::{Full, RecordHistory, RecordKey, StoreLimits};
use crate::graph::Pace;
use std::time::SystemTime;

/// Size of a record without its key and its variables, in bytes: its entries in three tables, and allocation overhead.
const RECORD_OVERHEAD: usize = 400;

/// Size of a variable without its name and its value, in bytes.
const VARIABLE_OVERHEAD: usize = 2 * size_of::<Variable>() + 2 * 16;

/// Up to this number of variables the list has no spare capacity: most records have one or two.
const FEW: usize = 8;

/// Divisor of the store's limit for one record, so that one client cannot drive out all others.
const SHARE: usize = 16;

/// A record of a persistent collection.
#[derive(Debug)]
pub struct Record {
    /// Sorted by name. Names are in lower case.
    variables: Vec<Variable>,
    bytes: usize,
    history: RecordHistory,
}

/// A variable of a record.
#[derive(Debug)]
pub struct Variable {
    pub name: Box<[u8]>,
    pub value: Box<[u8]>,
    /// Time at which it expires, if it does.
    pub expires: Option<SystemTime>,
    /// Time up to which its value was decreased.
    pub deprecated: SystemTime,
}

impl Record {
    /// Makes an empty record, created now.
    pub fn new(key: &RecordKey) -> Self {
        let now = SystemTime::now();
        let history = RecordHistory::new(now, now, 0);
        Self { variables: Vec::new(), bytes: RECORD_OVERHEAD + key.key.len() + key.web_app.len(), history }
    }

    /// Returns the times of its creation and last change.
    pub fn history(&self) -> RecordHistory {
        self.history
    }

    /// Counts another transaction that changes it.
    pub fn begin_update(&mut self) {
        self.history.updated = SystemTime::now();
        self.history.updates = self.history.updates.saturating_add(1);
    }

    /// Returns its size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Returns its variables, sorted by name.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Returns the variable with this name, in lower case.
    pub fn get(&self, name: &[u8]) -> Option<&Variable> {
        self.place(name).ok().and_then(|place| self.variables.get(place))
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// If the limits do not allow it; the record does not change then.
    pub fn set(&mut self, variable: Variable, limits: StoreLimits) -> Result<(), Full> {
        let place = self.place(&variable.name);
        let before = place.ok().and_then(|place| self.variables.get(place)).map_or(0, Variable::bytes);
        if place.is_err() && self.variables.len() >= limits.variables {
            return Err(Full::Record);
        }
        let bytes = self.bytes.saturating_sub(before).saturating_add(variable.bytes());
        if bytes > limits.bytes / SHARE {
            return Err(Full::Store);
        }
        self.bytes = bytes;
        match place {
            Ok(place) => {
                if let Some(known) = self.variables.get_mut(place) {
                    *known = variable;
                }
            }
            Err(place) => {
                if self.variables.len() < FEW {
                    self.variables.reserve_exact(1);
                }
                self.variables.insert(place, variable);
            }
        }
        Ok(())
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Ok(place) = self.place(name) {
            self.bytes = self.bytes.saturating_sub(self.variables.remove(place).bytes());
        }
    }

    /// Sets the expiry of a variable. Returns `false` if it does not exist.
    pub fn expire(&mut self, name: &[u8], moment: SystemTime) -> bool {
        let place = self.place(name).ok();
        let variable = place.and_then(|place| self.variables.get_mut(place));
        variable.map(|variable| variable.expires = Some(moment)).is_some()
    }

    /// Decreases a number by what is due, and returns the rest. See [`Store::deprecate`](super::Store::deprecate).
    pub fn deprecate(&mut self, name: &[u8], pace: Pace, now: SystemTime) -> Option<i64> {
        let place = self.place(name).ok()?;
        let variable = self.variables.get_mut(place)?;
        let before = variable.bytes();
        let left = variable.deprecate(pace, now);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(variable.bytes());
        Some(left)
    }

    /// Removes expired variables.
    pub fn drop_expired(&mut self, now: SystemTime) {
        let Self { variables, bytes, .. } = self;
        variables.retain(|variable| {
            let stays = variable.expires.is_none_or(|moment| moment > now);
            if !stays {
                *bytes = bytes.saturating_sub(variable.bytes());
            }
            stays
        });
    }

    /// Returns the next expiry of its variables.
    pub fn next_expiry(&self) -> Option<SystemTime> {
        self.variables.iter().filter_map(|variable| variable.expires).min()
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.variables.binary_search_by(|variable| (*variable.name).cmp(name))
    }
}

impl Variable {
    /// Returns its value as a number: a value that is not a number counts as 0.
    pub fn number(&self) -> i64 {
        std::str::from_utf8(&self.value).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn deprecate(&mut self, pace: Pace, now: SystemTime) -> i64 {
        let before = self.number();
        let passed = now.duration_since(self.deprecated).unwrap_or_default();
        let periods = u32::try_from(passed.as_nanos() / pace.period.as_nanos().max(1)).unwrap_or(u32::MAX);
        let left = before.saturating_sub(pace.amount.saturating_mul(periods.into())).max(0);
        // A value of 0 does not accumulate periods.
        let paid = self.deprecated.checked_add(pace.period.saturating_mul(periods)).unwrap_or(now);
        self.deprecated = if left == 0 { now } else { paid };
        if periods > 0 && left < before {
            self.value = left.to_string().into_bytes().into();
        }
        self.number()
    }

    fn bytes(&self) -> usize {
        VARIABLE_OVERHEAD + self.name.len() + self.value.len()
    }
}
