//! The socket that a host listens on. One host has it at a time.

use super::HostError;
use rustix::fs::{FlockOperation, OFlags, flock, fstat};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

/// Rights to write to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Its mode, by default 0660.
    pub mode: u32,
    /// The user that it shall belong to, if another than that of the host.
    pub user: Option<u32>,
    /// The group that it shall belong to, if another than that of the host.
    pub group: Option<u32>,
}

/// The sockets of a running host. They are removed when it ends.
#[derive(Debug)]
pub struct Sockets {
    /// Takes the messages of workers.
    pub messages: UnixDatagram,
    /// Answers questions about the status.
    pub status: UnixListener,
    paths: [PathBuf; 2],
    /// The file whose lock says that a host runs. It stays: removing it would let two hosts lock two files of the same name.
    lock: File,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { mode: 0o660, user: None, group: None }
    }
}

impl Sockets {
    /// Makes the sockets of a host.
    pub fn bind(path: &Path, options: SocketOptions) -> Result<Self, HostError> {
        let failed = |source: io::Error| {
            let remedy = match source.kind() {
                io::ErrorKind::NotFound => "make its folder first",
                io::ErrorKind::PermissionDenied => "run the host as a user that may write to its folder",
                _ => "name another path in SecPluginHost",
            };
            HostError::Socket { path: path.to_owned(), source, remedy }
        };
        // The folder may belong to others: what they put there is not followed.
        let mut lock_options = OpenOptions::new();
        lock_options.create(true).truncate(false).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let lock = lock_options.open(beside(path, ".lock")).map_err(failed)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(HostError::Running(path.to_owned()));
        }
        let status_path = beside(path, ".status");
        let bind = || {
            remove_socket(path)?;
            remove_socket(&status_path)?;
            let (messages, status) = (UnixDatagram::bind(path)?, UnixListener::bind(&status_path)?);
            for path in [path, &status_path] {
                chown(path, options.user, options.group)?;
                fs::set_permissions(path, fs::Permissions::from_mode(options.mode))?;
            }
            Ok((messages, status))
        };
        let (messages, status) = bind().map_err(failed)?;
        Ok(Self { messages, status, paths: [path.to_owned(), status_path], lock })
    }

    /// Returns a name that only the host has that holds the lock, and the next one that does: the run of the system, and the file that is locked. `None` if
    /// the system does not tell.
    pub fn lock_name(&self) -> Option<String> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().filter(|boot| !boot.trim().is_empty())?;
        let file = fstat(&self.lock).ok()?;
        Some(format!("{}:{:x}:{:x}", boot.trim(), file.st_dev, file.st_ino))
    }
}

/// Returns the path of the socket that answers questions about the status of the host at a path.
pub fn status_path(path: &Path) -> PathBuf {
    beside(path, ".status")
}

/// Removes the socket of a host that did not end by itself. Another kind of file stays, and is an error.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of another kind")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.paths {
            // If it cannot be removed, the next host does it.
            let _ = fs::remove_file(path);
        }
    }
}
