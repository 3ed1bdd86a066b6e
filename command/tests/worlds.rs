//! The verbs about scripts that run beside requests, as an operator uses them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::Value;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
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
    assert!(told.contains("[tick] now\n"), "{told}");
    assert!(told.ends_with("banned: ip=192.0.2.7\n5 exchanges read, 0 lines refused\n"), "{told}");
    let wrong = folder.file("wrong.jsonl", "{\"ip\":\"192.0.2.7\"}\n\n{\"host\":\"a\"}\n{\"ip\":\"192.0.2.7\"}\n7\n");
    let output = secrule(&["plugin", "run", plugin.to_str().unwrap(), "--exchanges", wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert_eq!(told.matches("[seen] ").count(), 2, "{told}");
    assert!(told.contains("wrong.jsonl:3: missing field `ip`") && told.contains("wrong.jsonl:5: invalid type"), "{told}");
    assert!(told.ends_with("\n2 exchanges read, 2 lines refused\n"), "{told}");
    let output = secrule(&["plugin", "run", plugin.to_str().unwrap(), "--exchanges", wrong.to_str().unwrap(), "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["exchanges"]["read"], &told["exchanges"]["refused_lines"][1]["line"]), (&Value::from(2), &Value::from(5)));
}

#[test]
fn a_plugin_sees_each_of_more_exchanges_than_any_queue_holds() {
    let folder = Folder::new("many");
    let count = "local skynet = require 'skynet'\nlocal n = 0\n\
        skynet.register(skynet.TYPE_PROCESS, { ip = '0.0.0.0/0', type = skynet.MATCH_TYPE_ALL }, function()\n\
        n = n + 1 if n % 1000 == 0 then skynet.log('count', n) end\nend)\n";
    let plugin = folder.file("plugin.lua", count);
    // The channel of a host holds 65,536, the queue of a plugin 4,096.
    for (number, rules) in [(70_000, ""), (1_000, "SecPluginQueue 10\n")] {
        let rules = folder.file("trial.conf", rules);
        let exchanges = folder.file("requests.jsonl", &"{\"ip\":\"192.0.2.7\"}\n".repeat(number));
        let arguments = ["plugin", "run", plugin.to_str().unwrap(), "--rules", rules.to_str().unwrap()];
        let output = secrule(&[&arguments[..], &["--exchanges", exchanges.to_str().unwrap()][..]].concat());
        let told = text(&output.stdout);
        assert!(told.contains(&format!("[count] {number}\n")), "{told:.2000}");
        assert!(told.ends_with(&format!("{number} exchanges read, 0 lines refused\n")), "{told:.2000}");
    }
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
#[cfg(feature = "lmdb")]
fn a_host_that_was_killed_leads_again_at_once_and_one_at_another_socket_does_not() {
    let folder = Folder::new("killed");
    let store = format!("SecCollectionStore lmdb:{}/store.mdb?size=16M\n", folder.0.display());
    let file = |name: &str, socket: &Path| folder.file(name, &format!("SecPluginHost unix:{}\n{store}", socket.display()));
    let (rules, other_socket) = (file("main.conf", &folder.socket()), folder.0.join("other.sock"));
    let other_rules = file("other.conf", &other_socket);
    let leads = |rules: &Path| status(rules).is_some_and(|status| status["leads"] == true);
    let host = Running::start(&rules, &folder.socket());
    wait(|| leads(&rules));
    host.signal("-KILL");
    assert_eq!(host.end(), None);
    let _other = Running::start(&other_rules, &other_socket);
    wait(|| status(&other_rules).is_some());
    assert!(!leads(&other_rules));
    let began = Instant::now();
    let _host = Running::start(&rules, &folder.socket());
    wait(|| leads(&rules));
    // The lease lasts for 15 seconds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!leads(&other_rules));
}

#[test]
fn the_status_of_a_host_of_another_user_is_not_that_none_runs() {
    let folder = Folder::new("other-user");
    let closed = folder.0.join("closed");
    std::fs::create_dir_all(&closed).unwrap();
    let rules = folder.file("main.conf", &format!("SecPluginHost unix:{}/host.sock\n", closed.display()));
    // Another user may not see the folder of the build.
    let own = folder.0.join("secrule");
    std::fs::hard_link(SECRULE, &own).or_else(|_| std::fs::copy(SECRULE, &own).map(drop)).unwrap();
    let mut command = Command::new(own);
    command.args(["plugin", "status", rules.to_str().unwrap()]);
    // To root no folder is closed.
    if std::fs::metadata(&closed).unwrap().uid() == 0 {
        command.uid(65_534);
    }
    std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let output = command.output();
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let output = output.unwrap();
    let reported = text(&output.stderr);
    assert!(output.status.code() == Some(2) && reported.contains("this user may not ask the script host at "), "{reported}");
    assert!(reported.contains("run this as the user of the host") && !reported.contains("start it"), "{reported}");
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

/// A folder with rules that name extensions, the socket and the history.
fn with_extensions(name: &str, extensions: &[(&str, &str, &str)]) -> (Folder, PathBuf) {
    let folder = Folder::new(name);
    let path = folder.0.display().to_string();
    let mut rules = format!("SecPluginHost unix:{path}/host.sock\nSecExtensionHistory {path}/history.jsonl\n");
    for (file, script, trigger) in extensions {
        let script = folder.file(file, script);
        rules += &format!("SecExtension {} {trigger}\n", script.display());
    }
    let rules = folder.file("main.conf", &rules);
    (folder, rules)
}

/// Runs `secrule extension` with a verb.
fn extension(arguments: &[&str]) -> Output {
    secrule(&[&["extension"], arguments].concat())
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn extensions_are_listed_with_the_times_at_which_they_run() {
    let extensions =
        [("noon.lua", "", "cron:\"0 12 * * *\""), ("on.lua", "", "event:waf_event,release"), ("off.lua", "", "cron:\"* * * * *\" off")];
    let (folder, rules) = with_extensions("list", &extensions);
    let rules = rules.to_str().unwrap();
    let output = extension(&["list", rules]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let listed = text(&output.stdout);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].starts_with("next ") && lines[0].ends_with("  script"), "{listed}");
    for (line, parts) in lines[1..].iter().zip([
        ["T12:00:00", "  cron:0 12 * * *  ", "/noon.lua"],
        ["at an event  ", "  event:waf_event,release  ", "/on.lua"],
        ["by hand  ", "  cron:* * * * *  ", "/off.lua"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let listed = json(&extension(&["list", rules, "--format", "json"]));
    let shown = |at: usize| (listed["extensions"][at]["trigger"].clone(), listed["extensions"][at]["on"].clone());
    assert_eq!(shown(0), ("cron:0 12 * * *".into(), true.into()));
    assert_eq!(shown(2), ("cron:* * * * *".into(), false.into()));
    let empty = folder.file("empty.conf", "SecRuleEngine On\n");
    assert_eq!(text(&extension(&["list", empty.to_str().unwrap()]).stdout), "no extensions\n");
    let wrong = folder.file("wrong.conf", &format!("SecExtension {}/on.lua cron:noon\n", folder.0.display()));
    let output = extension(&["list", wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cron:"), "{}", text(&output.stderr));
}

#[test]
fn a_run_by_hand_prints_its_output_and_ends_by_its_result() {
    let script = "output('got', trigger_event)";
    let (folder, rules) = with_extensions("hand", &[("print.lua", script, "event:release off")]);
    let (rules, print) = (rules.to_str().unwrap(), folder.0.join("print.lua"));
    let print = print.to_str().unwrap();
    let output = extension(&["run", print, "--rules", rules]);
    let test_event = r#"{"from":"log-server","level":"ERROR","message":"Gateway nodes [0] offline","type":"nodes_heartbeat_offline"}"#;
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("got {test_event}\n")));
    // Also without rules.
    assert_eq!(text(&extension(&["run", print]).stdout), format!("got {test_event}\n"));
    let event = folder.file("event.json", r#"{"type": "release", "uid": 2}"#);
    let output = extension(&["run", print, "--event", event.to_str().unwrap()]);
    assert_eq!(text(&output.stdout), "got {\"type\":\"release\",\"uid\":2}\n");
    let shown = json(&extension(&["run", print, "--rules", rules, "--event", event.to_str().unwrap(), "--format", "json"]));
    assert_eq!((&shown["result"], &shown["trigger"], &shown["event"]["uid"]), (&"ok".into(), &"hand".into(), &2.into()));
    // An extension by timetable has no event.
    let timed = folder.file("timed.lua", "output('now')\nreturn output(1 / 4)");
    assert_eq!(text(&extension(&["run", timed.to_str().unwrap()]).stdout), "now\n0.25\n");

    // A history that cannot be written hides nothing of the run.
    let closed = folder.file("closed.conf", "SecPluginHost unix:/nowhere\nSecExtensionHistory /no/such/folder/history.jsonl\n");
    let output = extension(&["run", timed.to_str().unwrap(), "--rules", closed.to_str().unwrap()]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), "now\n0.25\n"));
    assert!(text(&output.stderr).contains("/no/such/folder/history.jsonl: the run is not in the history"), "{}", text(&output.stderr));

    let failing = folder.file("failing.lua", "output('before')\nerror('broken')");
    let output = extension(&["run", failing.to_str().unwrap()]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "before\n"));
    let said = text(&output.stderr);
    assert!(said.starts_with("secrule: error: ") && said.contains("failing.lua:2: broken"), "{said}");
    let endless = folder.file("endless.lua", "while true do end");
    let output = extension(&["run", endless.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("secrule: stopped: it took more than "), "{}", text(&output.stderr));

    let wrong = folder.file("wrong.json", "{\"uid\": 2}");
    let broken = folder.file("broken.lua", "output(");
    for (arguments, part) in [
        ([print, "--event", wrong.to_str().unwrap()].as_slice(), "wrong.json: an event is a JSON object with the member `type`"),
        (&[print, "--event", "/no/such/event.json"], "/no/such/event.json"),
        (&["/no/such/script.lua"], "/no/such/script.lua"),
        (&[broken.to_str().unwrap()], "broken.lua:1: "),
    ] {
        let output = extension(&[&["run"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}

#[test]
fn the_history_has_the_runs_as_text_and_as_json() {
    let scripts = [("one.lua", "output('first')\noutput('second')", "event:a off"), ("two.lua", "error('broken')", "event:a off")];
    let (folder, rules) = with_extensions("history", &scripts);
    let rules = rules.to_str().unwrap();
    let history = |more: &[&str]| extension(&[&["history", rules], more].concat());
    assert_eq!((history(&[]).status.code(), text(&history(&[]).stdout).as_str()), (Some(0), "no runs\n"));
    for name in ["one.lua", "two.lua", "one.lua"] {
        extension(&["run", folder.0.join(name).to_str().unwrap(), "--rules", rules]);
    }
    let shown = text(&history(&[]).stdout);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 8, "{shown}");
    assert!(lines[0].contains("/one.lua ok by hand, ") && lines[0].ends_with(" s"), "{shown}");
    assert_eq!(lines[1..3], ["  | first", "  | second"]);
    assert!(lines[3].contains("/two.lua error by hand, ") && lines[4].ends_with("two.lua:1: broken"), "{shown}");
    let runs = |more: &[&str]| json(&history(&[more, &["--format", "json"]].concat()))["runs"].as_array().unwrap().clone();
    let all = runs(&[]);
    assert_eq!((all.len(), &all[0]["output"], &all[1]["result"]), (3, &"first\nsecond\n".into(), &"error".into()));
    assert_eq!((&all[0]["trigger"], &all[0]["event"]["type"]), (&"hand".into(), &"nodes_heartbeat_offline".into()));
    assert_eq!(runs(&["--limit", "1"]), all[2..]);
    // By the name of the file, as the help has it, and by its path.
    let whole = folder.0.join("two.lua");
    for two in ["two.lua", whole.to_str().unwrap()] {
        assert_eq!(runs(&["--extension", two]), all[1..2], "{two}");
    }
    assert!(runs(&["--extension", "wo.lua"]).is_empty());
    let relative = folder.file("relative.conf", "SecExtensionHistory history.jsonl\n");
    let output = extension(&["history", relative.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("write a path from the root on, such as /var/lib/"), "{}", text(&output.stderr));
    let without = folder.file("without.conf", "SecRuleEngine On\n");
    let output = extension(&["history", without.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("add SecExtensionHistory "), "{}", text(&output.stderr));
}

#[test]
fn an_event_reaches_the_running_host() {
    let scripts = [
        ("disk.lua", "output(trigger_event.percent)", "event:disk_full"),
        ("node.lua", "output(trigger_event.type)", "event:nodes_offline"),
    ];
    let (folder, rules) = with_extensions("event", &scripts);
    let event = folder.file("event.json", r#"{"type": "disk_full", "percent": 99.5}"#);
    let (event, rules_text) = (event.to_str().unwrap(), rules.to_str().unwrap());
    let output = extension(&["event", event, rules_text]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("host.sock"), "{}", text(&output.stderr));
    let _host = Running::start(&rules, &folder.socket());
    wait(|| status(&rules).is_some());
    let output = extension(&["event", event, rules_text]);
    let said = "sent; 1 extensions run on events of the type disk_full\n";
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), said));
    let node = folder.file("node.json", r#"{"type": "nodes_offline"}"#);
    let sent = json(&extension(&["event", node.to_str().unwrap(), rules_text, "--format", "json"]));
    assert_eq!((&sent["sent"], &sent["extensions"]), (&true.into(), &1.into()));
    let mut child =
        Command::new(SECRULE).args(["extension", "event", "-", rules_text]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"type": "unheard_of"}"#).unwrap();
    let said = text(&child.wait_with_output().unwrap().stdout);
    assert_eq!(said, "sent; 0 extensions run on events of the type unheard_of\n");
    let outputs = || {
        let output = extension(&["history", rules_text, "--format", "json"]);
        let runs: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut outputs: Vec<String> = runs["runs"].as_array().into_iter().flatten().map(|run| run["output"].to_string()).collect();
        outputs.sort();
        outputs
    };
    wait(|| outputs().len() == 2);
    assert_eq!(outputs(), [r#""99.5\n""#, r#""nodes_offline\n""#]);
}

#[test]
fn a_reload_is_the_event_release_and_ends_runs() {
    let scripts = [
        ("loops.lua", "output('begun') ngx.log(1, 'begun') while true do end", "event:go"),
        ("release.lua", "output(trigger_event.uid)", "event:release"),
    ];
    let (folder, rules) = with_extensions("release", &scripts);
    let endless = format!("{}SecLuaInstructionLimit 1000000000\n", std::fs::read_to_string(&rules).unwrap());
    std::fs::write(&rules, endless).unwrap();
    let rules_text = rules.to_str().unwrap();
    let host = Running::start(&rules, &folder.socket());
    wait(|| status(&rules).is_some());
    let event = folder.file("event.json", r#"{"type": "go"}"#);
    assert!(extension(&["event", event.to_str().unwrap(), rules_text]).status.success());
    wait(|| status(&rules).is_some_and(|status| status["log"].to_string().contains("begun")));
    let runs = |script: &str| json(&extension(&["history", rules_text, "--extension", script, "--format", "json"]))["runs"].clone();
    for reloads in 1..3 {
        host.signal("-HUP");
        wait(|| runs("release.lua").as_array().is_some_and(|runs| runs.len() == reloads));
    }
    assert_eq!((&runs("loops.lua")[0]["reason"], &runs("loops.lua")[0]["output"]), (&"the host ended".into(), &"begun\n".into()));
    assert_eq!(runs("release.lua")[1]["output"], "0\n");
}

#[test]
fn a_script_with_signs_of_patterns_in_its_name_is_tried() {
    let folder = Folder::new("names");
    let plugin = "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, print)";
    for name in ["a[1].lua", "a*?.lua", "a\\b.lua"] {
        let path = folder.file(name, plugin);
        let output = secrule(&["plugin", "run", path.to_str().unwrap()]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let path = folder.file(name, "output('runs')");
        let output = extension(&["run", path.to_str().unwrap()]);
        assert_eq!(text(&output.stdout), "runs\n", "{name}: {}", text(&output.stderr));
    }
    for name in ["a\"b.lua", "a\nb.lua", "a\\"] {
        let path = folder.file(name, plugin);
        for world in ["plugin", "extension"] {
            let output = secrule(&[world, "run", path.to_str().unwrap()]);
            assert!(text(&output.stderr).contains("rules cannot name a file with such a name"), "{world} {name}: {}", text(&output.stderr));
        }
    }
}
