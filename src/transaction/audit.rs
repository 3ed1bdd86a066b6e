//! The audit log: decides at the end of a transaction if it is logged, and writes its record.

use super::Transaction;
use crate::engine::{Evaluation, notice_audit_log};
use crate::graph::{AuditEngine, LogLetters};
use std::{fmt, io};

/// Receives the exchanges that `SecAuditEngine` and related directives select for the audit log.
///
/// It is called once for each, after phase 5, on the thread of the request.
pub trait AuditLog: Send + Sync + fmt::Debug {
    /// Writes the record of an exchange. [`audit_record`](crate::audit_record) formats it in one of ModSecurity v3's formats.
    ///
    /// # Errors
    /// The reason why the record was not written. It is reported to the debug log and by [`Outcome::notices`](super::Outcome::notices), and the
    /// exchange continues.
    fn write(&self, transaction: &Transaction) -> io::Result<()>;

    /// Returns the number of records that this process lost so far.
    fn lost(&self) -> u64 {
        0
    }
}

/// Writes the record of a transaction, if the settings ask for it.
pub fn write(transaction: &mut Transaction) {
    debug(transaction, 8, |_| "Checking if this request is suitable to be saved as an audit log.".to_owned());
    if transaction.state.overrides.audit_parts.is_some() {
        debug(transaction, 4, |_| "There was an audit log modifier for this transaction.".to_owned());
        debug(transaction, 7, |eval| format!("AuditLog parts before modification(s): {}.", number(eval.rules.settings.audit_parts)));
    }
    debug(transaction, 8, |_| "Checking if this request is relevant to be part of the audit logs.".to_owned());
    if transaction.audit_engine() == AuditEngine::Off {
        debug(transaction, 5, |_| "Audit log engine was not set.".to_owned());
    } else if !transaction.is_audited() {
        let status = transaction.status();
        return debug(transaction, 9, |eval| {
            let relevant = eval.rules.settings.audit_relevant_status.as_ref().map_or(&b""[..], |pattern| pattern.source());
            let relevant = String::from_utf8_lossy(relevant);
            format!("Return code `{status}' is not interesting to audit logs, relevant code(s): `{relevant}'.")
        });
    } else {
        debug(transaction, 5, |_| "Saving this request as part of the audit logs.".to_owned());
        let log = transaction.shared.audit_log.clone();
        let written = log.as_ref().map_or(Ok(()), |log| log.write(transaction));
        let lost = log.as_ref().map_or(0, |log| log.lost());
        notice_audit_log(&mut transaction.evaluation(), written.as_ref().err(), lost);
        if let Err(error) = written {
            return debug(transaction, 1, |_| format!("Cannot save the audit log: {error}"));
        }
    }
    debug(transaction, 8, |eval| format!("Request was relevant to be saved. Parts: {}", number(eval.audit_parts())));
}

fn debug(transaction: &mut Transaction, level: u8, message: impl FnOnce(&Evaluation<'_>) -> String) {
    let evaluation = transaction.evaluation();
    evaluation.debug(level, || message(&evaluation));
}

/// Returns `true` if the settings name the status of the response as relevant.
pub fn has_relevant_status(transaction: &Transaction) -> bool {
    let relevant = transaction.shared.graph.settings.audit_relevant_status.as_ref();
    relevant.is_some_and(|pattern| {
        pattern.is_match(transaction.status().to_string().as_bytes(), &mut crate::pattern::Effort::default()).unwrap_or(false)
    })
}

/// Returns the parts as ModSecurity v3 counts them in its debug log: a bit for each letter, A the second and Z the thirteenth.
fn number(parts: LogLetters) -> u32 {
    ('A'..='K').chain(['Z']).zip(1..).filter(|(letter, _)| parts.contains(*letter)).map(|(_, bit)| 1 << bit).sum()
}
