//! Uploaded files on disk, if the settings ask for them.

use super::Clock;
use crate::graph::{KeepFiles, Settings};
use crate::random::unique_number;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Maximum length of a transaction's id in a file name, in bytes: file systems allow 255 bytes for a name.
const MAX_ID_LENGTH: usize = 128;

/// Maximum number of names that are tried for one file.
const NAMES_TRIED: u32 = 16;

/// Files of a transaction. Those that are not kept are deleted at its end.
#[derive(Debug, Default)]
pub struct Uploads {
    written: Vec<PathBuf>,
    keep: bool,
}

impl Uploads {
    /// Writes a file, and returns its path. As in ModSecurity v3, its name consists of time, transaction and random letters.
    ///
    /// # Errors
    ///
    /// If the file cannot be made, or not be written completely. It is deleted then.
    pub fn write(&mut self, settings: &Settings, clock: &Clock, transaction: &str, content: &[u8]) -> io::Result<PathBuf> {
        self.keep = settings.upload_keep_files == KeepFiles::On;
        let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        let letters = transaction.chars().map(|letter| if is_plain(&letter) { letter } else { '_' });
        let plain: String = letters.take(MAX_ID_LENGTH).collect();
        let stem = format!("{}-{plain}-file", clock.file_stamp());
        let path = write_new(&settings.upload_folder, &stem, settings.upload_file_mode, content)?;
        self.written.push(path.clone());
        Ok(path)
    }

    /// Keeps the files of a relevant transaction.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if !self.keep {
            for path in &self.written {
                // If another process has deleted it, there is nothing left to do.
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn write_new(folder: &Path, stem: &str, mode: u32, content: &[u8]) -> io::Result<PathBuf> {
    let mut tried = 0;
    loop {
        let path = folder.join(format!("{stem}-{:06x}", unique_number() & 0xff_ffff));
        match create_new(&path, mode) {
            Ok(mut file) => {
                let written = file.write_all(content);
                drop(file);
                if written.is_err() {
                    // If it cannot be deleted either, the first error is returned all the same.
                    let _ = fs::remove_file(&path);
                }
                return written.map(|()| path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < NAMES_TRIED => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

fn create_new(path: &Path, mode: u32) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}
