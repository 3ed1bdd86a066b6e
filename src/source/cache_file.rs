//! Keeps files for later processes. Nobody else may have written them.
//!
//! The folder may be one in which everybody writes, such as `/tmp`. So a file is read only if it is a regular file, not a link, of the effective user or
//! of root, and if nobody else may write to it. A new file gets its name once it is complete, so that a reader sees all of it, or the one before.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Maximum size of a file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Bits of a mode by which the group or others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Mode of new files. Only the process that loads rules reads them.
const MODE: u32 = 0o600;

const ROOT: u32 = 0;

/// Returns the number of the effective user: the owner of this process. `None` on systems without `/proc`.
pub(super) fn effective_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

/// Returns the bytes of a file; `None` if there is none.
///
/// # Errors
/// If others may have written it, or it cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let named = match fs::symlink_metadata(path) {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    check(&named)?;
    let file = File::open(path)?;
    let open = file.metadata()?;
    // Meanwhile a link may have taken its place.
    if (open.dev(), open.ino()) != (named.dev(), named.ino()) {
        return Err(not_regular());
    }
    check(&open)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(too_large()) } else { Ok(Some(bytes)) }
}

fn check(file: &Metadata) -> io::Result<()> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !file.is_file() {
        Err(not_regular())
    } else if file.uid() != ROOT && Some(file.uid()) != effective_user() {
        refuse(format!("it belongs to user {}, who may have written anything into it", file.uid()))
    } else if file.mode() & WRITABLE_BY_OTHERS != 0 {
        refuse(format!("others may write to it (mode {:04o})", file.mode() & 0o7777))
    } else if file.len() > MAX_BYTES {
        Err(too_large())
    } else {
        Ok(())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MB", MAX_BYTES >> 20))
}

/// Writes a file, in place of one with the same name.
///
/// # Errors
/// If the folder does not exist, or this process may not write to it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = new_name(path);
    // A new file: links are not followed, and another file is not written to.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Returns a name beside a path that no other thread or process uses.
fn new_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}.new", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// A folder of one test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("secrule-cache-file-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("file")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn refusal(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let folder = Folder::new("owner");
        write(&folder.file(), b"bytes").unwrap();
        // Only root may give files away.
        if std::os::unix::fs::chown(folder.file(), Some(12_345), None).is_ok() {
            assert_eq!(refusal(&folder.file()), "it belongs to user 12345, who may have written anything into it");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_only_its_owner_may_read_it() {
        let folder = Folder::new("replaced");
        assert!(read(&folder.file()).unwrap().is_none());
        for bytes in [&b"first"[..], b"the second"] {
            write(&folder.file(), bytes).unwrap();
            assert_eq!(read(&folder.file()).unwrap().unwrap(), bytes);
        }
        assert_eq!(fs::metadata(folder.file()).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let folder = Folder::new("writable");
        write(&folder.file(), b"bytes").unwrap();
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(refusal(&folder.file()), format!("others may write to it (mode 0{mode:o})"));
        }
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&folder.file()).unwrap().is_some());
    }

    #[test]
    fn a_link_is_refused_and_replaced() {
        let folder = Folder::new("link");
        let target = folder.0.join("target");
        fs::write(&target, "bytes").unwrap();
        symlink(&target, folder.file()).unwrap();
        assert_eq!(refusal(&folder.file()), "it is not a regular file");
        write(&folder.file(), b"own").unwrap();
        assert_eq!((fs::read(&target).unwrap().as_slice(), fs::read(folder.file()).unwrap().as_slice()), (&b"bytes"[..], &b"own"[..]));
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = Folder::new("folder");
        assert_eq!(refusal(&folder.0), "it is not a regular file");
        assert!(write(&folder.0, b"bytes").is_err());
        assert!(write(&folder.0.join("none/file"), b"bytes").is_err());
    }
}
