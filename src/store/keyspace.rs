//! Entries that expire and make room for others, in an ordered table: what all operations of a store on this machine are made of.
//!
//! The table has three kinds of keys: those of the entries, an index by the time at which they expire, and one by the time of their last change. Each
//! write removes a few entries that expired, so that no call is slow after a burst of clients.

use super::table::{Readable, Table};
use super::{Down, Moment};

/// Number of expired entries that one write removes.
const SWEPT: usize = 16;

/// Maximum number of entries that one write removes to make room.
const EVICTED: usize = 64;

/// The longest key that a table takes, without the byte of its index, its kind and a time.
pub const LONGEST_KEY: usize = 200;

/// Overhead of an entry, in bytes: its places in the indexes.
const OVERHEAD: usize = 160;

/// The time of entries that do not expire.
const NEVER: Moment = Moment::MAX;

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A record of a persistent collection.
    Record = b'r',
    /// A ban.
    Ban = b'b',
    /// A limit of requests.
    Limit = b'l',
    /// The requests that were counted against a limit.
    Count = b'c',
    /// The entries of a list of addresses.
    List = b'i',
    /// The version of a list of addresses.
    ListVersion = b'j',
    /// A map: its generation and size.
    Map = b'm',
    /// An entry of a map.
    MapEntry = b'e',
    /// Entries of a map that was cleared.
    Cleared = b'g',
    /// A lease.
    Lease = b'o',
    /// The number of changes.
    Changes = b'v',
}

impl Kind {
    /// Returns `true` if entries make room for others, those first that did not change for longest.
    fn makes_room(self) -> bool {
        matches!(self, Self::Record | Self::Count)
    }

    /// Returns `true` for bans and limits, of which the one that ends first makes room for a new one.
    fn is_ban(self) -> bool {
        matches!(self, Self::Ban | Self::Limit)
    }

    /// Returns the index of its entries by expiry.
    fn by_expiry(self) -> u8 {
        if self.is_ban() { BANS_BY_EXPIRY } else { BY_EXPIRY }
    }

    fn of(byte: u8) -> Option<Self> {
        use Kind::{Ban, Changes, Cleared, Count, Lease, Limit, List, ListVersion, Map, MapEntry, Record};
        [Record, Ban, Limit, Count, List, ListVersion, Map, MapEntry, Cleared, Lease, Changes].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The time at which it expires.
    pub expires: Option<Moment>,
    /// Its contents.
    pub contents: Vec<u8>,
}

/// The times of an entry: those of its places in the indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    /// The time at which it expires, or [`NEVER`].
    expires: Moment,
    /// The time of its last change.
    changed: Moment,
}

/// The sizes of a keyspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Records and counts, in bytes: they make room for others.
    pub bytes: u64,
    /// All other entries, in bytes.
    pub lasting_bytes: u64,
    /// Number of bans and limits.
    pub bans: u64,
}

impl Sizes {
    /// Returns the sizes as bytes.
    pub fn encode(self) -> Vec<u8> {
        [self.bytes, self.lasting_bytes, self.bans].map(u64::to_be_bytes).concat()
    }

    /// Reads the sizes from their bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, rest) = bytes.split_first_chunk()?;
        let (lasting_bytes, rest) = rest.split_first_chunk()?;
        let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        Some(Self { bytes: number(bytes), lasting_bytes: number(lasting_bytes), bans: number(rest.first_chunk()?) })
    }

    fn of(&mut self, kind: Kind) -> &mut u64 {
        if kind.makes_room() { &mut self.bytes } else { &mut self.lasting_bytes }
    }
}

/// Entries in a table, at one moment.
#[derive(Debug)]
pub struct Keyspace<'t, T> {
    table: &'t mut T,
    /// The sizes, which the caller keeps with the table.
    pub sizes: &'t mut Sizes,
    /// The time.
    pub now: Moment,
}

const ENTRY: u8 = b'K';
const BY_EXPIRY: u8 = b'X';
const BANS_BY_EXPIRY: u8 = b'Y';
const BY_CHANGE: u8 = b'U';

fn entry_key(kind: Kind, key: &[u8]) -> Vec<u8> {
    [&[ENTRY, kind as u8], key].concat()
}

fn expiry_key(kind: Kind, expires: Moment, key: &[u8]) -> Vec<u8> {
    [&[kind.by_expiry()], &expires.to_be_bytes()[..], &[kind as u8], key].concat()
}

/// Returns the kind, the time and the key of a place in an index.
fn place(name: &[u8]) -> Option<(Kind, Moment, &[u8])> {
    let (moment, rest) = name.get(1..)?.split_first_chunk()?;
    let (kind, key) = rest.split_first()?;
    Some((Kind::of(*kind)?, Moment::from_be_bytes(*moment), key))
}

fn change_key(kind: Kind, changed: Moment, key: &[u8]) -> Vec<u8> {
    [&[BY_CHANGE], &changed.to_be_bytes()[..], &[kind as u8], key].concat()
}

impl Times {
    /// Reads the times of an entry from its bytes. Returns its contents, too.
    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (expires, rest) = bytes.split_first_chunk()?;
        let (changed, contents) = rest.split_first_chunk()?;
        Some((Self { expires: Moment::from_be_bytes(*expires), changed: Moment::from_be_bytes(*changed) }, contents))
    }

    /// Returns an entry with these times as bytes.
    fn encode(self, contents: &[u8]) -> Vec<u8> {
        [&self.expires.to_be_bytes()[..], &self.changed.to_be_bytes(), contents].concat()
    }
}

impl Entry {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (times, contents) = Times::decode(bytes)?;
        Some(Self { expires: Some(times.expires).filter(|expires| *expires != NEVER), contents: contents.to_vec() })
    }

    fn is_over(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl<'t, T: Readable> Keyspace<'t, T> {
    /// Opens the keyspace of a table at a time.
    pub fn new(table: &'t mut T, sizes: &'t mut Sizes, now: Moment) -> Self {
        Self { table, sizes, now }
    }

    /// Returns an entry that did not expire.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<Entry>, Down> {
        let entry = self.table.get(&entry_key(kind, key)).map_err(Into::into)?;
        Ok(entry.and_then(|bytes| Entry::decode(&bytes)).filter(|entry| !entry.is_over(self.now)))
    }

    /// Returns the first entry of a kind whose key begins with `prefix` and is above `after`, with its key.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn next(&self, kind: Kind, prefix: &[u8], after: Option<&[u8]>) -> Result<Option<(Vec<u8>, Entry)>, Down> {
        let prefix = entry_key(kind, prefix);
        let mut from = after.map_or_else(|| prefix.clone(), |after| [&entry_key(kind, after)[..], &[0]].concat());
        while let Some((name, bytes)) = self.table.first(&prefix, &from).map_err(Into::into)? {
            if let Some(entry) = Entry::decode(&bytes).filter(|entry| !entry.is_over(self.now)) {
                return Ok(Some((name.get(2..).unwrap_or_default().to_vec(), entry)));
            }
            from = [&name[..], &[0]].concat();
        }
        Ok(None)
    }

    /// Returns `true` if there is a ban or a limit that did not end.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn has_bans(&self) -> Result<bool, Down> {
        let from = [&[BANS_BY_EXPIRY], &self.now.saturating_add(1).to_be_bytes()[..]].concat();
        Ok(self.table.first(&[BANS_BY_EXPIRY], &from).map_err(Into::into)?.is_some())
    }
}

impl<T: Table> Keyspace<'_, T> {
    /// Sets an entry, and removes some that expired.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub fn put(&mut self, kind: Kind, key: &[u8], contents: Vec<u8>, expires: Option<Moment>) -> Result<(), Down> {
        self.sweep()?;
        let times = Times { expires: expires.unwrap_or(NEVER), changed: self.now };
        let name = entry_key(kind, key);
        let before = self.table.get(&name).map_err(Into::into)?;
        let known = before.as_deref().and_then(Times::decode).map(|(known, _)| known);
        self.leave_indexes(kind, key, known, Some(times))?;
        self.enter_indexes(kind, key, times, known)?;
        let bytes = times.encode(&contents);
        let size = |bytes: usize| (bytes + key.len() + OVERHEAD) as u64;
        let sizes = self.sizes.of(kind);
        *sizes = sizes.saturating_add(size(bytes.len())).saturating_sub(before.as_ref().map_or(0, |bytes| size(bytes.len())));
        if kind.is_ban() && before.is_none() {
            self.sizes.bans += 1;
        }
        self.table.put(&name, &bytes).map_err(Into::into)
    }

    /// Removes an entry. Returns it, if it was there and did not expire.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub fn remove(&mut self, kind: Kind, key: &[u8]) -> Result<Option<Entry>, Down> {
        let name = entry_key(kind, key);
        let Some(bytes) = self.table.get(&name).map_err(Into::into)? else { return Ok(None) };
        self.leave_indexes(kind, key, Times::decode(&bytes).map(|(times, _)| times), None)?;
        let sizes = self.sizes.of(kind);
        *sizes = sizes.saturating_sub((bytes.len() + key.len() + OVERHEAD) as u64);
        if kind.is_ban() {
            self.sizes.bans = self.sizes.bans.saturating_sub(1);
        }
        self.table.remove(&name).map_err(Into::into)?;
        Ok(Entry::decode(&bytes).filter(|entry| !entry.is_over(self.now)))
    }

    /// Removes entries that did not change for longest until they have at most this many bytes, but only some at a time: the next writes go on. The
    /// entry that is named stays.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub fn make_room(&mut self, max: u64, stays: &[u8]) -> Result<(), Down> {
        let mut from = vec![BY_CHANGE];
        for _ in 0..EVICTED {
            if self.sizes.bytes <= max {
                break;
            }
            let Some((name, _)) = self.table.first(&[BY_CHANGE], &from).map_err(Into::into)? else { break };
            let Some((kind, _, key)) = place(&name) else { break };
            if key == stays {
                from = [&name[..], &[0]].concat();
                continue;
            }
            self.remove(kind, key)?;
            // A place without an entry must not stay.
            self.table.remove(&name).map_err(Into::into)?;
        }
        Ok(())
    }

    /// Removes the ban or limit that ends first. Returns `true` if there was one.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub fn remove_first_ban(&mut self) -> Result<bool, Down> {
        self.remove_first(BANS_BY_EXPIRY, NEVER)
    }

    /// Removes a few entries that expired.
    fn sweep(&mut self) -> Result<(), Down> {
        for index in [BY_EXPIRY, BANS_BY_EXPIRY] {
            let mut left = SWEPT;
            while left > 0 && self.remove_first(index, self.now)? {
                left -= 1;
            }
        }
        Ok(())
    }

    /// Removes the first entry of an index by expiry, if it expires by a time. Returns `true` if there was one.
    fn remove_first(&mut self, index: u8, by: Moment) -> Result<bool, Down> {
        let Some((name, _)) = self.table.first(&[index], &[index]).map_err(Into::into)? else { return Ok(false) };
        let Some((kind, _, key)) = place(&name).filter(|(_, expires, _)| *expires <= by) else { return Ok(false) };
        self.remove(kind, key)?;
        // A place without an entry must not stay.
        self.table.remove(&name).map_err(Into::into)?;
        Ok(true)
    }

    /// Removes the places in the indexes that an entry has by these times and not by others.
    fn leave_indexes(&mut self, kind: Kind, key: &[u8], times: Option<Times>, others: Option<Times>) -> Result<(), Down> {
        for place in places(kind, key, times, others).into_iter().flatten() {
            self.table.remove(&place).map_err(Into::into)?;
        }
        Ok(())
    }

    /// Adds the places in the indexes that an entry has by these times and not by others.
    fn enter_indexes(&mut self, kind: Kind, key: &[u8], times: Times, others: Option<Times>) -> Result<(), Down> {
        for place in places(kind, key, Some(times), others).into_iter().flatten() {
            self.table.put(&place, b"").map_err(Into::into)?;
        }
        Ok(())
    }
}

/// Returns the places in the indexes that an entry has by these times and not by others.
fn places(kind: Kind, key: &[u8], times: Option<Times>, others: Option<Times>) -> [Option<Vec<u8>>; 2] {
    let Some(times) = times else { return [None, None] };
    let by_expiry = times.expires != NEVER && others.is_none_or(|others| others.expires != times.expires);
    let by_change = kind.makes_room() && others.is_none_or(|others| others.changed != times.changed);
    [by_expiry.then(|| expiry_key(kind, times.expires, key)), by_change.then(|| change_key(kind, times.changed, key))]
}
