//! The time of a transaction, and its variables.

use crate::vocabulary::Variable;
use chrono::{DateTime, Datelike, Local, Timelike};
use std::time::{Instant, SystemTime};

/// The start of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    moment: SystemTime,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Instant::now(), moment: SystemTime::now() }
    }
}

impl Clock {
    /// Returns the start in local time.
    pub fn moment(&self) -> SystemTime {
        self.moment
    }

    /// Returns the start as seconds since 1970 and microseconds.
    pub fn epoch(&self) -> (i64, u32) {
        // A clock before 1970 shows 1970.
        let passed = self.moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (i64::try_from(passed.as_secs()).unwrap_or(i64::MAX), passed.subsec_micros())
    }

    /// Returns the start for file names: `YYYYMMDD-HHMMSS`.
    pub fn file_stamp(&self) -> String {
        DateTime::<Local>::from(self.moment).format("%Y%m%d-%H%M%S").to_string()
    }

    /// Returns the text of a time variable; `None` for other variables.
    ///
    /// As in ModSecurity v3, TIME_MON counts from 0 and TIME_WDAY from 1 for Monday, and the time is that of the call. DURATION is elapsed time, in
    /// v3 processor time.
    pub fn read(&self, variable: Variable) -> Option<String> {
        let now = Local::now();
        Some(match variable {
            Variable::Duration => format!("{:.6}", self.began.elapsed().as_secs_f64()),
            Variable::Time => now.format("%H:%M:%S").to_string(),
            Variable::TimeDay => now.day().to_string(),
            Variable::TimeEpoch => now.timestamp().to_string(),
            Variable::TimeHour => now.hour().to_string(),
            Variable::TimeMin => now.minute().to_string(),
            Variable::TimeMon => now.month0().to_string(),
            Variable::TimeSec => now.second().to_string(),
            Variable::TimeWday => now.weekday().number_from_monday().to_string(),
            Variable::TimeYear => now.year().to_string(),
            _ => return None,
        })
    }
}
