//! Opens the logs that rules name.

use crate::compile::{LoadError, LoadReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::exchange::ExchangeLog;
#[cfg(all(unix, feature = "lua"))]
use crate::exchange::Link;
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

/// Returns the link to the script host that the settings name, if they have scripts for it. It opens nothing: a server may load rules and then fork.
#[cfg(all(unix, feature = "lua"))]
pub fn exchange_log(settings: &Settings) -> Option<Arc<dyn ExchangeLog>> {
    let path = settings.plugin_host.as_deref().filter(|_| settings.worlds.have_scripts())?;
    Some(Link::shared(path))
}

/// Scripts and their host need Lua and Unix sockets.
#[cfg(not(all(unix, feature = "lua")))]
pub fn exchange_log(_: &Settings) -> Option<Arc<dyn ExchangeLog>> {
    None
}

/// Opens the audit log that the settings name.
pub fn audit_log(settings: &Settings) -> Option<Arc<dyn AuditLog>> {
    AuditWriter::from_settings(settings).map(|writer| Arc::new(writer) as Arc<dyn AuditLog>)
}
