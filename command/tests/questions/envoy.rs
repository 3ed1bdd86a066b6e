//! Envoy, which sends requests and responses in each of its modes.

use crate::support::{
    Daemon, FORM, Proxy, SQL_INJECTION, assert_clean_requests_pass, example, file, free_address, get, post, post_chunked, send, upstream,
};
use secrule_testkit::trials::own_address;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const LISTEN: [&str; 2] = ["--ext-proc", "127.0.0.1:0"];
pub const NAME: &str = "Envoy's ext_proc and ext_authz";

/// Starts Envoy with an example, and further replacements.
pub fn envoy(name: &str, asked: SocketAddr, upstream: SocketAddr, further: &[(&str, &str)]) -> Proxy {
    static ID: AtomicU32 = AtomicU32::new(0);
    let (address, admin) = (free_address(), free_address());
    let port = |old: u16, new: SocketAddr| (format!("port_value: {old}"), format!("port_value: {}", new.port()));
    let ports = [port(8080, address), port(9901, admin), port(3000, upstream), port(9181, asked)];
    let mut replaced: Vec<(&str, String)> = ports.iter().map(|(old, new)| (old.as_str(), new.clone())).collect();
    replaced.extend(further.iter().map(|(old, new)| (*old, (*new).to_owned())));
    let config = file("envoy.yaml", &example(name, &replaced));
    let mut command = Command::new("envoy");
    // Each has shared memory of its own.
    let base = std::process::id() % 50_000 * 16 + ID.fetch_add(1, Ordering::Relaxed);
    command.arg("--base-id").arg(base.to_string()).args(["--concurrency", "1", "--drain-time-s", "1", "-l", "warning", "-c"]).arg(&config);
    Proxy::start(command, address, || TcpStream::connect(admin).is_ok() && get(admin, "/ready").status == 200)
}

/// Returns the replacements that set the mode of bodies.
fn modes(mode: &str) -> [(&'static str, &'static str); 2] {
    const OLD: [&str; 2] = ["request_body_mode: FULL_DUPLEX_STREAMED", "response_body_mode: FULL_DUPLEX_STREAMED"];
    let new = match mode {
        "NONE" => ["request_body_mode: NONE", "response_body_mode: NONE"],
        "STREAMED" => ["request_body_mode: STREAMED", "response_body_mode: STREAMED"],
        _ => ["request_body_mode: BUFFERED", "response_body_mode: BUFFERED"],
    };
    [(OLD[0], new[0]), (OLD[1], new[1])]
}

fn assert_attacks_are_stopped(address: SocketAddr) {
    let stopped = |answer: crate::support::Answer| {
        assert!(answer.status == 403 && !answer.body.contains("reached"), "{answer:?}");
    };
    stopped(get(address, &format!("/?{SQL_INJECTION}")));
    stopped(post(address, "/", FORM, SQL_INJECTION));
    stopped(post_chunked(address, "/", &["a=1&", SQL_INJECTION]));
    let padded = format!("{}&{SQL_INJECTION}", "padding=0123456789".repeat(1_000));
    stopped(post(address, "/", FORM, &padded));
}

fn assert_responses_are_judged(address: SocketAddr) {
    let stopped = post(address, "/", FORM, "text=leaked");
    assert!(stopped.status == 403 && !stopped.body.contains("leaked"), "{stopped:?}");
}

/// Asserts that bytes go both ways after an upgrade, and that the body of what only looks like one is judged.
fn assert_upgrades_pass(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let upgrade =
        "GET /socket HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: tests\r\nAccept: */*\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";
    write!(stream, "{upgrade}\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    for word in ["hello", "again"] {
        stream.write_all(word.as_bytes()).unwrap();
        let mut echoed = [0; 5];
        stream.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, word.as_bytes());
    }
    let headers = ["Upgrade: websocket", FORM, &format!("Content-Length: {}", SQL_INJECTION.len())];
    let disguised = send(address, "POST", "/", &headers, SQL_INJECTION.as_bytes());
    assert!(disguised.status >= 400, "{disguised:?}");
}

fn assert_kill_closes(mut daemon: Daemon, proxy: &Proxy, status: u16) {
    daemon.kill();
    assert_eq!(get(proxy.address, "/").status, status);
}

pub fn envoy_streams_bodies() {
    let daemon = Daemon::start(true, &LISTEN);
    let proxy = envoy("envoy-ext-proc.yaml", daemon.address(NAME), upstream(), &modes("STREAMED"));
    assert_clean_requests_pass(proxy.address);
    assert_attacks_are_stopped(proxy.address);
    // Its head may have gone on.
    assert!(!post(proxy.address, "/", FORM, "text=leaked").body.contains("leaked"));
    assert_upgrades_pass(proxy.address);
    let large = format!("text={}", "some words of prose ".repeat(5_000));
    let answer = post(proxy.address, "/", FORM, &large);
    assert!(answer.status == 200 && answer.body.len() >= large.len(), "{} {}", answer.status, answer.head);
    assert_kill_closes(daemon, &proxy, 500);
}

pub fn envoy_buffers_bodies() {
    let daemon = Daemon::start(true, &LISTEN);
    let proxy = envoy("envoy-ext-proc.yaml", daemon.address(NAME), upstream(), &modes("BUFFERED"));
    assert_clean_requests_pass(proxy.address);
    assert_attacks_are_stopped(proxy.address);
    assert_responses_are_judged(proxy.address);
}

pub fn envoy_streams_both_ways() {
    let daemon = Daemon::start(true, &LISTEN);
    let proxy = envoy("envoy-ext-proc.yaml", daemon.address(NAME), upstream(), &[]);
    assert_clean_requests_pass(proxy.address);
    assert_attacks_are_stopped(proxy.address);
    assert_responses_are_judged(proxy.address);
    assert_upgrades_pass(proxy.address);
    let large = format!("text={}", "some words of prose ".repeat(5_000));
    let answer = post(proxy.address, "/", FORM, &large);
    assert!(answer.status == 200 && answer.body.len() >= large.len(), "{} {}", answer.status, answer.head);
}

pub fn envoy_hides_bodies() {
    // Without bodies, and without leave to ask for them.
    let mut none = modes("NONE").to_vec();
    none.push(("allow_mode_override: true", "allow_mode_override: false"));
    let mut daemon = Daemon::start(false, &LISTEN);
    let proxy = envoy("envoy-ext-proc.yaml", daemon.address(NAME), upstream(), &none);
    assert_eq!(get(proxy.address, "/").status, 200);
    let refused = post(proxy.address, "/", FORM, "a=attack");
    assert!(refused.status == 403 && !refused.body.contains("reached"), "{refused:?}");
    daemon.line("ext_proc: POST / is refused: rules need more of its body");
    let counted = daemon.counts("ext_proc");
    assert!(counted.ends_with("1 passed, 0 stopped, 1 refused, 0 failed; 1 with a hidden body"), "{counted}");
    drop(proxy);

    // With leave, they come.
    let daemon = Daemon::start(false, &LISTEN);
    let proxy = envoy("envoy-ext-proc.yaml", daemon.address(NAME), upstream(), &none[..2]);
    assert_eq!(post(proxy.address, "/", FORM, "a=attack").status, 403);
    assert_eq!(post(proxy.address, "/", FORM, "a=b").body, "reached:a=b");
    let moved = get(proxy.address, "/old");
    assert_eq!((moved.status, moved.header("location")), (302, Some("https://shop.example/new")));
    assert_eq!(get(proxy.address, "/slow").status, 429);
}

pub fn envoy_is_trusted() {
    let own = own_address().unwrap();
    for (trust, status) in [("192.0.2.1/32".to_owned(), 503), (format!("{own}/32"), 200)] {
        let daemon = Daemon::start(false, &["--ext-proc", "0.0.0.0:0", "--trust", &trust]);
        let asked = daemon.address(NAME);
        let [loopback, here] = ["127.0.0.1", &own.to_string()].map(|ip| format!("address: {ip}, port_value: {}", asked.port()));
        let proxy = envoy("envoy-ext-authz.yaml", asked, upstream(), &[(&loopback, &here)]);
        assert_eq!(get(proxy.address, "/").status, status);
        if status == 503 {
            daemon.line(&format!("ext_proc: {own} asks, and is not trusted"));
        }
    }
}

pub fn envoy_authorizes_with_bodies() {
    let daemon = Daemon::start(true, &LISTEN);
    let proxy = envoy("envoy-ext-authz.yaml", daemon.address(NAME), upstream(), &[]);
    assert_clean_requests_pass(proxy.address);
    assert_attacks_are_stopped(proxy.address);
    assert_kill_closes(daemon, &proxy, 503);
    drop(proxy);

    // Envoy cuts a body, in front of the attack in it.
    let cut = [("max_request_bytes: 131073", "max_request_bytes: 1000")];
    let padded = format!("{}&a=attack", "padding".repeat(1_000));
    for (policy, status) in [("refuse", 403), ("pass", 200)] {
        let mut daemon = Daemon::start(false, &["--ext-proc", "127.0.0.1:0", "--hidden-body", policy]);
        let proxy = envoy("envoy-ext-authz.yaml", daemon.address(NAME), upstream(), &cut);
        assert_eq!(post(proxy.address, "/", FORM, &padded).status, status);
        assert_eq!(post(proxy.address, "/", FORM, "a=b").status, 200);
        assert!(daemon.counts("ext_authz").ends_with("1 with a hidden body"));
    }
}
