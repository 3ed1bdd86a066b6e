//! Rules and lists from https addresses, as users of a build with the feature `remote` meet them: they come from a server that the
//! `openssl` command runs. Passes with a notice where there is none.

#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use secrule::Waf;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// Names the rules to the process that judges with them.
const RULES: &str = "SECRULE_TEST_RULES";

/// What the servers have.
const RULE: &str = "SecRule ARGS \"@contains attack\" \"id:7,phase:1,deny,status:403\"\n";

/// What `openssl req` and `openssl x509` are to make.
const CERTIFICATES: &str = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = authority\n[name]\nCN = localhost\n\
    [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n\
    [server]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\nsubjectAltName = DNS:localhost\n";

/// A folder with a certificate authority and a server's certificate from it, as long as the value lives.
struct Authority(PathBuf);

/// A server that answers the first who asks.
struct Server {
    process: Child,
    /// Closed with the server: openssl ends a connection when its input ends.
    _answer: ChildStdin,
    said: BufReader<ChildStdout>,
    port: u16,
}

/// What the other tests run as a process of its own, since the trusted certificates are the process's.
#[test]
fn a_process_that_trusts_one_authority() {
    let Some(rules) = std::env::var_os(RULES) else { return };
    match Waf::from_file(rules) {
        Ok(waf) => {
            let warnings = waf.report().warnings().iter();
            warnings.for_each(|warning| println!("{}", warning.render(waf.report().texts())));
            let mut transaction = waf.transaction();
            let _ = transaction.process_uri(b"/?q=attack", b"GET", b"1.1");
            println!("verdict: {}", transaction.process_request_headers());
        }
        Err(error) => println!("{error}"),
    }
}

#[test]
fn rules_are_fetched_and_judge() {
    let Some(authority) = Authority::new("judge") else { return };
    let server = authority.serve("200 OK", "", RULE);
    let judged = authority.judge(&format!("SecRuleEngine On\nSecRemoteRules sesame {}\n", server.address()));
    assert!(judged.contains("verdict: deny with status 403"), "{judged}");
    let request = server.request();
    assert!(request.contains("get /rules http/1.1"), "{request}");
    assert!(request.contains("modsec-key: sesame"), "{request}");
    assert!(request.contains("user-agent: modsecurity3 (secrule "), "{request}");
}

#[test]
fn lists_are_fetched_and_no_key_is_sent() {
    let Some(authority) = Authority::new("list") else { return };
    let server = authority.serve("200 OK", "", "attack\nassault\n");
    let rule = format!("SecRule ARGS \"@pmFromFile {}\" \"id:7,phase:1,deny,status:403\"\n", server.address());
    let judged = authority.judge(&format!("SecRuleEngine On\n{rule}"));
    assert!(judged.contains("verdict: deny with status 403"), "{judged}");
    let request = server.request();
    assert!(request.contains("get /rules") && !request.contains("modsec-key"), "{request}");
}

#[test]
fn a_certificate_that_nobody_trusts_is_refused() {
    let (Some(authority), Some(other)) = (Authority::new("ours"), Authority::new("theirs")) else { return };
    for (action, code, loads) in [("Abort", "error[E005]", false), ("Warn", "warning[W208]", true)] {
        let server = authority.serve("200 OK", "", RULE);
        let judged = other.judge(&format!("SecRemoteRulesFailAction {action}\nSecRemoteRules sesame {}\n", server.address()));
        assert!(judged.contains(code) && judged.contains("certificate"), "{judged}");
        assert_eq!(judged.contains("verdict: "), loads, "{judged}");
        assert!(!server.request().contains("sesame"));
    }
}

#[test]
fn nothing_is_asked_without_encryption() {
    let Some(authority) = Authority::new("plain") else { return };
    let judged = authority.judge("SecRemoteRules sesame http://localhost:9/rules\n");
    assert!(judged.contains("error[E005]") && judged.contains("only https addresses are fetched"), "{judged}");
}

#[test]
fn only_success_gives_rules() {
    let Some(authority) = Authority::new("status") else { return };
    for (status, header) in [("404 Not Found", ""), ("302 Found", "Location: https://localhost:9/rules\r\n")] {
        let server = authority.serve(status, header, RULE);
        let judged = authority.judge(&format!("SecRemoteRules sesame {}\n", server.address()));
        assert!(judged.contains("error[E005]") && judged.contains(&status[..3]), "{judged}");
    }
}

#[test]
fn nobody_sends_from_encryption_to_plain_text() {
    let Some(authority) = Authority::new("elsewhere") else { return };
    let server = authority.serve("302 Found", "Location: http://localhost:9/list\r\n", "");
    let judged = authority.judge(&format!("SecRule ARGS \"@pmFromFile {}\" \"id:7,phase:1\"\n", server.address()));
    assert!(judged.contains("error[E005]") && judged.contains("https"), "{judged}");
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let Some(authority) = Authority::new("absent") else { return };
    let judged = authority.judge("SecRemoteRules sesame https://localhost:1/rules\n");
    assert!(judged.contains("error[E005]"), "{judged}");
}

impl Authority {
    /// Nothing where there is no openssl.
    fn new(name: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("not checked: there is no openssl");
            return None;
        }
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
        Some(authority)
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
        // In one write: openssl would take letters that begin another for commands.
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

    /// What becomes of rules and a request where this authority is the only one that is trusted.
    fn judge(&self, rules: &str) -> String {
        let path = self.0.join("rules.conf");
        fs::write(&path, rules).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        for proxy in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "SSL_CERT_DIR"] {
            command.env_remove(proxy);
        }
        command.args(["--exact", "a_process_that_trusts_one_authority", "--nocapture"]);
        shown(&command.env(RULES, path).env("SSL_CERT_FILE", self.0.join("ca.pem")).output().unwrap())
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

    /// What was asked, in small letters, once the connection has ended.
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
