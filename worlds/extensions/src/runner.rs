//! Runs the script of an extension: each time in a world of its own.

use crate::alarm_rate::AlarmRate;
use crate::api::{self, Context};
use crate::databases::{Queries, databases};
use crate::event;
use crate::output::Output;
use crate::run::{Cause, Ending, Run};
use secrule::Limit;
use secrule::internals::graph::{Extension, Trigger};
use secrule::internals::lua::{Excess, Failure, Limits, Resident};
use secrule::internals::script::Script;
use secrule_host::{Outgoing, Services};
use serde_json::Value;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// Maximum memory of all values of a run, in bytes.
const MEMORY: usize = 256 << 20;

/// A run may take so many times the instructions of a rule.
const INSTRUCTIONS: u64 = 100;

/// Reason of runs that the end of the host stopped.
pub const HOST_ENDED: &str = "the host ended";

/// Maximum memory of the stack of a thread that runs scripts, in bytes.
const STACK: usize = 8 << 20;

/// Runs scripts. Clones share everything.
#[derive(Clone, Debug)]
pub struct Runner {
    pub(crate) services: Services,
    pub(crate) outgoing: Outgoing,
    pub(crate) databases: Arc<dyn Queries>,
    limits: Limits,
    has_ended: Arc<AtomicBool>,
}

/// Runs an extension now, also one that is off, and returns when it has ended. An extension for events without one gets the event of a node that
/// is offline, number 0.
pub fn run_by_hand(services: &Services, outgoing: &Outgoing, extension: &Extension, event: Option<Value>) -> Run {
    let event = event.or_else(|| matches!(extension.trigger, Trigger::Events(_)).then(event::for_tests));
    let cause = Cause::Hand(event.map(Arc::new));
    let runner = match Runner::new(services, outgoing) {
        Ok(runner) => runner,
        Err(problem) => return Run::skipped(extension.script.name(), cause, SystemTime::now(), &problem),
    };
    // The stack of this thread may be small.
    let run = std::thread::scope(|scope| {
        let run = || runner.run(&extension.script, cause.clone(), &Arc::default());
        std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).ok().and_then(|thread| thread.join().ok())
    });
    run.unwrap_or_else(|| Run::skipped(extension.script.name(), cause, SystemTime::now(), "no thread could be started for it"))
}

impl Runner {
    /// Makes a runner with the limits and databases of the rules.
    ///
    /// # Errors
    /// If the address of a database cannot be used.
    pub fn new(services: &Services, outgoing: &Outgoing) -> Result<Self, String> {
        let limits = services.settings(|settings| Limits {
            instructions: u64::try_from(settings.limit(Limit::LuaInstructions)).unwrap_or(u64::MAX).saturating_mul(INSTRUCTIONS),
            time: settings.extension_time_limit,
            memory: MEMORY,
        });
        let databases = Arc::new(services.settings(databases)?);
        Ok(Self { services: services.clone(), outgoing: outgoing.clone(), databases, limits, has_ended: Arc::default() })
    }

    /// Returns the memory of the stack that a thread needs for scripts, in bytes.
    pub fn stack() -> usize {
        STACK
    }

    /// Ends the runs that go on: each at its next line, or after the function that waits.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Runs a script to its end.
    pub fn run(&self, script: &Script, cause: Cause, alarms: &Arc<AlarmRate>) -> Run {
        let began = SystemTime::now();
        let (ending, output, notes) = match Resident::new() {
            Ok(resident) => self.run_in(resident, script, &cause, alarms),
            Err(failure) => (Ending::Error(failure.to_string()), String::new(), Vec::new()),
        };
        Run { extension: script.name().to_owned(), began, ended: SystemTime::now(), cause, ending, output, notes }
    }

    fn run_in(&self, mut resident: Resident, script: &Script, cause: &Cause, alarms: &Arc<AlarmRate>) -> (Ending, String, Vec<String>) {
        let budget = resident.budget();
        budget.stop_with(&self.has_ended);
        let context = Rc::new(Context {
            name: script.name().into(),
            runner: self.clone(),
            output: Output::default(),
            alarms: Arc::clone(alarms),
            budget,
            is_sending: Cell::new(false),
        });
        let ending = match api::environment(&resident, &context, cause.event()) {
            Ok((globals, modules)) => match resident.run(script, &globals, &modules, &self.limits) {
                Ok(_) => Ending::Ok,
                Err(failure) => self.ending(&failure),
            },
            Err(error) => Ending::Error(error.to_string()),
        };
        let (output, notes) = context.output.take();
        (ending, output, notes)
    }

    fn ending(&self, failure: &Failure) -> Ending {
        match failure {
            Failure::Over(_) if self.has_ended.load(Ordering::Relaxed) => Ending::Stopped(HOST_ENDED.to_owned()),
            Failure::Over(Excess::Time) => {
                Ending::Stopped(format!("it took more than {} s: SecExtensionTimeLimit", self.limits.time.as_secs_f64()))
            }
            Failure::Over(Excess::Memory) => Ending::Stopped(format!("it took more than {} MiB of memory", MEMORY >> 20)),
            Failure::Over(_) => {
                Ending::Stopped(format!("it took more than {INSTRUCTIONS} times the instructions of SecLuaInstructionLimit"))
            }
            other => Ending::Error(other.to_string()),
        }
    }
}
