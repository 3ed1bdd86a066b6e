//! The audit log: decides at the end of a transaction whether it is written down, and hands it over.

use super::Transaction;
use crate::graph::{AuditEngine, LogLetters};
use std::{fmt, io};

/// Receives transactions that are to be written down.
pub trait AuditLog: Send + Sync + fmt::Debug {
    /// Writes a transaction down, with the parts that [`Transaction::audit_parts`] names. It neither waits for a reader nor panics: an error
    /// names the file or folder, goes to the debug log and to [`Transaction::notices`], and the request goes on.
    fn write(&self, transaction: &Transaction) -> io::Result<()>;

    /// How many records were lost so far, of this process: those that could not be written, or that a server did not take.
    fn lost(&self) -> u64;
}

impl Transaction {
    /// Whether the audit log takes the transaction in, as it stands now.
    ///
    /// With `RelevantOnly` those are taken in whose status the settings name, or that a rule matched which is not exempt from the audit log.
    pub fn is_audited(&self) -> bool {
        match self.audit_engine() {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => self.has_relevant_status() || self.matches.iter().any(|found| found.audits),
        }
    }

    /// Writes the transaction down, if that is what is wanted.
    pub(super) fn write_audit_log(&mut self) {
        self.debug(8, || "Checking if this request is suitable to be saved as an audit log.".to_owned());
        if self.overrides.audit_parts.is_some() {
            self.debug(4, || "There was an audit log modifier for this transaction.".to_owned());
            self.debug(7, || format!("AuditLog parts before modification(s): {}.", number(self.configured_audit_parts())));
        }
        self.debug(8, || "Checking if this request is relevant to be part of the audit logs.".to_owned());
        if self.audit_engine() == AuditEngine::Off {
            self.debug(5, || "Audit log engine was not set.".to_owned());
        } else if !self.is_audited() {
            return self.debug(9, || {
                let relevant = self.ground.graph.settings.audit_relevant_status.as_ref().map_or(&b""[..], |pattern| pattern.source());
                let (status, relevant) = (self.status(), String::from_utf8_lossy(relevant));
                format!("Return code `{status}' is not interesting to audit logs, relevant code(s): `{relevant}'.")
            });
        } else {
            self.debug(5, || "Saving this request as part of the audit logs.".to_owned());
            let written = self.ground.audit_log.as_ref().map_or(Ok(()), |log| log.write(self));
            self.notice_audit_log(written.as_ref().err());
            if let Err(error) = written {
                return self.debug(1, || format!("Cannot save the audit log: {error}"));
            }
        }
        self.debug(8, || format!("Request was relevant to be saved. Parts: {}", number(self.audit_parts())));
    }

    fn has_relevant_status(&self) -> bool {
        let relevant = self.ground.graph.settings.audit_relevant_status.as_ref();
        relevant.is_some_and(|pattern| {
            pattern.is_match(self.status().to_string().as_bytes(), &mut crate::pattern::Effort::default()).unwrap_or(false)
        })
    }
}

/// The parts as ModSecurity v3 counts them in its debug log: a bit for each letter, A being the second and Z the thirteenth.
fn number(parts: LogLetters) -> u32 {
    ('A'..='K').chain(['Z']).zip(1..).filter(|(letter, _)| parts.contains(*letter)).map(|(_, bit)| 1 << bit).sum()
}
