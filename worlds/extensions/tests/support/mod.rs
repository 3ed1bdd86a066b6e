//! Rules with extensions in a folder, and hosts that run them.

#![allow(dead_code, reason = "a file of tests uses what it needs")]

use secrule::{Connection, Waf};
use secrule_extensions::{Ending, Extensions, Filter, Run, run_by_hand};
use secrule_host::{Host, Intake, Outgoing, ScriptLog, Services};
use serde_json::Value;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Rules, in a folder with the scripts that they name.
pub struct Scene {
    pub folder: Arc<TempDir>,
    rules: String,
}

/// A rule set with the services of its host.
pub struct Loaded {
    pub waf: Waf,
    pub services: Services,
    pub outgoing: Outgoing,
    pub log: Arc<ScriptLog>,
    /// Kept, because files in it, such as a database, may be read later.
    folder: Option<Arc<TempDir>>,
}

/// A host with extensions, in this process.
pub struct Running {
    pub waf: Waf,
    pub log: Arc<ScriptLog>,
    pub services: Services,
    pub extensions: Arc<Extensions>,
    outgoing: Outgoing,
    host: Option<Host>,
    _folder: Arc<TempDir>,
}

/// A world that the test may ask as well.
struct Shared(Arc<Extensions>);

impl Scene {
    pub fn new() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), rules: "SecRuleEngine On\n".to_owned() }
    }

    /// Adds rules.
    pub fn rules(mut self, rules: &str) -> Self {
        self.rules.push_str(rules);
        self.rules.push('\n');
        self
    }

    /// Adds an extension with a trigger, such as `event:waf_event`.
    pub fn extension(self, name: &str, text: &str, trigger: &str) -> Self {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        let directive = format!("SecExtension \"{}\" {trigger}", path.display());
        self.rules(&directive)
    }

    /// Allows connections to a port of this machine.
    pub fn connect(self, port: u16) -> Self {
        self.rules(&format!("SecScriptConnect 127.0.0.1:{port}"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn load(&self) -> Loaded {
        let folder = Some(Arc::clone(&self.folder));
        Loaded { folder, ..loaded(Waf::builder().rules("rules", &self.rules).build().unwrap()) }
    }

    /// Starts a host.
    pub fn start(&self) -> Running {
        self.start_load(1)
    }

    /// Starts a host for the load of the rules with this number.
    pub fn start_load(&self, load: u64) -> Running {
        let (intake, link) = Intake::local();
        let loaded = loaded(Waf::builder().rules("rules", &self.rules).exchange_log(link).build().unwrap());
        let extensions = Arc::new(Extensions::start_load(&loaded.services, &loaded.outgoing, load).unwrap());
        let host = Host::start(loaded.services.clone(), intake, vec![Box::new(Shared(Arc::clone(&extensions)))]).unwrap();
        let Loaded { waf, services, outgoing, log, .. } = loaded;
        Running { waf, log, services, extensions, outgoing, host: Some(host), _folder: Arc::clone(&self.folder) }
    }
}

pub fn loaded(waf: Waf) -> Loaded {
    let log = Arc::new(ScriptLog::new(Box::new(io::sink()), 100));
    let services = Services::new(&waf, Arc::clone(&log));
    let outgoing = services.settings(Outgoing::from_settings).unwrap();
    Loaded { waf, services, outgoing, log, folder: None }
}

impl Loaded {
    /// Runs the extension with this number by hand.
    pub fn run(&self, number: usize, event: Option<Value>) -> Run {
        run_one(&self.services, &self.outgoing, number, event)
    }
}

fn run_one(services: &Services, outgoing: &Outgoing, number: usize, event: Option<Value>) -> Run {
    let extensions = services.settings(|settings| settings.worlds.extensions.clone());
    run_by_hand(services, outgoing, &extensions[number], event)
}

impl Running {
    /// Runs the extension with this number by hand, beside the host.
    pub fn run(&self, number: usize, event: Option<Value>) -> Run {
        run_one(&self.services, &self.outgoing, number, event)
    }

    /// Returns the runs of an extension, by the name of its file.
    pub fn runs(&self, name: &str) -> Vec<Run> {
        let runs = self.extensions.history(&Filter::last(1_000));
        runs.into_iter().filter(|run| run.extension.ends_with(&format!("/{name}"))).collect()
    }

    /// Waits for so many runs of an extension.
    pub fn wait_for_runs(&self, name: &str, count: usize) -> Vec<Run> {
        let by = Instant::now() + Duration::from_secs(60);
        loop {
            let runs = self.runs(name);
            if runs.len() >= count {
                return runs;
            }
            assert!(Instant::now() < by, "{} of {count} runs of {name}: {runs:?}", runs.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a request by a client; its header `X-Attack` is what rules look at.
    pub fn request(&self, client: &str, attack: &str) {
        let connection = Connection::new((client.parse::<IpAddr>().unwrap(), 4_000).into(), ([192, 0, 2, 80], 80).into());
        let mut transaction = self.waf.begin(connection);
        let _ = transaction.request_line(b"GET", b"/a?b=1", b"1.1");
        let _ = transaction.request_header(b"Host", b"shop.example");
        let _ = transaction.request_header(b"X-Attack", attack.as_bytes());
        let _ = transaction.request_headers_end();
        let _ = transaction.request_end();
        let _ = transaction.finish();
    }

    /// Returns what the extensions do, as the status of the host has it.
    pub fn status(&self) -> Value {
        self.host.as_ref().unwrap().status()["worlds"]["extensions"].clone()
    }

    pub fn stop(&mut self) {
        self.host.take().unwrap().stop();
    }
}

/// Runs a script by hand, with an event of its own.
pub fn run(text: &str) -> Run {
    Scene::new().extension("a.lua", text, "event:test").load().run(0, None)
}

/// Runs a script that must come to its end, and returns its output.
pub fn output(text: &str) -> String {
    let run = run(text);
    assert_eq!(run.ending, Ending::Ok, "{text}\n{run:?}");
    run.output
}

/// Runs a script that must fail, and returns the error without the path of its file.
pub fn error(text: &str) -> String {
    match run(text).ending {
        Ending::Error(reason) => reason.rsplit_once("/a.lua").map_or(reason.clone(), |(_, error)| format!("a.lua{error}")),
        other => panic!("{text}\n{other:?}"),
    }
}

impl secrule_host::World for Shared {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn take(&self, exchange: &Arc<secrule_host::Exchange>) {
        self.0.take(exchange);
    }

    fn take_event(&self, event: &Value) {
        self.0.take_event(event);
    }

    fn take_node_event(&self, event: &secrule_host::NodeEvent) {
        self.0.take_node_event(event);
    }

    fn tick(&self, now: std::time::SystemTime, leadership: &secrule_host::Leadership) {
        self.0.tick(now, leadership);
    }

    fn status(&self) -> Value {
        self.0.status()
    }

    fn stop(&self) {
        self.0.stop();
    }
}
