//! The metrics of `secrule serve`, over real connections.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use secrule_testkit::mixed_traffic::{EXCHANGES, Mixed, RULE_COUNT, RULES, assert_same_sums, mixed, sums};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

struct Serving {
    process: Child,
    errors: BufReader<ChildStderr>,
    address: String,
    admin: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secrule"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        let mut next = || {
            let mut line = String::new();
            errors.read_line(&mut line).unwrap();
            let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
            address.unwrap_or_else(|| panic!("no address: {line}")).to_owned()
        };
        let (address, admin) = (next(), next());
        Self { process, errors, address, admin }
    }

    /// Asks the admin address as a program does: without a token.
    fn ask(&self, path: &str, headers: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.admin).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// Waits until the metrics are as they should be.
    fn metrics_with(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let by = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, text) = self.ask("/metrics", "");
            if holds(&text) {
                return text;
            }
            assert!(Instant::now() < by, "{what}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends one exchange.
    fn send(&self, number: usize) {
        let Mixed { target, headers, body, is_cancelled } = mixed(number);
        let headers: String = (0..headers).map(|header| format!("X-Header-{header}: 1\r\n")).collect();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let sent = if is_cancelled { &body[..4] } else { &body[..] };
        write!(
            stream,
            "POST {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n{headers}\r\n{sent}"
        )
        .unwrap();
        if !is_cancelled {
            // One that is stopped before its body may be ended by a reset.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Rules that need bodies.
const RULES_OF_QUESTIONS: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule ARGS \"@contains attack\" \"id:1,phase:2,deny,log\"\n";

/// A file of rules in a folder of its own.
fn rules(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("secrule-metrics-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("rules.conf");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn all_sums_are_those_of_the_audit_log() {
    for (arguments, prefix) in [(&[][..], "secrule"), (&["--metrics-names", "coraza", "--metrics-namespace", "shop"], "coraza_waf")] {
        let log = rules(prefix, "").with_file_name("audit.log");
        let _ = fs::remove_file(&log);
        let file = rules(prefix, &format!("{RULES}SecAuditLogType Serial\nSecAuditLog {}\n", log.display()));
        let serving = Serving::start(&[&["--rules", file.to_str().unwrap()], arguments].concat());
        std::thread::scope(|scope| {
            for first in 0..8 {
                let serving = &serving;
                scope.spawn(move || (first..EXCHANGES).step_by(8).for_each(|number| serving.send(number)));
            }
        });
        // Those of clients that have gone end a little later.
        let name = format!("{prefix}_requests_total");
        let is_complete = |text: &str| sums(text, &name, "outcome").values().sum::<u64>() >= EXCHANGES as u64;
        let text = serving.metrics_with("exchanges are missing", is_complete);
        let records: Vec<Value> = fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_same_sums(&text, prefix, &records);
        assert!(
            text.contains("secrule_serve_connections ") && text.contains("secrule_phase_duration_seconds_count{phase=\"1\"} 1000\n"),
            "{text}"
        );
        assert_eq!(prefix == "coraza_waf", text.contains("engine=\"secrule\",namespace=\"shop\",driver_type=\"secrule-serve\""));
    }
}

#[test]
fn collectors_get_the_format_that_they_ask_for() {
    let serving = Serving::start(&[]);
    let (head, text) = serving.ask("/metrics", "Accept: text/plain\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(!text.contains("# EOF"));
    let (head, text) = serving.ask("/metrics", "Accept: application/openmetrics-text; version=1.0.0, text/plain;q=0.5\r\n");
    assert!(head.contains("application/openmetrics-text; version=1.0.0") && text.ends_with("# EOF\n"), "{head}{text}");
}

#[test]
fn questions_are_counted_by_protocol_and_answer() {
    let file = rules("questions", RULES_OF_QUESTIONS);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap(), "--forward-auth", "127.0.0.1:0"]);
    // The line before it was that of this listener.
    let mut line = String::new();
    serving.errors.read_line(&mut line).unwrap();
    let (questions, admin) = (serving.admin.clone(), line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap());
    serving.admin = admin.to_owned();
    let ask = |uri: &str, headers: &str| {
        let mut stream = TcpStream::connect(&questions).unwrap();
        let of_proxy = format!("X-Forwarded-Method: POST\r\n{uri}X-Forwarded-For: 192.0.2.7\r\n{headers}");
        write!(stream, "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{of_proxy}\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    };
    ask("X-Forwarded-Uri: /\r\n", "Content-Type: application/x-www-form-urlencoded\r\n");
    ask("X-Forwarded-Uri: /?a=attack\r\n", "");
    ask("", "");
    let text = serving.ask("/metrics", "").1;
    for (outcome, count) in [("passed", 1), ("stopped", 1), ("refused", 0), ("failed", 1)] {
        let sample = format!("secrule_questions_total{{protocol=\"forward-auth\",outcome=\"{outcome}\"}} {count}\n");
        assert!(text.contains(&sample), "{sample}{text}");
    }
    assert!(text.contains("secrule_question_hidden_bodies_total{protocol=\"forward-auth\"} 1\n"), "{text}");
    assert!(text.contains("secrule_questions_total{protocol=\"appsec\",outcome=\"passed\"} 0\n"), "{text}");
}

#[test]
fn rules_that_run_are_known_by_number_and_fingerprint() {
    let file = rules("ready", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap(), "--expect-rules", "5"]);
    let ready = || -> Value { serde_json::from_str(&serving.ask("/ready", "").1).unwrap() };
    let before = ready();
    assert_eq!((&before["ready"], &before["rules"]), (&true.into(), &RULE_COUNT.into()));
    assert_eq!(serving.ask("/health", ""), (serving.ask("/health", "").0, "ok\n".to_owned()));

    // Each kind of load that fails counts once.
    for (number, bad) in ["SecNothing\n", "SecRuleEngine On\n"].into_iter().enumerate() {
        fs::write(&file, bad).unwrap();
        let failures = format!("secrule_loads_total{{status=\"failure\"}} {}\n", number + 1);
        serving.metrics_with("a load that fails", |text| text.contains(&failures) && text.contains("secrule_rules_loaded 10\n"));
        assert_eq!(ready(), before, "the earlier rules stay");
    }
    fs::write(&file, format!("{RULES}SecRule ARGS \"@contains new\" \"id:200,phase:2,deny\"\n")).unwrap();
    serving.metrics_with("a load that succeeds", |text| text.contains("secrule_loads_total{status=\"success\"} 2\n"));
    let after = ready();
    assert!(after["rules"] == RULE_COUNT + 1 && after["fingerprint"] != before["fingerprint"], "{after}");
    let info = format!("secrule_rules_info{{fingerprint=\"{}\"}} 1\n", after["fingerprint"].as_str().unwrap());
    serving.metrics_with("the fingerprint", |text| text.contains(&info));

    // A request that runs keeps the server from its end.
    let mut running = TcpStream::connect(&serving.address).unwrap();
    running
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=")
        .unwrap();
    serving.metrics_with("a request that runs", |text| text.contains("secrule_serve_exchanges 1\n"));
    assert!(Command::new("kill").args(["-TERM", &serving.process.id().to_string()]).status().unwrap().success());
    let by = Instant::now() + Duration::from_secs(10);
    while !serving.ask("/ready", "").0.starts_with("HTTP/1.1 503 ") {
        assert!(Instant::now() < by, "a server that ends is not ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.write_all(b"bbbbbbb").unwrap();
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    serving.errors.read_to_string(&mut said).unwrap();
    assert_eq!(said.matches("the earlier rules stay").count(), 2, "{said}");
}
