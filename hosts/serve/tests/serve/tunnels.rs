//! Upgraded connections: they end, and they keep their place.

use crate::support::{Running, get, read_head, start};
use secrule_serve::Settings;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Starts a server in front of an upstream that upgrades connections and sends back what it gets.
async fn echoing(set: impl FnOnce(&mut Settings)) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if !read_head(&mut stream).await.to_ascii_lowercase().contains("\r\nupgrade: ") {
                    return;
                }
                stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    start(|settings| {
        settings.upstream = Some(upstream);
        set(settings);
    })
}

async fn upgraded(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

async fn echo(stream: &mut TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

/// Waits until the other side ends a connection, and returns how long that took.
async fn end_of(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut byte = [0];
    let read = timeout(Duration::from_secs(10), stream.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    began.elapsed()
}

#[tokio::test]
async fn no_other_protocol_than_websocket_gets_a_tunnel() {
    let server = echoing(|_| {}).await;
    for wanted in
        ["Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: h2c, websocket", "Upgrade: websocket\r\nUpgrade: h2c", "Upgrade: x"]
    {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n{wanted}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The upstream ends connections that ask for no upgrade.
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{wanted}: {answer}");
    }
}

#[tokio::test]
async fn a_tunnel_ends_when_nothing_is_sent_for_its_time() {
    let idle = Duration::from_millis(500);
    let server = echoing(|settings| settings.timeouts.tunnel = idle).await;
    let mut stream = upgraded(&server).await;
    let began = Instant::now();
    while began.elapsed() < 2 * idle {
        tokio::time::sleep(idle / 5).await;
        echo(&mut stream).await;
    }
    assert!(end_of(&mut stream).await >= idle / 2);
}

#[tokio::test]
async fn a_tunnel_keeps_the_permit_of_its_connection() {
    let server = echoing(|settings| settings.max_connections = 1).await;
    let mut stream = upgraded(&server).await;
    let waiting = tokio::spawn(get(server.address, "/?a=attack", ""));
    // An answer takes fewer round trips, if there were room.
    for _ in 0..1_000 {
        echo(&mut stream).await;
    }
    assert!(!waiting.is_finished());
    drop(stream);
    assert!(timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap().starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn a_tunnel_ends_with_the_time_of_a_server_that_ends() {
    let shutdown = Duration::from_millis(700);
    let server = echoing(|settings| settings.timeouts.shutdown = shutdown).await;
    let mut stream = upgraded(&server).await;
    let stopped = Instant::now();
    server.stopper.stop();
    tokio::time::sleep(shutdown / 4).await;
    echo(&mut stream).await;
    end_of(&mut stream).await;
    assert!(stopped.elapsed() >= shutdown && stopped.elapsed() < shutdown * 5);
    server.end.await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_tunnel_that_has_ended() {
    let server = echoing(|settings| settings.timeouts.shutdown = Duration::from_secs(60)).await;
    let mut stream = upgraded(&server).await;
    echo(&mut stream).await;
    server.stopper.stop();
    drop(stream);
    timeout(Duration::from_secs(10), server.end).await.unwrap().unwrap();
}
