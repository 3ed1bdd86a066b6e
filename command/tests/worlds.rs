//! The verbs about scripts that run beside requests, as an operator uses them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

const BAN: &str = "local skynet = require \"skynet\"\nskynet.register(skynet.TYPE_PROCESS, { ip = \"0.0.0.0/0\", type = skynet.MATCH_TYPE_ALL }, function(ip)\n\
    skynet.log(\"seen\", ip)\n    if skynet.stat_visit({ ip = ip }, 10) > 2 then skynet.action_ban({ ip = ip }, 60) end\nend)\n\
    skynet.register(skynet.TYPE_TICKER, 1, function() skynet.log(\"tick\", \"now\") end)\n";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("secrule-worlds-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn socket(&self) -> PathBuf {
        self.0.join("host.sock")
    }

    /// Writes rules with a plugin and the socket.
    fn rules(&self, plugin: &str) -> PathBuf {
        let plugin = self.file("plugin.lua", plugin);
        let text = format!("SecPluginHost unix:{}\nSecPlugin {}\n", self.socket().display(), plugin.display());
        self.file("main.conf", &text)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running host, which ends with the test.
struct Running(Child);

impl Running {
    fn start(rules: &Path, socket: &Path) -> Self {
        let child = Command::new(SECRULE).arg("host").arg(rules).stderr(Stdio::piped()).spawn().unwrap();
        wait(|| socket.exists());
        Self(child)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end, and returns its exit code.
    fn end(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn secrule(arguments: &[&str]) -> Output {
    Command::new(SECRULE).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn status(rules: &Path) -> Option<Value> {
    let output = secrule(&["plugin", "status", "--format", "json", rules.to_str().unwrap()]);
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_plugin_is_checked_as_the_host_loads_it() {
    let folder = Folder::new("check");
    let (good, bad) = (folder.file("good.lua", BAN), folder.file("bad.lua", "local skynet = require 'skynet'\nskynet.register(7)"));
    let output = secrule(&["plugin", "check", good.to_str().unwrap()]);
    assert!(output.status.success());
    let told = text(&output.stdout);
    assert!(told.ends_with("good.lua: loads\n  requests (ip), all, each\n  every 1 s\n"), "{told}");
    let output = secrule(&["plugin", "check", good.to_str().unwrap(), bad.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked = secrule(&["check", folder.rules("local skynet = require 'skynet'\nskynet.register(7)").to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text(&checked.stdout).contains("error: the plugin ") && text(&checked.stdout).contains("plugin.lua:2: "),
        "{}",
        text(&checked.stdout)
    );
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = told["plugins"][1]["error"].as_str().unwrap();
    assert!(error.contains("bad.lua:2: skynet.register: the third argument is not a function"), "{error}");
}

#[test]
fn a_plugin_is_tried_with_exchanges_of_a_file() {
    let folder = Folder::new("run");
    let plugin = folder.file("plugin.lua", BAN);
    let exchanges = folder.file("requests.jsonl", &"{\"ip\":\"192.0.2.7\",\"uri\":\"/a?b\",\"status\":404}\n".repeat(5));
    let output = secrule(&["plugin", "run", plugin.to_str().unwrap(), "--exchanges", exchanges.to_str().unwrap(), "--for", "2"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert_eq!(told.matches("[seen] 192.0.2.7\n").count(), 5, "{told}");
    assert!(told.contains("[tick] now\n") && told.ends_with("banned: ip=192.0.2.7\n"), "{told}");
    let wrong = folder.file("wrong.jsonl", "{\"ip\":\"192.0.2.7\"}\n{\"host\":\"a\"}\n");
    let output = secrule(&["plugin", "run", plugin.to_str().unwrap(), "--exchanges", wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("wrong.jsonl:2: missing field `ip`"), "{}", text(&output.stderr));
}

#[test]
fn a_host_says_why_it_does_not_start() {
    let folder = Folder::new("refused");
    let failed = |rules: &Path| {
        let output = Command::new(SECRULE).arg("host").arg(rules).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let told = failed(&folder.file("nothing.conf", "SecRuleEngine On\n"));
    assert_eq!(told, "secrule: the rules name no socket: add SecPluginHost unix:/run/secrule/host.sock\n");
    let told = failed(&folder.rules("local skynet = require 'skynet'\nskynet.register(7)"));
    assert!(told.contains("plugin.lua cannot be loaded: ") && told.contains("plugin.lua:2: skynet.register: "), "{told}");
    let told = failed(&folder.file("far.conf", "SecPluginHost unix:/no/such/folder/host.sock\n"));
    assert!(told.contains("/no/such/folder/host.sock cannot be made: ") && told.contains("make its folder first"), "{told}");
    let told = failed(&folder.file("bad.conf", "SecPluginHost /run/host.sock\n"));
    assert!(told.contains("E203") && told.contains("write unix: and the path of a socket"), "{told}");
    std::fs::write(folder.socket(), "not a socket").unwrap();
    let told = failed(&folder.rules(BAN));
    assert!(told.contains("there is a file of another kind"), "{told}");
}

#[test]
fn one_host_runs_at_a_socket_and_ends_by_a_signal() {
    let folder = Folder::new("one");
    let rules = folder.rules(BAN);
    assert_eq!(secrule(&["plugin", "status", rules.to_str().unwrap()]).status.code(), Some(1));
    let host = Running::start(&rules, &folder.socket());
    wait(|| status(&rules).is_some_and(|status| status["leads"] == true));
    let output = Command::new(SECRULE).arg("host").arg(&rules).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("secrule: a script host runs already at "), "{}", text(&output.stderr));
    // Still the first one.
    wait(|| status(&rules).is_some_and(|status| status["log"].to_string().contains("[tick] now")));
    let shown = text(&secrule(&["plugin", "status", rules.to_str().unwrap()]).stdout);
    assert!(shown.starts_with("host: process ") && shown.contains("plugin.lua: "), "{shown}");
    host.signal("-TERM");
    assert_eq!(host.end(), Some(0));
    assert!(!folder.socket().exists());
    // One that is killed leaves its sockets behind, and the next one takes its place.
    let host = Running::start(&rules, &folder.socket());
    host.signal("-KILL");
    assert_eq!(host.end(), None);
    assert!(folder.socket().exists());
    let _host = Running::start(&rules, &folder.socket());
    wait(|| status(&rules).is_some());
}

#[test]
fn a_reload_takes_new_plugins_and_a_bad_one_changes_nothing() {
    let folder = Folder::new("reload");
    let rules = folder.rules(BAN);
    let host = Running::start(&rules, &folder.socket());
    wait(|| status(&rules).is_some());
    let readable = folder.file("status.conf", &format!("SecPluginHost unix:{}\n", folder.socket().display()));
    let functions =
        || status(&readable).map(|status| status["worlds"]["plugins"]["scripts"][0]["functions"].as_array().map_or(0, Vec::len));
    assert_eq!(functions(), Some(2));
    let mut file = std::fs::OpenOptions::new().append(true).open(&rules).unwrap();
    writeln!(file, "SecRule").unwrap();
    host.signal("-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(functions(), Some(2));
    folder.rules("local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, print)");
    host.signal("-HUP");
    wait(|| functions() == Some(1));
}
