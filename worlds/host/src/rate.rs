//! How many things may happen in a second.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Counts what happens, and what is too much.
#[derive(Debug)]
pub struct Rate {
    limit: usize,
    began: Instant,
    count: usize,
    beyond: u64,
}

impl Rate {
    /// Allows this number in a second.
    pub fn new(limit: usize) -> Self {
        Self { limit, began: Instant::now(), count: 0, beyond: 0 }
    }

    /// Returns how many were too many in a second that has ended; `None` if none were, or it has not ended.
    pub fn ended(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.began) < SECOND {
            return None;
        }
        (self.began, self.count) = (now, 0);
        Some(std::mem::take(&mut self.beyond)).filter(|beyond| *beyond > 0)
    }

    /// Counts one more. Returns `true` if it may happen, and what [`ended`](Self::ended) does.
    pub fn count(&mut self, now: Instant) -> (bool, Option<u64>) {
        let ended = self.ended(now);
        let may = self.count < self.limit;
        if may {
            self.count = self.count.saturating_add(1);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        (may, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_reported_when_the_second_is_over() {
        let start = Instant::now();
        let mut rate = Rate { began: start, ..Rate::new(2) };
        let counted: Vec<_> = (0..4).map(|_| rate.count(start)).collect();
        assert_eq!(counted, [(true, None), (true, None), (false, None), (false, None)]);
        assert_eq!(rate.count(start + SECOND), (true, Some(2)));
        assert_eq!(rate.count(start + SECOND * 3), (true, None));
        let counted: Vec<_> = (0..3).map(|_| rate.count(start + SECOND * 3)).collect();
        assert_eq!(counted, [(true, None), (false, None), (false, None)]);
        assert_eq!((rate.ended(start + SECOND * 3), rate.ended(start + SECOND * 4), rate.ended(start + SECOND * 5)), (None, Some(2), None));
    }
}
