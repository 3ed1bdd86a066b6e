//! The script host as a process: `secrule host`, with the rules of a server.

use crate::trials;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum wait for something that must happen.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// A script host, which ends with the value.
#[derive(Debug)]
pub struct ScriptHost {
    process: Child,
    rules: PathBuf,
    log: PathBuf,
}

impl ScriptHost {
    /// Starts a host for rules, with its log in a file, and waits until it listens.
    pub fn start(rules: &Path, log: &Path) -> Self {
        let mut command = Command::new(trials::command_with("worlds").unwrap());
        command.arg("host").arg(rules).arg("--log").arg(log);
        let errors = fs::File::create(log.with_extension("stderr")).unwrap();
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        let mut host = Self { process, rules: rules.to_owned(), log: log.to_owned() };
        let until = Instant::now() + WAIT_LIMIT;
        while host.status().is_none() {
            let ended = host.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "the host does not start: {}", host.errors());
            thread::sleep(Duration::from_millis(20));
        }
        host
    }

    /// Returns what it wrote to its standard error.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.log.with_extension("stderr")).unwrap_or_default()
    }

    /// Returns its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Returns what `secrule plugin status` shows, if it answers.
    pub fn status(&self) -> Option<Value> {
        let mut command = Command::new(trials::command_with("worlds").unwrap());
        let shown = command.args(["plugin", "status", "--format", "json"]).arg(&self.rules).stderr(Stdio::null()).output().unwrap();
        serde_json::from_slice(&shown.stdout).ok()
    }

    /// Returns what the status says of the script whose path ends so.
    pub fn script(&self, name: &str) -> Value {
        let status = self.status().unwrap();
        let scripts = status["worlds"]["plugins"]["scripts"].as_array().unwrap();
        let is_meant = |script: &&Value| script["script"].as_str().unwrap().ends_with(name);
        scripts.iter().find(is_meant).unwrap_or_else(|| panic!("no script {name}: {status}")).clone()
    }

    /// Returns the lines of its log with a tag, without what is before the tag.
    pub fn lines(&self, tag: &str) -> Vec<String> {
        let mark = format!(" [{tag}] ");
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter_map(|line| line.split_once(&mark)).map(|(_, message)| message.to_owned()).collect()
    }

    /// Waits until its log has this number of lines with a tag, and returns them.
    pub fn wait_for_lines(&self, tag: &str, count: usize) -> Vec<String> {
        wait(|| self.lines(tag).len() >= count, || format!("{count} lines with the tag {tag}:\n{}", self.log()));
        self.lines(tag)
    }

    /// Returns the end of its log.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it without a warning.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until something is so.
pub fn wait(mut is_so: impl FnMut() -> bool, tell: impl Fn() -> String) {
    let until = Instant::now() + WAIT_LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain for {}", tell());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the time of the processor that a process has used.
pub fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in brackets, may have blanks.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|field| fields[*field].parse::<u64>().unwrap()).sum();
    // 100 a second on every Linux.
    Duration::from_millis(ticks * 10)
}
