//! Clients that are slow cost a connection for a short time, and nothing else.

use crate::support::{ask, get, plain, start, timeouts, upstream};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Length of an answer that no socket takes at once.
const LONG: usize = 32 << 20;

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
async fn a_connection_of_http_2_without_a_request_ends() {
    let server = start(|settings| settings.timeouts.idle = Duration::from_millis(300));
    // The preface and empty settings; then a beginning of a head that never ends.
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let head = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    for frames in [&settings[..], &[settings.as_slice(), &head].concat()] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frames].concat()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert!((Duration::from_millis(200)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_ends_and_one_that_reads_slowly_does_not() {
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n{}", "a".repeat(LONG));
    let upstream = upstream(move |_| long.clone()).await;
    let server = start(|settings| settings.upstream = Some(format!("http://{upstream}").parse().unwrap()));
    let ask = async || {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        stream
    };
    let (mut slow, mut stopped) = (ask().await, ask().await);
    let (began, mut read, mut piece) = (Instant::now(), 0, vec![0; LONG / 8]);
    while began.elapsed() < 3 * timeouts().body {
        tokio::time::sleep(timeouts().body / 4).await;
        read += slow.read(&mut piece).await.unwrap();
    }
    let (mut rest, mut cut) = (Vec::new(), Vec::new());
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(read + rest.len() > LONG, "{read} {}", rest.len());
    // What the system had taken comes, and then an end.
    let _ = stopped.read_to_end(&mut cut).await;
    assert!(cut.len() < LONG, "{}", cut.len());
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
