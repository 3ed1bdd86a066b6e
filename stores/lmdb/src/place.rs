//! The files of a store: those who open it must trust all who may write to them.
//!
//! LMDB maps its file into memory and believes what is in it, so another user who may write to it could crash the process, or worse. A folder in which
//! everybody may write, such as `/tmp`, keeps the files of its users apart only with the sticky bit.
//!
//! Writes are not flushed one by one, so after a start of the system nobody knows which of them reached the disk. The file of the write lock has the
//! number of the start; where it is another one, and no process uses the file of LMDB, that file is emptied before it is opened.

use super::write_lock::try_lock;
use rustix::fs::{FlockOperation, OFlags};
use rustix::process::geteuid;
use secrule::Down;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bits of a mode: the group or others may write; and in a folder, users may remove no files but their own.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Mode of new files.
const MODE: u32 = 0o600;

const ROOT: u32 = 0;

/// The number of the system's start.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The mark of a file of LMDB, and its place behind the head of the first page.
const MARK: u32 = 0xBEEF_C0DE;
const MARK_PLACE: usize = 16;

/// The files of a store.
#[derive(Debug)]
pub struct Place {
    /// The file of LMDB.
    pub data: PathBuf,
    /// The file of LMDB's own lock and of its readers.
    pub readers: PathBuf,
    /// The file whose lock a writer holds.
    lock: PathBuf,
}

impl Place {
    /// Returns the files for a path. A folder has a file for each user.
    pub fn of(path: &Path) -> Self {
        let names_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
        let data = if names_folder { path.join(format!("secrule-{}.mdb", geteuid().as_raw())) } else { path.to_owned() };
        Self { readers: with_suffix(&data, "-lock"), lock: with_suffix(&data, ".write-lock"), data }
    }

    /// Checks that this process may make and open the files.
    ///
    /// # Errors
    /// If a file cannot be opened, or others may write to it.
    pub fn check(&self) -> Result<(), Down> {
        drop(self.open_lock()?);
        self.check_if_there(&self.data)?;
        self.check_if_there(&self.readers)
    }

    /// Opens the file of the write lock, and makes it if it is not there.
    ///
    /// # Errors
    /// If it cannot be opened, or others may write to it.
    pub fn open_lock(&self) -> Result<File, Down> {
        self.check_folder()?;
        open(&self.lock)
    }

    /// Opens the file of LMDB, and makes it if it is not there. The caller holds the write lock, and keeps the file as long as it uses LMDB, so that no
    /// other process takes the file for one that nobody uses.
    ///
    /// # Errors
    /// If a file cannot be written, others may write to it, or it is not one of LMDB.
    pub fn open_data(&self) -> Result<File, Down> {
        let mut data = open(&self.data)?;
        self.check_if_there(&self.readers)?;
        let length = data.metadata().map_err(|error| cannot(&self.data, &error))?.len();
        if length > 0 && !is_of_lmdb(&mut data) {
            return Err(Down::new(format!("{} is not a store: name another file", self.data.display())));
        }
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let known = fs::read_to_string(&self.lock).map_err(|error| cannot(&self.lock, &error))?;
        if known != boot && !boot.is_empty() {
            if try_lock(&data, FlockOperation::NonBlockingLockExclusive)? {
                data.set_len(0).map_err(|error| cannot(&self.data, &error))?;
            } else if !known.is_empty() {
                // A process that is about to run another program may hold it for a moment. Without a number, the file of the lock was removed.
                return Err(Down::new(format!("{} was written before the start of the system, and is in use", self.data.display())));
            }
            fs::write(&self.lock, boot).map_err(|error| cannot(&self.lock, &error))?;
        }
        if try_lock(&data, FlockOperation::NonBlockingLockShared)? {
            Ok(data)
        } else {
            Err(Down::new(format!("{} is locked by a program that is not a store", self.data.display())))
        }
    }

    fn check_folder(&self) -> Result<(), Down> {
        let folder = self.data.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let about = fs::metadata(folder).map_err(|error| cannot(folder, &error))?;
        let owners = [ROOT, geteuid().as_raw()];
        if about.mode() & STICKY == 0 && about.mode() & OTHERS_WRITE != 0 {
            Err(Down::new(format!(
                "{} lets others replace its files: remove their right to write, or set the sticky bit",
                folder.display()
            )))
        } else if !owners.contains(&about.uid()) {
            Err(Down::new(format!("{} belongs to user {}, who may replace its files", folder.display(), about.uid())))
        } else {
            Ok(())
        }
    }

    fn check_if_there(&self, path: &Path) -> Result<(), Down> {
        match fs::symlink_metadata(path) {
            Ok(about) => check(path, &about),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot(path, &error)),
        }
    }
}

/// Opens a file to read and write, and makes it if it is not there. Links are not followed.
fn open(path: &Path) -> Result<File, Down> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(MODE);
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = options.custom_flags(flags).open(path).map_err(|error| cannot(path, &error))?;
    check(path, &file.metadata().map_err(|error| cannot(path, &error))?)?;
    Ok(file)
}

/// Checks that a file is regular, belongs to this user, and that others may not write to it.
fn check(path: &Path, about: &Metadata) -> Result<(), Down> {
    let refuse = |why: String| Err(Down::new(format!("{} is not used: {why}", path.display())));
    if !about.is_file() {
        refuse("it is not a regular file".to_owned())
    } else if about.uid() != geteuid().as_raw() {
        refuse(format!("it belongs to user {}: run this as that user", about.uid()))
    } else if about.mode() & OTHERS_WRITE != 0 {
        refuse(format!("others may write to it (mode {:04o})", about.mode() & 0o7777))
    } else {
        Ok(())
    }
}

fn is_of_lmdb(file: &mut File) -> bool {
    let mut head = [0; MARK_PLACE + 4];
    file.read_exact(&mut head).is_ok() && head.ends_with(&MARK.to_ne_bytes())
}

fn cannot(path: &Path, error: &io::Error) -> Down {
    Down::new(format!("{} cannot be used: {error}", path.display()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
