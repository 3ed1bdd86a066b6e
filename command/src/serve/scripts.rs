//! The plugins and extensions that the rules of a proxy name, for its admin page.

use crate::worlds::extension::{last_runs, next_run};
use crate::worlds::outgoing;
use crate::{Failure, note};
use secrule::Waf;
use secrule::internals::graph::Extension;
use secrule_extensions::{Filter, Run, append_history, run_by_hand};
use secrule_host::{ScriptLog, Services, ask_status};
use secrule_serve::Scripts;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Number of runs that are shown, and of those that are kept in memory.
const SHOWN_RUNS: usize = 20;

/// The scripts of rules.
pub struct RuleScripts {
    waf: Waf,
    started: Arc<Mutex<Started>>,
}

/// Runs that the page started.
#[derive(Default)]
struct Started {
    /// The script that runs now.
    running: Option<String>,
    /// The last runs, if the rules keep no history.
    runs: VecDeque<Run>,
}

impl RuleScripts {
    /// Returns the scripts of rules, also after a reload.
    pub fn of(waf: &Waf) -> Self {
        Self { waf: waf.clone(), started: Arc::default() }
    }
}

impl Scripts for RuleScripts {
    fn plugins(&self) -> Value {
        let Some(socket) = self.waf.graph().settings.plugin_host.clone() else {
            return json!({ "problem": "The rules name no script host. SecPluginHost unix:/run/secrule/host.sock names one, and SecPlugin a plugin." });
        };
        match ask_status(&socket) {
            Ok(status) => json!({ "scripts": status.pointer("/worlds/plugins/scripts"), "log": status.get("log") }),
            Err(error) => {
                let reason = format!("No script host answers at {}: {error}. `secrule host RULES` starts it.", socket.display());
                json!({ "problem": reason })
            }
        }
    }

    fn extensions(&self) -> Value {
        let graph = self.waf.graph();
        let extensions = &graph.settings.worlds.extensions;
        if extensions.is_empty() {
            return json!({ "problem": "The rules name no extension. SecExtension names one." });
        }
        let shown = |extension: &Extension| json!({ "script": extension.script.name(), "trigger": extension.trigger.to_string(), "next": next_run(extension) });
        let started = lock(&self.started);
        let (runs, problem) = match &graph.settings.extension_history {
            None => (
                started.runs.iter().cloned().collect(),
                Some("The rules keep no history, so that only runs of this page are shown. SecExtensionHistory names its file.".to_owned()),
            ),
            Some(file) => match last_runs(&file.path, &Filter::last(SHOWN_RUNS)) {
                Ok(runs) => (runs, None),
                Err(Failure::Reason(reason)) => (Vec::new(), Some(format!("The history cannot be read: {reason}."))),
                Err(Failure::Closed) => (Vec::new(), None),
            },
        };
        json!({
            "extensions": extensions.iter().map(shown).collect::<Vec<_>>(),
            "running": started.running,
            "runs": runs.iter().rev().map(Run::to_json).collect::<Vec<_>>(),
            "problem": problem,
        })
    }

    fn run(&self, extension: &str) -> Result<(), String> {
        let graph = self.waf.graph();
        let extension = graph.settings.worlds.extensions.iter().find(|known| known.script.name() == extension);
        let extension = extension.ok_or("the rules do not name this extension any more")?.clone();
        let history = graph.settings.extension_history.clone();
        let services = Services::new(&self.waf, Arc::new(ScriptLog::new(Box::new(io::stderr()), graph.settings.plugin_log_rate)));
        let outgoing = outgoing(&services).map_err(|failure| match failure {
            Failure::Reason(reason) => reason,
            Failure::Closed => "standard output is closed".to_owned(),
        })?;
        let name = extension.script.name().to_owned();
        match &mut lock(&self.started).running {
            Some(running) => return Err(format!("{running} runs; try again when it has ended")),
            running => *running = Some(name.clone()),
        }
        let running = Running(Arc::clone(&self.started));
        let work = move || {
            let run = run_by_hand(&services, &outgoing, &extension, None);
            match history.map(|file| append_history(&file, &run).map_err(|error| (file, error))) {
                Some(Ok(())) => {}
                Some(Err((file, error))) => {
                    note(&format!("secrule: {}: the run of {name} is not in the history: {error}", file.path.display()))
                }
                None => {
                    let runs = &mut lock(&running.0).runs;
                    runs.push_back(run);
                    if runs.len() > SHOWN_RUNS {
                        runs.pop_front();
                    }
                }
            }
        };
        thread::Builder::new().name("secrule-extension".to_owned()).spawn(work).map(drop).map_err(|error| error.to_string())
    }
}

/// Ends the run when its thread does, also if that cannot start or fails.
struct Running(Arc<Mutex<Started>>);

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.0).running = None;
    }
}

fn lock(started: &Mutex<Started>) -> std::sync::MutexGuard<'_, Started> {
    started.lock().unwrap_or_else(PoisonError::into_inner)
}
