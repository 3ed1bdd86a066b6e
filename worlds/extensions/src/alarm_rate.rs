//! How many alarms an extension may send.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of alarms of an extension within this time.
pub const MAX_ALARMS: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// The times of the last alarms of an extension.
#[derive(Debug, Default)]
pub struct AlarmRate(Mutex<VecDeque<Instant>>);

impl AlarmRate {
    /// Returns `true` if an alarm may be sent now, and counts it.
    pub fn count(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while last.front().is_some_and(|time| now.saturating_duration_since(*time) >= MINUTE) {
            last.pop_front();
        }
        let may = last.len() < MAX_ALARMS;
        if may {
            last.push_back(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_alarms_pass_in_any_minute() {
        let (rate, start) = (AlarmRate::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!((0..10).all(|second| rate.count(at(second))));
        assert!(!rate.count(at(59)));
        assert!(rate.count(at(60)) && !rate.count(at(60)) && rate.count(at(61)));
    }
}
