//! Copies of the lists of a store in this process.
//!
//! A list may have a million entries, and each request asks whether its client is on it. So a process keeps a copy of each list that its rules name, and
//! requests read that. At most every 50 ms one of them asks the store for the number of its changes, which takes as long as reading a variable. Where it
//! moved, a thread reads the lists that changed and prepares them; the request that noticed it waits for them within its own deadline, and all others go
//! on with the copies that there are. A request without a copy waits for the first one, or gets the error that the store does not answer.
//!
//! A process pays for this only while it has rules that name lists, and only while it has requests.

use super::{Down, Store, WriteError};
use crate::graph::AddressList;
use crate::operator::{AddressSet, canonical_network};
use arc_swap::ArcSwapOption;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of entries of a list.
pub const MAX_LIST_ENTRIES: usize = 1_000_000;

/// Maximum length of the entries of a list together, in bytes.
pub const MAX_LIST_BYTES: usize = 64 << 20;

/// The time that reading or writing a list may take, because it may be large: no request waits for that.
pub const LIST_TIME: Duration = Duration::from_secs(10);

/// The time after which a process asks again for the number of changes. Together with the time of reading a list it is below 100 ms.
const REFRESH: Duration = Duration::from_millis(50);

/// The copies of this process by their stores, which rule sets share.
static KNOWN: Mutex<Vec<Weak<Copies>>> = Mutex::new(Vec::new());

/// Reason why a list is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The text cannot be the name of a list.
    #[error("`{0}` is not the name of a list: write 1 to 64 letters, digits and the signs `_`, `-` and `.`")]
    Name(String),
    /// An entry is neither an address nor a network.
    #[error("entry {number}, `{entry}`, is not an address or a network: write one such as 192.0.2.7 or 192.0.2.0/24")]
    Entry {
        /// Its number, from 1.
        number: usize,
        /// The entry.
        entry: String,
    },
    /// There are too many entries.
    #[error("a list has at most 1000000 entries, of 64 MiB together: write networks for the addresses that are in one, or several lists")]
    TooLarge,
    /// The store does not take it.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Checks a list. Returns its entries in their canonical form, each of them once, in their order.
///
/// # Errors
/// If the name or an entry is wrong, or there are too many.
pub fn list_entries<'e>(name: &str, entries: impl IntoIterator<Item = &'e str>) -> Result<Vec<String>, ListError> {
    if !AddressList::is_name(name) {
        return Err(ListError::Name(name.to_owned()));
    }
    let (mut known, mut found, mut bytes) = (HashSet::new(), Vec::new(), 0);
    for (entry, number) in entries.into_iter().zip(1..) {
        let canonical = canonical_network(entry).ok_or_else(|| ListError::Entry { number, entry: entry.to_owned() })?;
        if known.insert(canonical.clone()) {
            bytes += canonical.len();
            found.push(canonical);
        }
        if found.len() > MAX_LIST_ENTRIES || bytes > MAX_LIST_BYTES {
            return Err(ListError::TooLarge);
        }
    }
    Ok(found)
}

/// The lists that a rule set names, with their copies. Rule sets that share a store share those.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    copies: Option<Arc<Copies>>,
    named: Arc<[Arc<Named>]>,
}

/// Step that is due before lists are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the copies are new enough.
    Nothing,
    /// To look whether they are. While that fails, they stay as they are.
    Look,
    /// To make a copy. Without it nothing is known of the list.
    Copy,
}

impl Lists {
    /// Returns the lists with these names. Nothing is read yet.
    pub fn of<'n>(store: &Arc<dyn Store>, names: impl Iterator<Item = &'n str>) -> Self {
        let mut names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Self::default();
        }
        names.sort_unstable();
        names.dedup();
        let copies = known(store).unwrap_or_else(|| add_known(store));
        let named = names.into_iter().map(|name| copies.named(name)).collect();
        Self { copies: Some(copies), named }
    }

    /// Returns `true` if the rules name no list.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Returns `true` if an address is on the copy of a list.
    pub fn contains(&self, name: &str, address: IpAddr) -> bool {
        let named = self.named.iter().find(|named| *named.name == *name);
        named.is_some_and(|named| named.copy.load().as_ref().is_some_and(|copy| copy.addresses.contains_address(address)))
    }

    /// Returns what this request must do. Of several at the same time, one must look.
    pub fn need(&self) -> Need {
        match &self.copies {
            Some(_) if self.lack() => Need::Copy,
            Some(copies) if copies.is_due() => Need::Look,
            _ => Need::Nothing,
        }
    }

    /// Does what is needed. Returns by the deadline, and leaves the rest to a thread.
    ///
    /// # Errors
    /// If the store does not answer, or did not when the thread read the lists; if a copy is needed, and there is none by the deadline.
    pub fn refresh(&self, need: Need, by: Instant) -> Result<(), Down> {
        match (&self.copies, need) {
            (None, _) | (_, Need::Nothing) => Ok(()),
            (Some(copies), Need::Look) => copies.look(by),
            (Some(copies), Need::Copy) => {
                // A thread that was already at work may not have known all names.
                for _ in 0..2 {
                    copies.read_all(by)?;
                    if !self.lack() {
                        return Ok(());
                    }
                    if Instant::now() >= by {
                        break;
                    }
                }
                Err(Down::new("it takes longer to send its lists of addresses"))
            }
        }
    }

    /// Returns what is wrong with copies, once for each: the name of the list, and a sentence.
    pub fn faults(&self) -> Vec<(&str, String)> {
        let copies = self.named.iter().filter_map(|named| Some((&*named.name, named.copy.load_full()?)));
        copies.filter_map(|(name, copy)| Some((name, copy.fault(name)?))).collect()
    }

    fn lack(&self) -> bool {
        self.named.iter().any(|named| named.copy.load().is_none())
    }
}

/// Lets the next request look whether lists of a store changed, because this process has changed one.
pub fn note_changed_list(store: &Arc<dyn Store>) {
    if let Some(copies) = known(store) {
        copies.next_look.store(0, Ordering::Relaxed);
    }
}

/// The copies of the lists of a store.
#[derive(Debug)]
struct Copies {
    store: Arc<dyn Store>,
    /// The lists that rule sets name.
    named: Mutex<Vec<Weak<Named>>>,
    made: Instant,
    /// The time of the next look, in milliseconds after `made`.
    next_look: AtomicU64,
    state: Mutex<State>,
    /// The end of the thread that reads lists.
    is_read: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The process with a thread that reads lists: after a fork, the thread is in the parent alone.
    reader: Option<u32>,
    /// The number of changes of the store that the copies have.
    changes: Option<u64>,
    /// The reason why the last thread could not read them all.
    failure: Option<Down>,
}

/// A list, and its copy if it was read.
#[derive(Debug)]
struct Named {
    name: Box<str>,
    copy: ArcSwapOption<Copy>,
}

/// A list as it was read.
#[derive(Debug, Default)]
struct Copy {
    /// Its version; `None` if the store has no such list.
    version: Option<u64>,
    addresses: AddressSet,
    /// Number of entries that are not addresses, or beyond the limits.
    left_out: usize,
    is_fault_reported: AtomicBool,
}

fn known(store: &Arc<dyn Store>) -> Option<Arc<Copies>> {
    let all = lock(&KNOWN);
    all.iter().filter_map(Weak::upgrade).find(|copies| std::ptr::addr_eq(Arc::as_ptr(&copies.store), Arc::as_ptr(store)))
}

fn add_known(store: &Arc<dyn Store>) -> Arc<Copies> {
    let copies = Arc::new(Copies {
        store: Arc::clone(store),
        named: Mutex::default(),
        made: Instant::now(),
        next_look: AtomicU64::new(0),
        state: Mutex::default(),
        is_read: Condvar::new(),
    });
    let mut all = lock(&KNOWN);
    all.retain(|known| known.strong_count() > 0);
    all.push(Arc::downgrade(&copies));
    copies
}

impl Copies {
    /// Returns a list, which is made known if it is not.
    fn named(&self, name: &str) -> Arc<Named> {
        let mut all = lock(&self.named);
        all.retain(|named| named.strong_count() > 0);
        if let Some(named) = all.iter().filter_map(Weak::upgrade).find(|named| *named.name == *name) {
            return named;
        }
        let named = Arc::new(Named { name: name.into(), copy: ArcSwapOption::empty() });
        all.push(Arc::downgrade(&named));
        named
    }

    /// Returns `true` if a look is due, to one of those who ask at the same time.
    fn is_due(&self) -> bool {
        let now = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.next_look.load(Ordering::Relaxed);
        let next = now.saturating_add(REFRESH.as_millis() as u64);
        now >= due && self.next_look.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Reads the lists anew if something changed. While a thread does, nobody else looks.
    fn look(self: &Arc<Self>, by: Instant) -> Result<(), Down> {
        let changes = self.store.changes(by)?;
        let mut state = lock(&self.state);
        if state.is_reading() || state.changes == Some(changes) {
            return Ok(());
        }
        let earlier = state.failure.take();
        self.start(state, changes);
        match earlier {
            // Nobody waited for that one. The next one may fail in the same way.
            Some(down) => Err(down),
            None => self.wait(by),
        }
    }

    /// Reads the lists, or waits for the thread that does.
    fn read_all(self: &Arc<Self>, by: Instant) -> Result<(), Down> {
        let changes = self.store.changes(by)?;
        let state = lock(&self.state);
        if state.is_reading() {
            drop(state);
        } else {
            self.start(state, changes);
        }
        self.wait(by)
    }

    /// Starts a thread that reads the lists.
    fn start(self: &Arc<Self>, mut state: MutexGuard<'_, State>, changes: u64) {
        // A lower number is that of another store at the same address, whose versions say nothing of those that are known.
        let is_anew = state.changes.is_some_and(|known| known > changes);
        (state.reader, state.failure) = (Some(std::process::id()), None);
        drop(state);
        let mut reading = Reading { copies: Arc::clone(self), outcome: Err(Down::new("its lists of addresses could not be read")) };
        let read = move || reading.outcome = reading.copies.read(is_anew).map(|()| changes);
        // Without a thread, the outcome is that they could not be read.
        let _ = thread::Builder::new().name("secrule-lists".to_owned()).spawn(read);
    }

    /// Waits for the thread until the deadline. That it takes longer is no failure.
    fn wait(&self, by: Instant) -> Result<(), Down> {
        let state = lock(&self.state);
        let time = by.saturating_duration_since(Instant::now());
        let waited = self.is_read.wait_timeout_while(state, time, |state| state.is_reading());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.failure.take().map_or(Ok(()), Err)
    }

    fn read(&self, is_anew: bool) -> Result<(), Down> {
        let all: Vec<Arc<Named>> = lock(&self.named).iter().filter_map(Weak::upgrade).collect();
        let by = Instant::now() + LIST_TIME;
        // One that cannot be read does not hold up the others.
        let outcomes: Vec<Result<(), Down>> = all.iter().map(|named| named.read(&*self.store, is_anew, by)).collect();
        outcomes.into_iter().collect()
    }
}

impl State {
    fn is_reading(&self) -> bool {
        self.reader == Some(std::process::id())
    }
}

/// A thread that reads lists. Its end wakes those who wait, however it comes.
struct Reading {
    copies: Arc<Copies>,
    /// The number of changes that the copies have then.
    outcome: Result<u64, Down>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = lock(&self.copies.state);
        state.reader = None;
        match &self.outcome {
            Ok(changes) => state.changes = Some(*changes),
            Err(down) => state.failure = Some(down.clone()),
        }
        drop(state);
        self.copies.is_read.notify_all();
    }
}

impl Named {
    /// Reads the list, if it is another version than the copy.
    fn read(&self, store: &dyn Store, is_anew: bool, by: Instant) -> Result<(), Down> {
        let known = self.copy.load().as_ref().and_then(|copy| copy.version).filter(|_| !is_anew);
        match store.list(&self.name, known, by)? {
            Some((version, entries)) => self.copy.store(Some(Arc::new(Copy::of(version, &entries)))),
            None if known.is_none() => self.copy.store(Some(Arc::default())),
            None => {}
        }
        Ok(())
    }
}

impl Copy {
    fn of(version: u64, entries: &[String]) -> Self {
        let mut bytes = 0;
        let within = entries.iter().take(MAX_LIST_ENTRIES).take_while(|entry| {
            bytes += entry.len();
            bytes <= MAX_LIST_BYTES
        });
        let within: Vec<&str> = within.map(String::as_str).collect();
        let (addresses, invalid) = AddressSet::from_list(within.iter().copied());
        let left_out = invalid + (entries.len() - within.len());
        Self { version: Some(version), addresses, left_out, is_fault_reported: AtomicBool::new(false) }
    }

    /// Returns what is wrong with it, the first time.
    fn fault(&self, name: &str) -> Option<String> {
        let is_new = self.left_out > 0 && !self.is_fault_reported.swap(true, Ordering::Relaxed);
        is_new.then(|| {
            format!("Entries of the list {name} that are left out, because they are not addresses or too many: {}.", self.left_out)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
