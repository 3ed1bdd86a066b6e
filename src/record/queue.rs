//! A queue in front of a thread that writes: where a writer may have to wait, a thread of its own does, and no request.

use super::failures::Failures;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many records wait at most; what comes while they do is lost.
const MOST_RECORDS: usize = 1024;

/// How many bytes wait at most; a single record may have more.
const MOST_BYTES: usize = 16 << 20;

/// How long a queue that is given up is waited for; what is not written by then is lost.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Writes one record.
pub type Writer = Box<dyn FnMut(&[u8]) -> io::Result<()>>;

/// Makes a writer: in the thread that uses it, and anew after each failure.
type Open = Arc<dyn Fn() -> io::Result<Writer> + Send + Sync>;

/// A queue of records. Its thread begins with the first of them.
pub struct Queue {
    open: Open,
    failures: Arc<Failures>,
    running: Mutex<Option<Running>>,
}

/// A thread and the way to it.
struct Running {
    /// The process that the thread runs in: a server that loads rules and then forks leaves its threads behind.
    process: u32,
    records: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
    /// Says nothing; it is closed when the thread ends.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Progress {
    /// Bytes that are not written yet.
    waiting: AtomicUsize,
    /// When the queue's last chance ends, once it is given up.
    end: OnceLock<Instant>,
}

impl Queue {
    /// A queue in front of a writer. What gets lost is told to `failures`.
    pub fn new(open: impl Fn() -> io::Result<Writer> + Send + Sync + 'static, failures: Arc<Failures>) -> Self {
        Self { open: Arc::new(open), failures, running: Mutex::new(None) }
    }

    /// Hands a record over to the thread; an error where the queue is full or the thread cannot begin.
    pub fn append(&self, record: &[u8]) -> io::Result<()> {
        let mut place = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match place.take() {
            Some(running) if running.process == std::process::id() => running,
            _ => self.start()?,
        };
        let sent = running.send(record);
        // A thread that is gone is begun anew with the next record.
        if !matches!(sent, Err(TrySendError::Disconnected(()))) {
            *place = Some(running);
        }
        sent.map_err(|error| match error {
            TrySendError::Full(()) => io::Error::other("it is too slow, and records are lost"),
            TrySendError::Disconnected(()) => io::Error::other("its thread has ended"),
        })
    }

    fn start(&self) -> io::Result<Running> {
        let (records, receiver) = sync_channel(MOST_RECORDS);
        let (alive, ended) = channel();
        let progress = Arc::new(Progress::default());
        let thread = Thread { open: self.open.clone(), failures: self.failures.clone(), progress: progress.clone(), _alive: alive };
        thread::Builder::new().name("secrule-log".to_owned()).spawn(move || thread.run(&receiver))?;
        Ok(Running { process: std::process::id(), records, progress, ended })
    }
}

impl Running {
    fn send(&self, record: &[u8]) -> Result<(), TrySendError<()>> {
        let waiting = self.progress.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting.saturating_add(record.len()) > MOST_BYTES {
            return Err(TrySendError::Full(()));
        }
        self.progress.waiting.fetch_add(record.len(), Ordering::Relaxed);
        self.records.try_send(record.to_vec()).map_err(|error| {
            self.progress.waiting.fetch_sub(record.len(), Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => TrySendError::Full(()),
                TrySendError::Disconnected(_) => TrySendError::Disconnected(()),
            }
        })
    }
}

/// What is still there gets its last chance.
impl Drop for Queue {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { records, progress, ended, .. }) = running.filter(|running| running.process == std::process::id()) else {
            return;
        };
        let _ = progress.end.set(Instant::now() + LAST_CHANCE);
        drop(records);
        if progress.waiting.load(Ordering::Relaxed) > 0 {
            let _ = ended.recv_timeout(LAST_CHANCE);
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// What the thread has.
struct Thread {
    open: Open,
    failures: Arc<Failures>,
    progress: Arc<Progress>,
    _alive: Sender<()>,
}

impl Thread {
    /// Writes what comes until nobody is left to send.
    fn run(&self, records: &Receiver<Vec<u8>>) {
        let mut open = None;
        for record in records {
            match self.write(open.take(), &record) {
                Ok(writer) => open = Some(writer),
                Err(error) => self.failures.lost(&error),
            }
            self.progress.waiting.fetch_sub(record.len(), Ordering::Relaxed);
        }
    }

    fn write(&self, writer: Option<Writer>, record: &[u8]) -> io::Result<Writer> {
        if self.progress.end.get().is_some_and(|end| *end < Instant::now()) {
            return Err(io::Error::other("it is too slow, and the last records are lost"));
        }
        let mut writer = writer.map_or_else(|| (self.open)(), Ok)?;
        writer(record)?;
        Ok(writer)
    }
}
