//! A plugin that runs: its queue, its thread, and its counts.

use crate::queue::Queue;
use crate::registration::{Target, Trigger};
use crate::thread::Thread;
use crate::tickers::Ticker;
use crate::traffic::Traffic;
use secrule::internals::script::Script;
use secrule_host::{Exchange, Outgoing, ScriptName, Services};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Maximum wait for plugins that shall end, and time between two looks.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const STOP_STEP: Duration = Duration::from_millis(2);

/// Services and limits that all plugins of a host share.
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
    /// Maximum wait of a callback for others, which is not its own time.
    pub max_wait: Duration,
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

/// A running plugin. Dropped, it ends without the jobs that wait.
pub struct Plugin {
    name: ScriptName,
    triggers: Vec<Trigger>,
    jobs: Arc<Queue>,
    progress: Arc<Progress>,
    thread: JoinHandle<()>,
}

/// Counts of a plugin, and its end, which its thread shares.
#[derive(Debug, Default)]
pub struct Progress {
    /// Number of calls.
    pub calls: AtomicU64,
    /// Number of calls that failed.
    pub failures: AtomicU64,
    /// Number of jobs that came while the plugin was off.
    pub passed_over: AtomicU64,
    /// `true` while the plugin is off after failures.
    pub is_off: AtomicBool,
    dropped: AtomicU64,
    late_ticks: AtomicU64,
    skipped_ticks: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    /// Returns `true` if the plugin must do nothing more, not even in the call that runs.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// Losses of a plugin, of which the log reports the increase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Number of requests that found no room in its queue, or no thread.
    pub dropped: u64,
    /// Number of requests and ticks that came while it was off.
    pub passed_over: u64,
    /// `true` if its thread has ended by a failure of the host.
    pub is_dead: bool,
}

impl Losses {
    /// Returns lines for the log about the increase since earlier losses; without `with_counts` only that the plugin is dead.
    pub fn since(&self, known: &Self, with_counts: bool) -> Vec<String> {
        let dead = (self.is_dead && !known.is_dead).then(|| {
            "its thread has ended by a failure of the host, so that it sees nothing more: SIGHUP starts it again; please report this"
                .to_owned()
        });
        let more = |now: u64, before: u64| Some(now.saturating_sub(before)).filter(|more| *more > 0 && with_counts);
        let reason = if self.is_dead { "it is dead" } else { "it is too slow" };
        let dropped = more(self.dropped, known.dropped).map(|more| format!("{reason}: {more} requests were dropped within a minute"));
        let passed_over = more(self.passed_over, known.passed_over)
            .map(|more| format!("it was off: {more} requests and ticks passed it by within a minute"));
        [dead, dropped, passed_over].into_iter().flatten().collect()
    }
}

/// Ends a queue when the thread that takes from it ends, also if it panics.
struct EndOfThread(Arc<Queue>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Plugin {
    /// Loads a plugin, and starts its thread.
    ///
    /// # Errors
    /// If the script fails, or registers nothing.
    pub fn start(parts: &PluginParts, script: &Script) -> Result<Self, LoadFailure> {
        let failure = |problem: String| LoadFailure { script: script.name().to_owned(), problem };
        let (loaded_sender, loaded) = channel();
        let jobs = Arc::new(Queue::new(parts.queue.max(1)));
        let progress = Arc::new(Progress::default());
        let (parts, own_script, own_progress) = (parts.clone(), script.clone(), Arc::clone(&progress));
        let run = move |jobs: &Queue| match Thread::load(&parts, &own_script, own_progress) {
            Ok((thread, triggers)) => {
                let is_wanted = loaded_sender.send(Ok(triggers)).is_ok();
                drop(loaded_sender);
                if is_wanted {
                    thread.work(jobs);
                }
            }
            Err(problem) => drop(loaded_sender.send(Err(problem))),
        };
        let thread = spawn(&jobs, run).map_err(|error| failure(error.to_string()))?;
        let triggers = loaded.recv().unwrap_or_else(|error| Err(error.to_string())).map_err(failure)?;
        Ok(Self { name: script.name().into(), triggers, jobs, progress, thread })
    }

    /// Returns the name of its script.
    pub fn name(&self) -> &ScriptName {
        &self.name
    }

    /// Returns the triggers of its functions, in the order of their registration.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Hands a request that takes this number of bytes to a function. Without room in the queue it is dropped.
    pub fn give(&self, registration: usize, exchange: &Arc<Exchange>, target: Target, bytes: usize) {
        if !self.jobs.add_request(registration, exchange, target, bytes) {
            self.progress.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands a tick to a function, unless its last one still waits or runs.
    pub fn tick(&self, ticker: &Ticker) {
        let Some(waiting) = ticker.wait() else {
            self.progress.skipped_ticks.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if self.jobs.add_tick(ticker.registration, ticker.time.as_secs(), waiting) {
            self.progress.late_ticks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the requests and ticks that it did not get.
    pub fn losses(&self) -> Losses {
        Losses {
            dropped: self.progress.dropped.load(Ordering::Relaxed),
            passed_over: self.progress.passed_over.load(Ordering::Relaxed),
            is_dead: self.thread.is_finished() && !self.progress.is_stopped(),
        }
    }

    /// Returns its functions and counts.
    pub fn status(&self) -> Value {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let losses = self.losses();
        json!({
            "script": &*self.name,
            "functions": self.triggers.iter().map(described).collect::<Vec<_>>(),
            "calls": number(&self.progress.calls),
            "failures": number(&self.progress.failures),
            "pending": self.jobs.pending(),
            "dropped": losses.dropped,
            "passed_over": losses.passed_over,
            "late_ticks": number(&self.progress.late_ticks),
            "skipped_ticks": number(&self.progress.skipped_ticks),
            "off": self.progress.is_off.load(Ordering::Relaxed),
            "dead": losses.is_dead,
        })
    }

    fn stop(&self) {
        self.progress.is_stopped.store(true, Ordering::Relaxed);
        self.jobs.end();
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread that takes jobs. When it ends, the queue takes no more.
fn spawn(jobs: &Arc<Queue>, run: impl FnOnce(&Queue) + Send + 'static) -> io::Result<JoinHandle<()>> {
    let end = EndOfThread(Arc::clone(jobs));
    thread::Builder::new().name("secrule-plugin".to_owned()).spawn(move || run(&end.0))
}

/// Ends plugins after the jobs that wait, and waits for them a little; then they are stopped. They take no more jobs.
pub fn stop(plugins: &[Plugin]) {
    plugins.iter().for_each(|plugin| plugin.jobs.close());
    let until = Instant::now() + STOP_TIMEOUT;
    while plugins.iter().any(|plugin| !plugin.thread.is_finished()) && Instant::now() < until {
        thread::sleep(STOP_STEP);
    }
    plugins.iter().for_each(Plugin::stop);
}

/// Describes a trigger.
pub fn described(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Ticks(time) => format!("every {} s", time.as_secs()),
        Trigger::Requests(condition) => condition.described(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_whose_thread_panicked_is_dead_and_what_it_does_not_get_is_counted() {
        let jobs = Arc::new(Queue::new(10));
        let thread = spawn(&jobs, |_| panic!("a failure of the host")).unwrap();
        let plugin = Plugin { name: "a.lua".into(), triggers: Vec::new(), jobs, progress: Arc::default(), thread };
        while !plugin.thread.is_finished() {
            thread::sleep(STOP_STEP);
        }
        let exchange = Arc::new(Exchange::decode(&[0; 256]).unwrap().into_owned());
        plugin.give(0, &exchange, Target::Access, 1);
        assert_eq!(plugin.losses(), Losses { dropped: 1, passed_over: 0, is_dead: true });
        assert_eq!((&plugin.status()["dead"], &plugin.status()["dropped"]), (&json!(true), &json!(1)));
        stop(std::slice::from_ref(&plugin));
        assert!(!plugin.losses().is_dead, "it was stopped");
    }

    #[test]
    fn losses_are_logged_with_their_reason_and_only_their_increase() {
        let known = Losses { dropped: 3, passed_over: 4, is_dead: false };
        let losses = Losses { dropped: 5, passed_over: 10, is_dead: false };
        let lines =
            ["it is too slow: 2 requests were dropped within a minute", "it was off: 6 requests and ticks passed it by within a minute"];
        assert_eq!(losses.since(&known, true), lines);
        assert!(losses.since(&losses, true).is_empty() && losses.since(&known, false).is_empty());
        let dead = Losses { is_dead: true, dropped: 9, ..losses };
        assert!(dead.since(&losses, false).concat().starts_with("its thread has ended by a failure of the host"));
        assert_eq!(dead.since(&Losses { is_dead: true, ..losses }, true), ["it is dead: 4 requests were dropped within a minute"]);
    }
}
