//! The debug log as a file: one line for each message, in the layout of ModSecurity v3.

use super::log_file::LogFile;
use crate::state::DebugLog;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

/// Mode of a new file, as in v3; the umask applies.
const FILE_MODE: u32 = 0o644;

/// Appends messages to a file: `[<unique id>] [<target>] [<level>] <message>`.
///
/// Each line is in the file when the call returns, so that it is not lost with the process. Messages are escaped; v3 writes raw bytes.
#[derive(Debug)]
pub struct DebugFile {
    level: u8,
    file: Arc<LogFile>,
}

impl DebugFile {
    /// Opens a file, and creates it if it does not exist.
    pub fn open(path: &Path, level: u8) -> io::Result<Self> {
        Ok(Self { level, file: LogFile::open(path, FILE_MODE)? })
    }
}

impl DebugLog for DebugFile {
    fn level(&self) -> u8 {
        self.level
    }

    fn write(&self, level: u8, transaction: &str, target: &[u8], message: &str) {
        let mut line = Vec::with_capacity(transaction.len() + target.len() + message.len() + 16);
        let _ = write!(line, "[{transaction}] [");
        line.extend_from_slice(target);
        let _ = write!(line, "] [{level}] ");
        line.extend_from_slice(message.as_bytes());
        line.push(b'\n');
        // A write error is reported once, and fails no request.
        let _ = self.file.append(&line);
    }

    fn lost(&self) -> u64 {
        self.file.lost()
    }
}
