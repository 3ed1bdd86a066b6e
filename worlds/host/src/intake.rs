//! The way of exchanges into a host: the socket that workers of a server write to, or a channel from the same process.

use super::socket::Sockets;
use super::{Exchange, HostError, SocketOptions};
use secrule::internals::exchange::{ExchangeLog, ExchangeRecord, Message, MessageReader};
use serde_json::Value;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Maximum length of a datagram, in bytes: the largest record has about 260 KiB.
const MAX_DATAGRAM: usize = 1 << 20;

/// Number of messages that wait in the same process, and their memory in bytes; more are dropped.
const MAX_WAITING: usize = 65_536;
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Time after which a wait for messages ends, to see if the host ends.
const PAUSE: Duration = Duration::from_millis(100);

/// A way in.
pub struct Intake(Way);

enum Way {
    Socket(Box<Sockets>, PathBuf),
    Local(Receiver<Taken>, Arc<AtomicUsize>),
}

/// The other end of a way in from the same process: [`WafBuilder::exchange_log`](secrule::WafBuilder::exchange_log) takes it.
pub struct LocalLink {
    sender: SyncSender<Taken>,
    /// The memory of the messages that wait, in bytes.
    waiting: Arc<AtomicUsize>,
    dropped: AtomicU64,
}

/// A message that came in.
#[derive(Debug)]
pub(crate) enum Taken {
    Exchange(Arc<Exchange>),
    Event(Value),
}

/// Counts of the messages that came in, and of those that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Number of exchanges.
    pub exchanges: AtomicU64,
    /// Number of events.
    pub events: AtomicU64,
    /// Number of datagrams that could not be read to their end, such as those of another version, and of events that are not JSON.
    pub unreadable: AtomicU64,
}

impl Intake {
    /// Makes the socket that `SecPluginHost` names.
    ///
    /// # Errors
    /// If another host has it, or it cannot be made.
    pub fn bind(path: &Path, options: SocketOptions) -> Result<Self, HostError> {
        let sockets = Sockets::bind(path, options)?;
        let failed = |source| HostError::Socket { path: path.to_owned(), source, remedy: "name another path in SecPluginHost" };
        sockets.messages.set_read_timeout(Some(PAUSE)).map_err(failed)?;
        Ok(Self(Way::Socket(Box::new(sockets), path.to_owned())))
    }

    /// Makes a channel from the same process.
    pub fn local() -> (Self, Arc<LocalLink>) {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self(Way::Local(receiver, Arc::clone(&waiting))), Arc::new(LocalLink { sender, waiting, dropped: AtomicU64::new(0) }))
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Way::Socket(_, path) => Some(path),
            Way::Local(..) => None,
        }
    }

    /// Returns a name that no other host has at the same time, and a later one at the same socket has, too. `None` if there is no such name.
    pub(crate) fn lock_name(&self) -> Option<String> {
        match &self.0 {
            Way::Socket(sockets, _) => sockets.lock_name(),
            Way::Local(..) => None,
        }
    }

    /// Returns the listener of questions about the status.
    pub(crate) fn status_listener(&self) -> io::Result<Option<std::os::unix::net::UnixListener>> {
        match &self.0 {
            Way::Socket(sockets, _) => sockets.status.try_clone().map(Some),
            Way::Local(..) => Ok(None),
        }
    }

    /// Gives what comes in to `give`, until `goes_on` returns `false`.
    pub(crate) fn run(&self, counts: &Counts, goes_on: impl Fn() -> bool, mut give: impl FnMut(Taken)) {
        let mut give = |taken: Taken| {
            let count = if matches!(taken, Taken::Exchange(_)) { &counts.exchanges } else { &counts.events };
            count.fetch_add(1, Ordering::Relaxed);
            give(taken);
        };
        match &self.0 {
            Way::Socket(sockets, _) => {
                let mut datagram = vec![0; MAX_DATAGRAM];
                while goes_on() {
                    let Ok(length) = sockets.messages.recv(&mut datagram) else { continue };
                    read(datagram.get(..length).unwrap_or_default(), counts, &mut give);
                }
            }
            Way::Local(receiver, waiting) => {
                while goes_on() {
                    match receiver.recv_timeout(PAUSE) {
                        Ok(taken) => {
                            waiting.fetch_sub(taken.size(), Ordering::Relaxed);
                            give(taken);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        // The rules are gone; timers go on.
                        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(PAUSE),
                    }
                }
            }
        }
    }
}

impl Taken {
    /// Returns about the memory that it takes, in bytes. An event is rare.
    fn size(&self) -> usize {
        match self {
            Self::Exchange(exchange) => exchange.size(),
            Self::Event(_) => 0,
        }
    }
}

/// Reads the messages of a datagram.
fn read(datagram: &[u8], counts: &Counts, give: &mut impl FnMut(Taken)) {
    let count_unreadable = || {
        counts.unreadable.fetch_add(1, Ordering::Relaxed);
    };
    let Some(mut messages) = MessageReader::new(datagram) else { return count_unreadable() };
    for message in messages.by_ref() {
        match message {
            Message::Exchange(record) => give(Taken::Exchange(Arc::new(record.into_owned()))),
            Message::Event(text) => match serde_json::from_str(text) {
                Ok(event) => give(Taken::Event(event)),
                Err(_) => count_unreadable(),
            },
        }
    }
    if messages.is_broken() {
        count_unreadable();
    }
}

impl LocalLink {
    fn send(&self, taken: Taken) -> bool {
        let size = taken.size();
        let has_room = self.waiting.fetch_add(size, Ordering::Relaxed).saturating_add(size) <= MAX_WAITING_BYTES;
        let is_sent = has_room && self.sender.try_send(taken).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_sent
    }
}

impl ExchangeLog for LocalLink {
    fn write<'a>(&self, make: &dyn Fn() -> ExchangeRecord<'a>) {
        self.send(Taken::Exchange(Arc::new(make().into_owned())));
    }

    fn send_event(&self, event: &str) -> Result<(), String> {
        let event = serde_json::from_str(event).map_err(|error| error.to_string())?;
        if self.send(Taken::Event(event)) { Ok(()) } else { Err("the script host is too slow, or has ended".to_owned()) }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for LocalLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLink").finish_non_exhaustive()
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("path", &self.path()).finish_non_exhaustive()
    }
}
