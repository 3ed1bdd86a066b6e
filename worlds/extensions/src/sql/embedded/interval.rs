//! Intervals of PostgreSQL: `'1 hour'`, `'1 day 2 hours'`, `'-30 min'`, `'01:30:00'`.

/// A length of time, in the three units that do not turn into each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    pub months: f64,
    pub days: f64,
    pub seconds: f64,
}

/// Limit of each part: SQLite's times end in the year 9999.
const MAX: f64 = 1e12;

impl Interval {
    /// Reads the text of an interval. `unit` is that of a number without one: `interval '2' hour`.
    pub fn parse(text: &str, unit: Option<&str>) -> Option<Self> {
        let mut interval = Self::default();
        let mut words = text.split_ascii_whitespace().peekable();
        let mut is_empty = true;
        while let Some(word) = words.next() {
            is_empty = false;
            if word.eq_ignore_ascii_case("ago") && words.peek().is_none() {
                interval = interval.times(-1.0);
                break;
            }
            if word.contains(':') {
                interval.seconds += clock(word)?;
                continue;
            }
            // `2h` is `2 h`.
            let end = word.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(word.len());
            let (number, name) = word.split_at_checked(end)?;
            let number: f64 = number.parse().ok()?;
            let name = match name {
                "" => words.next().or(unit)?,
                name => name,
            };
            interval.add(number, name)?;
        }
        let is_in_range = [interval.months, interval.days, interval.seconds].iter().all(|part| part.abs() <= MAX);
        (!is_empty && is_in_range).then_some(interval)
    }

    /// Returns the sum.
    pub fn plus(self, other: Self) -> Self {
        Self { months: self.months + other.months, days: self.days + other.days, seconds: self.seconds + other.seconds }
    }

    /// Returns the product with a number.
    pub fn times(self, number: f64) -> Self {
        Self { months: self.months * number, days: self.days * number, seconds: self.seconds * number }
    }

    /// Returns the length in seconds, as PostgreSQL compares intervals: a month has 30 days.
    pub fn seconds(self) -> f64 {
        (self.months * 30.0 + self.days) * 86_400.0 + self.seconds
    }

    /// Returns the modifiers that add it to a time of SQLite. Months keep within the month that they lead to, as PostgreSQL's do.
    pub fn modifiers(self) -> Vec<String> {
        let mut modifiers = Vec::new();
        let (months, part) = (self.months.trunc(), self.months.fract());
        if months != 0.0 {
            modifiers.extend([format!("{months:+} months"), "floor".to_owned()]);
        }
        let days = self.days + part * 30.0;
        if days != 0.0 {
            modifiers.push(format!("{days:+} days"));
        }
        if self.seconds != 0.0 {
            modifiers.push(format!("{:+} seconds", self.seconds));
        }
        modifiers
    }

    fn add(&mut self, number: f64, unit: &str) -> Option<()> {
        let unit = unit.to_ascii_lowercase();
        match unit.as_str() {
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => self.seconds += number / 1e6,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => self.seconds += number / 1e3,
            "second" | "seconds" | "sec" | "secs" | "s" => self.seconds += number,
            "minute" | "minutes" | "min" | "mins" | "m" => self.seconds += number * 60.0,
            "hour" | "hours" | "hr" | "hrs" | "h" => self.seconds += number * 3600.0,
            "day" | "days" | "d" => self.days += number,
            "week" | "weeks" | "w" => self.days += number * 7.0,
            "month" | "months" | "mon" | "mons" => self.months += number,
            "year" | "years" | "yr" | "yrs" | "y" => self.months += number * 12.0,
            _ => return None,
        }
        Some(())
    }
}

/// Reads `HH:MM` or `HH:MM:SS.…` in seconds.
fn clock(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let mut parts = text.splitn(3, ':');
    let (hours, minutes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    let seconds: f64 = parts.next().map_or(Some(0.0), |seconds| seconds.parse().ok())?;
    Some(sign * (f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_postgresql_writes_them() {
        let of = |months, days, seconds| Some(Interval { months, days, seconds });
        for (text, unit, expected) in [
            ("1 hour", None, of(0.0, 0.0, 3600.0)),
            ("24 hours", None, of(0.0, 0.0, 86_400.0)),
            ("1 day 2 hours", None, of(0.0, 1.0, 7200.0)),
            ("-1.5 DAYS", None, of(0.0, -1.5, 0.0)),
            ("1 year 2 mons 3w", None, of(14.0, 21.0, 0.0)),
            ("01:30:00.5", None, of(0.0, 0.0, 5400.5)),
            ("1 day -02:00", None, of(0.0, 1.0, -7200.0)),
            ("2", Some("hour"), of(0.0, 0.0, 7200.0)),
            ("3 days ago", None, of(0.0, -3.0, 0.0)),
            ("500ms", None, of(0.0, 0.0, 0.5)),
            ("", None, None),
            ("1", None, None),
            ("one hour", None, None),
            ("1 fortnight", None, None),
            ("1e300 years", None, None),
            ("nan days", None, None),
            ("1:2:3:4", None, None),
            ("ä", None, None),
        ] {
            assert_eq!(Interval::parse(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn an_interval_is_added_by_modifiers() {
        let modifiers = |text| Interval::parse(text, None).unwrap().modifiers();
        assert_eq!(modifiers("1 hour"), ["+3600 seconds"]);
        assert_eq!(modifiers("-1 month -2 days"), ["-1 months", "floor", "-2 days"]);
        assert_eq!(modifiers("1.5 months"), ["+1 months", "floor", "+15 days"]);
        assert!(modifiers("0 days").is_empty());
    }
}
