//! A file that lines and records are appended to: each in one write, so that those of several threads and processes do not mix; or a place
//! that is not a file and takes its time.

use super::failures::Failures;
use super::queue::{Queue, Writer};
#[cfg(feature = "remote")]
use crate::source::Recipient;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, Weak};

/// A log file, shared by all that write to the same path or address.
///
/// What is written to a regular file is there when [`append`](Self::append) returns. Pipes, terminals, devices and servers can make a writer
/// wait, so they have a thread of their own, with a bounded queue. A file that was renamed or removed is opened anew under its path.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    mode: u32,
    target: Target,
    failures: Arc<Failures>,
    /// A write failed, which may have left a part of a record behind.
    torn: AtomicBool,
}

#[derive(Debug)]
enum Target {
    /// `None` while the file cannot be opened.
    File(RwLock<Option<Arc<File>>>),
    Slow(Queue),
}

static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<LogFile>>>> = LazyLock::new(Mutex::default);

impl LogFile {
    /// The file under a path; opened now unless somebody in this process has it open. It is made with `mode`, as the umask allows.
    ///
    /// A path that cannot be opened gives its error.
    pub fn open(path: &Path, mode: u32) -> io::Result<Arc<Self>> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target {
            file.file(open)?;
        }
        Ok(file)
    }

    /// Like [`open`](Self::open), but a path that cannot be opened is reported, and tried again when something is written.
    pub fn ready(path: &Path, mode: u32) -> Arc<Self> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target
            && let Err(error) = file.file(open)
        {
            file.failures.tell(&error);
        }
        file
    }

    /// The server at an https address, which each record is posted to as JSON. A build without the feature `remote` has none.
    #[cfg(feature = "remote")]
    pub fn server(address: &str) -> Arc<Self> {
        Self::shared(Path::new(address), 0, |_, failures| {
            let address = address.to_owned();
            Target::Slow(Queue::new(move || poster(&address), failures))
        })
    }

    /// The log under a path or address, which is opened when something is written.
    fn shared(path: &Path, mode: u32, target: impl FnOnce(&Path, Arc<Failures>) -> Target) -> Arc<Self> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(path).and_then(Weak::upgrade) {
            return known;
        }
        let failures = Arc::new(Failures::of(path.display().to_string()));
        let file =
            Arc::new(Self { path: path.to_owned(), mode, target: target(path, failures.clone()), failures, torn: AtomicBool::new(false) });
        open.retain(|_, known| known.strong_count() > 0);
        open.insert(path.to_owned(), Arc::downgrade(&file));
        file
    }

    /// Appends bytes in one write. A failure loses them; the first is reported to standard error.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let result = match &self.target {
            Target::File(open) => self.file(open).and_then(|file| self.write(&file, bytes)),
            Target::Slow(queue) => queue.append(bytes),
        };
        if let Err(error) = &result {
            self.failures.lost(error);
        }
        result
    }

    /// Writes a record, on a line of its own after one that a full disk cut off.
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let written = match self.torn.load(Ordering::Relaxed) {
            true => file.write_all(&[b"\n", bytes].concat()),
            false => file.write_all(bytes),
        };
        self.torn.store(written.is_err(), Ordering::Relaxed);
        written
    }

    /// How many records were lost.
    pub fn lost(&self) -> u64 {
        self.failures.count()
    }

    /// The open file, opened anew if another one or none stands under its path. Who may not open it any more, such as a worker whose
    /// master could, goes on with the file that is open.
    fn file(&self, open: &RwLock<Option<Arc<File>>>) -> io::Result<Arc<File>> {
        let current = open.read().unwrap_or_else(PoisonError::into_inner).clone();
        match current {
            Some(file) if is_at(&file, &self.path) => Ok(file),
            current => self.reopen(open).or_else(|error| current.ok_or(error)),
        }
    }

    fn reopen(&self, open: &RwLock<Option<Arc<File>>>) -> io::Result<Arc<File>> {
        let mut place = open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = place.as_ref().filter(|file| is_at(file, &self.path)) {
            return Ok(file.clone());
        }
        let file = Arc::new(append_options(self.mode).open(&self.path)?);
        *place = Some(file.clone());
        Ok(file)
    }
}

impl Target {
    fn of(path: &Path, failures: Arc<Failures>) -> Self {
        match fs::metadata(path) {
            Ok(found) if !found.is_file() && !found.is_dir() => {
                let path = path.to_owned();
                Self::Slow(Queue::new(move || stream(&path), failures))
            }
            _ => Self::File(RwLock::new(None)),
        }
    }
}

/// Writes to a pipe, terminal or device.
fn stream(path: &Path) -> io::Result<Writer> {
    let mut stream = OpenOptions::new().append(true).open(path)?;
    Ok(Box::new(move |record| stream.write_all(record)))
}

/// Posts to a server, as ModSecurity v3 does: one record at a time.
#[cfg(feature = "remote")]
fn poster(address: &str) -> io::Result<Writer> {
    let server = Recipient::at(address)?;
    Ok(Box::new(move |record| server.post("application/json", record.trim_ascii_end())))
}

/// How files are opened that are appended to.
fn append_options(mode: u32) -> OpenOptions {
    let mut options = create_options(mode);
    options.truncate(false).append(true);
    options
}

/// How files are opened that are written once.
pub fn create_options(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Whether an open file is the one under a path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(found)) => open.ino() == found.ino() && open.dev() == found.dev(),
        _ => false,
    }
}

/// Whether an open file is the one under a path: elsewhere than on Unix an open file is not replaced.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
