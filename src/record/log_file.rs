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
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

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
    /// Held while a record is written, so that no thread of this process takes the record of another for a part of one.
    last: Mutex<LastRecord>,
}

/// The last record that this process wrote.
#[derive(Debug)]
struct LastRecord {
    /// Where it ended. A file that ends elsewhere was written to by another process, which may have left a part of a record.
    end: u64,
    /// Whether it was cut off.
    is_cut: bool,
}

#[derive(Debug)]
enum Target {
    /// `None` while the file cannot be opened.
    File(RwLock<Option<Arc<File>>>),
    Slow(Queue),
}

/// No file ends here.
const UNKNOWN: u64 = u64::MAX;

/// How often a file that ends within a record is looked at, while it grows: another process may be writing the rest.
const LOOKS: usize = 5;

/// How long is waited between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<LogFile>>>> = LazyLock::new(Mutex::default);

impl LogFile {
    /// The file under a path; opened now unless somebody in this process has it open. It is made with `mode`, as the umask allows.
    ///
    /// A path that cannot be opened gives its error.
    pub fn open(path: &Path, mode: u32) -> io::Result<Arc<Self>> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target {
            file.file(open, &mut file.last())?;
        }
        Ok(file)
    }

    /// Like [`open`](Self::open), but a path that cannot be opened is reported, and tried again when something is written.
    pub fn ready(path: &Path, mode: u32) -> Arc<Self> {
        let file = Self::shared(path, mode, Target::of);
        if let Target::File(open) = &file.target
            && let Err(error) = file.file(open, &mut file.last())
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
        let failures = Arc::new(Failures::of(format!("the log {}", path.display())));
        let (target, last) = (target(path, failures.clone()), Mutex::new(LastRecord { end: UNKNOWN, is_cut: false }));
        let file = Arc::new(Self { path: path.to_owned(), mode, target, failures, last });
        open.retain(|_, known| known.strong_count() > 0);
        open.insert(path.to_owned(), Arc::downgrade(&file));
        file
    }

    /// Appends bytes in one write. A failure loses them; the first is reported to standard error. The error names the path.
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

    /// How many records were lost.
    pub fn lost(&self) -> u64 {
        self.failures.count()
    }

    fn last(&self) -> MutexGuard<'_, LastRecord> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open file and its size, opened anew if another one or none stands under its path. Who may not open it any more, such as a worker whose
    /// master could, goes on with the file that is open.
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
        // Who may write it, but not read it, cannot see how it ends.
        let opened = append_options(self.mode).read(true).open(&self.path);
        let file = Arc::new(opened.or_else(|_| append_options(self.mode).open(&self.path))?);
        *place = Some(file.clone());
        last.is_cut = false;
        Ok(sized(file))
    }
}

impl LastRecord {
    /// Writes a record to a file of some size, on a line of its own after one that a full disk cut off, here or in another process.
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

/// An error with the path that it is about.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// How files are opened that are appended to.
fn append_options(mode: u32) -> OpenOptions {
    let mut options = options(mode);
    options.create(true).append(true);
    options
}

/// How files are opened that are written once: nothing may stand under their path, not even a link.
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

/// A file with its size.
fn sized(file: Arc<File>) -> (Arc<File>, u64) {
    let size = file.metadata().map_or(UNKNOWN, |found| found.len());
    (file, size)
}

/// Whether the last record of a file of some size lacks its end: one that a full disk cut off, not one that is being written. Nothing
/// where its last byte is unknown.
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

/// The last byte of a file of some size; nothing where there is none, or the file may not be read.
#[cfg(unix)]
fn last_byte(file: &File, size: u64) -> Option<u8> {
    let mut last = [0];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut last, size.checked_sub(1)?).ok()?;
    last.into_iter().take(read).next()
}

/// The last byte of a file: elsewhere than on Unix a reader would move where others write.
#[cfg(not(unix))]
fn last_byte(_file: &File, _size: u64) -> Option<u8> {
    None
}

/// The size of an open file, if it is the one under a path.
#[cfg(unix)]
fn size_at(file: &File, path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let (open, found) = (file.metadata().ok()?, fs::metadata(path).ok()?);
    (open.ino() == found.ino() && open.dev() == found.dev()).then_some(open.len())
}

/// The size of an open file, if it is the one under a path: elsewhere than on Unix an open file is not replaced.
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
        // As if the disk had been full after two bytes, and then with nothing left.
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
