//! The bouncers of CrowdSec, which send bodies.

use crate::support::{Answer, Daemon, FORM, JSON, SQL_INJECTION, file, send};
use std::net::SocketAddr;

/// Asks as a bouncer does: with POST if there is a body.
fn ask(address: SocketAddr, method: &str, target: &str, headers: &[&str], body: &str) -> Answer {
    ask_of(address, "11", method, target, headers, body)
}

/// Asks about a request of a version of HTTP.
fn ask_of(address: SocketAddr, version: &str, method: &str, target: &str, headers: &[&str], body: &str) -> Answer {
    let described = [
        "X-Crowdsec-Appsec-Ip: 192.0.2.7".to_owned(),
        format!("X-Crowdsec-Appsec-Verb: {method}"),
        format!("X-Crowdsec-Appsec-Uri: {target}"),
        "X-Crowdsec-Appsec-Host: shop.example".to_owned(),
        "X-Crowdsec-Appsec-User-Agent: browser".to_owned(),
        format!("X-Crowdsec-Appsec-Http-Version: {version}"),
    ];
    let length = format!("Content-Length: {}", body.len());
    let mut all: Vec<&str> = described.iter().map(String::as_str).chain(headers.iter().copied()).collect();
    all.extend((!body.is_empty()).then_some(length.as_str()));
    send(address, if body.is_empty() { "GET" } else { "POST" }, "/", &all, body.as_bytes())
}

fn assert_allowed(answer: &Answer) {
    assert_eq!((answer.status, answer.body.trim()), (200, r#"{"action":"allow","http_status":200}"#), "{answer:?}");
}

fn assert_banned(answer: &Answer) {
    assert_eq!((answer.status, answer.body.trim()), (403, r#"{"action":"ban","http_status":403}"#), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

pub fn bouncers_ask_with_bodies() {
    let mut daemon = Daemon::start(true, &["--appsec", "127.0.0.1:0"]);
    let address = daemon.address("CrowdSec AppSec");
    assert_allowed(&ask(address, "GET", "/list?page=2", &[], ""));
    assert_allowed(&ask(address, "POST", "/login", &[FORM], "name=alice&colour=blue"));
    assert_allowed(&ask(address, "POST", "/api", &[JSON], r#"{"name":"alice"}"#));
    assert_allowed(&ask(address, "POST", "/login", &[FORM, "X-Crowdsec-Appsec-Transfer-Encoding: chunked"], "name=alice"));
    assert_banned(&ask(address, "GET", &format!("/?{SQL_INJECTION}"), &[], ""));
    assert_banned(&ask(address, "POST", "/", &[FORM], SQL_INJECTION));
    assert_banned(&ask(address, "POST", "/", &[JSON], r#"{"id":"1' UNION SELECT password FROM users--"}"#));
    // The bouncer could not read it.
    assert_banned(&ask(address, "POST", "/upload", &["Content-Type: multipart/form-data; boundary=b"], ""));
    daemon.line("appsec: POST /upload is refused: rules need more of its body");
    // It was empty: bouncers keep or remove its length.
    assert_allowed(&ask(address, "POST", "/empty", &["Content-Length: 0"], ""));
    assert_allowed(&ask(address, "POST", "/empty", &[], ""));
    // A body of HTTP/2 needs no length, and the bouncer does not send one without.
    assert_banned(&ask_of(address, "20", "POST", "/api", &[], ""));
    let missing = send(address, "GET", "/", &["X-Crowdsec-Appsec-Ip: 192.0.2.7"], b"");
    assert!(missing.status == 500 && missing.body.contains("x-crowdsec-appsec-verb"), "{missing:?}");
    // A client added one of them.
    assert_banned(&ask(address, "GET", "/", &["x-crowdsec-appsec-uri: /clean"], ""));
    let counted = daemon.counts("appsec");
    assert!(counted.ends_with("6 passed, 3 stopped, 2 refused, 2 failed; 2 with a hidden body"), "{counted}");
}

pub fn bouncers_need_the_key() {
    let key = file("key", "a long random text\n");
    let daemon = Daemon::start(false, &["--appsec", "127.0.0.1:0", "--appsec-key-file", key.to_str().unwrap()]);
    let address = daemon.address("CrowdSec AppSec");
    assert_eq!(ask(address, "GET", "/", &[], "").status, 401);
    assert_eq!(ask(address, "GET", "/", &["X-Crowdsec-Appsec-Api-Key: a long random tex"], "").status, 401);
    daemon.line("appsec: 127.0.0.1 asks with a wrong key");
    let right = "X-Crowdsec-Appsec-Api-Key: a long random text";
    assert_allowed(&ask(address, "GET", "/", &[right], ""));
    assert_banned(&ask(address, "GET", "/?a=attack", &[right], ""));
    let slow = ask(address, "GET", "/slow", &[right], "");
    assert_eq!((slow.status, slow.body.trim()), (403, r#"{"action":"ban","http_status":429}"#));
    // Bouncers know no redirects.
    assert_banned(&ask(address, "GET", "/old", &[right], ""));
}
