//! The history: the last runs, in memory, and in the file that `SecExtensionHistory` names.
//!
//! The file has a JSON object a line, the oldest first ([`Run::to_json`](crate::Run::to_json)). Lines are appended at once, so that others can read
//! it while a host writes ([`read`]). A thread writes it: no run and no timer waits for a disk.

mod file;

pub use file::{Filter, append, read};

use crate::run::Run;
use file::HistoryWriter;
use secrule::internals::graph::HistoryFile;
use secrule_host::{ScriptName, Services};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum number of runs in memory, and maximum size of their texts in bytes.
const MAX_RUNS: usize = 1_000;
const MAX_BYTES: usize = 16 << 20;

/// Maximum number of runs that wait for the disk; more are in memory alone.
const MAX_WAITING: usize = 100;

/// Maximum wait for the last lines.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// The name of the history in the log.
const OWN_NAME: &str = "history";

/// The history of a host.
#[derive(Debug)]
pub struct History {
    services: Services,
    memory: Mutex<Memory>,
    file: Mutex<Option<Link>>,
}

#[derive(Debug, Default)]
struct Memory {
    runs: VecDeque<(Run, usize)>,
    bytes: usize,
}

/// The way to the thread that writes.
#[derive(Debug)]
struct Link {
    lines: SyncSender<Run>,
    ended: Receiver<()>,
}

impl History {
    /// Makes a history, which is written to a file if one is named.
    pub fn new(services: &Services, file: Option<HistoryFile>) -> Self {
        let link = file.and_then(|file| {
            let (lines, receiver) = sync_channel::<Run>(MAX_WAITING);
            let (alive, ended) = channel();
            let services = services.clone();
            let write = move || {
                let _alive = alive;
                let mut writer = HistoryWriter::new(file);
                let mut is_well = true;
                for run in receiver {
                    let result = writer.append(&run);
                    if let Err(error) = &result
                        && is_well
                    {
                        let remedy = match error.kind() {
                            ErrorKind::PermissionDenied => ": give it and its folder to the user of this host",
                            _ => "",
                        };
                        say(&services, &format!("{} cannot be written: {error}{remedy}", writer.path().display()));
                    }
                    is_well = result.is_ok();
                }
            };
            thread::Builder::new().name("secrule-history".to_owned()).spawn(write).ok().map(|_| Link { lines, ended })
        });
        Self { services: services.clone(), memory: Mutex::default(), file: Mutex::new(link) }
    }

    /// Adds a run.
    pub fn add(&self, run: Run) {
        if let Some(link) = &*self.file.lock().unwrap_or_else(PoisonError::into_inner)
            && let Err(TrySendError::Full(run)) = link.lines.try_send(run.clone())
        {
            say(&self.services, &format!("the disk is too slow: a run of {} is not in the file", run.extension));
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let size = run.to_json().to_string().len();
        memory.bytes = memory.bytes.saturating_add(size);
        memory.runs.push_back((run, size));
        while memory.runs.len() > MAX_RUNS || (memory.bytes > MAX_BYTES && memory.runs.len() > 1) {
            let Some((_, size)) = memory.runs.pop_front() else { break };
            memory.bytes = memory.bytes.saturating_sub(size);
        }
    }

    /// Returns the last runs that are in memory, the oldest first.
    pub fn last(&self, filter: &Filter) -> Vec<Run> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = memory.runs.iter().rev().map(|(run, _)| run).filter(|run| filter.takes(&run.extension));
        let mut runs: Vec<Run> = meant.take(filter.last).cloned().collect();
        runs.reverse();
        runs
    }

    /// Writes what waits, and ends.
    pub fn stop(&self) {
        let link = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Link { lines, ended }) = link {
            drop(lines);
            // It sends nothing: the wait ends when the thread does.
            let _ = ended.recv_timeout(STOP_WAIT);
        }
    }
}

fn say(services: &Services, message: &str) {
    services.log().write_system(&ScriptName::from(OWN_NAME), message);
}
