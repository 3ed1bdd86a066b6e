//! The numbers of a server.

use crate::support::{Running, ask, get, plain, start, start_before, upstream};
use secrule_metrics::{Exposition, Format, Names};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

/// Returns a sample of a server.
fn sample(server: &Running, name: &str) -> u64 {
    let mut exposition = Exposition::new(Format::Prometheus, Names::Secrule);
    server.counters.write(&mut exposition);
    let text = exposition.end();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.trim().parse().unwrap()
}

/// Waits until a sample has a value.
async fn reaches(server: &Running, name: &str, value: u64) {
    let waiting = async {
        while sample(server, name) != value {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), waiting).await.is_ok(), "{name} is {}, not {value}", sample(server, name));
}

#[tokio::test]
async fn connections_and_exchanges_are_counted_while_they_last() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start_before(silent.local_addr().unwrap());
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    reaches(&server, "secrule_serve_exchanges ", 1).await;
    assert_eq!(sample(&server, "secrule_serve_connections "), 1);
    drop(client);
    reaches(&server, "secrule_serve_connections ", 0).await;
    reaches(&server, "secrule_serve_exchanges ", 0).await;
}

#[tokio::test]
async fn upstreams_that_fail_are_counted_by_reason() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let broken = upstream(|_| "SSH-2.0-OpenSSH\r\n\r\n".to_owned()).await;
    for (upstream, reason) in [(free, "connect"), (silent.local_addr().unwrap(), "timeout"), (broken, "broken")] {
        let server = start_before(upstream);
        get(server.address, "/", "").await;
        for known in ["connect", "timeout", "broken"] {
            let name = format!("secrule_serve_upstream_failures_total{{reason=\"{known}\"}} ");
            assert_eq!(sample(&server, &name), u64::from(known == reason), "{known} of {reason}");
        }
    }
}

#[tokio::test]
async fn clients_that_are_too_slow_are_counted() {
    let server = start(|_| {});
    ask(server.address, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    reaches(&server, "secrule_serve_client_timeouts_total{waiting_for=\"head\"} ", 1).await;
    ask(server.address, "P").await;
    reaches(&server, "secrule_serve_client_timeouts_total{waiting_for=\"head\"} ", 2).await;
    ask(server.address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na=")
        .await;
    reaches(&server, "secrule_serve_client_timeouts_total{waiting_for=\"body\"} ", 1).await;
    get(server.address, "/", "").await;
    assert_eq!(sample(&server, "secrule_serve_client_timeouts_total{waiting_for=\"handshake\"} "), 0);
}

#[tokio::test]
async fn bodies_that_are_too_long_to_hold_are_counted() {
    // Rules without an action for their limit: what may be held decides.
    let upstream = upstream(|_| plain(&"a".repeat(200))).await;
    let server = start(|settings| {
        settings.upstream = Some(format!("http://{upstream}").parse().unwrap());
        settings.held_limit = 100;
    });
    assert!(get(server.address, "/", "").await.starts_with("HTTP/1.1 502 "));
    assert_eq!(sample(&server, "secrule_serve_held_limit_refusals_total{message=\"response\"} "), 1);
    let form =
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n{:a<200}", "");
    assert!(ask(server.address, &form).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(sample(&server, "secrule_serve_held_limit_refusals_total{message=\"request\"} "), 1);
}
