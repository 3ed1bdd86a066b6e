//! A file to which lines and records are appended, each in one write, so that those of several threads and processes do not mix; or a destination
//! that is not a file and may be slow.

use super::failures::Failures;
use super::queue::{Queue, Writer};
#[cfg(feature = "remote")]
use crate::source::Recipient;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

/// A log file, shared by all that write to the same path or address.
///
/// Data for a regular file are written when [`append`](Self::append) returns. Pipes, terminals, devices and servers can block, so each has a thread
/// with a bounded queue. A file that was renamed or removed is opened again under its path.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    mode: u32,
    target: Target,
    failures: Arc<Failures>,
    /// Held while a record is written, so that no thread of this process takes another's record for a partial one.
    last: Mutex<LastRecord>,
}

/// The last record that this process wrote.
#[derive(Debug)]
struct LastRecord {
    /// File size after it. A file of another size was written to by another process, perhaps with a partial record.
    end: u64,
    /// `true` if it was cut off.
    is_cut: bool,
}

#[derive(Debug)]
enum Target {
    /// `None` as long as the file cannot be opened.
    File(RwLock<Option<Arc<File>>>),
    Slow(Queue),
}

/// A size that no file has.
const UNKNOWN: u64 = u64::MAX;

/// Number of times that a file ending within a record is checked while it grows: another process may be writing the rest.
const LOOKS: usize = 5;

/// Time between two checks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<LogFile>>>> = LazyLock::new(Mutex::default);

impl LogFile {
    /// Returns the log at a path, opened now unless it is open in this process. A new file has `mode`, and the umask applies.
    ///
    /// # Errors
    /// If the path cannot be opened.
    pub fn open(path: &Path, mode: u32) -> io::Result<Arc<Self>> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target {
            file.file(open, &mut file.last())?;
        }
        Ok(file)
    }

    /// Like [`open`](Self::open), but a path that cannot be opened is reported, and tried again with each write.
    pub fn ready(path: &Path, mode: u32) -> Arc<Self> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target
            && let Err(error) = file.file(open, &mut file.last())
        {
            file.failures.report(&error);
        }
        file
    }

    /// Returns the server at an https address, to which each record is posted as JSON. Without the feature `remote` every write fails.
    #[cfg(feature = "remote")]
    pub fn server(address: &str) -> Arc<Self> {
        Self::shared(Path::new(address), 0, |_, failures| {
            let address = address.to_owned();
            Target::Slow(Queue::new(move || poster(&address), failures))
        })
    }

    /// Returns the log at a path or address, which is opened by the first write.
    fn shared(path: &Path, mode: u32, target: impl FnOnce(&Path, Arc<Failures>) -> Target) -> Arc<Self> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get(path).and_then(Weak::upgrade) {
            return known;
        }
        let failures = Arc::new(Failures::of(format!("the log {}", path.display())));
        let (target, last) = (target(path, failures.clone()), Mutex::new(LastRecord { end: UNKNOWN, is_cut: false }));
        let file = Arc::new(Self { path: path.to_owned(), mode, target, failures, last });
        open.retain(|_, known| known.strong_count() > 0);
        open.insert(path.to_owned(), Arc::downgrade(&file));
        file
    }

    /// Appends bytes in one write. After an error they are lost; the first error is reported to standard error.
    ///
    /// # Errors
    /// Names the path.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let result = match &self.target {
            Target::File(open) => {
                let mut last = self.last();
                self.file(open, &mut last).and_then(|(file, size)| last.write(&file, size, bytes))
            }
            Target::Slow(queue) => queue.append(bytes),
        };
        if let Err(error) = &result {
            self.failures.lost(error);
        }
        result.map_err(|error| named(&self.path, &error))
    }

    /// Returns the number of lost records.
    pub fn lost(&self) -> u64 {
        self.failures.count()
    }

    fn last(&self) -> MutexGuard<'_, LastRecord> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the open file and its size. Opens it again if its path leads to another file or none. A process that may no longer open it, such as a
    /// worker that dropped privileges, keeps the open file.
    fn file(&self, open: &RwLock<Option<Arc<File>>>, last: &mut LastRecord) -> io::Result<(Arc<File>, u64)> {
        let current = open.read().unwrap_or_else(PoisonError::into_inner).clone();
        match current.as_ref().and_then(|file| Some((file.clone(), size_at(file, &self.path)?))) {
            Some(found) => Ok(found),
            None => self.reopen(open, last).or_else(|error| current.map(sized).ok_or(error)),
        }
    }

    fn reopen(&self, open: &RwLock<Option<Arc<File>>>, last: &mut LastRecord) -> io::Result<(Arc<File>, u64)> {
        let mut place = open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = place.as_ref().and_then(|file| Some((file.clone(), size_at(file, &self.path)?))) {
            return Ok(found);
        }
        // A file that may be written but not read cannot be checked for its end.
        let opened = append_options(self.mode).read(true).open(&self.path);
        let file = Arc::new(opened.or_else(|_| append_options(self.mode).open(&self.path))?);
        *place = Some(file.clone());
        last.is_cut = false;
        Ok(sized(file))
    }
}

impl LastRecord {
    /// Writes a record to a file of this size, on a line of its own after a record that a full disk cut off, in this or another process.
    fn write(&mut self, mut file: &File, size: u64, bytes: &[u8]) -> io::Result<()> {
        let was_cut = std::mem::take(&mut self.is_cut);
        let is_torn = size != self.end && size > 0 && ends_within_a_record(file, size).unwrap_or(was_cut);
        let written = if is_torn { file.write_all(&[b"\n", bytes].concat()) } else { file.write_all(bytes) };
        let end = size.saturating_add(u64::from(is_torn)).saturating_add(bytes.len() as u64);
        self.end = if written.is_ok() { end } else { UNKNOWN };
        self.is_cut = written.is_err() && (was_cut || file.metadata().is_ok_and(|now| now.len() > size));
        written
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

/// Returns an error with its path.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Returns the options for files that are appended to.
fn append_options(mode: u32) -> OpenOptions {
    let mut options = options(mode);
    options.create(true).append(true);
    options
}

/// Returns the options for files that are written once: nothing may exist at their path, not even a link.
pub fn create_options(mode: u32) -> OpenOptions {
    let mut options = options(mode);
    options.write(true).create_new(true);
    options
}

fn options(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Returns a file with its size.
fn sized(file: Arc<File>) -> (Arc<File>, u64) {
    let size = file.metadata().map_or(UNKNOWN, |found| found.len());
    (file, size)
}

/// Returns `true` if the last record of a file is incomplete: cut off by a full disk, not just being written. `None` if its last byte is unknown.
fn ends_within_a_record(file: &File, mut size: u64) -> Option<bool> {
    for _ in 0..LOOKS {
        if last_byte(file, size)? == b'\n' {
            return Some(false);
        }
        thread::sleep(BETWEEN_LOOKS);
        match file.metadata() {
            Ok(now) if now.len() != size => size = now.len(),
            _ => return Some(true),
        }
    }
    Some(false)
}

/// Returns the last byte of a file of this size; `None` if it is empty, or may not be read.
#[cfg(unix)]
fn last_byte(file: &File, size: u64) -> Option<u8> {
    let mut last = [0];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut last, size.checked_sub(1)?).ok()?;
    last.into_iter().take(read).next()
}

/// Returns `None`: except on Unix, reading would move the position at which others write.
#[cfg(not(unix))]
fn last_byte(_file: &File, _size: u64) -> Option<u8> {
    None
}

/// Returns the size of an open file, if it is the one at a path.
#[cfg(unix)]
fn size_at(file: &File, path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let (open, found) = (file.metadata().ok()?, fs::metadata(path).ok()?);
    (open.ino() == found.ino() && open.dev() == found.dev()).then_some(open.len())
}

/// Returns the size of an open file: except on Unix, an open file is not replaced.
#[cfg(not(unix))]
fn size_at(file: &File, _path: &Path) -> Option<u64> {
    Some(file.metadata().ok()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_cut_off_ends_its_line_where_nobody_may_read_it() {
        let path = std::env::temp_dir().join(format!("secrule-cut-{}.log", std::process::id()));
        fs::write(&path, "one\ntw").unwrap();
        let mut last = LastRecord { end: UNKNOWN, is_cut: false };
        let (unwritable, unreadable) = (File::open(&path).unwrap(), append_options(0o600).open(&path).unwrap());
        // As if the disk had been full after two bytes, and then completely.
        assert!(last.write(&unwritable, 4, b"two\n").is_err());
        assert!(last.write(&unwritable, 6, b"lost\n").is_err());
        for record in ["three\n", "four\n"] {
            last.write(&unreadable, fs::metadata(&path).unwrap().len(), record.as_bytes()).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(text, "one\ntw\nthree\nfour\n");
    }
}
