//! The world of plugins: hands requests and ticks to those that registered for them.

use crate::plugin::{self, LoadFailure, Plugin, PluginParts, described};
use crate::registration::Trigger;
use crate::traffic::{Seen, targets};
use secrule::Limit;
use secrule::internals::script::Script;
use secrule_host::{Exchange, Leadership, Outgoing, Services, World};
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Time between two lines about requests that a full queue dropped.
const DROPS_TOLD: Duration = Duration::from_secs(60);

/// All plugins of a host.
pub struct Plugins {
    parts: PluginParts,
    plugins: Mutex<Vec<Plugin>>,
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
    drops_told: Instant,
    known_drops: Vec<u64>,
}

/// A function that is called again and again.
struct Ticker {
    plugin: usize,
    registration: usize,
    time: Duration,
    next: Instant,
    is_waiting: Arc<AtomicBool>,
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
        let (mut watchers, mut tickers) = (Vec::new(), Vec::new());
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
                    let next = Instant::now() + *time;
                    tickers.push(Ticker { plugin, registration, time: *time, next, is_waiting: Arc::default() });
                }
            }
        }
        let timers = Timers { tickers, drops_told: Instant::now(), known_drops: vec![0; plugins.len()] };
        Ok(Self { parts, plugins: Mutex::new(plugins), watchers, timers: Mutex::new(timers) })
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
    };
    let plugin = Plugin::start(&parts, script)?;
    let functions = plugin.triggers().iter().map(described).collect();
    plugin::stop(&mut [plugin]);
    Ok(functions)
}

impl World for Plugins {
    fn name(&self) -> &'static str {
        "plugins"
    }

    fn take(&self, exchange: &Arc<Exchange>) {
        self.parts.traffic.count(exchange);
        let seen = Seen::of(exchange);
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        for target in targets(exchange) {
            for watcher in &self.watchers {
                if self.parts.traffic.triggers(&watcher.condition, watcher.number, &seen, target)
                    && let Some(plugin) = plugins.get(watcher.plugin)
                {
                    plugin.give(watcher.registration, exchange, target);
                }
            }
        }
    }

    fn tick(&self, _now: SystemTime, leadership: &Leadership) {
        let now = Instant::now();
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        for ticker in timers.tickers.iter_mut().filter(|ticker| ticker.next <= now) {
            // Ticks that this host missed, because it was stopped, are not made up.
            ticker.next = ticker.next.checked_add(ticker.time).filter(|next| *next > now).unwrap_or(now + ticker.time);
            if leadership.leads()
                && let Some(plugin) = plugins.get(ticker.plugin)
            {
                plugin.tick(ticker.registration, ticker.time, &ticker.is_waiting);
            }
        }
        if now.saturating_duration_since(timers.drops_told) >= DROPS_TOLD {
            timers.drops_told = now;
            for (plugin, known) in plugins.iter().zip(&mut timers.known_drops) {
                let dropped = plugin.dropped();
                if dropped > *known {
                    let more = dropped - *known;
                    let message = format!("it is too slow: {more} requests were dropped within a minute");
                    self.parts.services.log().write_system(plugin.name(), &message);
                    *known = dropped;
                }
            }
        }
    }

    fn status(&self) -> Value {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        let scripts: Vec<Value> = plugins.iter().map(Plugin::status).collect();
        json!({ "scripts": scripts, "traffic": self.parts.traffic.status() })
    }

    fn stop(&self) {
        plugin::stop(&mut self.plugins.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").finish_non_exhaustive()
    }
}
