//! One file for each transaction, and a line about it for the index.

use super::native::MOMENT;
use crate::escape::{legible, legible_quoted, legible_word};
use crate::graph::Settings;
use crate::random::unique_number;
use crate::record::failures::Failures;
use crate::record::log_file::{create_options, named};
use crate::record::masked::MaskedExchange;
use crate::transaction::Transaction;
use chrono::{DateTime, Local};
use md5::{Digest as _, Md5};
use std::borrow::Cow;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum length of an id in a file name, in bytes; file systems allow 255 for the whole name.
const MAX_ID: usize = 200;

/// Number of other names that are tried if a file of the same name exists.
const TRIES: usize = 4;

/// A folder of records: `YYYYMMDD/YYYYMMDD-HHMM/YYYYMMDD-HHMMSS-<unique id>`.
///
/// A record never overwrites another one and never follows a link: a second one with the same id and second gets a number after its name.
#[derive(Debug)]
pub struct Storage {
    folder: Option<PathBuf>,
    failures: Arc<Failures>,
    folder_mode: u32,
    file_mode: u32,
}

impl Storage {
    /// Makes the storage for these settings.
    pub fn new(settings: &Settings) -> Self {
        let folder = settings.audit_storage_folder.clone();
        Self {
            failures: Failures::of_folder(folder.as_deref().unwrap_or(Path::new(""))),
            folder,
            folder_mode: settings.audit_folder_mode,
            file_mode: settings.audit_file_mode,
        }
    }

    /// Writes a record to its file, and returns the line for the index.
    ///
    /// # Errors
    ///
    /// Names the folder or file that cannot be written. The record is lost and counted.
    pub fn write(&self, transaction: &Transaction, record: &[u8]) -> io::Result<Vec<u8>> {
        let written = self.write_file(transaction, record);
        if let Err(error) = &written {
            self.failures.lost(error);
        }
        written.map(|path| index_line(transaction, &path, record))
    }

    /// Returns the number of lost records.
    pub fn lost(&self) -> u64 {
        self.failures.count()
    }

    fn write_file(&self, transaction: &Transaction, record: &[u8]) -> io::Result<PathBuf> {
        let folder = self.folder.as_ref().ok_or_else(|| io::Error::other("Log path is not valid."))?;
        let began = DateTime::<Local>::from(transaction.began());
        let folder = folder.join(began.format("%Y%m%d").to_string()).join(began.format("%Y%m%d-%H%M").to_string());
        self.make(&folder).map_err(|error| named(&folder, &error))?;
        let path = folder.join(format!("{}-{}", began.format("%Y%m%d-%H%M%S"), file_name(&transaction.id())));
        let (path, mut file) = self.create(path)?;
        file.write_all(record).map_err(|error| {
            // A partial record is removed, if possible.
            let _ = fs::remove_file(&path);
            named(&path, &error)
        })?;
        Ok(path)
    }

    /// Creates the file of a record. If its name exists, an unpredictable number is added.
    fn create(&self, path: PathBuf) -> io::Result<(PathBuf, File)> {
        let mut free = path.clone();
        let mut tries = 0;
        loop {
            match create_options(self.file_mode).open(&free) {
                Ok(file) => return Ok((free, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {
                    tries += 1;
                    let number = unique_number();
                    free = path.clone();
                    free.as_mut_os_string().push(format!("-{:08x}", number >> 32));
                }
                Err(error) => return Err(named(&free, &error)),
            }
        }
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, self.folder_mode);
        builder.create(folder)
    }
}

/// Returns an id as a file name: characters that could lead out of the folder are replaced. A long id is cut and followed by its digest, to
/// distinguish it from others with the same start.
fn file_name(id: &str) -> String {
    let mut name: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    if name.len() > MAX_ID {
        let digest = digest(id.as_bytes());
        name.truncate(MAX_ID.saturating_sub(digest.len()).saturating_sub(1));
        name = format!("{name}-{digest}");
    }
    name
}

/// Returns the MD5 digest in hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the line of the index, in the order of ModSecurity v3; missing values are `-`. No value of the request can end its field or the line.
fn index_line(transaction: &Transaction, path: &Path, record: &[u8]) -> Vec<u8> {
    let masked = MaskedExchange::new(transaction);
    let header = |name: &str| {
        let found = masked.request_headers().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        found.map_or(Cow::Borrowed(&b""[..]), |(_, value)| value)
    };
    let referer = word(dashed(&header("Referer")));
    let mut agent = Vec::new();
    legible_quoted(dashed(&header("User-Agent")), &mut agent);
    let request = [transaction.method(), &masked.target(), transaction.protocol()].map(word).join(&b' ');
    let mut place = Vec::new();
    legible(path.as_os_str().as_encoded_bytes(), &mut place);
    let mut line = [
        &*word(dashed(&header("Host"))),
        &word(dashed(transaction.client_address())),
        &word(dashed(&masked.remote_user().unwrap_or_default())),
        DateTime::<Local>::from(transaction.began()).format(MOMENT).to_string().as_bytes(),
        &[b"\"", &*request, b"\""].concat(),
        transaction.status().to_string().as_bytes(),
        transaction.response_body_bytes().len().to_string().as_bytes(),
        &referer,
        &[b"\"", &*agent, b"\""].concat(),
        &word(transaction.id().as_bytes()),
        &referer,
        &place,
        b"0",
        format!("{}.000000", record.len()).as_bytes(),
        format!("md5:{}", digest(record)).as_bytes(),
    ]
    .join(&b' ');
    line.push(b'\n');
    line
}

fn word(value: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(value.len());
    legible_word(value, &mut word);
    word
}

fn dashed(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}
