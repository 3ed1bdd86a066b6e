//! Time limits of waits: as the script says, and never longer than its call may take.

use crate::lua::budget::{Budget, Excess};
use crate::lua::strings::stopped;
use mlua::Result;
use std::time::{Duration, Instant};

/// Minimum wait: less would mean no limit to the system.
const SHORTEST: Duration = Duration::from_micros(1);

/// Time limits of one operation, which may wait several times.
pub struct Waits<'a> {
    budget: &'a Budget,
    /// Maximum of a single wait.
    each: Option<Duration>,
    /// End of all waits.
    until: Option<Instant>,
}

/// A wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Maximum time; never zero.
    pub limit: Duration,
    /// `true` if the script set this limit: at its end the script gets an error. Otherwise the call ends.
    pub is_own: bool,
}

impl<'a> Waits<'a> {
    /// Makes limits in seconds; negative means none.
    pub fn new(budget: &'a Budget, each: f64, all: f64) -> Self {
        let until = seconds(all).map(|all| Instant::now().checked_add(all).unwrap_or_else(Instant::now));
        Self { budget, each: seconds(each), until }
    }

    /// Returns the next wait.
    ///
    /// # Errors
    /// If the call's time is over.
    pub fn next(&self) -> Result<Wait> {
        self.budget.check().map_err(stopped)?;
        let left = self.budget.time_left();
        if left.is_zero() {
            return Err(stopped(self.budget.exceed(Excess::Time)));
        }
        let until = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let own = self.each.into_iter().chain(until).min();
        Ok(match own {
            Some(own) if own < left => Wait { limit: own.max(SHORTEST), is_own: true },
            _ => Wait { limit: left, is_own: false },
        })
    }
}

/// Converts a number of seconds from a script.
pub fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}
