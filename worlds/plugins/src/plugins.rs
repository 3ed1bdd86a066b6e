//! The world of plugins: hands requests and ticks to those that registered for them.

use crate::plugin::{self, LoadFailure, Losses, Plugin, PluginParts, described};
use crate::registration::Trigger;
use crate::tickers::Ticker;
use crate::traffic::{Seen, targets};
use secrule::internals::script::Script;
use secrule::{Limit, WriteError};
use secrule_host::{Exchange, Leadership, Outgoing, Services, World};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Maximum wait of a callback for the servers that it asks.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Time between two lines about the losses of a plugin, and between two about its ticks that wait.
const REPORT_PERIOD: Duration = Duration::from_secs(60);

/// Time between two tries of a store that does not answer, or has no room.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// All plugins of a host.
pub struct Plugins {
    parts: PluginParts,
    plugins: Vec<Plugin>,
    /// Registrations for requests, of all plugins.
    watchers: Vec<Watcher>,
    timers: Mutex<Timers>,
}

/// A function that is called for requests.
struct Watcher {
    plugin: usize,
    registration: usize,
    /// A number that no other function of any plugin has.
    number: u32,
    condition: crate::registration::Condition,
}

struct Timers {
    tickers: Vec<Ticker>,
    /// The end of a pause of all tickers, because the store does not answer.
    pause: Option<Instant>,
    /// The time of the last line of each plugin about ticks that wait.
    waits_reported: Vec<Option<Instant>>,
    losses_reported: Instant,
    known_losses: Vec<Losses>,
}

impl Plugins {
    /// Loads the plugins that `SecPlugin` names, and starts a thread for each.
    ///
    /// # Errors
    /// One for each script that does not load; then none is started.
    pub fn start(services: &Services, outgoing: &Outgoing) -> Result<Self, Vec<LoadFailure>> {
        let (scripts, instructions, queue) =
            services.settings(|settings| (settings.worlds.plugins.clone(), settings.limit(Limit::LuaInstructions), settings.plugin_queue));
        let parts = PluginParts {
            services: services.clone(),
            outgoing: outgoing.clone(),
            traffic: Arc::default(),
            instructions: u64::try_from(instructions).unwrap_or(u64::MAX),
            queue,
            max_wait: MAX_WAIT,
        };
        Self::with_parts(parts, &scripts)
    }

    fn with_parts(parts: PluginParts, scripts: &[Script]) -> Result<Self, Vec<LoadFailure>> {
        let (mut plugins, mut failures) = (Vec::new(), Vec::new());
        for script in scripts {
            match Plugin::start(&parts, script) {
                Ok(plugin) => plugins.push(plugin),
                Err(failure) => failures.push(failure),
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        let (mut watchers, mut tickers) = (Vec::new(), Vec::<Ticker>::new());
        let all = plugins
            .iter()
            .enumerate()
            .flat_map(|(at, plugin)| plugin.triggers().iter().enumerate().map(move |(of, trigger)| (at, of, trigger)));
        for (number, (plugin, registration, trigger)) in (0..).zip(all) {
            match trigger {
                Trigger::Requests(condition) => {
                    watchers.push(Watcher { plugin, registration, number, condition: condition.as_ref().clone() });
                }
                Trigger::Ticks(time) => {
                    let name = |plugin: usize| plugins.get(plugin).map(|plugin| &**plugin.name()).unwrap_or_default();
                    let script = name(plugin);
                    let ordinal = tickers.iter().filter(|known| name(known.plugin) == script).count();
                    tickers.push(Ticker::new(script, ordinal, (plugin, registration), *time));
                }
            }
        }
        let known_losses = vec![Losses::default(); plugins.len()];
        let timers =
            Timers { tickers, pause: None, waits_reported: vec![None; plugins.len()], losses_reported: Instant::now(), known_losses };
        Ok(Self { parts, plugins, watchers, timers: Mutex::new(timers) })
    }
}

impl Plugins {
    /// Takes the ticks that are due, and hands them to their plugins. The store is asked for those alone: the queue of plugins does not wait for it.
    /// While it does not answer, all wait; one that it has no room for waits alone.
    fn give_ticks(&self, timers: &mut Timers, now: SystemTime) {
        let asked = Instant::now();
        let is_over = |pause: Option<Instant>| pause.is_none_or(|end| asked >= end);
        if !is_over(timers.pause) {
            return;
        }
        timers.pause = None;
        let services = &self.parts.services;
        let now = u64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default();
        let tickers = timers.tickers.iter_mut().filter(|ticker| is_over(ticker.pause));
        for ticker in tickers {
            let Some(plugin) = self.plugins.get(ticker.plugin) else { continue };
            let error = match ticker.take_tick(services, now) {
                Ok(true) => {
                    plugin.tick(ticker);
                    continue;
                }
                Ok(false) => continue,
                Err(error) => error,
            };
            if let Some(reported) = timers.waits_reported.get_mut(ticker.plugin)
                && reported.is_none_or(|last| asked.saturating_duration_since(last) >= REPORT_PERIOD)
            {
                *reported = Some(asked);
                services.log().write_system(plugin.name(), &format!("its ticks wait for the store: {error}"));
            }
            let end = Instant::now().checked_add(STORE_PAUSE);
            if matches!(error, WriteError::Down(_)) {
                timers.pause = end;
                break;
            }
            ticker.pause = end;
        }
    }

    /// Logs once a minute what plugins did not get, and at once that one is dead.
    fn report_losses(&self, timers: &mut Timers) {
        let (now, services) = (Instant::now(), &self.parts.services);
        let is_due = now.saturating_duration_since(timers.losses_reported) >= REPORT_PERIOD;
        if is_due {
            timers.losses_reported = now;
        }
        for (plugin, known) in self.plugins.iter().zip(&mut timers.known_losses) {
            let losses = plugin.losses();
            losses.since(known, is_due).iter().for_each(|line| services.log().write_system(plugin.name(), line));
            *known = if is_due { losses } else { Losses { is_dead: losses.is_dead, ..*known } };
        }
    }
}

/// Loads a plugin as a host does, and returns what its functions are called for, in words.
///
/// # Errors
/// If it does not load.
pub fn check(services: &Services, script: &Script) -> Result<Vec<String>, LoadFailure> {
    let parts = PluginParts {
        services: services.clone(),
        outgoing: Outgoing::new(Default::default()),
        traffic: Arc::default(),
        instructions: services.settings(|settings| u64::try_from(settings.limit(Limit::LuaInstructions)).unwrap_or(u64::MAX)),
        queue: 1,
        max_wait: MAX_WAIT,
    };
    let plugin = Plugin::start(&parts, script)?;
    let functions = plugin.triggers().iter().map(described).collect();
    plugin::stop(&[plugin]);
    Ok(functions)
}

impl World for Plugins {
    fn name(&self) -> &'static str {
        "plugins"
    }

    fn take(&self, exchange: &Arc<Exchange>) {
        self.parts.traffic.count(exchange);
        let seen = Seen::of(exchange);
        let bytes = exchange.size();
        for target in targets(exchange) {
            for watcher in &self.watchers {
                if self.parts.traffic.triggers(&watcher.condition, watcher.number, &seen, target)
                    && let Some(plugin) = self.plugins.get(watcher.plugin)
                {
                    plugin.give(watcher.registration, exchange, target, bytes);
                }
            }
        }
    }

    fn tick(&self, now: SystemTime, leadership: &Leadership) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        if leadership.leads() {
            self.give_ticks(&mut timers, now);
        } else {
            timers.tickers.iter_mut().for_each(Ticker::forget);
        }
        self.report_losses(&mut timers);
    }

    fn status(&self) -> Value {
        let scripts: Vec<Value> = self.plugins.iter().map(Plugin::status).collect();
        json!({ "scripts": scripts, "traffic": self.parts.traffic.status() })
    }

    fn stop(&self) {
        plugin::stop(&self.plugins);
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::Waf;
    use secrule_host::ScriptLog;

    #[test]
    fn a_ticker_that_the_store_has_no_room_for_stops_no_other() {
        let log = Arc::new(ScriptLog::new(Box::new(std::io::sink()), 100));
        let services = Services::new(&Waf::from_rules("").unwrap(), Arc::clone(&log));
        let fill =
            |key: usize, bytes: usize| services.ask_store(|store, by| store.map_set("tickers", &key.to_be_bytes(), &vec![b'x'; bytes], by));
        let start = SystemTime::now();
        let milliseconds = u64::try_from(start.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let known = |name| Ticker::new(name, 0, (0, 0), Duration::from_secs(1)).take_tick(&services, milliseconds);
        assert_eq!((known("known.lua"), known("other.lua")), (Ok(false), Ok(false)));
        let mut bytes = 64 << 20;
        for key in 0.. {
            while bytes > 0 && fill(key, bytes).is_err() {
                bytes /= 2;
            }
            if bytes == 0 {
                break;
            }
        }

        let text = b"local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, function() end)";
        let scripts = ["new.lua", "known.lua", "late.lua", "other.lua"].map(|name| Script::new(name, text.to_vec()).unwrap());
        let parts = PluginParts {
            services: services.clone(),
            outgoing: Outgoing::new(Default::default()),
            traffic: Arc::default(),
            instructions: 1_000_000,
            queue: 10,
            max_wait: MAX_WAIT,
        };
        let plugins = Plugins::with_parts(parts, &scripts).unwrap();
        let mut timers = plugins.timers.lock().unwrap();
        plugins.give_ticks(&mut timers, start + Duration::from_secs(1));
        // A later try finds no room either.
        timers.tickers.iter_mut().for_each(|ticker| ticker.pause = None);
        plugins.give_ticks(&mut timers, start + Duration::from_millis(1_500));
        drop(timers);
        plugins.stop();
        let calls: Vec<Value> = plugins.plugins.iter().map(|plugin| plugin.status()["calls"].clone()).collect();
        assert_eq!(calls, [0, 1, 0, 1]);
        // Each plugin reports its own problem, once.
        let lines: Vec<String> =
            log.last(100).into_iter().map(|line| line.to_string()).filter(|line| line.contains("its ticks wait")).collect();
        assert!(lines.len() == 2 && lines[0].contains("new.lua") && lines[1].contains("late.lua"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("too large a part of the store")), "{lines:#?}");
    }
}
