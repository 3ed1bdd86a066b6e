//! Rules and lists from https addresses, and audit records posted to them, in a build with the feature `remote`. The server is the `openssl` command.
//! Rules are loaded by another process of this program, because trusted certificates belong to a process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use secrule::Waf;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

/// Names the rules for the process that judges with them.
const RULES: &str = "SECRULE_TEST_RULES";

/// Sets the number of requests of that process.
const REQUESTS: &str = "SECRULE_TEST_REQUESTS";

/// The files of the servers.
const RULE: &str = "SecRule ARGS \"@contains attack\" \"id:7,phase:1,deny,status:403\"\n";

/// Certificates for `openssl req` and `openssl x509`.
const CERTIFICATES: &str = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = authority\n[name]\nCN = localhost\n\
    [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n\
    [server]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\nsubjectAltName = DNS:localhost\n";

const OPENSSL: Needs = Needs::Program("openssl");

fn main() -> ExitCode {
    if let Some(rules) = std::env::var_os(RULES) {
        load_and_judge(Path::new(&rules));
        return ExitCode::SUCCESS;
    }
    trials::run([
        trial!(rules_are_fetched_and_judge, [OPENSSL]),
        trial!(lists_are_fetched_and_no_key_is_sent, [OPENSSL]),
        trial!(a_certificate_that_nobody_trusts_is_refused, [OPENSSL]),
        trial!(nothing_is_asked_without_encryption, [OPENSSL]),
        trial!(only_success_gives_rules, [OPENSSL]),
        trial!(nobody_sends_from_encryption_to_plain_text, [OPENSSL]),
        trial!(a_server_that_is_not_there_is_an_error, [OPENSSL]),
        trial!(audit_records_are_posted, [OPENSSL]),
        trial!(a_server_that_refuses_records_is_reported_once_and_holds_nothing_up, [OPENSSL]),
        trial!(a_server_that_is_silent_holds_nothing_up, [OPENSSL]),
        trial!(records_go_to_https_addresses_only, [OPENSSL]),
    ])
}

/// A folder with a certificate authority and a server's certificate from it, removed with the value.
struct Authority(PathBuf);

/// A server that answers the first client.
struct Server {
    process: Child,
    /// Closed with the server: openssl ends a connection when its input ends.
    _answer: ChildStdin,
    said: BufReader<ChildStdout>,
    port: u16,
}

/// Loads rules and judges requests, in the process that a test starts, and prints the results.
fn load_and_judge(rules: &Path) {
    match Waf::from_file(rules) {
        Ok(waf) => {
            let report = waf.report();
            report.warnings().iter().for_each(|warning| println!("{}", warning.render(report.texts())));
            let requests = std::env::var(REQUESTS).unwrap().parse().unwrap();
            let slowest = (0..requests).map(|_| judge(&waf)).max().unwrap();
            println!("slowest: {} ms", slowest.as_millis());
            println!("lost: {}", waf.lost_audit_records());
        }
        Err(error) => println!("{error}"),
    }
}

/// Judges one request, and prints its duration.
fn judge(waf: &Waf) -> Duration {
    let began = Instant::now();
    let mut transaction = waf.transaction();
    let _ = transaction.process_uri(b"/?q=attack", b"GET", b"1.1");
    let verdict = transaction.process_request_headers();
    transaction.process_logging();
    let took = began.elapsed();
    println!("verdict: {verdict}");
    took
}

fn rules_are_fetched_and_judge() {
    let authority = Authority::new("judge");
    let server = authority.serve("200 OK", "", RULE);
    let judged = authority.judge(&format!("SecRuleEngine On\nSecRemoteRules sesame {}\n", server.address()));
    assert!(judged.contains("verdict: deny with status 403"), "{judged}");
    let request = server.request();
    assert!(request.contains("get /rules http/1.1"), "{request}");
    assert!(request.contains("modsec-key: sesame"), "{request}");
    assert!(request.contains("user-agent: modsecurity3 (secrule "), "{request}");
}

fn lists_are_fetched_and_no_key_is_sent() {
    let authority = Authority::new("list");
    let server = authority.serve("200 OK", "", "attack\nassault\n");
    let rule = format!("SecRule ARGS \"@pmFromFile {}\" \"id:7,phase:1,deny,status:403\"\n", server.address());
    let judged = authority.judge(&format!("SecRuleEngine On\n{rule}"));
    assert!(judged.contains("verdict: deny with status 403"), "{judged}");
    let request = server.request();
    assert!(request.contains("get /rules") && !request.contains("modsec-key"), "{request}");
}

fn a_certificate_that_nobody_trusts_is_refused() {
    let (authority, other) = (Authority::new("ours"), Authority::new("theirs"));
    for (action, code, loads) in [("Abort", "error[E005]", false), ("Warn", "warning[W208]", true)] {
        let server = authority.serve("200 OK", "", RULE);
        let judged = other.judge(&format!("SecRemoteRulesFailAction {action}\nSecRemoteRules sesame {}\n", server.address()));
        assert!(judged.contains(code) && judged.contains("certificate"), "{judged}");
        assert_eq!(judged.contains("verdict: "), loads, "{judged}");
        assert!(!server.request().contains("sesame"));
    }
}

fn nothing_is_asked_without_encryption() {
    let authority = Authority::new("plain");
    let judged = authority.judge("SecRemoteRules sesame http://localhost:9/rules\n");
    assert!(judged.contains("error[E005]") && judged.contains("only https addresses are fetched"), "{judged}");
}

fn only_success_gives_rules() {
    let authority = Authority::new("status");
    for (status, header) in [("404 Not Found", ""), ("302 Found", "Location: https://localhost:9/rules\r\n")] {
        let server = authority.serve(status, header, RULE);
        let judged = authority.judge(&format!("SecRemoteRules sesame {}\n", server.address()));
        assert!(judged.contains("error[E005]") && judged.contains(&status[..3]), "{judged}");
    }
}

fn nobody_sends_from_encryption_to_plain_text() {
    let authority = Authority::new("elsewhere");
    let server = authority.serve("302 Found", "Location: http://localhost:9/list\r\n", "");
    let judged = authority.judge(&format!("SecRule ARGS \"@pmFromFile {}\" \"id:7,phase:1\"\n", server.address()));
    assert!(judged.contains("error[E005]") && judged.contains("https"), "{judged}");
}

fn a_server_that_is_not_there_is_an_error() {
    let authority = Authority::new("absent");
    let judged = authority.judge("SecRemoteRules sesame https://localhost:1/rules\n");
    assert!(judged.contains("error[E005]"), "{judged}");
}

fn audit_records_are_posted() {
    let authority = Authority::new("audit");
    let server = authority.serve("204 No Content", "", "");
    let judged = authority.judge(&format!("{RULE}{}", posting(&server.address())));
    assert!(judged.contains("verdict: deny with status 403") && !judged.contains("cannot write"), "{judged}");
    let request = server.request();
    assert!(request.contains("post /rules http/1.1") && request.contains("content-type: application/json\r\n"), "{request}");
    // The format is JSON, whatever is set. The record is complete, though the process ended with it.
    let record = request.split_once("\r\n\r\n").unwrap().1;
    let record: serde_json::Value = serde_json::Deserializer::from_str(record).into_iter().next().unwrap().unwrap();
    assert_eq!(record["transaction"]["request"]["uri"], "/?q=attack", "{request}");
}

fn a_server_that_refuses_records_is_reported_once_and_holds_nothing_up() {
    let authority = Authority::new("refuse");
    let server = authority.serve("403 Forbidden", "Connection: close\r\n", "");
    for (address, reason) in [(server.address(), "403"), ("https://localhost:1/records".to_owned(), "refused")] {
        let judged = authority.judge_all(&posting(&address), 3);
        assert_eq!(judged.matches("verdict: ").count(), 3, "{judged}");
        let reports: Vec<&str> = judged.lines().filter(|line| line.contains("cannot write the log")).collect();
        assert!(reports.len() == 1 && reports[0].contains(&address) && reports[0].to_lowercase().contains(reason), "{judged}");
        assert!(judged.contains("secrule: 3 records of the log https://localhost:"), "{judged}");
    }
}

fn a_server_that_is_silent_holds_nothing_up() {
    let authority = Authority::new("silent");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}/records", silent.local_addr().unwrap().port());
    let began = Instant::now();
    let judged = authority.judge_all(&posting(&address), 1500);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(judged.matches("verdict: ").count(), 1500);
    let number = |name: &str| -> u64 { judged.split_once(name).unwrap().1.split_whitespace().next().unwrap().parse().unwrap() };
    assert!(number("slowest: ") < 500, "{} ms", number("slowest: "));
    // The server has one record, and a thousand wait.
    assert!((400..500).contains(&number("lost: ")), "{} are lost", number("lost: "));
    assert_eq!(judged.matches("cannot write the log").count(), 1);
}

fn records_go_to_https_addresses_only() {
    let authority = Authority::new("place");
    let judged = authority.judge(&posting("/var/log/audit.log"));
    assert!(judged.contains("error[E203]") && judged.contains("write an https address"), "{judged}");
}

/// Rules with which every transaction is posted.
fn posting(address: &str) -> String {
    format!("SecRuleEngine On\nSecAuditEngine On\nSecAuditLogFormat Native\nSecAuditLogType HTTPS\nSecAuditLog {address}\n")
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-remote-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("openssl.cnf"), CERTIFICATES).unwrap();
        let authority = Self(folder);
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config openssl.cnf";
        authority.openssl(&format!("req -x509 {key} -days 2 -keyout ca.key -out ca.pem"));
        authority.openssl(&format!("req -new {key} -keyout server.key -out server.csr"));
        authority.openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 2 -extfile openssl.cnf -extensions server -out server.pem",
        );
        authority
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", shown(&output));
    }

    fn serve(&self, status: &str, header: &str, body: &str) -> Server {
        let mut command = Command::new("openssl");
        command.args("s_server -accept localhost:0 -4 -naccept 1 -cert server.pem -key server.key".split(' ')).current_dir(&self.0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut answer = process.stdin.take().unwrap();
        let length = body.len();
        // In one write: openssl would read letters at the start of another as commands.
        answer.write_all(format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "openssl s_server ended");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.trim().rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        Server { process, _answer: answer, said, port }
    }

    /// Returns the results for rules and a request if only this authority is trusted.
    fn judge(&self, rules: &str) -> String {
        self.judge_all(rules, 1)
    }

    /// Returns the same for several requests.
    fn judge_all(&self, rules: &str, requests: usize) -> String {
        let path = self.0.join("rules.conf");
        fs::write(&path, rules).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        for proxy in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "SSL_CERT_DIR"] {
            command.env_remove(proxy);
        }
        shown(&command.env(RULES, path).env(REQUESTS, requests.to_string()).env("SSL_CERT_FILE", self.0.join("ca.pem")).output().unwrap())
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Server {
    fn address(&self) -> String {
        format!("https://localhost:{}/rules", self.port)
    }

    /// Returns the request to the server in lower case, after the connection has ended.
    fn request(mut self) -> String {
        let mut said = Vec::new();
        self.said.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).to_ascii_lowercase()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}
