//! Clients that are slow cost a connection for a short time, and nothing else.

use crate::support::{ask, get, plain, start, upstream};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Writes the start of a request, and returns what comes until the server ends the connection, and after how long.
async fn stall(address: std::net::SocketAddr, request: &str) -> (String, Duration) {
    let began = Instant::now();
    let answer = ask(address, request).await;
    (answer, began.elapsed())
}

#[tokio::test]
async fn slow_heads_and_bodies_end() {
    let server = start(|_| {});
    for head in ["GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "", "P", "PRI * HTTP/2.0\r\n"] {
        let (answer, time) = stall(server.address, head).await;
        assert!(!answer.contains("200 OK") && time < Duration::from_secs(2), "{head}: {answer} {time:?}");
    }
    let form = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\na=";
    let (_, time) = stall(server.address, form).await;
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn a_slow_body_that_no_rule_reads_ends_too() {
    let server = start(|settings| settings.upstream = None);
    let (_, time) = stall(server.address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nab").await;
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn many_slow_clients_leave_room_for_others() {
    let upstream = upstream(|_| plain("hello")).await;
    let server = start(|settings| settings.upstream = Some(format!("http://{upstream}").parse().unwrap()));
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        slow.push(stream);
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    assert!(get(server.address, "/", "").await.ends_with("hello"));
    assert!(threads() <= before + 1);
    for mut stream in slow {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    }
}

#[tokio::test]
async fn more_listeners_than_connections_at_once_are_all_served() {
    let ports = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let server = start(|settings| (settings.listen, settings.max_connections) = (ports.to_vec(), 1));
    for address in ports {
        assert!(get(address, "/", "").await.contains("200 OK"), "{address}");
    }
    server.stopper.stop();
    server.end.await.unwrap();
}

#[tokio::test]
async fn beyond_the_limit_connections_wait() {
    let server = start(|settings| settings.max_connections = 2);
    let idle = [TcpStream::connect(server.address).await.unwrap(), TcpStream::connect(server.address).await.unwrap()];
    let began = Instant::now();
    // Those that are idle end after their time.
    assert!(get(server.address, "/", "").await.contains("200 OK"));
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
    drop(idle);
}
