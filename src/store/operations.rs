//! The operations of a store on this machine, on the entries of a table.

use super::encoding::bounded;
use super::keyspace::{Entry, Keyspace, Kind, Sizes};
use super::record::{Record, Variable};
use super::sum;
use super::table::{Readable, Table};
use super::{
    AddError, Ban, Down, Full, Moment, Quota, Rate, RecordHistory, RecordKey, RequestKey, Update, Variables, WriteError, milliseconds,
    moment, time,
};
use crate::encoding::{Reader, Writer};
use crate::graph::Pace;
use std::time::{Duration, SystemTime};

/// Maximum number of bans and limits. Beyond it the one that ends first is dropped.
const MAX_BANS: u64 = 100_000;

/// Maximum number of values of a map.
const MAX_VALUES: u64 = 100_000;

/// Maximum size of the keys and values of a map, in bytes.
const MAX_MAP: u64 = 64 << 20;

/// The part of the store that bans, limits, lists and maps may take, so that they leave room for records and counts.
const LASTING_SHARE: u64 = 2;

/// The part of that which lists and maps leave to bans: one in so many bytes.
const BAN_SHARE: u64 = 8;

/// Number of values of cleared maps that one write to a map removes.
const SWEPT: usize = 16;

/// The operations on the entries of a table, at one moment. They are those of [`Store`](super::Store).
#[derive(Debug)]
pub struct Operations<'t, T> {
    entries: Keyspace<'t, T>,
    /// Maximum size of all entries, in bytes. Beyond it the least recently used make room.
    max_bytes: u64,
}

/// A list as it is kept.
#[derive(Debug)]
pub struct PackedList(Vec<u8>);

impl PackedList {
    fn of(entries: &[&str]) -> Self {
        let mut contents = Writer::default();
        for entry in entries {
            contents.bytes(entry.as_bytes());
        }
        Self(contents.0)
    }

    /// Returns its entries.
    pub fn entries(&self) -> Vec<String> {
        let mut reader = Reader(&self.0);
        std::iter::from_fn(|| reader.bytes()).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
    }
}

/// The state of a map.
#[derive(Clone, Copy, Debug, Default)]
struct MapState {
    /// Its values have keys with this number: a map is cleared by another one.
    generation: u64,
    /// Number of values.
    values: u64,
    /// Size of its keys and values, in bytes.
    bytes: u64,
}

impl<'t, T: Readable> Operations<'t, T> {
    /// Opens a table at a time. The sizes are kept with the table; `max_bytes` is the maximum size of all entries, in bytes.
    pub fn new(table: &'t mut T, sizes: &'t mut Sizes, now: SystemTime, max_bytes: u64) -> Self {
        Self { entries: Keyspace::new(table, sizes, moment(now)), max_bytes }
    }

    fn now(&self) -> Moment {
        self.entries.now
    }

    /// See [`Store::read`](super::Store::read).
    ///
    /// # Errors
    /// If the table fails.
    pub fn read(&self, key: &RecordKey, name: &[u8]) -> Result<Option<Vec<u8>>, Down> {
        let record = self.record(key)?;
        Ok(record.and_then(|record| Some(record.get(&name.to_ascii_lowercase())?.value.to_vec())))
    }

    /// See [`Store::read_all`](super::Store::read_all).
    ///
    /// # Errors
    /// If the table fails.
    pub fn read_all(&self, key: &RecordKey) -> Result<Variables, Down> {
        let record = self.record(key)?.unwrap_or_default();
        Ok(record.variables().iter().map(|variable| (variable.name.to_vec(), variable.value.to_vec())).collect())
    }

    /// See [`Store::history`](super::Store::history).
    ///
    /// # Errors
    /// If the table fails.
    pub fn history(&self, key: &RecordKey) -> Result<Option<RecordHistory>, Down> {
        Ok(self.record(key)?.map(|record| history(&record)))
    }

    /// See [`Store::records`](super::Store::records).
    ///
    /// # Errors
    /// If the table fails.
    pub fn records(&self, web_app: &str, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>, Down> {
        let mut found = Vec::new();
        let mut after = after.map(|after| bounded(after.encode()));
        while found.len() < limit {
            let Some((key, entry)) = self.entries.next(Kind::Record, b"", after.as_deref())? else { break };
            let record = Reader(&entry.contents).bytes().and_then(RecordKey::decode);
            found.extend(record.filter(|record| &*record.web_app == web_app));
            after = Some(key);
        }
        Ok(found)
    }

    /// See [`Store::banned_until`](super::Store::banned_until).
    ///
    /// # Errors
    /// If the table fails.
    pub fn banned_until(&self, keys: &[RequestKey]) -> Result<Option<SystemTime>, Down> {
        let mut last = None;
        for key in keys {
            last = last.max(self.entries.get(Kind::Ban, &bounded(key.encode()))?.and_then(|ban| ban.expires));
        }
        Ok(last.map(time))
    }

    /// See [`Store::bans`](super::Store::bans).
    ///
    /// # Errors
    /// If the table fails.
    pub fn bans(&self, after: Option<&RequestKey>, limit: usize) -> Result<Vec<Ban>, Down> {
        let mut found = Vec::new();
        let mut after = after.map(|after| bounded(after.encode()));
        while found.len() < limit {
            let Some((key, entry)) = self.entries.next(Kind::Ban, b"", after.as_deref())? else { break };
            found.extend(RequestKey::decode(&entry.contents).zip(entry.expires).map(|(key, until)| Ban { key, until: time(until) }));
            after = Some(key);
        }
        Ok(found)
    }

    /// Returns `true` if there is a ban or a limit.
    ///
    /// # Errors
    /// If the table fails.
    pub fn has_bans(&self) -> Result<bool, Down> {
        self.entries.has_bans()
    }

    /// Returns `true` if there is a limit with one of these keys.
    ///
    /// # Errors
    /// If the table fails.
    pub fn has_limit(&self, keys: &[RequestKey]) -> Result<bool, Down> {
        for key in keys {
            if self.entries.get(Kind::Limit, &bounded(key.encode()))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// See [`Store::list`](super::Store::list).
    ///
    /// # Errors
    /// If the table fails.
    pub fn list(&self, name: &str, known: Option<u64>) -> Result<Option<(u64, Vec<String>)>, Down> {
        Ok(self.packed_list(name, known)?.map(|(version, list)| (version, list.entries())))
    }

    /// As [`list`](Self::list), but without reading each entry, so that a lock on a table need not be held for that long.
    ///
    /// # Errors
    /// If the table fails.
    pub fn packed_list(&self, name: &str, known: Option<u64>) -> Result<Option<(u64, PackedList)>, Down> {
        let key = bounded(name.as_bytes().to_vec());
        let Some(version) = self.list_version(&key)?.filter(|version| Some(*version) != known) else { return Ok(None) };
        Ok(self.entries.get(Kind::List, &key)?.map(|entry| (version, PackedList(entry.contents))))
    }

    /// See [`Store::changes`](super::Store::changes).
    ///
    /// # Errors
    /// If the table fails.
    pub fn changes(&self) -> Result<u64, Down> {
        Ok(self.entries.get(Kind::Changes, b"")?.and_then(|entry| Reader(&entry.contents).number()).unwrap_or(0))
    }

    /// See [`Store::map_get`](super::Store::map_get).
    ///
    /// # Errors
    /// If the table fails.
    pub fn map_get(&self, map: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Down> {
        let state = self.map(map)?;
        Ok(self.entries.get(Kind::MapEntry, &map_key(map, state.generation, key))?.map(|entry| entry.contents))
    }

    /// See [`Store::map_size`](super::Store::map_size).
    ///
    /// # Errors
    /// If the table fails.
    pub fn map_size(&self, map: &str) -> Result<u64, Down> {
        Ok(self.map(map)?.values)
    }

    /// Returns the version of a list. It stands apart from the entries, so that a process that knows it does not read those.
    fn list_version(&self, key: &[u8]) -> Result<Option<u64>, Down> {
        Ok(self.entries.get(Kind::ListVersion, key)?.and_then(|entry| Reader(&entry.contents).number()))
    }

    fn record(&self, key: &RecordKey) -> Result<Option<Record>, Down> {
        let entry = self.entries.get(Kind::Record, &bounded(key.encode()))?;
        Ok(entry.and_then(|entry| self.decode(&entry)))
    }

    fn decode(&self, entry: &Entry) -> Option<Record> {
        Record::decode(&entry.contents, self.now()).map(|(_, record)| record).filter(|record| !record.is_empty())
    }

    fn map(&self, map: &str) -> Result<MapState, Down> {
        let entry = self.entries.get(Kind::Map, &bounded(map.as_bytes().to_vec()))?;
        let state = entry.and_then(|entry| {
            let mut reader = Reader(&entry.contents);
            Some(MapState { generation: reader.number()?, values: reader.number()?, bytes: reader.number()? })
        });
        Ok(state.unwrap_or_default())
    }
}

impl<T: Table> Operations<'_, T> {
    /// See [`Store::write`](super::Store::write).
    ///
    /// # Errors
    /// If there is no room, or the table fails.
    pub fn write(&mut self, update: Update<'_>, name: &[u8], value: &[u8]) -> Result<Option<RecordHistory>, WriteError> {
        let now = self.now();
        let name: Box<[u8]> = name.to_ascii_lowercase().into();
        self.update(update, |record, key| {
            let expires = record.get(&name).and_then(|before| before.expires);
            record.set(key, Variable { name, value: value.into(), expires, deprecated: now }, update.limits)
        })
    }

    /// See [`Store::add`](super::Store::add).
    ///
    /// # Errors
    /// If there is no room, or the table fails.
    pub fn add(&mut self, update: Update<'_>, name: &[u8], amount: i64) -> Result<(i64, Option<RecordHistory>), WriteError> {
        let (now, mut sum) = (self.now(), 0);
        let name: Box<[u8]> = name.to_ascii_lowercase().into();
        let history = self.update(update, |record, key| {
            let before = record.get(&name);
            sum = before.map_or(0, Variable::number).saturating_add(amount);
            let (expires, deprecated) = before.map_or((None, now), |before| (before.expires, before.deprecated));
            record.set(key, Variable { name, value: sum.to_string().into_bytes().into(), expires, deprecated }, update.limits)
        })?;
        Ok((sum, history))
    }

    /// See [`Store::set_timeout`](super::Store::set_timeout).
    ///
    /// # Errors
    /// If there is no room, or the table fails.
    pub fn set_timeout(&mut self, update: Update<'_>, timeout: Duration) -> Result<Option<RecordHistory>, WriteError> {
        self.update(update, |record, key| record.set_timeout(key, timeout, update.limits))
    }

    /// See [`Store::touch`](super::Store::touch).
    ///
    /// # Errors
    /// If the table fails.
    pub fn touch(&mut self, update: Update<'_>) -> Result<Option<RecordHistory>, WriteError> {
        match self.record(update.record)? {
            Some(_) => self.update(update, |_, _| Ok(())),
            None => Ok(None),
        }
    }

    /// See [`Store::remove`](super::Store::remove).
    ///
    /// # Errors
    /// If the table fails.
    pub fn remove(&mut self, key: &RecordKey, name: &[u8]) -> Result<(), Down> {
        self.change(key, |record| record.remove(&name.to_ascii_lowercase()))
    }

    /// See [`Store::expire`](super::Store::expire).
    ///
    /// # Errors
    /// If the table fails.
    pub fn expire(&mut self, key: &RecordKey, name: &[u8], at: SystemTime) -> Result<(), Down> {
        self.change(key, |record| record.expire(&name.to_ascii_lowercase(), moment(at)))
    }

    /// See [`Store::deprecate`](super::Store::deprecate).
    ///
    /// # Errors
    /// If the table fails.
    pub fn deprecate(&mut self, key: &RecordKey, name: &[u8], pace: Pace) -> Result<Option<i64>, Down> {
        let (now, mut left) = (self.now(), None);
        self.change(key, |record| left = record.deprecate(&name.to_ascii_lowercase(), pace, now))?;
        Ok(left)
    }

    /// See [`Store::remove_record`](super::Store::remove_record).
    ///
    /// # Errors
    /// If the table fails.
    pub fn remove_record(&mut self, key: &RecordKey) -> Result<bool, Down> {
        Ok(self.entries.remove(Kind::Record, &bounded(key.encode()))?.is_some())
    }

    /// See [`Store::ban`](super::Store::ban).
    ///
    /// # Errors
    /// If the table fails.
    pub fn ban(&mut self, key: &RequestKey, until: SystemTime) -> Result<(), Down> {
        let name = key.encode();
        self.put_ban(Kind::Ban, &bounded(name.clone()), name, until)
    }

    /// Puts a ban or a limit, in place of the one that ends first if there are too many.
    fn put_ban(&mut self, kind: Kind, key: &[u8], contents: Vec<u8>, until: SystemTime) -> Result<(), Down> {
        let is_new = self.entries.get(kind, key)?.is_none();
        while (is_new && self.entries.sizes.bans >= MAX_BANS) || self.lasting_bytes_with(contents.len()) > self.max_bytes / LASTING_SHARE {
            if !self.entries.remove_first_ban()? {
                break;
            }
        }
        self.entries.put(kind, key, contents, Some(moment(until)))?;
        self.changed()
    }

    /// Returns the number of bytes that lists and maps may take, together with bans: the rest is for bans alone, which scripts cannot drive out.
    fn room_beside_bans(&self) -> u64 {
        let lasting = self.max_bytes / LASTING_SHARE;
        lasting - lasting / BAN_SHARE
    }

    /// Returns the size of all entries that make no room for others, with one more of this length, in bytes.
    fn lasting_bytes_with(&self, length: usize) -> u64 {
        self.entries.sizes.lasting_bytes.saturating_add(length as u64)
    }

    /// See [`Store::unban`](super::Store::unban).
    ///
    /// # Errors
    /// If the table fails.
    pub fn unban(&mut self, key: &RequestKey) -> Result<bool, Down> {
        let was_banned = self.entries.remove(Kind::Ban, &bounded(key.encode()))?.is_some();
        self.changed()?;
        Ok(was_banned)
    }

    /// See [`Store::count`](super::Store::count).
    ///
    /// # Errors
    /// If the table fails.
    pub fn count(&mut self, key: &RequestKey, quota: Quota, now: SystemTime) -> Result<Rate, Down> {
        let name = key.encode();
        self.count_under(&[&b"\0"[..], &name].concat(), quota, now)
    }

    /// See [`Store::limit`](super::Store::limit).
    ///
    /// # Errors
    /// If the table fails.
    pub fn limit(&mut self, key: &RequestKey, quota: Quota, until: SystemTime) -> Result<(), Down> {
        let mut contents = Writer::default();
        contents.bytes(&quota.encode()).bytes(&key.encode());
        self.put_ban(Kind::Limit, &bounded(key.encode()), contents.0, until)
    }

    /// See [`Store::limited_until`](super::Store::limited_until).
    ///
    /// # Errors
    /// If the table fails.
    pub fn limited_until(&mut self, keys: &[RequestKey], now: SystemTime) -> Result<Option<SystemTime>, Down> {
        let mut exceeded = None;
        for key in keys {
            let name = key.encode();
            let Some(limit) = self.entries.get(Kind::Limit, &bounded(name.clone()))? else { continue };
            let Some(quota) = Reader(&limit.contents).bytes().and_then(Quota::decode) else { continue };
            if self.count_under(&[&b"\x01"[..], &name].concat(), quota, now)? == Rate::Beyond {
                exceeded = exceeded.max(limit.expires);
            }
        }
        Ok(exceeded.map(time))
    }

    /// Counts a request: the theoretical time of arrival of the next one that keeps to the interval is all that is kept.
    fn count_under(&mut self, name: &[u8], quota: Quota, now: SystemTime) -> Result<Rate, Down> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (now, interval) = (micros(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()), micros(quota.interval));
        let key = bounded(name.to_vec());
        let known = self.entries.get(Kind::Count, &key)?.and_then(|entry| Reader(&entry.contents).number());
        let tolerance = interval.saturating_mul(quota.burst.saturating_sub(1).into());
        // One further ahead was kept before the clock went back: it must not lock clients out.
        let furthest = now.saturating_add(tolerance).saturating_add(interval);
        let arrival = known.filter(|arrival| (now..=furthest).contains(arrival)).unwrap_or(now);
        if arrival - now > tolerance {
            return Ok(Rate::Beyond);
        }
        let next = arrival.saturating_add(interval);
        let mut contents = Writer::default();
        contents.number(next);
        self.entries.put(Kind::Count, &key, contents.0, Some(next / 1000 + 1))?;
        self.entries.make_room(self.max_bytes, &key)?;
        Ok(Rate::Within)
    }

    /// See [`Store::put_list`](super::Store::put_list).
    ///
    /// # Errors
    /// If there is no room, or the table fails.
    pub fn put_list(&mut self, name: &str, entries: &[&str]) -> Result<(), WriteError> {
        let key = bounded(name.as_bytes().to_vec());
        let before = self.entries.get(Kind::List, &key)?.map_or(0, |entry| entry.contents.len() as u64);
        let version = self.list_version(&key)?.unwrap_or(0);
        let PackedList(contents) = PackedList::of(entries);
        if self.lasting_bytes_with(contents.len()).saturating_sub(before) > self.room_beside_bans() {
            return Err(Full::Store.into());
        }
        self.entries.put(Kind::List, &key, contents, None)?;
        let mut next = Writer::default();
        next.number(version + 1);
        self.entries.put(Kind::ListVersion, &key, next.0, None)?;
        Ok(self.changed()?)
    }

    fn changed(&mut self) -> Result<(), Down> {
        let mut contents = Writer::default();
        contents.number(self.changes()?.wrapping_add(1));
        self.entries.put(Kind::Changes, b"", contents.0, None)
    }

    /// See [`Store::map_set`](super::Store::map_set).
    ///
    /// # Errors
    /// If there is no room, or the table fails.
    pub fn map_set(&mut self, map: &str, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        self.sweep_cleared()?;
        let mut state = self.map(map)?;
        let name = map_key(map, state.generation, key);
        let entry = self.entries.get(Kind::MapEntry, &name)?;
        let size = |value: &[u8]| (key.len() + value.len()) as u64;
        state.values += u64::from(entry.is_none());
        state.bytes = state.bytes.saturating_sub(entry.as_ref().map_or(0, |entry| size(&entry.contents))).saturating_add(size(value));
        if state.values > MAX_VALUES {
            return Err(Full::Record.into());
        }
        let before = entry.map_or(0, |entry| entry.contents.len() as u64);
        if state.bytes > MAX_MAP || self.lasting_bytes_with(value.len()).saturating_sub(before) > self.room_beside_bans() {
            return Err(Full::Store.into());
        }
        self.entries.put(Kind::MapEntry, &name, value.to_vec(), None)?;
        Ok(self.keep_map(map, state)?)
    }

    /// See [`Store::map_add`](super::Store::map_add).
    ///
    /// # Errors
    /// If the value is not a number, there is no room, or the table fails.
    pub fn map_add(&mut self, map: &str, key: &[u8], amount: f64) -> Result<f64, AddError> {
        let before = self.map_get(map, key).map_err(WriteError::from)?;
        let before = match before {
            Some(value) => std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse::<f64>().ok()).ok_or(AddError::NoNumber)?,
            None => 0.0,
        };
        let sum = before + amount;
        self.map_set(map, key, sum::text(sum).as_bytes())?;
        Ok(sum)
    }

    /// See [`Store::map_remove`](super::Store::map_remove).
    ///
    /// # Errors
    /// If the table fails.
    pub fn map_remove(&mut self, map: &str, key: &[u8]) -> Result<(), Down> {
        self.sweep_cleared()?;
        let mut state = self.map(map)?;
        if let Some(entry) = self.entries.remove(Kind::MapEntry, &map_key(map, state.generation, key))? {
            state.values = state.values.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub((key.len() + entry.contents.len()) as u64);
            self.keep_map(map, state)?;
        }
        Ok(())
    }

    /// See [`Store::map_clear`](super::Store::map_clear). The values go a few at a time, with later writes.
    ///
    /// # Errors
    /// If the table fails.
    pub fn map_clear(&mut self, map: &str) -> Result<(), Down> {
        let state = self.map(map)?;
        let cleared = map_prefix(map, state.generation);
        self.entries.put(Kind::Cleared, &cleared, Vec::new(), None)?;
        self.keep_map(map, MapState { generation: state.generation + 1, ..MapState::default() })
    }

    /// See [`Store::lease`](super::Store::lease).
    ///
    /// # Errors
    /// If the table fails.
    pub fn lease(&mut self, name: &str, owner: &str, time: Duration) -> Result<bool, Down> {
        let key = bounded(name.as_bytes().to_vec());
        if self.entries.get(Kind::Lease, &key)?.is_some_and(|entry| entry.contents != owner.as_bytes()) {
            return Ok(false);
        }
        let end = self.now().saturating_add(milliseconds(time));
        self.entries.put(Kind::Lease, &key, owner.as_bytes().to_vec(), Some(end))?;
        Ok(true)
    }

    /// Changes a record, which is made if there is none, and begins its timeout anew. The change takes the key of the record.
    fn update(
        &mut self,
        update: Update<'_>,
        change: impl FnOnce(&mut Record, &[u8]) -> Result<(), Full>,
    ) -> Result<Option<RecordHistory>, WriteError> {
        let (name, now) = (update.record.encode(), self.now());
        let known = self.record(update.record)?;
        let before = known.as_ref().filter(|_| update.is_first).map(history);
        let is_known = known.is_some();
        let mut record = known.unwrap_or_else(|| Record::new(now));
        change(&mut record, &name)?;
        if update.is_first && is_known {
            record.updated = now;
            record.updates = record.updates.saturating_add(1);
        }
        record.begin_timeout(update.timeout, now);
        let key = bounded(name.clone());
        self.entries.put(Kind::Record, &key, record.encode(&name), record.expires())?;
        self.entries.make_room(self.max_bytes.min(update.limits.bytes as u64), &key)?;
        Ok(before)
    }

    /// Changes a record, if there is one, and removes it if nothing keeps it then. Its timeout goes on.
    fn change(&mut self, key: &RecordKey, change: impl FnOnce(&mut Record)) -> Result<(), Down> {
        let name = key.encode();
        let place = bounded(name.clone());
        let Some(entry) = self.entries.get(Kind::Record, &place)? else { return Ok(()) };
        let Some(mut record) = self.decode(&entry) else { return Ok(()) };
        change(&mut record);
        if record.is_empty() {
            return self.entries.remove(Kind::Record, &place).map(drop);
        }
        self.entries.put(Kind::Record, &place, record.encode(&name), record.expires())
    }

    fn keep_map(&mut self, map: &str, state: MapState) -> Result<(), Down> {
        let mut contents = Writer::default();
        contents.number(state.generation).number(state.values).number(state.bytes);
        self.entries.put(Kind::Map, &bounded(map.as_bytes().to_vec()), contents.0, None)
    }

    /// Removes a few values of cleared maps.
    fn sweep_cleared(&mut self) -> Result<(), Down> {
        let Some((prefix, _)) = self.entries.next(Kind::Cleared, b"", None)? else { return Ok(()) };
        for _ in 0..SWEPT {
            let Some((key, _)) = self.entries.next(Kind::MapEntry, &prefix, None)? else {
                return self.entries.remove(Kind::Cleared, &prefix).map(drop);
            };
            self.entries.remove(Kind::MapEntry, &key)?;
        }
        Ok(())
    }
}

fn history(record: &Record) -> RecordHistory {
    RecordHistory { timeout: record.timeout(), ..RecordHistory::new(time(record.created), time(record.updated), record.updates) }
}

fn map_prefix(map: &str, generation: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(&bounded(map.as_bytes().to_vec())).number(generation);
    writer.0
}

fn map_key(map: &str, generation: u64, key: &[u8]) -> Vec<u8> {
    [map_prefix(map, generation), bounded(key.to_vec())].concat()
}
