//! The thread of a plugin: loads its script, and calls its functions.

use crate::callback::Callback;
use crate::plugin::{PluginParts, Progress};
use crate::queue::{Job, Queue};
use crate::registration::Trigger;
use crate::skynet;
use crate::traffic::Seen;
use mlua::{BString, IntoLuaMulti};
use secrule::internals::lua::{Excess, Failure, Limits, Resident};
use secrule::internals::script::Script;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Maximum times for loading a script and for a callback.
const LOAD_TIME: Duration = Duration::from_secs(1);
const CALL_TIME: Duration = Duration::from_secs(5);

/// Maximum memory of all values of a plugin, in bytes.
const MEMORY: usize = 64 << 20;

/// After this number of failures in a row a plugin is off for this time.
const MAX_FAILURES: u64 = 100;
const OFF_TIME: Duration = Duration::from_secs(60);

/// The error of `require "safeline"`.
const NO_SAFELINE: &str = "module 'safeline' does not exist here: this host has the interface `skynet` of series 10. A script for series 20 asks for the \
    traffic by TYPE_QUERY, and waits by promises, which skynet lacks: call stat_visit and top_n in a ticker instead";

/// A script in its thread.
pub struct Thread {
    resident: Resident,
    plugin: Rc<skynet::Plugin>,
    progress: Arc<Progress>,
    limits: Limits,
    failures_in_a_row: u64,
    off_until: Option<Instant>,
}

impl Thread {
    /// Runs the script once, and returns when its functions are called.
    pub fn load(parts: &PluginParts, script: &Script, progress: Arc<Progress>) -> Result<(Self, Vec<Trigger>), String> {
        let mut resident = Resident::new().map_err(|failure| reported(&failure, LOAD_TIME))?;
        let plugin = Rc::new(skynet::Plugin {
            name: script.name().into(),
            services: parts.services.clone(),
            outgoing: parts.outgoing.clone(),
            traffic: Arc::clone(&parts.traffic),
            current: Default::default(),
            registrations: RefCell::default(),
            progress: Arc::clone(&progress),
            max_wait: parts.max_wait,
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
        resident.run(script, &globals, &modules, &limits).map_err(|failure| reported(&failure, LOAD_TIME))?;
        let triggers: Vec<Trigger> = plugin.registrations.borrow().iter().map(|registered| registered.trigger.clone()).collect();
        if triggers.is_empty() {
            return Err("it registers no function: call skynet.register".to_owned());
        }
        let combinations = triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Requests(condition) => Some(condition.combination),
            Trigger::Ticks(_) => None,
        });
        parts.traffic.expect(script, combinations);
        let limits = Limits { time: CALL_TIME, ..limits };
        Ok((Self { resident, plugin, progress, limits, failures_in_a_row: 0, off_until: None }, triggers))
    }

    /// Does the jobs, until the plugin is stopped.
    pub fn work(mut self, jobs: &Queue) {
        while let Some(job) = jobs.next() {
            if self.progress.is_stopped() {
                break;
            }
            if self.is_off() {
                self.progress.passed_over.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            match job {
                Job::Request { registration, exchange, target } => {
                    let seen = Seen::of(&exchange);
                    let arguments = (seen.ip.to_string(), seen.host.to_owned(), BString::from(seen.url_path));
                    self.plugin.current.begin(Callback::Request(Arc::clone(&exchange), target));
                    self.call(registration, arguments);
                }
                Job::Tick { registration, seconds, waiting } => {
                    self.plugin.current.begin(Callback::Tick);
                    self.call(registration, seconds);
                    drop(waiting);
                }
            }
        }
    }

    /// Calls a function. A failure is a line in the log, and the plugin goes on.
    fn call(&mut self, registration: usize, arguments: impl IntoLuaMulti) {
        let function = self.plugin.registrations.borrow().get(registration).map(|registered| registered.function.clone());
        let Some(function) = function else { return };
        self.progress.calls.fetch_add(1, Ordering::Relaxed);
        let Err(failure) = self.resident.call(&function, arguments, &self.limits) else {
            self.failures_in_a_row = 0;
            return;
        };
        self.progress.failures.fetch_add(1, Ordering::Relaxed);
        if self.progress.is_stopped() {
            self.log("its last call was cut off, because the host ends or reads its rules again");
            return;
        }
        self.log(&reported(&failure, CALL_TIME));
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if self.failures_in_a_row >= MAX_FAILURES {
            self.failures_in_a_row = 0;
            self.off_until = Instant::now().checked_add(OFF_TIME);
            self.progress.is_off.store(true, Ordering::Relaxed);
            self.log(&format!("{MAX_FAILURES} calls in a row failed, so that it is off for {} s", OFF_TIME.as_secs()));
        }
    }

    /// Returns `true` while the plugin is off.
    fn is_off(&mut self) -> bool {
        match self.off_until {
            Some(until) if Instant::now() < until => true,
            Some(_) => {
                self.off_until = None;
                self.progress.is_off.store(false, Ordering::Relaxed);
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
fn reported(failure: &Failure, time: Duration) -> String {
    match failure {
        Failure::Over(Excess::Time) => format!("it was stopped: it took more than {} s", time.as_secs()),
        Failure::Over(Excess::Memory) => format!("it was stopped: it keeps more than {} MiB", MEMORY >> 20),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::Waf;
    use secrule_host::{Outgoing, ScriptLog, Services};
    use std::net::TcpListener;

    #[test]
    fn the_requests_of_one_call_wait_for_a_limited_time_together() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let waf = Waf::from_rules("").unwrap();
        let log = Arc::new(ScriptLog::new(Box::new(std::io::sink()), 100));
        let parts = PluginParts {
            services: Services::new(&waf, Arc::clone(&log)),
            outgoing: Outgoing::new(std::iter::once(address.to_string().parse()).collect::<Result<_, _>>().unwrap()),
            traffic: Arc::default(),
            instructions: 1_000_000,
            queue: 10,
            max_wait: Duration::from_millis(300),
        };
        // The server takes connections, and never answers.
        let text = format!(
            "local skynet = require 'skynet'\nlocal answers = 0\nskynet.register(skynet.TYPE_TICKER, 1, function()\n\
             \x20   local problem\n    repeat\n        problem = select(2, skynet.http_get('http://{address}/'))\n\
             \x20       skynet.log('problem', problem)\n    until problem ~= 'timeout'\nend)"
        );
        let script = Script::new("slow.lua", text.into_bytes()).unwrap();
        let (mut thread, _) = Thread::load(&parts, &script, Arc::default()).map_err(|problem| panic!("{problem}")).unwrap();
        for _ in 0..2 {
            let began = Instant::now();
            thread.plugin.current.begin(Callback::Tick);
            thread.call(0, 1);
            assert!((200..2_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        }
        let lines: Vec<String> = log.last(10).iter().map(|line| line.message.to_string()).collect();
        let limited = "the requests of one call took 0.3 s together: make fewer in a call";
        assert_eq!(lines, ["timeout", limited, "timeout", limited]);
    }
}
