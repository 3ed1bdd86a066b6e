//! Timetables: five fields, as in a crontab, in the local time of the machine.

use chrono::{DateTime, Local};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// The times at which an extension runs.
///
/// | field | values |
/// | --- | --- |
/// | minute | 0-59 |
/// | hour | 0-23 |
/// | day of the month | 1-31 |
/// | month | 1-12, JAN-DEC |
/// | day of the week | 0-7, SUN-SAT; 0 and 7 are Sunday |
///
/// A field is `*`, or a list of values and ranges, each with a step or without: `*/5`, `8-18/2`, `MON-FRI`, `1,15`. If both days are written, either
/// will do.
#[derive(Clone, Debug)]
pub struct Timetable(Cron);

impl Timetable {
    /// Reads a timetable.
    ///
    /// # Errors
    /// The reason, in words, if it is not one, or if its time never comes.
    pub fn read(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let form = "write minute, hour, day, month and weekday, such as */5 * * * *";
        let cron = parser.parse(text).map_err(|error| format!("`{text}` is not a timetable: {}: {form}", sentence(&error.to_string())))?;
        let timetable = Self(cron);
        match timetable.next(Local::now()) {
            Some(_) => Ok(timetable),
            None => Err(format!("the time of the timetable `{text}` never comes: {form}")),
        }
    }

    /// Returns the next time of the timetable. When clocks are put forward, a fixed time that is left out comes right after; when they are put back, it
    /// comes once.
    pub fn next(&self, after: DateTime<Local>) -> Option<DateTime<Local>> {
        self.0.find_next_occurrence(&after, false).ok()
    }
}

/// Returns the message of the library without what it puts before and behind.
fn sentence(message: &str) -> &str {
    let message = message.strip_suffix('.').unwrap_or(message);
    ["Invalid pattern: ", "Pattern contains illegal characters: ", "Component error: "]
        .iter()
        .find_map(|before| message.strip_prefix(before))
        .unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    /// Returns the next times after the start of 2026-11-30, a Monday, as texts.
    fn times(text: &str, count: usize) -> Vec<String> {
        let timetable = Timetable::read(text).unwrap();
        let start = Local.with_ymd_and_hms(2026, 11, 29, 23, 59, 59).unwrap();
        let times = std::iter::successors(timetable.next(start), |last| timetable.next(*last));
        times.take(count).map(|time| time.format("%d.%m. %H:%M:%S").to_string()).collect()
    }

    #[test]
    fn fields_are_values_ranges_steps_lists_and_names() {
        for (text, expected) in [
            ("* * * * *", ["30.11. 00:00:00", "30.11. 00:01:00"]),
            ("*/20 * * * *", ["30.11. 00:00:00", "30.11. 00:20:00"]),
            ("5,50 8-18/2 * * *", ["30.11. 08:05:00", "30.11. 08:50:00"]),
            ("0 12 * * TUE", ["01.12. 12:00:00", "08.12. 12:00:00"]),
            ("0 0 1 jan,Mar *", ["01.01. 00:00:00", "01.03. 00:00:00"]),
            ("30 6 * * mon-fri", ["30.11. 06:30:00", "01.12. 06:30:00"]),
            ("0 3 * * 7", ["06.12. 03:00:00", "13.12. 03:00:00"]),
            // Either day will do, as in crontabs.
            ("0 0 2 * FRI", ["02.12. 00:00:00", "04.12. 00:00:00"]),
        ] {
            assert_eq!(times(text, 2), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_timetable_is_an_error_in_words() {
        for (text, part) in [
            ("61 * * * *", "is not a timetable"),
            ("* 24 * * *", "is not a timetable"),
            ("* * * *", "is not a timetable"),
            ("* * * * * *", "is not a timetable"),
            ("* * * * XYZ", "is not a timetable"),
            ("5-1 * * * *", "is not a timetable"),
            ("*/0 * * * *", "is not a timetable"),
            ("0 0 30 2 *", "never comes"),
        ] {
            let problem = Timetable::read(text).unwrap_err();
            assert!(problem.contains(part) && problem.contains(text) && problem.contains("such as */5"), "{text}: {problem}");
        }
    }
}
