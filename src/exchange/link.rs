//! The link of a process to the socket of the script host: records are gathered, and a thread sends them.

use super::{ExchangeLog, ExchangeRecord, Message};
use crate::once_per_process::OncePerProcess;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// A batch is sent when it has this many records, or this many bytes, or after this time.
const BATCH_RECORDS: usize = 64;
const BATCH_BYTES: usize = 64 << 10;
const BATCH_TIME: Duration = Duration::from_millis(10);

/// Maximum number of bytes that wait; more records are dropped. At 50,000 records a second it lasts for about a fifth of one.
const MAX_WAITING: usize = 4 << 20;

/// Memory of the system for datagrams that the host has not read, in bytes, where the system allows it: the largest record must fit.
const SEND_BUFFER: usize = 1 << 20;

/// Time between two looks for room in the socket, and between two looks for a host that is not there.
const ROOM_INTERVAL: Duration = Duration::from_millis(1);
const HOST_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time for which a batch waits for room in the socket: a host that has stopped reads nothing.
const ROOM_LIMIT: Duration = Duration::from_secs(1);

/// Maximum wait for the last batch of a link that is dropped.
const END_LIMIT: Duration = Duration::from_millis(200);

/// Bytes of a send buffer that the system needs for itself.
const BUFFER_OVERHEAD: usize = 1 << 10;

/// The links of this process, by the path of the socket: rule sets that name the same host share one.
static LINKS: Mutex<Vec<Weak<Link>>> = Mutex::new(Vec::new());

/// The link to the host at a path. The first record of each process starts its thread, because a server may load rules and then fork.
pub struct Link {
    path: PathBuf,
    sender: OncePerProcess<Arc<Sender>>,
    dropped: Arc<AtomicU64>,
}

/// The part of a link that requests and its thread share.
struct Sender {
    messages: Mutex<Messages>,
    filled: Condvar,
    /// `true` while there is no host: records are then dropped at once.
    is_absent: AtomicBool,
    /// The longest datagram that the system takes, in bytes; unknown before the first.
    longest: AtomicUsize,
    /// That of the link.
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Messages {
    /// Datagrams to be sent; the last one may grow.
    datagrams: Vec<Datagram>,
    records: usize,
    bytes: usize,
    /// `true` while the thread sends what it took.
    is_sending: bool,
    has_ended: bool,
}

struct Datagram {
    bytes: Vec<u8>,
    records: usize,
}

impl Link {
    /// Returns the link to the host at a path.
    pub fn shared(path: &Path) -> Arc<Self> {
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.strong_count() > 0);
        if let Some(link) = links.iter().filter_map(Weak::upgrade).find(|link| link.path == path) {
            return link;
        }
        let link = Arc::new(Self { path: path.to_owned(), sender: OncePerProcess::new(), dropped: Arc::default() });
        links.push(Arc::downgrade(&link));
        link
    }

    /// Returns the sender of this process if there may be a host; counts a record that is dropped otherwise. The first call starts its thread; one that
    /// cannot start is tried again. It asks the system for the process, which takes longer than all else that a record costs: so once a record.
    fn sender(&self) -> Option<Arc<Sender>> {
        let sender = self.sender.get_or_make(|| {
            let sender = Arc::new(Sender::new(&self.dropped));
            let (path, shared) = (self.path.clone(), Arc::clone(&sender));
            thread::Builder::new().name("secrule-link".to_owned()).spawn(move || shared.send_all(&path))?;
            Ok::<_, io::Error>(sender)
        });
        let ready = sender.ok().filter(|sender| !sender.is_absent.load(Ordering::Relaxed));
        if ready.is_none() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        ready.map(|sender| (*sender).clone())
    }

    fn write_to(&self, sender: &Sender, record: &ExchangeRecord<'_>) {
        let mut encoded = record.encode();
        if encoded.len() > sender.longest.load(Ordering::Relaxed) {
            encoded = record.clone().without_detail().encode();
        }
        if !sender.add(|datagram| Message::append_record(&encoded, datagram), encoded.len()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl ExchangeLog for Link {
    fn write<'a>(&self, make: &dyn Fn() -> ExchangeRecord<'a>) {
        if let Some(sender) = self.sender() {
            self.write_to(&sender, &make());
        }
    }

    fn send_event(&self, event: &str) -> Result<(), String> {
        let path = self.path.display();
        // An event is rare, and its sender wants to know: so it does not wait for the thread to find out.
        let socket = connect(&self.path).map_err(|error| format!("no script host answers at {path}: {error}"))?;
        let mut datagram = Vec::new();
        Message::append_event(event, &mut datagram);
        socket.send(&datagram).map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => format!("the script host at {path} does not read its messages"),
            _ => format!("the script host at {path} takes no event: {error}"),
        })
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Sender {
    fn new(dropped: &Arc<AtomicU64>) -> Self {
        Self {
            messages: Mutex::default(),
            filled: Condvar::new(),
            is_absent: AtomicBool::new(false),
            longest: AtomicUsize::new(usize::MAX),
            dropped: Arc::clone(dropped),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message, unless too many wait.
    fn add(&self, append: impl Fn(&mut Vec<u8>), size: usize) -> bool {
        let mut messages = self.lock();
        if messages.bytes.saturating_add(size) > MAX_WAITING {
            return false;
        }
        let is_first = messages.records == 0;
        let has_room = |last: &&mut Datagram| last.records < BATCH_RECORDS && last.bytes.len().saturating_add(size) <= BATCH_BYTES;
        match messages.datagrams.last_mut().filter(has_room) {
            Some(last) => {
                append(&mut last.bytes);
                last.records = last.records.saturating_add(1);
            }
            None => {
                let mut bytes = Vec::with_capacity(size.saturating_mul(8).min(BATCH_BYTES));
                append(&mut bytes);
                messages.datagrams.push(Datagram { bytes, records: 1 });
            }
        }
        messages.records = messages.records.saturating_add(1);
        messages.bytes = messages.bytes.saturating_add(size);
        let is_full = messages.records == BATCH_RECORDS || messages.bytes >= BATCH_BYTES;
        drop(messages);
        if is_first || is_full {
            self.filled.notify_one();
        }
        true
    }

    /// Sends what waits, until the link is dropped.
    fn send_all(&self, path: &Path) {
        let mut socket = None;
        while let Some(datagrams) = self.next_batch() {
            for Datagram { bytes, records } in datagrams {
                if self.send(&mut socket, path, &bytes).is_err() {
                    self.dropped.fetch_add(records as u64, Ordering::Relaxed);
                }
            }
        }
    }

    /// Waits for messages. `None` at the end.
    fn next_batch(&self) -> Option<Vec<Datagram>> {
        let mut messages = self.lock();
        messages.is_sending = false;
        while messages.records == 0 {
            if messages.has_ended {
                return None;
            }
            messages = self.filled.wait(messages).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + BATCH_TIME;
        while messages.records < BATCH_RECORDS && messages.bytes < BATCH_BYTES && !messages.has_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            messages = self.filled.wait_timeout(messages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        messages.is_sending = true;
        Some(messages.take())
    }

    /// Sends a datagram: where the host was started anew, to the new one.
    fn send(&self, socket: &mut Option<UnixDatagram>, path: &Path, datagram: &[u8]) -> io::Result<()> {
        let sent = match socket.as_ref().map(|open| send_when_there_is_room(open, datagram)) {
            Some(Err(error)) if is_absence(&error) => self.connect_and_send(socket, path, datagram),
            Some(sent) => sent,
            None => self.connect_and_send(socket, path, datagram),
        };
        if let Err(error) = &sent {
            *socket = None;
            if is_absence(error) {
                self.wait_for_host(path);
            }
        }
        sent
    }

    fn connect_and_send(&self, socket: &mut Option<UnixDatagram>, path: &Path, datagram: &[u8]) -> io::Result<()> {
        let open = socket.insert(connect(path)?);
        let buffer = SockRef::from(&*open).send_buffer_size()?;
        self.longest.store(buffer.saturating_sub(BUFFER_OVERHEAD), Ordering::Relaxed);
        send_when_there_is_room(open, datagram)
    }

    /// Waits until there is a host, or the link ends. Meanwhile records are dropped at once.
    fn wait_for_host(&self, path: &Path) {
        self.is_absent.store(true, Ordering::Relaxed);
        loop {
            let wait = |messages: &mut Messages| !messages.has_ended;
            let waited = self.filled.wait_timeout_while(self.lock(), HOST_INTERVAL, wait);
            let mut messages = waited.unwrap_or_else(PoisonError::into_inner).0;
            let lost = messages.take().into_iter().map(|datagram| datagram.records as u64).sum();
            let has_ended = messages.has_ended;
            drop(messages);
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            if has_ended || connect(path).is_ok() {
                break;
            }
        }
        self.is_absent.store(false, Ordering::Relaxed);
    }
}

impl Messages {
    /// Takes out the datagrams that wait.
    fn take(&mut self) -> Vec<Datagram> {
        (self.records, self.bytes) = (0, 0);
        std::mem::take(&mut self.datagrams)
    }
}

/// Opens a socket that never waits.
fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    // As far as the system allows; what does not fit is dropped and counted.
    let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    socket.connect(path)?;
    Ok(socket)
}

fn send_when_there_is_room(socket: &UnixDatagram, datagram: &[u8]) -> io::Result<()> {
    let until = Instant::now() + ROOM_LIMIT;
    loop {
        match socket.send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => thread::sleep(ROOM_INTERVAL),
            sent => return sent.map(drop),
        }
    }
}

/// Returns `true` if nobody listens at the path, or may be written to there.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, NotConnected, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | NotConnected | PermissionDenied)
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.made() {
            sender.lock().has_ended = true;
            sender.filled.notify_all();
            let until = Instant::now() + END_LIMIT;
            let is_busy = |messages: &Messages| messages.records > 0 || messages.is_sending;
            while is_busy(&sender.lock()) && Instant::now() < until {
                thread::sleep(ROOM_INTERVAL);
            }
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("path", &self.path).finish_non_exhaustive()
    }
}
