//! Opens the logs that rules name.

use crate::compile::{LoadError, LoadReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Settings;
use crate::record::audit::AuditWriter;
use crate::record::debug_log::DebugFile;
use crate::state::DebugLog;
use crate::transaction::AuditLog;
use std::path::Path;
use std::sync::Arc;

/// Opens the debug log that the settings name. An error is placed at the directive that names it.
pub fn debug_log(settings: &Settings, report: &LoadReport) -> Result<Option<Arc<dyn DebugLog>>, LoadError> {
    let Some(path) = &settings.debug_log else { return Ok(None) };
    match DebugFile::open(Path::new(&*path.node), settings.debug_log_level) {
        Ok(log) => Ok(Some(Arc::new(log))),
        Err(error) => {
            let message = format!("the debug log `{}` cannot be opened: {error}", path.node);
            Err(report.clone().refuse(Diagnostic::new(Code::BadDirectiveFile, path.span, message)))
        }
    }
}

/// Opens the audit log that the settings name.
pub fn audit_log(settings: &Settings) -> Option<Arc<dyn AuditLog>> {
    AuditWriter::from_settings(settings).map(|writer| Arc::new(writer) as Arc<dyn AuditLog>)
}
