//! The audit log: transactions as records in ModSecurity v3's formats or as events of OCSF, written to one file or to one file each, or posted to a server.

mod concurrent;
mod json;
mod json_line;
mod native;
mod ocsf;

use super::log_file::LogFile;
use crate::graph::{AuditFormat, AuditType, Settings};
use crate::transaction::{AuditLog, Transaction};
use concurrent::Storage;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Writes transactions as configured.
#[derive(Debug)]
pub struct AuditWriter {
    format: AuditFormat,
    /// The file or server for records, or the index.
    log: Option<Arc<LogFile>>,
    /// The folder for records with a file each.
    storage: Option<Storage>,
}

impl AuditWriter {
    /// Makes the writer for these settings; `None` if they name no destination.
    ///
    /// Files are opened now, so that a process that drops its privileges later can still write. A file that cannot be opened is reported to standard
    /// error and tried again with each record; as in v3 the rules load nevertheless.
    pub fn from_settings(settings: &Settings) -> Option<Self> {
        let concurrent = settings.audit_type == AuditType::Concurrent;
        let second = settings.audit_log_2.as_deref().filter(|_| concurrent);
        let place = second.or(settings.audit_log.as_ref().map(|place| &*place.node));
        #[cfg(feature = "remote")]
        if settings.audit_type == AuditType::Https {
            // JSON in place of the native format, as in v3.
            let format = if settings.audit_format == AuditFormat::Native { AuditFormat::Json } else { settings.audit_format };
            return place.map(|address| Self { format, log: Some(LogFile::server(address)), storage: None });
        }
        let log = place.map(|path| LogFile::ready(Path::new(path), settings.audit_log_mode));
        let storage = concurrent.then(|| Storage::new(settings));
        (log.is_some() || storage.is_some()).then(|| Self { format: settings.audit_format, log, storage })
    }
}

/// Words an exchange as one record of the audit log, with the parts that `SecAuditLogParts` and `ctl:auditLogParts` name. A record in v3's native
/// format is several lines; one in its JSON, or an event of OCSF, is one. Each ends with a line break.
pub fn record(transaction: &Transaction, format: AuditFormat) -> Vec<u8> {
    match format {
        AuditFormat::Native => native::record(transaction),
        AuditFormat::Json => json::record(transaction),
        AuditFormat::Ocsf => ocsf::record(transaction),
    }
}

impl AuditLog for AuditWriter {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        let record = record(transaction, self.format);
        let entry = match &self.storage {
            Some(storage) => storage.write(transaction, &record)?,
            None => record,
        };
        self.log.as_ref().map_or(Ok(()), |log| log.append(&entry))
    }

    fn lost(&self) -> u64 {
        let stored = self.storage.as_ref().map_or(0, Storage::lost);
        stored.saturating_add(self.log.as_ref().map_or(0, |log| log.lost()))
    }
}
