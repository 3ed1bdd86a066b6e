//! How busy the machine is: percent of processors and of memory, from `/proc`.

use std::fs::read_to_string;

/// Reads how busy the machine is.
#[derive(Debug, Default)]
pub struct System {
    last: Option<Ticks>,
}

/// Time of all processors since the start of the machine, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
}

impl System {
    /// Returns the percent of processor time that was used since the call before, or since the start of the machine. `None` without `/proc/stat`.
    pub fn processor_percent(&mut self) -> Option<f64> {
        let now = Ticks::parse(&read_to_string("/proc/stat").ok()?)?;
        let before = self.last.replace(now).unwrap_or_default();
        Some(now.percent_since(before))
    }

    /// Returns the percent of memory that is not available to programs. `None` without `/proc/meminfo`.
    pub fn memory_percent(&self) -> Option<f64> {
        memory_percent(&read_to_string("/proc/meminfo").ok()?)
    }
}

impl Ticks {
    /// Reads the line `cpu`: user, nice, system, idle, iowait, irq, softirq, steal; time of guests is in user's.
    fn parse(stat: &str) -> Option<Self> {
        let numbers = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let mut ticks = Self::default();
        for (place, number) in numbers.split_ascii_whitespace().take(8).enumerate() {
            let number = number.parse().ok()?;
            ticks.all = ticks.all.saturating_add(number);
            if matches!(place, 3 | 4) {
                ticks.idle = ticks.idle.saturating_add(number);
            }
        }
        Some(ticks)
    }

    fn percent_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        // Waiting for disks may go backwards.
        let idle = self.idle.saturating_sub(before.idle).min(all);
        percent(all - idle, all)
    }
}

fn memory_percent(meminfo: &str) -> Option<f64> {
    let find = |name: &str| {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    let (total, available) = (find("MemTotal")?, find("MemAvailable")?);
    Some(percent(total.saturating_sub(available), total))
}

/// Returns a part in percent, with one digit after the point.
#[allow(clippy::cast_precision_loss)]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_are_busy_in_what_is_not_idle_and_not_waiting() {
        let before = Ticks::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        let after = Ticks::parse("cpu  150 0 125 725 100 0 0 0 0 0\n").unwrap();
        assert_eq!(before, Ticks { all: 1000, idle: 800 });
        assert_eq!(after.percent_since(before), 75.0);
        assert_eq!(before.percent_since(after), 0.0);
        assert_eq!(Ticks::parse("intr 1 2"), None);
        assert_eq!(Ticks::parse("cpu  1 x"), None);
    }

    #[test]
    fn the_memory_is_used_that_is_not_available() {
        assert_eq!(memory_percent("MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    250 kB\n"), Some(75.0));
        assert_eq!(memory_percent("MemTotal: 1000 kB\n"), None);
        assert_eq!(memory_percent("MemTotal: 0 kB\nMemAvailable: 0 kB"), Some(0.0));
    }

    #[test]
    fn this_machine_says_how_busy_it_is() {
        let mut system = System::default();
        for percent in [system.processor_percent(), system.processor_percent(), system.memory_percent()] {
            assert!((0.0..=100.0).contains(&percent.unwrap()));
        }
    }
}
