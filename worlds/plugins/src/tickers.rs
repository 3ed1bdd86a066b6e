//! Functions that are called again and again, at times that outlive the host.
//!
//! The store has the time of the last tick of each function, so that a daily one runs a day after its last run, though the host was restarted or
//! another one leads now. A host takes a tick by adding to that time: of two that do it at once, one finds another sum than it expects, and takes its
//! addition back. So no tick comes twice.

use secrule::{AddError, Down, WriteError};
use secrule_host::Services;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The map of the times of the last ticks, in milliseconds since 1970.
const MAP: &str = "tickers";

/// A time in milliseconds since 1970, and a number of milliseconds.
pub type Milliseconds = u64;

/// A function that is called again and again.
#[derive(Debug)]
pub struct Ticker {
    /// The plugin, by its place.
    pub plugin: usize,
    /// The function, by its place among those of the plugin.
    pub registration: usize,
    /// The time between two ticks.
    pub time: Duration,
    key: Vec<u8>,
    /// The last tick; `None` if only the store knows.
    last: Option<Milliseconds>,
    /// The end of a pause, because the store has no room for the time of its tick.
    pub pause: Option<Instant>,
    /// `true` while a tick waits or runs.
    is_waiting: Arc<AtomicBool>,
}

/// A tick that waits or runs, until it is dropped.
#[derive(Debug, Default)]
pub struct WaitingTick(Arc<AtomicBool>);

impl Drop for WaitingTick {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Ticker {
    /// Makes the ticker of a function of a script; `ordinal` is its place among those of the script, which may be loaded twice.
    pub fn new(script: &str, ordinal: usize, (plugin, registration): (usize, usize), time: Duration) -> Self {
        // With the time, because another one begins anew.
        let key = format!("{script} {ordinal} {}", time.as_secs()).into_bytes();
        Self { plugin, registration, time, key, last: None, pause: None, is_waiting: Arc::default() }
    }

    /// Begins the wait of a tick; `None` if the last one still waits or runs.
    pub fn wait(&self) -> Option<WaitingTick> {
        (!self.is_waiting.swap(true, Ordering::Relaxed)).then(|| WaitingTick(Arc::clone(&self.is_waiting)))
    }

    /// Forgets the last tick, because another host takes those that follow.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Returns `true` if a tick is due: it is taken, so that no other call of any host gets it. Ticks that were missed are not made up; later ones keep
    /// to the times of earlier ones.
    ///
    /// # Errors
    /// If the store does not answer, or has no room. The tick stays due, unless it cannot be known if it was taken.
    pub fn take_tick(&mut self, services: &Services, now: Milliseconds) -> Result<bool, WriteError> {
        let time = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let last = match self.last {
            Some(last) => last,
            None => self.read(services)?.unwrap_or(Milliseconds::MAX),
        };
        // The first time, or the clock was set back: one time from now on.
        if last > now.saturating_add(time) {
            self.begin(services, now)?;
            return Ok(false);
        }
        self.last = Some(last);
        let due = last.saturating_add(time);
        if now < due {
            return Ok(false);
        }
        let tick = if now - due < time { due } else { now };
        // Until the store has answered it is not known who took it.
        self.last = None;
        let ahead = (tick - last) as f64;
        match services.ask_store(|store, by| store.map_add(MAP, &self.key, ahead, by)) {
            Ok(sum) if sum == tick as f64 => {
                self.last = Some(tick);
                Ok(true)
            }
            Ok(_) => {
                // If this fails, the next tick is one later: that is better than one twice.
                let _ = services.ask_store(|store, by| store.map_add(MAP, &self.key, -ahead, by));
                Ok(false)
            }
            Err(AddError::Write(error)) => Err(error),
            // It was a number when it was read: somebody else has changed it.
            Err(_) => self.begin(services, now).map(|()| false),
        }
    }

    fn read(&self, services: &Services) -> Result<Option<Milliseconds>, Down> {
        let value = services.ask_store(|store, by| store.map_get(MAP, &self.key, by))?;
        let number = value.and_then(|value| std::str::from_utf8(&value).ok()?.parse::<f64>().ok());
        // What is not a time begins anew. Below 2^53 floats are exact.
        Ok(number.filter(|number| (0.0..9e15).contains(number) && number.fract() == 0.0).map(|number| number as Milliseconds))
    }

    /// Sets the time from which on the next tick is counted.
    fn begin(&mut self, services: &Services, now: Milliseconds) -> Result<(), WriteError> {
        services.ask_store(|store, by| store.map_set(MAP, &self.key, now.to_string().as_bytes(), by))?;
        self.last = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::Waf;
    use secrule_host::ScriptLog;

    const DAY: u64 = 86_400_000;
    const START: u64 = 1_800_000_000_000;

    fn services() -> Services {
        Services::new(&Waf::from_rules("").unwrap(), Arc::new(ScriptLog::new(Box::new(std::io::sink()), 1)))
    }

    fn daily() -> Ticker {
        Ticker::new("/etc/waf/daily.lua", 0, (0, 0), Duration::from_secs(86_400))
    }

    /// Returns the times at which a tick was taken.
    fn ticks(ticker: &mut Ticker, services: &Services, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        times.into_iter().filter(|time| ticker.take_tick(services, *time).unwrap()).collect()
    }

    #[test]
    fn a_daily_tick_comes_a_day_after_the_last_one_though_the_host_was_restarted() {
        let services = services();
        assert!(ticks(&mut daily(), &services, [START, START + DAY - 1]).is_empty());
        // From now on by another host, and again by another.
        assert_eq!(ticks(&mut daily(), &services, [START + DAY / 2, START + DAY + 9, START + DAY + 10]), [START + DAY + 9]);
        assert_eq!(ticks(&mut daily(), &services, [START + DAY + 11, START + 2 * DAY - 1, START + 2 * DAY]), [START + 2 * DAY]);
        // Another function, or another time, begins anew.
        let mut other = Ticker::new("/etc/waf/daily.lua", 1, (0, 1), Duration::from_secs(86_400));
        let mut faster = Ticker::new("/etc/waf/daily.lua", 0, (0, 0), Duration::from_secs(3_600));
        assert_eq!((ticks(&mut other, &services, [START + 3 * DAY]), ticks(&mut faster, &services, [START + 3 * DAY])), (vec![], vec![]));
    }

    #[test]
    fn what_was_missed_is_not_made_up() {
        let services = services();
        let mut ticker = daily();
        let late = START + 5 * DAY + 77;
        assert_eq!(ticks(&mut ticker, &services, [START, late, late + 1, late + DAY - 1, late + DAY]), [late, late + DAY]);
    }

    #[test]
    fn two_hosts_that_both_lead_take_no_tick_twice() {
        let services = services();
        let (mut one, mut two) = (daily(), daily());
        assert_eq!((ticks(&mut one, &services, [START]), ticks(&mut two, &services, [START])), (vec![], vec![]));
        let mut taken = Vec::new();
        for step in 1..=40 {
            // Of each other one asks first.
            let now = START + step * DAY / 4;
            let (first, second) = if step % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
            taken.extend(ticks(first, &services, [now]));
            taken.extend(ticks(second, &services, [now]));
        }
        assert_eq!(taken, (1..=10).map(|day| START + day * DAY).collect::<Vec<_>>());
    }

    #[test]
    fn a_clock_that_is_set_back_stops_no_ticks() {
        let services = services();
        let mut ticker = daily();
        let earlier = START - 300 * DAY;
        assert_eq!(ticks(&mut ticker, &services, [START, earlier, earlier + DAY]), [earlier + DAY]);
        assert_eq!(ticks(&mut daily(), &services, [earlier + 2 * DAY]), [earlier + 2 * DAY]);
        let set = |value: &[u8]| services.ask_store(|store, by| store.map_set(MAP, &daily().key, value, by)).unwrap();
        for broken in [&b"no time"[..], b"-1e300", b"1e300", b"NaN"] {
            set(broken);
            let now = earlier + 9 * DAY;
            let taken = ticks(&mut daily(), &services, [now, now + 1, now + DAY, now + DAY + 1]);
            assert!(taken.len() <= 2 && taken.contains(&(now + DAY)), "{taken:?}");
        }
    }
}
