//! A running host: its threads, and what they do.

use super::intake::{Counts, Intake, Taken};
use super::leadership::RENEWAL;
use super::nodes::Nodes;
use super::{HostError, ScriptName, Services, Status, World, status};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);

/// The name of the host in its own log.
const OWN_NAME: &str = "host";

/// A host that runs. Dropped, it ends: it waits for the scripts that run, but not long.
pub struct Host {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Returns the way in when the host ends.
    intake: Option<JoinHandle<Intake>>,
}

struct Shared {
    services: Services,
    worlds: Vec<Box<dyn World>>,
    counts: Counts,
    began: SystemTime,
    has_ended: AtomicBool,
}

impl Host {
    /// Starts a host with a way in.
    ///
    /// # Errors
    /// If a thread cannot start.
    pub fn start(services: Services, intake: Intake, worlds: Vec<Box<dyn World>>) -> Result<Self, HostError> {
        let listener = intake.status_listener()?;
        if let Some(listener) = &listener {
            listener.set_nonblocking(true)?;
        }
        if let Some(lock) = intake.lock_name() {
            services.leadership().be_owner(&lock);
        }
        let counts = Counts::default();
        let shared = Arc::new(Shared { services, worlds, counts, began: SystemTime::now(), has_ended: AtomicBool::new(false) });
        let mut host = Self { shared, threads: Vec::new(), intake: None };
        let shared = Arc::clone(&host.shared);
        let take_in = move || {
            intake.run(&shared.counts, || shared.goes_on(), |taken| shared.give(taken));
            intake
        };
        host.intake = Some(thread::Builder::new().name("secrule-intake".to_owned()).spawn(take_in)?);
        host.spawn("secrule-timer", |shared| shared.keep_time())?;
        if let Some(listener) = listener {
            host.spawn("secrule-status", move |shared| status::answer(&listener, || shared.goes_on(), || shared.status()))?;
        }
        Ok(host)
    }

    /// Returns the status: what came in, and what each world does.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Ends the host, and waits for its scripts a little. Dropping it does the same. Returns its way in for the next host: what comes meanwhile waits there,
    /// as far as the system has room for it.
    pub fn stop(mut self) -> Option<Intake> {
        self.end()
    }

    /// A second call does nothing.
    fn end(&mut self) -> Option<Intake> {
        // A thread that panicked has ended, too.
        let intake = self.intake.take().map(|intake| {
            self.shared.has_ended.store(true, Ordering::Relaxed);
            intake.join().ok()
        })?;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.shared.worlds.iter().for_each(|world| world.stop());
        self.shared.services.ask_store(|store, by| self.shared.services.leadership().resign(store, by));
        self.shared.services.log().flush();
        intake
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> Result<(), HostError> {
        let shared = Arc::clone(&self.shared);
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared))?);
        Ok(())
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    fn give(&self, taken: Taken) {
        match taken {
            Taken::Exchange(exchange) => self.worlds.iter().for_each(|world| world.take(&exchange)),
            Taken::Event(event) => self.worlds.iter().for_each(|world| world.take_event(&event)),
        }
    }

    /// Renews the lease, and lets worlds do what is due.
    fn keep_time(&self) {
        let (own, leadership) = (ScriptName::from(OWN_NAME), self.services.leadership());
        let mut nodes = Nodes::default();
        let mut renewal = Instant::now();
        let mut is_down = false;
        while self.goes_on() {
            if Instant::now() >= renewal {
                renewal = Instant::now() + RENEWAL;
                let led = leadership.leads();
                let renewed = self.services.ask_store(|store, by| leadership.renew(store, by));
                match renewed.and_then(|()| nodes.look(leadership, &self.services)) {
                    Ok(events) => {
                        is_down = false;
                        let reported = events.iter().filter(|_| leadership.leads());
                        reported.for_each(|event| self.worlds.iter().for_each(|world| world.take_node_event(event)));
                    }
                    Err(down) if !is_down => {
                        is_down = true;
                        let message = format!("the store does not answer, so that timers wait from the end of the lease: {down}");
                        self.services.log().write_system(&own, &message);
                    }
                    Err(_) => {}
                }
                if leadership.leads() && !led {
                    self.services.log().write_system(&own, "this host leads: timers and timetables run here");
                }
            }
            let now = SystemTime::now();
            self.worlds.iter().for_each(|world| world.tick(now, leadership));
            self.services.log().report_dropped();
            thread::sleep(TICK);
        }
    }

    fn status(&self) -> Status {
        let (leadership, counts) = (self.services.leadership(), &self.counts);
        let worlds: Map<String, Value> = self.worlds.iter().map(|world| (world.name().to_owned(), world.status())).collect();
        let lines = self.services.log().last(100);
        let began = self.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        json!({
            "process": std::process::id(),
            "since": began,
            "machine": leadership.machine(),
            "node": leadership.node(),
            "leads": leadership.leads(),
            "exchanges": counts.exchanges.load(Ordering::Relaxed),
            "events": counts.events.load(Ordering::Relaxed),
            "unreadable": counts.unreadable.load(Ordering::Relaxed),
            "worlds": worlds,
            "log": lines.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // With it the sockets are closed.
        drop(self.end());
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
