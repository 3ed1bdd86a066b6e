//! The files of a store: those who open it must trust all who may write to them.
//!
//! LMDB maps its file into memory and believes what is in it, so another user who may write to it could crash the process, or worse. A folder in which
//! everybody may write, such as `/tmp`, keeps the files of its users apart only with the sticky bit.

use rustix::process::geteuid;
use secrule::Down;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bits of a mode: others may write, and in a folder users may remove no files but their own.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Mode of new files.
const MODE: u32 = 0o600;

/// The number of the system's start. What was written before it may be damaged, because writes are not flushed one by one.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The files of a store.
#[derive(Debug)]
pub struct Place {
    /// The file of LMDB.
    pub data: PathBuf,
    /// The file whose lock a writer holds. Its content is the number of the system's start.
    pub lock: PathBuf,
}

impl Place {
    /// Returns the files for a path. A folder has a file for each user.
    pub fn of(path: &Path) -> Self {
        let names_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
        let data = if names_folder { path.join(format!("secrule-{}.mdb", geteuid().as_raw())) } else { path.to_owned() };
        let lock = with_suffix(&data, ".write-lock");
        Self { data, lock }
    }

    /// Opens the file of the lock, and makes it if it is not there.
    ///
    /// # Errors
    /// If it cannot be opened, or others may write to it.
    pub fn open_lock(&self) -> Result<File, Down> {
        self.check_folder()?;
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(MODE).open(&self.lock);
        let file = opened.map_err(|error| cannot(&self.lock, &error))?;
        check(&self.lock, file.metadata(), fs::symlink_metadata(&self.lock))?;
        Ok(file)
    }

    /// Checks that this process may make and open the files.
    ///
    /// # Errors
    /// If a file cannot be opened, or others may write to it.
    pub fn check(&self) -> Result<(), Down> {
        drop(self.open_lock()?);
        if self.data.exists() { self.check_data() } else { Ok(()) }
    }

    /// Prepares the file of LMDB. The caller holds the lock. If the system has started since the last use, what is there is removed.
    ///
    /// # Errors
    /// If a file cannot be written, or others may write to it.
    pub fn prepare(&self) -> Result<(), Down> {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let known = fs::read_to_string(&self.lock).map_err(|error| cannot(&self.lock, &error))?;
        if known != boot {
            for path in [self.data.clone(), with_suffix(&self.data, "-lock")] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&path, &error)),
                    _ => {}
                }
            }
            fs::write(&self.lock, boot).map_err(|error| cannot(&self.lock, &error))?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.data) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(&self.data, &error)),
            _ => {}
        }
        self.check_data()
    }

    fn check_data(&self) -> Result<(), Down> {
        check(&self.data, fs::metadata(&self.data), fs::symlink_metadata(&self.data))
    }

    fn check_folder(&self) -> Result<(), Down> {
        let folder = self.data.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mode = fs::metadata(folder).map_err(|error| cannot(folder, &error))?.mode();
        if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err(Down::new(format!(
                "{} lets everybody replace its files: remove the right to write, or set the sticky bit",
                folder.display()
            )));
        }
        Ok(())
    }
}

/// Checks that a file is regular, belongs to this user, and that others may not write to it.
fn check(path: &Path, opened: io::Result<Metadata>, named: io::Result<Metadata>) -> Result<(), Down> {
    let (opened, named) = (opened.map_err(|error| cannot(path, &error))?, named.map_err(|error| cannot(path, &error))?);
    let refuse = |why: String| Err(Down::new(format!("{} is not used: {why}", path.display())));
    if !named.is_file() || (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        refuse("it is not a regular file".to_owned())
    } else if opened.uid() != geteuid().as_raw() {
        refuse(format!("it belongs to user {}: run this as that user", opened.uid()))
    } else if opened.mode() & OTHERS_WRITE != 0 {
        refuse(format!("others may write to it (mode {:04o})", opened.mode() & 0o7777))
    } else {
        Ok(())
    }
}

fn cannot(path: &Path, error: &io::Error) -> Down {
    Down::new(format!("{} cannot be used: {error}", path.display()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
