//! The library's handle: its name, the host's name, and the host's log callback.

use super::convert::{from_raw, guarded, into_raw, string};
use secrule::Transaction;
use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, PoisonError, RwLock};

/// Receives a line for the host's log: the data of the transaction, and the line as a NUL-terminated string.
pub type ModSecLogCb = unsafe extern "C" fn(data: *mut c_void, line: *const c_void);

/// The handle of `msc_init`.
pub struct ModSecurity {
    /// Shared with the transactions.
    pub host: Arc<Host>,
}

/// Data of the host; transactions share them, so that they outlive the handle.
#[derive(Default)]
pub struct Host {
    log: RwLock<Option<ModSecLogCb>>,
    connector: RwLock<Vec<u8>>,
}

impl Host {
    /// Returns the log callback, if one is set.
    pub fn log(&self) -> Option<ModSecLogCb> {
        *self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the host's name to a transaction.
    pub fn introduce(&self, transaction: &mut Transaction) {
        let connector = self.connector.read().unwrap_or_else(PoisonError::into_inner);
        if !connector.is_empty() {
            transaction.set_connector(&connector);
        }
    }
}

/// The text of `msc_who_am_i`. Hosts print it, and some check it for the version of libmodsecurity.
const WHO_AM_I: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!("secrule ", env!("CARGO_PKG_VERSION"), " (ModSecurity v3.0.13 compatible)\0").as_bytes(),
) {
    Ok(text) => text,
    Err(_) => c"secrule",
};

/// Creates a handle of the library. Released with [`msc_cleanup`].
#[unsafe(no_mangle)]
pub extern "C" fn msc_init() -> *mut ModSecurity {
    guarded(std::ptr::null_mut(), || into_raw(ModSecurity { host: Arc::default() }))
}

/// Returns name and version; the text is static.
#[unsafe(no_mangle)]
pub extern "C" fn msc_who_am_i(_engine: *mut ModSecurity) -> *const c_char {
    WHO_AM_I.as_ptr()
}

/// Sets the host's name, for the audit log.
///
/// # Safety
///
/// `engine` is NULL or from [`msc_init`]; `connector` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_connector_info(engine: *mut ModSecurity, connector: *const c_char) {
    guarded((), || {
        // SAFETY: as the caller promises.
        let (engine, connector) = unsafe { (engine.as_ref(), string(connector)) };
        if let Some(engine) = engine {
            *engine.host.connector.write().unwrap_or_else(PoisonError::into_inner) = connector.to_vec();
        }
    });
}

/// Sets the log callback; NULL for none. Running transactions use the new one.
///
/// # Safety
///
/// `engine` is NULL or from [`msc_init`]; `callback` may be called from every thread that calls the library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_log_cb(engine: *mut ModSecurity, callback: Option<ModSecLogCb>) {
    guarded((), || {
        // SAFETY: as the caller promises.
        if let Some(engine) = unsafe { engine.as_ref() } {
            *engine.host.log.write().unwrap_or_else(PoisonError::into_inner) = callback;
        }
    });
}

/// Releases a handle of the library. Running transactions keep what they need.
///
/// # Safety
///
/// `engine` is NULL, or from [`msc_init`] and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_cleanup(engine: *mut ModSecurity) {
    guarded((), || {
        // SAFETY: as the caller promises.
        drop(unsafe { from_raw(engine) });
    });
}

/// Passes a line to the host's log.
pub fn report(callback: ModSecLogCb, data: *mut c_void, line: &str) {
    // A line never contains a NUL: the error log escapes such bytes.
    let Ok(line) = CString::new(line) else { return };
    // SAFETY: the host set the callback and the data for this; the line lives until the callback returns.
    unsafe { callback(data, line.as_ptr().cast()) }
}
