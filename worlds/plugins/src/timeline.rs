//! Seconds that never go back, from a clock that may.

/// Maximum difference to the newest second, in seconds, that is lateness: beyond it the clock was set back.
const MAX_LATENESS: u64 = 60;

/// Maximum second that a clock may tell: the year 36812.
const MAX_SECOND: u64 = 1 << 40;

/// Turns seconds of a clock into seconds that never go back.
///
/// A late second counts in the newest second. When the clock was set back, time goes on from the newest second, so that what was counted stays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timeline {
    newest: u64,
    shift: u64,
}

impl Timeline {
    /// Returns the second that this second of the clock is: the newest one, or a later one.
    pub fn at(&mut self, second: u64) -> u64 {
        let second = second.min(MAX_SECOND);
        let shifted = second.saturating_add(self.shift);
        if shifted.saturating_add(MAX_LATENESS) < self.newest {
            self.shift = self.newest.saturating_sub(second);
        }
        self.newest = self.newest.max(second.saturating_add(self.shift));
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_in_the_newest_second() {
        let mut timeline = Timeline::default();
        assert_eq!([1_000, 999, 940, 1_001].map(|second| timeline.at(second)), [1_000, 1_000, 1_000, 1_001]);
    }

    #[test]
    fn time_goes_on_from_the_newest_second_when_the_clock_is_set_back() {
        let mut timeline = Timeline::default();
        assert_eq!([10_000, 6_400, 6_401, 6_400, 6_402].map(|second| timeline.at(second)), [10_000, 10_000, 10_001, 10_001, 10_002]);
    }

    #[test]
    fn a_clock_that_jumps_to_any_second_does_not_stop_time() {
        let mut timeline = Timeline::default();
        let wrong = timeline.at(u64::MAX);
        assert_eq!([0, 1, 2].map(|second| timeline.at(second) - wrong), [0, 1, 2]);
    }
}
