//! The script host as an operator runs it: it starts once, reads its rules again, and says what is wrong.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

// Each test uses a part of it.
#[allow(dead_code)]
mod example;

use secrule_testkit::script_host::{ScriptHost, wait};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::thread;
use std::time::{Duration, Instant};

const NEEDS: [Needs; 1] = [Needs::CommandWith("worlds")];

/// Ticks once a second, with this text.
const TICKER: &str = "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, function() skynet.log('tick', 'TEXT') end)";

fn main() -> ExitCode {
    trials::run([
        trial!(a_second_host_on_a_socket_is_refused, NEEDS),
        trial!(a_reload_takes_new_plugins_and_a_failing_one_changes_nothing, NEEDS),
        trial!(a_reload_keeps_the_times_of_tickers, NEEDS),
        trial!(a_host_ends_soon_although_a_plugin_does_not, NEEDS),
        trial!(a_store_that_no_worker_sees_is_reported, NEEDS),
        trial!(each_example_runs_with_the_requests_beside_it, NEEDS),
    ])
}

/// A folder with rules and a plugin, which ends with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, plugin: &str, rules: &str) -> Self {
        let folder = Self(trials::scratch().join(format!("host-{name}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        folder.write("plugin.lua", plugin);
        let path = folder.0.display();
        let text = format!("SecPluginHost unix:{path}/host.sock\nSecPlugin {path}/plugin.lua\n{rules}\n");
        folder.write("rules.conf", &text.replace("{folder}", &path.to_string()));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn start(&self) -> ScriptHost {
        ScriptHost::start(&self.0.join("rules.conf"), &self.0.join("scripts.log"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn secrule(arguments: &[&str]) -> Output {
    Command::new(trials::command_with("worlds").unwrap()).args(arguments).output().unwrap()
}

fn a_second_host_on_a_socket_is_refused() {
    let folder = Folder::new("second", TICKER, "SecCollectionStore lmdb:{folder}/store.mdb?size=16M");
    let host = folder.start();
    let second = secrule(&["host", &folder.0.join("rules.conf").display().to_string()]);
    assert_eq!(second.status.code(), Some(2));
    let reported = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(reported.contains("a script host runs already at ") && reported.contains("stop it first"), "{reported}");
    // The first one is not disturbed.
    let known = host.lines("tick").len();
    host.wait_for_lines("tick", known + 1);
    assert!(host.status().is_some());
}

fn a_reload_takes_new_plugins_and_a_failing_one_changes_nothing() {
    let folder = Folder::new("reload", TICKER, "SecCollectionStore lmdb:{folder}/store.mdb?size=16M");
    let host = folder.start();
    host.wait_for_lines("tick", 1);
    for broken in ["local skynet = require 'skynet'\nerror('broken')", "local = 1"] {
        folder.write("plugin.lua", broken);
        let known = host.errors().matches("goes on with its earlier rules").count();
        host.signal("HUP");
        wait(|| host.errors().matches("goes on with its earlier rules").count() > known, || host.errors());
        let ticks = host.lines("tick").len();
        assert_eq!(host.wait_for_lines("tick", ticks + 1).last().unwrap(), "TEXT");
    }
    folder.write("plugin.lua", &TICKER.replace("TEXT", "new"));
    host.signal("HUP");
    wait(|| host.lines("tick").last().is_some_and(|line| line == "new"), || host.log());
    assert!(host.errors().contains("has read its rules again"), "{}", host.errors());
}

fn a_reload_keeps_the_times_of_tickers() {
    let ticker = TICKER.replace("TYPE_TICKER, 1", "TYPE_TICKER, 3");
    let folder = Folder::new("times", &ticker, "SecCollectionStore lmdb:{folder}/store.mdb?size=16M");
    let host = folder.start();
    host.wait_for_lines("tick", 1);
    let ticked = Instant::now();
    thread::sleep(Duration::from_millis(1_500));
    host.signal("HUP");
    wait(|| host.errors().contains("has read its rules again"), || host.errors());
    host.wait_for_lines("tick", 2);
    let time = ticked.elapsed();
    assert!((2_500..3_900).contains(&time.as_millis()), "{time:?} from one tick to the next");
    host.signal("TERM");
    wait(|| !folder.0.join("host.sock").exists(), || host.errors());
    // Also a host that starts after the time of a tick: that one comes at once.
    thread::sleep(Duration::from_millis(3_000).saturating_sub(ticked.elapsed() - time));
    let (host, started) = (folder.start(), Instant::now());
    host.wait_for_lines("tick", 3);
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
}

fn a_host_ends_soon_although_a_plugin_does_not() {
    let endless = "local skynet = require 'skynet'\nlocal function tick() skynet.log('tick', 'x') while true do end end\n\
        for _ = 1, 4 do skynet.register(skynet.TYPE_TICKER, 1, tick) end";
    let folder = Folder::new("endless", endless, "SecCollectionStore lmdb:{folder}/store.mdb?size=16M\nSecLuaInstructionLimit 4000000000");
    let host = folder.start();
    host.wait_for_lines("tick", 1);
    let process = host.process();
    host.signal("TERM");
    let state = || fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let began = Instant::now();
    wait(|| !folder.0.join("host.sock").exists() && state().contains(") Z "), state);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn a_store_that_no_worker_sees_is_reported() {
    let says = |rules: &str| {
        let folder = Folder::new("alone", TICKER, rules);
        let host = folder.start();
        host.wait_for_lines("system", 2).iter().any(|line| line.contains("the rules name no store that processes share"))
    };
    assert!(says("") && says("SecCollectionStore memory"));
    assert!(!says("SecCollectionStore lmdb:{folder}/store.mdb?size=16M"));
}

fn each_example_runs_with_the_requests_beside_it() {
    let folder = example::folder();
    let requests = folder.join("requests.jsonl").display().to_string();
    let plugins = secrule_testkit::files(&folder, ".lua");
    assert!(plugins.len() >= 10);
    for plugin in &plugins {
        let plugin = plugin.display().to_string();
        let checked = secrule(&["plugin", "check", &plugin]);
        assert!(checked.status.success(), "{plugin}: {}", String::from_utf8_lossy(&checked.stdout));
        let ran = secrule(&["plugin", "run", &plugin, "--exchanges", &requests]);
        let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{plugin}: {}", String::from_utf8_lossy(&ran.stderr));
        // One posts to a server that does not exist.
        assert!(!printed.contains(".lua:") && !printed.contains("[system] it "), "{plugin}: {printed}");
    }
    let banned = secrule(&["plugin", "run", &folder.join("ban_repeated_attacks.lua").display().to_string(), "--exchanges", &requests]);
    assert!(String::from_utf8_lossy(&banned.stdout).contains("banned: ip=192.0.2.66\n"));
}
