//! Notices: errors of the engine itself, such as a log that cannot be written or a script that failed, for the host's error log.
//!
//! Each cause gives one line, and at most one more each minute, so that requests cannot fill the error log.

use super::Evaluation;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time during which a cause gives no further notice.
const PAUSE: Duration = Duration::from_secs(60);

/// Causes of notices about logs.
const AUDIT_LOG: &str = "audit log";
const DEBUG_LOG: &str = "debug log";
/// Cause of notices about the script host.
const SCRIPT_HOST: &str = "script host";
/// Cause of a notice about a request.
const MASKS: &str = "masks";

/// The causes so far, of all transactions of a rule set. There is at most one for each log and script.
#[derive(Debug, Default)]
pub struct Notices {
    seen: Mutex<HashMap<Box<str>, Seen>>,
    /// Known numbers of lost records of the audit log, and of lost messages of the debug log.
    lost_records: AtomicU64,
    lost_messages: AtomicU64,
    /// Known number of exchanges that the script host did not hear of.
    dropped_exchanges: AtomicU64,
}

#[derive(Debug)]
struct Seen {
    noticed: Instant,
    omitted: u64,
}

impl Notices {
    /// Returns the number of notices of a cause that were left out since the last one, or `None` to leave out this one as well.
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

/// Returns `true` if the number of lost records has grown.
fn more_are_lost(known: &AtomicU64, lost: u64) -> bool {
    lost > 0 && known.fetch_max(lost, Ordering::Relaxed) < lost
}

/// Adds a notice, unless there was one with the same cause within the last minute.
pub fn notice(eval: &mut Evaluation<'_>, cause: &str, text: impl FnOnce() -> String) {
    match eval.services.notices.allow(cause, Instant::now()) {
        Some(0) => eval.state.notices.push(text()),
        Some(omitted) => eval.state.notices.push(format!("{} It happened {omitted} times more since it was last told.", text())),
        None => {}
    }
}

/// Adds a notice about lost messages of the debug log.
pub fn notice_debug_log(eval: &mut Evaluation<'_>) {
    let lost = eval.services.debug_log.as_ref().map_or(0, |log| log.lost());
    if more_are_lost(&eval.services.notices.lost_messages, lost) {
        notice(eval, DEBUG_LOG, || format!("The debug log cannot be written. Messages lost so far: {lost}."));
    }
}

/// Adds a notice about exchanges that the script host did not hear of; `dropped` is their total.
pub fn notice_exchange_log(eval: &mut Evaluation<'_>, dropped: u64) {
    if more_are_lost(&eval.services.notices.dropped_exchanges, dropped) {
        eval.debug(4, || format!("The script host is not connected, or too slow: {dropped} exchanges were dropped so far."));
        notice(eval, SCRIPT_HOST, || {
            format!(
                "Plugins and extensions do not see all requests: the script host is not there, or too slow. Requests dropped so far: {dropped}."
            )
        });
    }
}

/// Adds a notice if logs cannot show anything of the exchange, because it has too many secrets to search for.
pub fn notice_masks(eval: &mut Evaluation<'_>) {
    if eval.state.secrets.as_ref().is_some_and(|secrets| secrets.needles.are_too_many()) {
        notice(eval, MASKS, || {
            "A request has more values to mask than can be searched for, 4096 or 1 MiB of them. Logs show none of its texts.".to_owned()
        });
    }
}

/// Adds a notice about a record that was not written, or others that were lost in the meantime; `lost` is the total.
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
