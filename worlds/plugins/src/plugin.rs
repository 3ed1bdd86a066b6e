//! A plugin that runs: its thread, its queue, and its counts.

use crate::callback::Callback;
use crate::registration::{Target, Trigger};
use crate::skynet;
use crate::traffic::{Seen, Traffic};
use mlua::{BString, IntoLuaMulti};
use secrule::internals::lua::{Excess, Failure, Limits, Resident};
use secrule::internals::script::Script;
use secrule_host::{Exchange, Outgoing, ScriptName, Services};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum times for loading a script and for a callback.
const LOAD_TIME: Duration = Duration::from_secs(1);
const CALL_TIME: Duration = Duration::from_secs(5);

/// Maximum memory of all values of a plugin, in bytes.
const MEMORY: usize = 64 << 20;

/// After this number of failures in a row a plugin is off for this time.
const MAX_FAILURES: u64 = 100;
const OFF_TIME: Duration = Duration::from_secs(60);

/// Maximum wait for plugins that shall end.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// What `require "safeline"` says.
const NO_SAFELINE: &str = "module 'safeline' does not exist here: this host has the interface `skynet` of series 10. A script for series 20 asks for the \
    traffic by TYPE_QUERY, and waits by promises, which skynet lacks: call stat_visit and top_n in a ticker instead";

/// What all plugins of a host share.
#[derive(Clone)]
pub struct PluginParts {
    /// The services of the host.
    pub services: Services,
    /// Requests to other servers.
    pub outgoing: Outgoing,
    /// The traffic of this machine.
    pub traffic: Arc<Traffic>,
    /// Maximum number of instructions of a callback.
    pub instructions: u64,
    /// Maximum number of requests that wait for a plugin.
    pub queue: usize,
}

/// A plugin that does not load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin {script} cannot be loaded: {problem}")]
pub struct LoadFailure {
    /// Its file.
    pub script: String,
    /// The problem; an error of the script has its line.
    pub problem: String,
}

/// A running plugin.
pub struct Plugin {
    name: ScriptName,
    triggers: Vec<Trigger>,
    jobs: Option<SyncSender<Job>>,
    counts: Arc<Counts>,
    ended: Receiver<()>,
}

/// Work for the thread of a plugin.
enum Job {
    Request { registration: usize, exchange: Arc<Exchange>, target: Target },
    Tick { registration: usize, seconds: u64, is_waiting: Arc<AtomicBool> },
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
    skipped_ticks: AtomicU64,
    is_off: AtomicBool,
    /// Calls that still wait are dropped.
    has_ended: AtomicBool,
}

impl Plugin {
    /// Loads a plugin, and starts its thread.
    ///
    /// # Errors
    /// If the script fails, or registers nothing.
    pub fn start(parts: &PluginParts, script: &Script) -> Result<Self, LoadFailure> {
        let failure = |problem: String| LoadFailure { script: script.name().to_owned(), problem };
        let (jobs, receiver) = sync_channel(parts.queue.max(1));
        let (loaded_sender, loaded) = channel();
        let (alive, ended) = channel();
        let counts = Arc::new(Counts::default());
        let (parts, own_script, own_counts) = (parts.clone(), script.clone(), Arc::clone(&counts));
        let run = move || {
            let _alive = alive;
            match Thread::load(&parts, &own_script, own_counts) {
                Ok((thread, triggers)) => {
                    let is_wanted = loaded_sender.send(Ok(triggers)).is_ok();
                    drop(loaded_sender);
                    if is_wanted {
                        thread.work(&receiver);
                    }
                }
                Err(problem) => drop(loaded_sender.send(Err(problem))),
            }
        };
        thread::Builder::new().name("secrule-plugin".to_owned()).spawn(run).map_err(|error| failure(error.to_string()))?;
        let triggers = loaded.recv().unwrap_or_else(|error| Err(error.to_string())).map_err(failure)?;
        Ok(Self { name: script.name().into(), triggers, jobs: Some(jobs), counts, ended })
    }

    /// Returns the name of its script.
    pub fn name(&self) -> &ScriptName {
        &self.name
    }

    /// Returns the triggers of its functions, in the order of their registration.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Hands a request to a function. A full queue drops it.
    pub fn give(&self, registration: usize, exchange: &Arc<Exchange>, target: Target) {
        self.send(Job::Request { registration, exchange: Arc::clone(exchange), target });
    }

    /// Hands a tick to a function, unless its last one still waits or runs.
    pub fn tick(&self, registration: usize, time: Duration, is_waiting: &Arc<AtomicBool>) {
        if is_waiting.swap(true, Ordering::Relaxed) {
            self.counts.skipped_ticks.fetch_add(1, Ordering::Relaxed);
        } else if !self.send(Job::Tick { registration, seconds: time.as_secs(), is_waiting: Arc::clone(is_waiting) }) {
            is_waiting.store(false, Ordering::Relaxed);
        }
    }

    fn send(&self, job: Job) -> bool {
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        if matches!(sent, Some(Err(TrySendError::Full(_)))) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        matches!(sent, Some(Ok(())))
    }

    /// Returns the number of requests and ticks that a full queue dropped.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Returns what it did.
    pub fn status(&self) -> Value {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        json!({
            "script": &*self.name,
            "functions": self.triggers.iter().map(described).collect::<Vec<_>>(),
            "calls": number(&self.counts.calls),
            "failures": number(&self.counts.failures),
            "dropped": number(&self.counts.dropped),
            "skipped_ticks": number(&self.counts.skipped_ticks),
            "off": self.counts.is_off.load(Ordering::Relaxed),
        })
    }

    /// Takes no more calls.
    fn close(&mut self) {
        self.jobs = None;
    }

    /// Waits for the calls that are left, but no longer than until then: it is the last one that runs.
    fn wait(&self, until: Instant) {
        // It sends nothing: the wait ends when the thread does.
        let _ = self.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        self.counts.has_ended.store(true, Ordering::Relaxed);
    }
}

/// Ends the threads of plugins after the calls that wait, and waits for them a little.
pub fn stop(plugins: &mut [Plugin]) {
    plugins.iter_mut().for_each(Plugin::close);
    let until = Instant::now() + LAST_CHANCE;
    plugins.iter().for_each(|plugin| plugin.wait(until));
}

/// Describes a trigger.
pub fn described(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Ticks(time) => format!("every {} s", time.as_secs()),
        Trigger::Requests(condition) => condition.described(),
    }
}

/// The thread of a plugin.
struct Thread {
    resident: Resident,
    plugin: Rc<skynet::Plugin>,
    counts: Arc<Counts>,
    limits: Limits,
    failures_in_a_row: u64,
    off_until: Option<Instant>,
}

impl Thread {
    fn load(parts: &PluginParts, script: &Script, counts: Arc<Counts>) -> Result<(Self, Vec<Trigger>), String> {
        let mut resident = Resident::new().map_err(|failure| told(&failure, LOAD_TIME))?;
        let plugin = Rc::new(skynet::Plugin {
            name: script.name().into(),
            services: parts.services.clone(),
            outgoing: parts.outgoing.clone(),
            traffic: Arc::clone(&parts.traffic),
            current: Default::default(),
            registrations: RefCell::default(),
        });
        let prepared = skynet::module(&resident, &plugin).and_then(|module| {
            let (globals, modules) = (resident.lua().create_table()?, resident.lua().create_table()?);
            modules.raw_set("skynet", module)?;
            modules.raw_set("safeline", NO_SAFELINE)?;
            globals.raw_set("print", skynet::print(&resident, &plugin)?)?;
            Ok((globals, modules))
        });
        let (globals, modules) = prepared.map_err(|error| error.to_string())?;
        let limits = Limits { instructions: parts.instructions, time: LOAD_TIME, memory: MEMORY };
        resident.run(script, &globals, &modules, &limits).map_err(|failure| told(&failure, LOAD_TIME))?;
        let triggers: Vec<Trigger> = plugin.registrations.borrow().iter().map(|registered| registered.trigger.clone()).collect();
        if triggers.is_empty() {
            return Err("it registers no function: call skynet.register".to_owned());
        }
        let combinations = triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Requests(condition) => Some(condition.combination),
            Trigger::Ticks(_) => None,
        });
        parts.traffic.expect(script.source(), combinations);
        let limits = Limits { time: CALL_TIME, ..limits };
        Ok((Self { resident, plugin, counts, limits, failures_in_a_row: 0, off_until: None }, triggers))
    }

    /// Does the jobs, until the plugin is stopped.
    fn work(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            if self.counts.has_ended.load(Ordering::Relaxed) {
                break;
            }
            if self.is_off() {
                if let Job::Tick { is_waiting, .. } = job {
                    is_waiting.store(false, Ordering::Relaxed);
                }
                continue;
            }
            match job {
                Job::Request { registration, exchange, target } => {
                    let seen = Seen::of(&exchange);
                    let arguments = (seen.ip.to_string(), seen.host.to_owned(), BString::from(seen.url_path));
                    self.plugin.current.begin(Callback::Request(Arc::clone(&exchange), target));
                    self.call(registration, arguments);
                }
                Job::Tick { registration, seconds, is_waiting } => {
                    self.plugin.current.begin(Callback::Tick);
                    self.call(registration, seconds);
                    is_waiting.store(false, Ordering::Relaxed);
                }
            }
        }
    }

    /// Calls a function. A failure is a line in the log, and the plugin goes on.
    fn call(&mut self, registration: usize, arguments: impl IntoLuaMulti) {
        let function = self.plugin.registrations.borrow().get(registration).map(|registered| registered.function.clone());
        let Some(function) = function else { return };
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        let Err(failure) = self.resident.call(&function, arguments, &self.limits) else {
            self.failures_in_a_row = 0;
            return;
        };
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        self.log(&told(&failure, CALL_TIME));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if self.failures_in_a_row >= MAX_FAILURES {
            self.failures_in_a_row = 0;
            self.off_until = Instant::now().checked_add(OFF_TIME);
            self.counts.is_off.store(true, Ordering::Relaxed);
            self.log(&format!("{MAX_FAILURES} calls in a row failed, so that it is off for {} s", OFF_TIME.as_secs()));
        }
    }

    /// Returns `true` while the plugin is off.
    fn is_off(&mut self) -> bool {
        match self.off_until {
            Some(until) if Instant::now() < until => true,
            Some(_) => {
                self.off_until = None;
                self.counts.is_off.store(false, Ordering::Relaxed);
                false
            }
            None => false,
        }
    }

    fn log(&self, message: &str) {
        self.plugin.services.log().write_system(&self.plugin.name, message);
    }
}

/// Returns a failure as a text, with the limit that was exceeded.
fn told(failure: &Failure, time: Duration) -> String {
    match failure {
        Failure::Over(Excess::Time) => format!("it was stopped: it took more than {} s", time.as_secs()),
        Failure::Over(Excess::Memory) => format!("it was stopped: it keeps more than {} MiB", MEMORY >> 20),
        other => other.to_string(),
    }
}
