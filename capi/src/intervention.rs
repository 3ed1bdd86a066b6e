//! `msc_intervention`: the decision that a host reads.

use super::convert::{copy_for_host, guarded, release};
use super::transaction::Transaction;
use secrule::Intervention;
use secrule::internals::record::error_log;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

/// A decision, in the layout of ModSecurity v3. The host sets it to 200, 0, NULL, NULL, 0 before the call.
#[repr(C)]
pub struct ModSecurityIntervention {
    /// The status of the answer; 200 if the request passes.
    pub status: c_int,
    /// Never used: 0.
    pub pause: c_int,
    /// The redirect address, or NULL. The host releases it.
    pub url: *mut c_char,
    /// The line for the log, or NULL. The host releases it.
    pub log: *mut c_char,
    /// 1 if the host must stop the request.
    pub disruptive: c_int,
}

/// Takes the pending decision: returns 1 and the decision, or 0 if there is none. A decision is returned once.
///
/// # Safety
///
/// `transaction` is NULL or from `msc_new_transaction`; `intervention` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_intervention(transaction: *mut Transaction, intervention: *mut ModSecurityIntervention) -> c_int {
    guarded(0, || {
        // SAFETY: as the caller promises.
        let Some(transaction) = (unsafe { transaction.as_ref() }) else { return 0 };
        if intervention.is_null() {
            return 0;
        }
        let decision = transaction.take_intervention(|transaction, decision| {
            let line = error_log::intervention(transaction, &decision);
            in_c(&decision, &line)
        });
        let Some(decision) = decision else { return 0 };
        // SAFETY: the caller promises that it may be written. Its old content is the host's.
        unsafe { intervention.write(decision) };
        1
    })
}

/// Releases the texts of a decision that the host has read.
///
/// # Safety
///
/// `intervention` is NULL or was filled by [`msc_intervention`], its texts not released yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_intervention_cleanup(intervention: *mut ModSecurityIntervention) {
    guarded((), || {
        // SAFETY: as the caller promises.
        let Some(intervention) = (unsafe { intervention.as_mut() }) else { return };
        for text in [&mut intervention.url, &mut intervention.log] {
            // SAFETY: both came from `copy_for_host`; they are NULL afterwards, so that they are released once.
            unsafe { release(std::mem::replace(text, null_mut()).cast()) };
        }
    });
}

fn in_c(decision: &Intervention, line: &str) -> ModSecurityIntervention {
    let status = decision.status().to_string();
    ModSecurityIntervention {
        status: c_int::from(decision.status()),
        pause: 0,
        url: decision.location().map_or(null_mut(), |address| copy_for_host(address.as_bytes())),
        // As in ModSecurity v3, every `%d` in the line becomes the status.
        log: copy_for_host(line.replace("%d", &status).as_bytes()),
        disruptive: 1,
    }
}
