//! `secrule serve` as its users see it: what it says, what it serves, how it takes new rules, and how it ends.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

/// Rules that deny `/old`.
const RULES: &str = "SecRuleEngine On\nSecRule REQUEST_URI \"@contains /old\" \"id:1,phase:1,deny,log,msg:'old'\"\n";

struct Serving {
    process: Child,
    errors: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(SECRULE);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        let address = line.split("http://").last().and_then(|text| text.trim().strip_suffix('/')).and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address: {line}"));
        Self { process, errors, address }
    }

    /// Returns the status of a request, and its body.
    fn get(&self, target: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until a request has a status.
    fn wait_for(&self, target: &str, status: u16) {
        let by = Instant::now() + Duration::from_secs(10);
        while self.get(target).0 != status {
            assert!(Instant::now() < by, "{target} is not answered with {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status().unwrap().success());
    }

    /// Returns the next line of its standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.errors.read_line(&mut line).unwrap();
        assert!(length > 0, "the proxy has ended");
        line
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file of rules in a folder of its own.
fn rules(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("secrule-serve-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("rules.conf");
    fs::write(&file, text).unwrap();
    file
}

/// Replaces a file at once, as editors do.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn refused(arguments: &[&str]) -> String {
    let ended = Command::new(SECRULE).arg("serve").args(arguments).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn without_anything_a_page_passes_and_its_attacks_are_stopped() {
    let mut serving = Serving::start(&[]);
    let (status, page) = serving.get("/");
    assert!(status == 200 && page.contains("This request passed"), "{page}");
    let attacks: Vec<&str> = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(attacks.len(), 3);
    for attack in attacks {
        assert_eq!(serving.get(attack).0, 403, "{attack}");
    }
    serving.signal("TERM");
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
    let mut events = String::new();
    serving.process.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert!(events.lines().any(|line| line.starts_with("127.0.0.1 GET /: stopped with 403: ")), "{events}");
    assert!(!events.contains("password"), "{events}");
}

#[test]
fn nothing_is_stopped_if_that_is_wanted() {
    let file = rules("detect", RULES);
    let serving = Serving::start(&["--rules", file.to_str().unwrap(), "--detect-only"]);
    assert_eq!(serving.get("/old").0, 200);
}

#[test]
fn new_rules_hold_when_their_file_changes_and_on_sighup() {
    let file = rules("reload", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!((serving.get("/old").0, serving.get("/new").0), (403, 200));
    replace(&file, &RULES.replace("/old", "/new"));
    serving.wait_for("/new", 403);
    assert_eq!(serving.get("/old").0, 200);
    assert_eq!(serving.line(), "secrule: 1 rules were loaded again\n");
    serving.signal("HUP");
    assert_eq!(serving.line(), "secrule: 1 rules were loaded again\n");
}

#[test]
fn rules_that_do_not_load_change_nothing_and_say_why() {
    let file = rules("broken", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap(), "--expect-rules", "1"]);
    replace(&file, "SecRule ARGS\n");
    let line = serving.line();
    assert!(line.starts_with("secrule: the earlier rules stay: the rules do not load"), "{line}");
    assert_eq!(serving.get("/old").0, 403);
    replace(&file, "SecRuleEngine On\n");
    while !serving.line().contains("there are 0 rules, and --expect-rules 1") {}
    assert_eq!(serving.get("/old").0, 403);
}

#[test]
fn what_cannot_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(refused(&["--listen", &address]).contains("another server has it"));
    assert!(refused(&["--rules", "/nowhere/rules.conf"]).contains("/nowhere/rules.conf"));
    assert!(refused(&["--upstream", "127.0.0.1:3000"]).contains("write http://HOST"));
    assert!(refused(&["--tls-certificate", "/nowhere/site.pem"]).contains("--tls-key"));
    let tls = ["--listen", "127.0.0.1:0", "--tls-certificate", "/nowhere/site.pem", "--tls-key", "/nowhere/site.key"];
    assert!(refused(&tls).contains("/nowhere/site.pem"));
    let file = rules("few", RULES);
    assert!(refused(&["--rules", file.to_str().unwrap(), "--expect-rules", "2"]).contains("there are 1 rules, and --expect-rules 2"));
    assert!(refused(&["--no-such-flag"]).contains("--help"));
}
