//! The world of plugins: hands requests and ticks to those that registered for them.

use crate::plugin::{self, LoadFailure, Losses, Plugin, PluginParts, described};
use crate::queue::size;
use crate::registration::Trigger;
use crate::tickers::Ticker;
use crate::traffic::{Seen, targets};
use secrule::Limit;
use secrule::internals::script::Script;
use secrule_host::{Exchange, Leadership, Outgoing, Services, World};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Maximum wait of a callback for the servers that it asks.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Time between two lines about the losses of a plugin.
const LOSS_PERIOD: Duration = Duration::from_secs(60);

/// Time between two tries of a store that does not answer.
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
    /// The end of a pause, because the store does not answer, or has no room.
    pause: Option<Instant>,
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
        let timers = Timers { tickers, pause: None, losses_reported: Instant::now(), known_losses };
        Ok(Self { parts, plugins, watchers, timers: Mutex::new(timers) })
    }
}

impl Plugins {
    /// Takes the ticks that are due, and hands them to their plugins. The store is asked for those alone: the queue of plugins does not wait for it.
    fn give_ticks(&self, timers: &mut Timers, now: SystemTime) {
        if timers.pause.is_some_and(|end| Instant::now() < end) {
            return;
        }
        let services = &self.parts.services;
        let now = u64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default();
        let mut problem = None;
        for ticker in &mut timers.tickers {
            match ticker.take_tick(services, now) {
                Ok(true) => {
                    if let Some(plugin) = self.plugins.get(ticker.plugin) {
                        plugin.tick(ticker);
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    problem = Some((ticker.plugin, error));
                    break;
                }
            }
        }
        let was_paused = timers.pause.is_some();
        timers.pause = problem.as_ref().and_then(|_| Instant::now().checked_add(STORE_PAUSE));
        if let Some((plugin, error)) = problem.filter(|_| !was_paused)
            && let Some(plugin) = self.plugins.get(plugin)
        {
            services.log().write_system(plugin.name(), &format!("its ticks wait for the store: {error}"));
        }
    }

    /// Logs once a minute what plugins did not get, and at once that one is dead.
    fn report_losses(&self, timers: &mut Timers) {
        let (now, services) = (Instant::now(), &self.parts.services);
        let is_due = now.saturating_duration_since(timers.losses_reported) >= LOSS_PERIOD;
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
        let bytes = size(exchange);
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
