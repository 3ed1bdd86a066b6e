//! `@detectSQLi` and `@detectXSS`, by the grammar and fingerprints of libinjection.
//!
//! The crate `libinjectionrs` translates the same library. The tests ask it about generated statements and pages; it is not used here, since it takes 3 to
//! 15 times as long, reads some keywords otherwise than libmodsecurity's library does, and looks at values that are one word. `ARCHITECTURE.md` has the figures.

mod html;
mod sql;
#[cfg(test)]
mod tests;

use super::findings::{Findings, Wanted};

/// Returns `true` if the input looks like SQL injection; captures its fingerprint.
pub(super) fn sql(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let Some(fingerprint) = sql::injection(input) else { return false };
    if wanted == Wanted::Findings {
        findings.capture_text(fingerprint.letters());
    }
    true
}

/// Returns `true` if the input looks like cross-site scripting; captures the input.
pub(super) fn cross_site_scripting(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    if !html::is_attack(input) {
        return false;
    }
    if wanted == Wanted::Findings {
        findings.capture(0, 0..input.len());
    }
    true
}
