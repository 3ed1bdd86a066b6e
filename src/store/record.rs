//! A record: the variables of an address, a session, a user…

use super::{Full, Moment, StoreLimits, milliseconds};
use crate::encoding::{Reader, Writer};
use crate::graph::Pace;
use std::time::Duration;

/// Size of a record without its key and its variables, in bytes.
const RECORD_OVERHEAD: usize = 400;

/// Size of a variable without its name and its value, in bytes.
const VARIABLE_OVERHEAD: usize = 160;

/// Divisor of the store's limit for one record, so that one client cannot drive out all others.
const SHARE: usize = 16;

/// The time of what does not expire.
const NEVER: Moment = Moment::MAX;

/// A record of a persistent collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The time of its creation.
    pub created: Moment,
    /// The time of its last change.
    pub updated: Moment,
    /// Number of transactions that changed it, without the one that created it.
    pub updates: u64,
    /// The time without a change after which it is removed, in milliseconds, if rules set one.
    timeout: Option<u64>,
    /// The time at which it is removed unless it changes before.
    end: Option<Moment>,
    /// Sorted by name. Names are in lower case.
    variables: Vec<Variable>,
}

/// A variable of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, in lower case.
    pub name: Box<[u8]>,
    /// Its value.
    pub value: Box<[u8]>,
    /// The time at which it expires, if it does.
    pub expires: Option<Moment>,
    /// The time up to which its value was decreased.
    pub deprecated: Moment,
}

impl Record {
    /// Makes an empty record.
    pub fn new(now: Moment) -> Self {
        Self { created: now, updated: now, ..Self::default() }
    }

    /// Returns `true` if nothing keeps it: it has no variable, and no timeout of its own.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.timeout.is_none()
    }

    /// Returns its own timeout.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_millis)
    }

    /// Sets its own timeout.
    ///
    /// # Errors
    /// If the limits do not allow a record with this key; the record does not change then.
    pub fn set_timeout(&mut self, key: &[u8], timeout: Duration, limits: StoreLimits) -> Result<(), Full> {
        if self.variables.is_empty() && RECORD_OVERHEAD + key.len() > limits.bytes / SHARE {
            return Err(Full::Store);
        }
        self.timeout = Some(milliseconds(timeout));
        Ok(())
    }

    /// Begins its timeout anew: its own, or the one that is given.
    pub fn begin_timeout(&mut self, timeout: Option<Duration>, now: Moment) {
        self.end = self.timeout.or(timeout.map(milliseconds)).map(|timeout| now.saturating_add(timeout));
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
    pub fn set(&mut self, key: &[u8], variable: Variable, limits: StoreLimits) -> Result<(), Full> {
        let place = self.place(&variable.name);
        if place.is_err() && self.variables.len() >= limits.variables {
            return Err(Full::Record);
        }
        let others = self.variables.iter().filter(|known| known.name != variable.name).map(Variable::bytes).sum::<usize>();
        if RECORD_OVERHEAD + key.len() + others + variable.bytes() > limits.bytes / SHARE {
            return Err(Full::Store);
        }
        match place {
            Ok(place) => self.variables.get_mut(place).into_iter().for_each(|known| known.clone_from(&variable)),
            Err(place) => self.variables.insert(place, variable),
        }
        Ok(())
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &[u8]) {
        if let Ok(place) = self.place(name) {
            self.variables.remove(place);
        }
    }

    /// Sets the expiry of a variable, if it exists.
    pub fn expire(&mut self, name: &[u8], moment: Moment) {
        if let Some(variable) = self.place(name).ok().and_then(|place| self.variables.get_mut(place)) {
            variable.expires = Some(moment);
        }
    }

    /// Decreases a number by what is due, and returns the rest. See [`Store::deprecate`](super::Store::deprecate).
    pub fn deprecate(&mut self, name: &[u8], pace: Pace, now: Moment) -> Option<i64> {
        let place = self.place(name).ok()?;
        Some(self.variables.get_mut(place)?.deprecate(pace, now))
    }

    /// Returns the time at which all of it is gone: its end, or that of its last variable, if all expire. With a timeout of its own it stays without
    /// variables.
    pub fn expires(&self) -> Option<Moment> {
        let last = self.variables.iter().map(|variable| variable.expires.unwrap_or(NEVER)).max();
        let last = last.filter(|moment| *moment != NEVER && self.timeout.is_none());
        [last, self.end].into_iter().flatten().min()
    }

    /// Returns the record as bytes, after its key.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(key).number(self.created).number(self.updated).number(self.updates);
        writer.number(self.timeout.unwrap_or(NEVER)).number(self.end.unwrap_or(NEVER));
        for variable in &self.variables {
            writer.bytes(&variable.name).bytes(&variable.value);
            writer.number(variable.expires.unwrap_or(NEVER)).number(variable.deprecated);
        }
        writer.0
    }

    /// Reads a record from its bytes, without the variables that expired. Returns its key, too.
    pub fn decode(bytes: &[u8], now: Moment) -> Option<(&[u8], Self)> {
        let mut reader = Reader(bytes);
        let key = reader.bytes()?;
        let (created, updated, updates) = (reader.number()?, reader.number()?, reader.number()?);
        let [timeout, end] = [reader.number()?, reader.number()?].map(|number| Some(number).filter(|number| *number != NEVER));
        let mut record = Self { created, updated, updates, timeout, end, variables: Vec::new() };
        while !reader.0.is_empty() {
            let (name, value) = (reader.bytes()?.into(), reader.bytes()?.into());
            let expires = Some(reader.number()?).filter(|moment| *moment != NEVER);
            let variable = Variable { name, value, expires, deprecated: reader.number()? };
            if expires.is_none_or(|moment| moment > now) {
                record.variables.push(variable);
            }
        }
        Some((key, record))
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

    fn deprecate(&mut self, pace: Pace, now: Moment) -> i64 {
        let (before, period) = (self.number(), milliseconds(pace.period).max(1));
        let periods = now.saturating_sub(self.deprecated) / period;
        let left = before.saturating_sub(pace.amount.saturating_mul(i64::try_from(periods).unwrap_or(i64::MAX))).max(0);
        // A value of 0 does not accumulate periods.
        self.deprecated = if left == 0 { now } else { self.deprecated.saturating_add(periods.saturating_mul(period)) };
        if periods > 0 && left < before {
            self.value = left.to_string().into_bytes().into();
        }
        self.number()
    }

    fn bytes(&self) -> usize {
        VARIABLE_OVERHEAD + self.name.len() + self.value.len()
    }
}
