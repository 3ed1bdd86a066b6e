//! Exchanges through `secrule serve` that are long: in time, or in bytes.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod serving;

use secrule_testkit::streams::STREAM_RULES;
use serving::Serving;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Timeouts that a test can outlive.
const SHORT: [&str; 4] = ["--client-timeout", "1s", "--upstream-timeout", "1s"];

/// Starts a proxy with rules for responses, in front of a server that answers each request, with its head, in its way.
fn start(name: &str, flags: &[&str], answer: impl Fn(TcpStream, String) + Clone + Send + 'static) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || match head(&stream) {
                // The proxy looks if there is a server.
                head if head.is_empty() => {}
                head => answer(stream, head),
            });
        }
    });
    let rules = serving::folder(name).join("rules.conf");
    fs::write(&rules, STREAM_RULES).unwrap();
    Serving::start(&[&["--rules", rules.to_str().unwrap(), "--upstream", &upstream], flags].concat())
}

/// Reads until an empty line, and nothing behind it.
fn head(mut stream: &TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn events_arrive_at_once_though_rules_look_at_responses() {
    let (subscribed, subscribers) = channel();
    let serving = start("events", &SHORT, move |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n").unwrap();
        subscribed.send(stream).unwrap();
    });
    let mut client = TcpStream::connect(serving.address).unwrap();
    client.write_all(b"GET /events HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut server = subscribers.recv().unwrap();
    let head = head(&client);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    let (mut client, began, mut times) = (BufReader::new(client), Instant::now(), Vec::new());
    // Longer than the timeouts, which are those of heads and of bodies of requests.
    for number in 0..30 {
        thread::sleep(Duration::from_millis(50));
        let (event, sent) = (format!("data: the password of {number}\n"), Instant::now());
        server.write_all(event.as_bytes()).unwrap();
        let mut line = String::new();
        while line != event {
            line.clear();
            assert!(client.read_line(&mut line).unwrap() > 0, "the stream ends at {number}");
        }
        times.push(sent.elapsed());
    }
    assert!(began.elapsed() > Duration::from_secs(1));
    times.sort();
    // Half of them: a machine that is busy for a moment does not matter.
    assert!(times[times.len() / 2] < Duration::from_millis(50), "{times:?}");
}

#[test]
fn a_websocket_outlives_the_timeouts_of_requests() {
    // The example of RFC 6455, section 1.3.
    let (key, accepted) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let serving = start("websocket", &SHORT, move |mut stream, request| {
        let request = request.to_ascii_lowercase();
        assert!(request.contains(&format!("sec-websocket-key: {}\r\n", key.to_ascii_lowercase())), "{request}");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    });
    let mut client = TcpStream::connect(serving.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: shop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    client.write_all(request.as_bytes()).unwrap();
    let answer = head(&client);
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(&format!("sec-websocket-accept: {accepted}\r\n")), "{answer}");
    for text in ["hello", "again"] {
        // A masked frame of text, with a mask of zeros.
        let frame = [&[0x81, 0x80 | 5, 0, 0, 0, 0], text.as_bytes()].concat();
        client.write_all(&frame).unwrap();
        let mut echo = vec![0; frame.len()];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(echo, frame);
        thread::sleep(Duration::from_millis(1_500));
    }
}

#[test]
fn long_bodies_pass_in_little_memory() {
    const LENGTH: usize = 64 << 20;
    const PIECE: usize = 64 << 10;
    /// The limits of the rules, the buffers of sockets, and what the allocator keeps.
    const MAX_GROWTH: usize = 16 << 20;
    let serving = start("long", &[], |mut stream, request| {
        let uploaded = if request.starts_with("POST") { LENGTH } else { 0 };
        assert_eq!(std::io::copy(&mut (&stream).take(uploaded as u64), &mut std::io::sink()).unwrap(), uploaded as u64);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {LENGTH}\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        (0..LENGTH / PIECE).for_each(|_| stream.write_all(&[b'a'; PIECE]).unwrap());
    });
    let peak = || serving.memory("VmHWM:");
    let before = peak();
    assert_eq!(serving.get("/").0, 200);
    for content_type in ["application/x-www-form-urlencoded", "image/png"] {
        let mut client = TcpStream::connect(serving.address).unwrap();
        let head =
            format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        (0..LENGTH / PIECE).for_each(|_| client.write_all(&[b'a'; PIECE]).unwrap());
        let received = std::io::copy(&mut client, &mut std::io::sink()).unwrap();
        assert!(received as usize > LENGTH, "{content_type}: {received}");
    }
    assert!(peak() < before + MAX_GROWTH, "{before} bytes before, {} after", peak());
}
