//! Notices: what went wrong in the engine itself, such as a log that cannot be written or a script that failed, for the host's error log.
//!
//! Each cause has one line, and another one after a minute if it goes on: requests cannot fill the error log with them.

use super::Evaluation;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a cause is left out after it was noticed.
const PAUSE: Duration = Duration::from_secs(60);

/// The causes of what is wrong with logs.
const AUDIT_LOG: &str = "audit log";
const DEBUG_LOG: &str = "debug log";

/// The causes that were noticed, of all transactions of a rule set. There are no more of them than logs and scripts.
#[derive(Debug, Default)]
pub struct Notices {
    seen: Mutex<HashMap<Box<str>, Seen>>,
    /// How many records of the audit log were known to be lost, and how many messages of the debug log.
    lost_records: AtomicU64,
    lost_messages: AtomicU64,
}

#[derive(Debug)]
struct Seen {
    noticed: Instant,
    omitted: u64,
}

impl Notices {
    /// Returns how many notices of a cause were left out since the last one, or `None` if this one is to be left out as well.
    fn allow(&self, cause: &str, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(cause) {
            Some(known) if now.saturating_duration_since(known.noticed) < PAUSE => {
                known.omitted = known.omitted.saturating_add(1);
                None
            }
            Some(known) => Some(std::mem::replace(known, Seen { noticed: now, omitted: 0 }).omitted),
            None => {
                seen.insert(cause.into(), Seen { noticed: now, omitted: 0 });
                Some(0)
            }
        }
    }
}

/// Returns `true` if more are lost than were known to be.
fn more_are_lost(known: &AtomicU64, lost: u64) -> bool {
    lost > 0 && known.fetch_max(lost, Ordering::Relaxed) < lost
}

/// Notices that something went wrong, unless its cause was noticed within the last minute.
pub fn notice(eval: &mut Evaluation<'_>, cause: &str, text: impl FnOnce() -> String) {
    match eval.services.notices.allow(cause, Instant::now()) {
        Some(0) => eval.state.notices.push(text()),
        Some(omitted) => eval.state.notices.push(format!("{} It happened {omitted} times more since it was last told.", text())),
        None => {}
    }
}

/// Notices that messages of the debug log were lost.
pub fn notice_debug_log(eval: &mut Evaluation<'_>) {
    let lost = eval.services.debug_log.as_ref().map_or(0, |log| log.lost());
    if more_are_lost(&eval.services.notices.lost_messages, lost) {
        notice(eval, DEBUG_LOG, || format!("The debug log cannot be written. Messages lost so far: {lost}."));
    }
}

/// Notices that a record was not written, or that others were lost meanwhile; `lost` is how many are so far.
pub fn notice_audit_log(eval: &mut Evaluation<'_>, error: Option<&std::io::Error>, lost: u64) {
    if more_are_lost(&eval.services.notices.lost_records, lost) || error.is_some() {
        let reason = error.map_or_else(|| "its records are not taken".to_owned(), ToString::to_string);
        notice(eval, AUDIT_LOG, || format!("The audit log cannot be written: {reason}. Records lost so far: {lost}."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_noticed_once_a_minute_with_the_number_of_those_left_out() {
        let (notices, start) = (Notices::default(), Instant::now());
        assert_eq!(notices.allow("a", start), Some(0));
        assert_eq!(notices.allow("b", start), Some(0));
        assert_eq!((notices.allow("a", start), notices.allow("a", start + PAUSE / 2)), (None, None));
        assert_eq!(notices.allow("a", start + PAUSE), Some(2));
        assert_eq!(notices.allow("a", start + PAUSE * 2), Some(0));
    }
}
