//! A file for each transaction, and a line about it for the index.

use super::native::MOMENT;
use crate::graph::Settings;
use crate::record::log_file::create_options;
use crate::transaction::Transaction;
use crate::transaction::escape::legible;
use md5::{Digest as _, Md5};
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// `SecAuditLogDirMode` and `SecAuditLogFileMode` where nothing is set, as in ModSecurity v3.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// A folder of records: `YYYYMMDD/YYYYMMDD-HHMM/YYYYMMDD-HHMMSS-<unique id>`.
#[derive(Debug)]
pub struct Storage {
    folder: Option<PathBuf>,
    folder_mode: u32,
    file_mode: u32,
}

impl Storage {
    /// The storage that the settings ask for.
    pub fn new(settings: &Settings) -> Self {
        Self {
            folder: settings.audit_storage_folder.as_deref().map(PathBuf::from),
            folder_mode: settings.audit_folder_mode.unwrap_or(FOLDER_MODE),
            file_mode: settings.audit_file_mode.unwrap_or(FILE_MODE),
        }
    }

    /// Writes a record to its file. Gives the line of the index.
    pub fn write(&self, transaction: &Transaction, record: &[u8]) -> io::Result<Vec<u8>> {
        let folder = self.folder.as_ref().ok_or_else(|| io::Error::other("Log path is not valid."))?;
        let began = transaction.began();
        let folder = folder.join(began.format("%Y%m%d").to_string()).join(began.format("%Y%m%d-%H%M").to_string());
        self.make(&folder)?;
        let path = folder.join(format!("{}-{}", began.format("%Y%m%d-%H%M%S"), file_name(&transaction.id())));
        create_options(self.file_mode).open(&path)?.write_all(record)?;
        Ok(index_line(transaction, &path, record))
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

/// An id as a name for a file: what could lead out of the folder is replaced.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect()
}

/// The line of the index, in the order of ModSecurity v3; what is missing is `-`. Control characters are written as `\xHH`.
fn index_line(transaction: &Transaction, path: &Path, record: &[u8]) -> Vec<u8> {
    let header = |name: &str| {
        let found = transaction.request_headers().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        dashed(found.map_or(&b""[..], |(_, value)| value))
    };
    let referer = header("Referer");
    let digest: String = Md5::digest(record).iter().map(|byte| format!("{byte:02x}")).collect();
    let words = [
        header("Host"),
        dashed(transaction.client_address()),
        dashed(transaction.remote_user().unwrap_or_default()),
        transaction.began().format(MOMENT).to_string().as_bytes(),
        &[b"\"", transaction.method(), b" ", transaction.target(), b" ", transaction.protocol(), b"\""].concat(),
        transaction.status().to_string().as_bytes(),
        transaction.response_body().len().to_string().as_bytes(),
        referer,
        &[b"\"", header("User-Agent"), b"\""].concat(),
        transaction.id().as_bytes(),
        referer,
        path.as_os_str().as_encoded_bytes(),
        b"0",
        format!("{}.000000", record.len()).as_bytes(),
        format!("md5:{digest}").as_bytes(),
    ]
    .join(&b' ');
    let mut line = Vec::with_capacity(words.len() + 1);
    legible(&words, &mut line);
    line.push(b'\n');
    line
}

fn dashed(text: &[u8]) -> &[u8] {
    if text.is_empty() { b"-" } else { text }
}
