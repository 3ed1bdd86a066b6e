//! The scripts beside requests on the admin page of `secrule serve`: a script host with a plugin, and an extension that a button runs.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

const PLUGIN: &str =
    "local skynet = require \"skynet\"\nskynet.register(skynet.TYPE_TICKER, 1, function() skynet.log(\"tick\", \"<b>now</b>\") end)\n";

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Page {
    _proxy: Ended,
    address: String,
    token: String,
}

impl Page {
    fn start(rules: &str) -> Self {
        let mut command = Command::new(SECRULE);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--rules", rules]);
        let mut proxy = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(proxy.stderr.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find(|line| line.contains("the admin page is")).unwrap();
        // Extensions write there, too.
        std::thread::spawn(move || lines.for_each(drop));
        let (address, token) = url.split_once("http://").unwrap().1.split_once("/#token=").unwrap();
        Self { _proxy: Ended(proxy), address: address.to_owned(), token: token.to_owned() }
    }

    fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (address, token, length) = (&self.address, &self.token, body.len());
        let head =
            format!("Host: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}");
        write!(stream, "{line} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    /// Waits until an answer is as wanted, and returns it.
    fn wait_for(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let by = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, value) = self.ask(&format!("GET {path}"), "");
            if wanted(&value) {
                return value;
            }
            assert!(Instant::now() < by, "{path}: {value}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("secrule-admin-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn an_extension_runs_when_asked_and_is_in_the_history_once() {
    for with_history in [true, false] {
        let folder = folder(&format!("extension-{with_history}"));
        let (script, rules) = (folder.join("report.lua"), folder.join("main.conf"));
        fs::write(&script, "output('<i>done</i>')\n").unwrap();
        let (path, history) = (folder.display(), if with_history { "" } else { "#" });
        let text = format!(
            "SecPluginHost unix:{path}/host.sock\n{history}SecExtensionHistory {path}/history.jsonl\nSecExtension {path}/report.lua \"cron:0 3 * * *\" off\n"
        );
        fs::write(&rules, text).unwrap();
        let page = Page::start(rules.to_str().unwrap());
        let (_, before) = page.ask("GET /api/extensions", "");
        assert_eq!((&before["extensions"][0]["script"], &before["extensions"][0]["next"]), (&json!(script), &json!("by hand")), "{before}");
        assert_eq!(before["runs"], json!([]));
        let started = page.ask("POST /api/extensions/run", &json!({ "extension": script }).to_string());
        assert_eq!(started, (200, json!({ "started": true })));
        let after = page.wait_for("/api/extensions", |value| value["running"].is_null() && value["runs"] != json!([]));
        assert_eq!((after["runs"].as_array().unwrap().len(), &after["runs"][0]["result"]), (1, &json!("ok")), "{after}");
        assert!(after["runs"][0]["output"].as_str().unwrap().contains("<i>done</i>"), "{after}");
        let unknown = page.ask("POST /api/extensions/run", &json!({ "extension": "/etc/passwd" }).to_string());
        assert_eq!(unknown.0, 409, "{unknown:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn plugins_of_the_host_and_their_log_are_shown_and_a_host_that_is_away_is_reported() {
    let folder = folder("plugin");
    let (plugin, rules) = (folder.join("plugin.lua"), folder.join("main.conf"));
    fs::write(&plugin, PLUGIN).unwrap();
    fs::write(&rules, format!("SecPluginHost unix:{0}/host.sock\nSecPlugin {0}/plugin.lua\n", folder.display())).unwrap();
    let page = Page::start(rules.to_str().unwrap());
    let (_, away) = page.ask("GET /api/plugins", "");
    assert!(away["problem"].as_str().unwrap().contains("`secrule host RULES` starts it"), "{away}");
    let host = Command::new(SECRULE).arg("host").arg(&rules).stderr(Stdio::null()).spawn().unwrap();
    let _host = Ended(host);
    let is_there =
        |value: &Value| value["log"].as_array().is_some_and(|log| log.iter().any(|line| line.as_str().unwrap().contains("<b>now</b>")));
    let shown = page.wait_for("/api/plugins", is_there);
    assert_eq!(shown["scripts"].as_array().unwrap().len(), 1, "{shown}");
    fs::remove_dir_all(folder).unwrap();
}
