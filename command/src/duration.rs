//! Times as people write them: `90s`, `10m`, `2h`, `7d`.

use std::time::{Duration, SystemTime};

/// The units, from the longest to the shortest, in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads a time: a number of seconds, or a number and a unit.
pub fn parse(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last().filter(|(_, last)| !last.is_ascii_digit()) {
        Some((at, last)) => (text.get(..at).unwrap_or_default(), UNITS.iter().find(|(unit, _)| *unit == last).map(|(_, seconds)| *seconds)),
        None => (text, Some(1)),
    };
    let seconds = number.parse::<u64>().ok().zip(unit).and_then(|(number, seconds)| number.checked_mul(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "write a number and s, m, h or d, such as 90s, 10m, 2h or 7d".to_owned())
}

/// Returns a time in its two largest units: `2h 5m`.
pub fn shown(time: Duration) -> String {
    let mut left = time.as_secs();
    let mut parts = Vec::new();
    for (unit, seconds) in UNITS {
        if left >= seconds || !parts.is_empty() {
            parts.push((left / seconds, unit));
            left %= seconds;
        }
    }
    let parts: Vec<String> =
        parts.iter().take(2).filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Returns the time since a moment, as people say it: `5m ago`.
pub fn ago(moment: SystemTime) -> String {
    format!("{} ago", shown(SystemTime::now().duration_since(moment).unwrap_or_default()))
}

/// Returns the whole seconds since 1970.
pub fn unix(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("90", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "s", "1.5h", "-1s", "1w", "1 m", "10min", "99999999999999999999", "999999999999999999d", "10é"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_shown_in_two_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (90, "1m 30s"), (3_600, "1h"), (3_601, "1h"), (93_600, "1d 2h")] {
            assert_eq!(shown(Duration::from_secs(seconds)), text);
        }
    }
}
