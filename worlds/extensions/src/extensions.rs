//! The world of extensions: gives timetables and events to the threads that run scripts.

use crate::alarm_rate::AlarmRate;
use crate::clients::Clients;
use crate::databases::own_file;
use crate::event::{self, event_type};
use crate::history::{Filter, History};
use crate::place::Place;
use crate::queue::{Queue, Refusal};
use crate::recording::Recording;
use crate::rule_set::RuleSets;
use crate::run::{Cause, Run};
use crate::runner::{HOST_ENDED, Runner};
use crate::timetable::Timetable;
use crate::waf_event;
use chrono::{DateTime, Local, TimeDelta};
use secrule::internals::graph::{Extension, Trigger, WAF_EVENT};
use secrule_host::{Exchange, Leadership, NodeEvent, Outgoing, ScriptName, Services, World};
use serde_json::{Value, json};
use std::fmt;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Number of runs at once.
const THREADS: usize = 4;

/// A time of a timetable that is further away has been missed: the host was stopped. It is not made up.
const MISSED: TimeDelta = TimeDelta::minutes(1);

/// Maximum wait for the runs that go on when the host ends.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// Time between two lines about events that a full queue dropped.
const DROP_REPORTS: Duration = Duration::from_secs(60);

/// The number of the load of the rules at the start of a program.
const FIRST_LOAD: u64 = 1;

/// The tag of lines about runs that failed.
const TAG: &str = "run";

/// An extension that does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// Its script; empty if none of the extensions can start.
    pub extension: String,
    /// The problem, with what to write.
    pub problem: String,
}

/// All extensions of a host.
pub struct Extensions {
    shared: Arc<Shared>,
    timers: Mutex<Timers>,
    ended: Mutex<Vec<Receiver<()>>>,
}

struct Shared {
    runner: Runner,
    extensions: Vec<Kept>,
    queue: Queue,
    history: History,
    rule_sets: RuleSets,
    clients: Mutex<Clients>,
    takes_waf_events: bool,
    /// The host's own database, if it has one and there are extensions.
    recording: Option<Recording>,
}

struct Kept {
    extension: Extension,
    name: ScriptName,
    timetable: Option<Timetable>,
    alarms: Arc<AlarmRate>,
}

struct Timers {
    /// The next time of each timetable, after the last look.
    next: Vec<Option<DateTime<Local>>>,
    last: Option<DateTime<Local>>,
    drops_reported: Instant,
    reported_drops: Vec<u64>,
    /// `true` until extensions have the event of a reload.
    has_release: bool,
}

impl Extensions {
    /// Starts the extensions that `SecExtension` names: those that are on, at their times and events.
    ///
    /// # Errors
    /// One for each timetable that is not one, or if threads cannot start; then none is started.
    pub fn start(services: &Services, outgoing: &Outgoing) -> Result<Self, Vec<StartFailure>> {
        Self::start_load(services, outgoing, FIRST_LOAD)
    }

    /// Does the same for a load of the rules with this number, from 1, which events have as `rule_set_id`. A later load than the first is a reload:
    /// extensions get the event `release` at the first tick of their host.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_load(services: &Services, outgoing: &Outgoing, load: u64) -> Result<Self, Vec<StartFailure>> {
        let (extensions, history) = services.settings(|settings| (settings.worlds.extensions.clone(), settings.extension_history.clone()));
        let (mut kept, mut failures) = (Vec::new(), Vec::new());
        for extension in extensions {
            let name = extension.script.name().to_owned();
            match timetable(&extension) {
                Ok(timetable) => kept.push(Kept { extension, name: name.into(), timetable, alarms: Arc::default() }),
                Err(problem) => failures.push(StartFailure { extension: name, problem }),
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        let count = kept.len();
        let runner = Runner::new(services, outgoing).map_err(StartFailure::of_all)?;
        let file = services.settings(own_file).map_err(StartFailure::of_all)?;
        let recording = file.map(|file| Recording::start(file, services.log())).transpose();
        let shared = Arc::new(Shared {
            runner,
            recording: recording.map_err(|error| StartFailure::of_all(format!("a thread cannot start: {error}")))?,
            takes_waf_events: kept.iter().any(|kept| kept.extension.runs_on(WAF_EVENT)),
            extensions: kept,
            queue: Queue::new(count),
            history: History::new(services, history),
            rule_sets: RuleSets::new(load),
            clients: Mutex::default(),
        });
        let timers = Timers {
            next: vec![None; count],
            last: None,
            drops_reported: Instant::now(),
            reported_drops: vec![0; count],
            has_release: load > FIRST_LOAD,
        };
        let started = Self { shared, timers: Mutex::new(timers), ended: Mutex::default() };
        started.start_threads().map_err(|error| {
            started.shared.queue.end();
            StartFailure::of_all(format!("a thread cannot start: {error}"))
        })?;
        Ok(started)
    }

    /// Returns the last runs in memory, the oldest first. [`read_history`](crate::read_history) reads those of the file.
    pub fn history(&self, filter: &Filter) -> Vec<Run> {
        self.shared.history.last(filter)
    }

    fn start_threads(&self) -> std::io::Result<()> {
        if self.shared.extensions.is_empty() {
            return Ok(());
        }
        for _ in 0..THREADS {
            let (shared, (alive, ended)) = (Arc::clone(&self.shared), channel());
            let work = move || {
                let _alive = alive;
                shared.work();
            };
            thread::Builder::new().name("secrule-extension".to_owned()).stack_size(Runner::stack()).spawn(work)?;
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
        }
        Ok(())
    }
}

/// Checks the trigger of an extension as a host does when it starts.
///
/// # Errors
/// If its timetable is not one; with what to write.
pub fn check(extension: &Extension) -> Result<(), StartFailure> {
    let failure = |problem| StartFailure { extension: extension.script.name().to_owned(), problem };
    timetable(extension).map(drop).map_err(failure)
}

/// Returns the next time of an extension's timetable, as `2026-11-30T14:05:00+01:00`; `None` for one that runs on events.
pub fn next_time(extension: &Extension) -> Option<String> {
    let timetable = timetable(extension).ok()??;
    timetable.next(Local::now()).map(|time| time.to_rfc3339())
}

fn timetable(extension: &Extension) -> Result<Option<Timetable>, String> {
    match &extension.trigger {
        Trigger::Timetable(text) => Timetable::read(text).map(Some),
        Trigger::Events(_) => Ok(None),
    }
}

impl Shared {
    /// Runs what is next, until the host ends.
    fn work(&self) {
        while let Some((at, cause)) = self.queue.next() {
            if let Some(kept) = self.extensions.get(at) {
                let run = self.runner.run(&kept.extension.script, cause, &kept.alarms);
                if let Some(reason) = run.ending.reason() {
                    let line = format!("a run by {} failed: {reason}", run.cause.name());
                    // A line that is not written because of its rate is in the history.
                    let _ = self.runner.services.log().write(&kept.name, TAG, &line);
                }
                // In this order, so that the runs of an extension are in the history as they were.
                let has_failed = run.ending.reason().is_some();
                if self.queue.report(at) {
                    self.history.add(run);
                }
                self.queue.finish(at, has_failed);
            }
        }
    }

    fn give(&self, event: Value) {
        let Some(kind) = event_type(&event).map(str::to_owned) else { return };
        let event = Arc::new(event);
        for (at, _) in self.extensions.iter().enumerate().filter(|(_, kept)| kept.extension.runs_on(&kind)) {
            self.queue.add_event(at, Cause::Event(Arc::clone(&event)));
        }
    }

    fn skip(&self, kept: &Kept, now: SystemTime, reason: &str) {
        self.history.add(Run::skipped(&kept.name, Cause::Timetable, now, reason));
    }
}

impl Timers {
    /// Returns the extensions whose time has come.
    fn due(&mut self, now: DateTime<Local>, extensions: &[Kept]) -> Vec<usize> {
        // A clock that was put back by little shows a time again that has been.
        let is_back = self.last.is_some_and(|last| last - now > MISSED);
        self.last = Some(self.last.filter(|last| !is_back && *last > now).unwrap_or(now));
        let mut due = Vec::new();
        for ((at, next), kept) in self.next.iter_mut().enumerate().zip(extensions) {
            let Some(timetable) = kept.timetable.as_ref().filter(|_| kept.extension.is_on) else { continue };
            match *next {
                Some(time) if time > now && !is_back => {}
                Some(time) => {
                    if !is_back && now - time < MISSED {
                        due.push(at);
                    }
                    *next = timetable.next(now);
                }
                None => *next = timetable.next(now),
            }
        }
        due
    }
}

impl World for Extensions {
    fn name(&self) -> &'static str {
        "extensions"
    }

    fn take(&self, exchange: &Arc<Exchange>) {
        let shared = &self.shared;
        shared.recording.iter().for_each(|recording| recording.count(exchange));
        let Some(attack) = waf_event::condition(exchange).filter(|_| shared.takes_waf_events || shared.recording.is_some()) else { return };
        let services = &shared.runner.services;
        let rules = shared.rule_sets.current(services.waf());
        let place = services.settings(|settings| Place::of(settings.geo_database.as_deref(), exchange.client));
        shared.recording.iter().for_each(|recording| recording.take(exchange, attack, &rules, place.clone()));
        let client = waf_event::client(exchange);
        if !shared.takes_waf_events || !shared.clients.lock().unwrap_or_else(PoisonError::into_inner).is_first(&client, Instant::now()) {
            return;
        }
        shared.give(waf_event::of(exchange, attack, &rules, &place));
    }

    fn take_event(&self, event: &Value) {
        self.shared.give(event.clone());
    }

    fn take_node_event(&self, event: &NodeEvent) {
        if self.shared.runner.services.leadership().leads() {
            self.shared.give(event::of_node(event));
        }
    }

    fn tick(&self, now: SystemTime, leadership: &Leadership) {
        let shared = &self.shared;
        shared.recording.iter().for_each(|recording| recording.tick(now, leadership.node()));
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut timers.has_release) {
            shared.give(event::of_release());
        }
        // Times that come while another host leads are its own.
        for at in timers.due(now.into(), &shared.extensions) {
            let Some(kept) = shared.extensions.get(at).filter(|_| leadership.leads()) else { continue };
            match shared.queue.add_time(at) {
                Ok(()) => {}
                Err(Refusal::Runs) => shared.skip(kept, now, "its last run goes on"),
                Err(Refusal::Waits) => shared.skip(kept, now, "its last run has not begun, because four others go on"),
            }
        }
        if timers.drops_reported.elapsed() >= DROP_REPORTS {
            timers.drops_reported = Instant::now();
            for ((at, known), kept) in timers.reported_drops.iter_mut().enumerate().zip(&shared.extensions) {
                let dropped = shared.queue.dropped(at);
                if dropped > *known {
                    let message = format!("it is too slow: {} events were dropped within a minute", dropped - *known);
                    shared.runner.services.log().write_system(&kept.name, &message);
                    *known = dropped;
                }
            }
        }
    }

    fn status(&self) -> Value {
        let timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let next = timers.next.iter().map(|next| next.map(|next| next.to_rfc3339()));
        let scripts = self.shared.extensions.iter().enumerate().zip(next).map(|((at, kept), next)| {
            let trigger = kept.extension.trigger.to_string();
            let mut status = json!({ "script": &*kept.name, "trigger": trigger, "on": kept.extension.is_on, "next": next });
            if let (Some(status), Value::Object(counts)) = (status.as_object_mut(), self.shared.queue.status(at)) {
                status.extend(counts);
            }
            status
        });
        let dropped = self.shared.recording.as_ref().map(Recording::dropped);
        json!({ "scripts": scripts.collect::<Vec<_>>(), "rows_dropped": dropped })
    }

    fn stop(&self) {
        let waiting = self.shared.queue.end();
        self.shared.runner.end();
        let by = Instant::now() + STOP_WAIT;
        for ended in self.ended.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It sends nothing: the wait ends when the thread does.
            let _ = ended.recv_timeout(by.saturating_duration_since(Instant::now()));
        }
        self.shared.recording.iter().for_each(Recording::stop);
        let name = |at: usize| self.shared.extensions.get(at).map(|kept| &kept.name);
        for (at, cause, began) in self.shared.queue.report_running() {
            name(at).into_iter().for_each(|name| self.shared.history.add(Run::stopped(name, cause.clone(), began, HOST_ENDED)));
        }
        for (at, cause, count) in waiting {
            let reason = match count {
                1 => format!("{HOST_ENDED} before it began"),
                count => format!("{HOST_ENDED} before {count} events were run, of which this is the first"),
            };
            let now = SystemTime::now();
            name(at).into_iter().for_each(|name| self.shared.history.add(Run::skipped(name, cause.clone(), now, &reason)));
        }
        self.shared.history.stop();
    }
}

impl StartFailure {
    /// Makes the failure of all extensions.
    fn of_all(problem: String) -> Vec<Self> {
        vec![Self { extension: String::new(), problem }]
    }
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.extension.is_empty() {
            return write!(f, "extensions cannot be started: {}", self.problem);
        }
        write!(f, "the extension {} cannot be started: {}", self.extension, self.problem)
    }
}

impl std::error::Error for StartFailure {}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions").finish_non_exhaustive()
    }
}
