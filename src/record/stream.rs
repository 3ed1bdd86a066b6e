//! A pipe, terminal or device as a log: whoever reads it may be slow, so a thread of its own waits, and no request does.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many records wait at most; what comes while they do is lost.
const QUEUE: usize = 1024;

/// A queue in front of a thread that writes.
#[derive(Debug)]
pub struct Stream {
    path: PathBuf,
    /// The queue and the process that its thread runs in: a server that loads rules and then forks leaves its threads behind.
    queue: Mutex<Option<(u32, SyncSender<Vec<u8>>)>>,
}

impl Stream {
    /// A stream under a path. It is opened, by its thread, when something is written.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), queue: Mutex::new(None) }
    }

    /// Hands bytes over to the thread; an error where the queue is full or nobody writes.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let process = std::process::id();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let running = queue.as_ref().filter(|(owner, _)| *owner == process).map(|(_, sender)| sender.clone());
        let sender = match running {
            Some(sender) => sender,
            None => {
                let (sender, receiver) = sync_channel(QUEUE);
                let path = self.path.clone();
                thread::Builder::new().name("secrule-log".to_owned()).spawn(move || write_all(&path, &receiver))?;
                *queue = Some((process, sender.clone()));
                sender
            }
        };
        sender.try_send(bytes.to_vec()).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(_) => io::Error::other("its reader is too slow, and records are lost"),
            std::sync::mpsc::TrySendError::Disconnected(_) => {
                *queue = None;
                io::Error::other("it cannot be written to")
            }
        })
    }
}

/// Writes what comes until nobody is left to send, or the stream fails.
fn write_all(path: &Path, records: &Receiver<Vec<u8>>) {
    let Ok(mut stream) = OpenOptions::new().append(true).open(path) else { return };
    for record in records {
        if stream.write_all(&record).is_err() {
            return;
        }
    }
}
