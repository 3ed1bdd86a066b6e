//! A queue before a thread that writes: the thread waits for slow writers, and no request does.

use super::failures::Failures;
use crate::once_per_process::OncePerProcess;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of records in the queue; more are lost.
const MAX_RECORDS: usize = 1024;

/// Maximum number of bytes in the queue; a single record may have more.
const MAX_BYTES: usize = 16 << 20;

/// Maximum wait for a queue that is dropped; records not written by then are lost.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Writes one record.
pub type Writer = Box<dyn FnMut(&[u8]) -> io::Result<()>>;

/// Makes a writer: in the thread that uses it, and again after each failure.
type Open = Arc<dyn Fn() -> io::Result<Writer> + Send + Sync>;

/// A queue of records. The first of them starts its thread.
pub struct Queue {
    open: Open,
    failures: Arc<Failures>,
    /// A server that loads rules and then forks loses its threads.
    running: OncePerProcess<Mutex<Option<Running>>>,
}

/// A running thread and the sender to it.
struct Running {
    records: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
    /// Receives nothing; it is closed when the thread ends.
    ended: Receiver<()>,
}

#[derive(Default)]
struct Progress {
    /// Number of bytes that are not written yet.
    waiting: AtomicUsize,
    /// Deadline for the rest of the queue after it was dropped.
    end: OnceLock<Instant>,
}

impl Queue {
    /// Makes a queue before a writer. Lost records are counted in `failures`.
    pub fn new(open: impl Fn() -> io::Result<Writer> + Send + Sync + 'static, failures: Arc<Failures>) -> Self {
        Self { open: Arc::new(open), failures, running: OncePerProcess::new() }
    }

    /// Passes a record to the thread.
    ///
    /// # Errors
    /// If the queue is full or the thread cannot start.
    pub fn append(&self, record: &[u8]) -> io::Result<()> {
        let Ok(place) = self.running.get_or_make(|| Ok::<_, Infallible>(Mutex::new(None)));
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let running = place.take().map_or_else(|| self.start(), Ok)?;
        let sent = running.send(record);
        // If the thread has ended, the next record starts another.
        if !matches!(sent, Err(TrySendError::Disconnected(()))) {
            *place = Some(running);
        }
        sent.map_err(|error| match error {
            TrySendError::Full(()) => io::Error::other("it is too slow, and records are lost"),
            TrySendError::Disconnected(()) => io::Error::other("its thread has ended"),
        })
    }

    fn start(&self) -> io::Result<Running> {
        let (records, receiver) = sync_channel(MAX_RECORDS);
        let (alive, ended) = channel();
        let progress = Arc::new(Progress::default());
        let thread = Thread { open: self.open.clone(), failures: self.failures.clone(), progress: progress.clone(), _alive: alive };
        thread::Builder::new().name("secrule-log".to_owned()).spawn(move || thread.run(&receiver))?;
        Ok(Running { records, progress, ended })
    }
}

impl Running {
    fn send(&self, record: &[u8]) -> Result<(), TrySendError<()>> {
        let waiting = self.progress.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting.saturating_add(record.len()) > MAX_BYTES {
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

/// Waits for the rest of the queue, up to its deadline.
impl Drop for Queue {
    fn drop(&mut self) {
        let running = self.running.made().and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(Running { records, progress, ended }) = running else { return };
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

/// State of the thread.
struct Thread {
    open: Open,
    failures: Arc<Failures>,
    progress: Arc<Progress>,
    _alive: Sender<()>,
}

impl Thread {
    /// Writes records until all senders are dropped.
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
