//! How long something may wait: as the script says, and never longer than its call may take.

use crate::lua::budget::{Budget, Excess};
use crate::lua::strings::stopped;
use mlua::Result;
use std::time::{Duration, Instant};

/// The shortest wait: less would mean for ever to the system.
const SHORTEST: Duration = Duration::from_micros(1);

/// The limits of one operation, which may wait several times.
pub struct Waits<'a> {
    budget: &'a Budget,
    /// The longest single wait.
    each: Option<Duration>,
    /// When all of them are over.
    until: Option<Instant>,
}

/// One wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The longest time that it may take; never zero.
    pub limit: Duration,
    /// Whether the script asked for this limit: when it is over the script is told so. Otherwise the call is.
    pub is_own: bool,
}

impl<'a> Waits<'a> {
    /// Limits in seconds; below zero there is none.
    pub fn new(budget: &'a Budget, each: f64, all: f64) -> Self {
        let until = seconds(all).map(|all| Instant::now().checked_add(all).unwrap_or_else(Instant::now));
        Self { budget, each: seconds(each), until }
    }

    /// The next wait; fails when the call's time is over.
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

/// A number of seconds that a script gave.
pub fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}
