//! One record: the variables of an address, a session, a user…, and what they take.

use super::{Full, RecordHistory, RecordKey, StoreLimits};
use crate::graph::Pace;
use std::time::SystemTime;

/// What a record takes besides its key and its variables, in bytes: its places in three tables, and what allocations cost.
const RECORD_OVERHEAD: usize = 400;

/// What a variable takes besides its name and its value, in bytes.
const VARIABLE_OVERHEAD: usize = 2 * size_of::<Variable>() + 2 * 16;

/// Up to so many variables the list of them is no longer than they are: most records have one or two.
const FEW: usize = 8;

/// A part of the store that one record may take: what a single client can write then does not drive out everything else.
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
    /// When it goes, if it does.
    pub expires: Option<SystemTime>,
    /// Until when its value was taken down as time passed.
    pub deprecated: SystemTime,
}

impl Record {
    /// A record without variables, made now.
    pub fn new(key: &RecordKey) -> Self {
        let now = SystemTime::now();
        let history = RecordHistory { created: now, updated: now, updates: 0 };
        Self { variables: Vec::new(), bytes: RECORD_OVERHEAD + key.key.len() + key.web_app.len(), history }
    }

    /// When it was made and changed.
    pub fn history(&self) -> RecordHistory {
        self.history
    }

    /// Notes that one more transaction changes it.
    pub fn begin_update(&mut self) {
        self.history.updated = SystemTime::now();
        self.history.updates = self.history.updates.saturating_add(1);
    }

    /// How much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Its variables, sorted by name.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable with a name in lower case.
    pub fn get(&self, name: &[u8]) -> Option<&Variable> {
        self.place(name).ok().and_then(|place| self.variables.get(place))
    }

    /// Sets a variable, or leaves the record as it is where that would be too much.
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

    /// Has a variable go at a moment. Returns `false` where it does not exist.
    pub fn expire(&mut self, name: &[u8], moment: SystemTime) -> bool {
        let place = self.place(name).ok();
        let variable = place.and_then(|place| self.variables.get_mut(place));
        variable.map(|variable| variable.expires = Some(moment)).is_some()
    }

    /// Takes from a number what is due at a moment, and gives what is left. See [`Store::deprecate`](super::Store::deprecate).
    pub fn deprecate(&mut self, name: &[u8], pace: Pace, now: SystemTime) -> Option<i64> {
        let place = self.place(name).ok()?;
        let variable = self.variables.get_mut(place)?;
        let before = variable.bytes();
        let left = variable.deprecate(pace, now);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(variable.bytes());
        Some(left)
    }

    /// Lets the variables go whose moment has come.
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

    /// When the next of its variables goes.
    pub fn next_expiry(&self) -> Option<SystemTime> {
        self.variables.iter().filter_map(|variable| variable.expires).min()
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.variables.binary_search_by(|variable| (*variable.name).cmp(name))
    }
}

impl Variable {
    /// Its value as a number: what is not one counts as 0.
    pub fn number(&self) -> i64 {
        std::str::from_utf8(&self.value).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    fn deprecate(&mut self, pace: Pace, now: SystemTime) -> i64 {
        let before = self.number();
        let passed = now.duration_since(self.deprecated).unwrap_or_default();
        let periods = u32::try_from(passed.as_nanos() / pace.period.as_nanos().max(1)).unwrap_or(u32::MAX);
        let left = before.saturating_sub(pace.amount.saturating_mul(periods.into())).max(0);
        // What is 0 saves nothing up for later.
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
