//! Bodies: what streams, what is held, what comes again.

use crate::support::{Arriving, Proxy, ask, post, reply, start, text, upstream};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use secrule::Waf;
use secrule_pingora::WafProxy;
use secrule_testkit::process_memory::process_memory;
use secrule_testkit::streams::STREAM_RULES;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const PIECE: usize = 64 << 10;

/// A body of zeros, of this length.
struct Zeros(u64);

impl Body for Zeros {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        static PIECE_OF_ZEROS: [u8; PIECE] = [0; PIECE];
        let length = self.0.min(PIECE as u64);
        self.0 -= length;
        Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(&PIECE_OF_ZEROS[..length as usize])))))
    }
}

async fn proxy(upstream: SocketAddr, rules: &str) -> SocketAddr {
    start(WafProxy::new(Proxy::to(upstream), Waf::from_rules(rules).unwrap())).await
}

async fn echo() -> SocketAddr {
    upstream(|request: Request<Incoming>| async move {
        let length = request.headers().get("content-length").cloned();
        let mut response = reply(Full::from(request.into_body().collect().await.map_err(io::Error::other)?.to_bytes()), "text/css");
        length.into_iter().for_each(|length| drop(response.headers_mut().insert("X-Length", length)));
        Ok(response)
    })
    .await
}

#[tokio::test]
async fn events_arrive_at_once() {
    let (subscribed, mut subscribers) = unbounded_channel::<UnboundedSender<Bytes>>();
    let upstream = upstream(move |_| {
        let (sender, receiver) = unbounded_channel();
        subscribed.send(sender).unwrap();
        async { Ok(reply(Arriving(receiver), "text/event-stream")) }
    })
    .await;
    let address = proxy(upstream, STREAM_RULES).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let request = Request::get("http://shop.example/events").version(version).header("Host", "shop.example");
        let mut response = ask(address, request.body(Empty::<Bytes>::new()).unwrap()).await;
        let sender = subscribers.recv().await.unwrap();
        let mut times = Vec::new();
        for event in 0..20 {
            let sent = Instant::now();
            sender.send(Bytes::from(format!("data: the password of {event}\n\n"))).unwrap();
            let frame = response.frame().await.unwrap().unwrap();
            assert!(frame.is_data(), "{frame:?}");
            times.push(sent.elapsed());
        }
        // Some take longer on a machine with other work.
        times.sort();
        assert!(times[10] < Duration::from_millis(50), "{times:?}");
    }
}

#[tokio::test]
async fn a_judged_body_reaches_the_upstream_as_it_came() {
    let rules = STREAM_RULES.replace("ProcessPartial", "Reject").replace("SecRequestBodyLimit 131072", "SecRequestBodyLimit 10000000");
    let address = proxy(echo().await, &rules).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for length in [1, 65_536, 65_537, 1_000_000] {
            let body: Vec<u8> = (b'a'..=b'j').cycle().take(length).collect();
            let mut known = post("http://shop.example/", "text/css", body.clone());
            *known.version_mut() = version;
            let response = ask(address, known).await;
            assert_eq!(response.headers()["X-Length"], length.to_string());
            assert!(text(response).await.as_bytes() == body, "{length} bytes, {version:?}");

            let (sender, receiver) = unbounded_channel();
            body.chunks(1000).for_each(|chunk| sender.send(Bytes::copy_from_slice(chunk)).unwrap());
            drop(sender);
            let request = Request::post("http://shop.example/").version(version).header("Host", "shop.example");
            let response = ask(address, request.body(Arriving(receiver)).unwrap()).await;
            assert!(response.headers().get("X-Length").is_none());
            assert!(text(response).await.as_bytes() == body, "{length} bytes in chunks, {version:?}");
        }
    }
}

#[tokio::test]
async fn an_attack_at_the_end_of_a_long_body_of_unknown_length_is_refused() {
    let rules = STREAM_RULES.replace("ProcessPartial", "Reject").replace("SecRequestBodyLimit 131072", "SecRequestBodyLimit 10000000");
    // Nobody answers there.
    let address = proxy(([127, 0, 0, 1], 1).into(), &rules).await;
    let (sender, receiver) = unbounded_channel();
    (0..200).for_each(|_| sender.send(Bytes::from(vec![b'a'; 1000])).unwrap());
    sender.send(Bytes::from("&a=attack")).unwrap();
    drop(sender);
    let request = Request::post("/").header("Host", "shop.example").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(ask(address, request.body(Arriving(receiver)).unwrap()).await.status(), 403);
}

#[tokio::test]
async fn a_body_that_rules_cannot_stop_streams() {
    let upstream = upstream(|request: Request<Incoming>| async move { Ok(reply(request.into_body(), "text/plain")) }).await;
    let rules = STREAM_RULES.replace("SecRuleEngine On", "SecRuleEngine DetectionOnly");
    let address = proxy(upstream, &rules).await;
    let (sender, receiver) = unbounded_channel();
    let request = Request::post("/").header("Host", "shop.example").header(CONTENT_TYPE, "text/plain").body(Arriving(receiver)).unwrap();
    sender.send(Bytes::from("an attack")).unwrap();
    let mut response = ask(address, request).await;
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "an attack");
    sender.send(Bytes::from("the password")).unwrap();
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "the password");
}

#[tokio::test]
async fn long_bodies_pass_in_constant_memory() {
    const LENGTH: u64 = 64 << 20;
    let upstream = upstream(|request: Request<Incoming>| async move {
        let mut body = request.into_body();
        let mut received = 0;
        while let Some(frame) = body.frame().await {
            received += frame.map_err(io::Error::other)?.into_data().map_or(0, |data| data.len() as u64);
        }
        let mut response = reply(Zeros(LENGTH), "text/plain");
        response.headers_mut().insert("X-Received", received.into());
        Ok(response)
    })
    .await;
    let address = proxy(upstream, STREAM_RULES).await;
    let before = memory();
    let request = Request::post("/").header("Host", "shop.example").header(CONTENT_TYPE, "application/octet-stream");
    let mut response = ask(address, request.body(Zeros(LENGTH)).unwrap()).await;
    assert_eq!(response.headers()["X-Received"], LENGTH.to_string());
    let (mut received, mut largest) = (0, 0);
    while let Some(frame) = response.frame().await {
        received += frame.unwrap().into_data().unwrap().len() as u64;
        largest = largest.max(memory());
    }
    assert_eq!(received, LENGTH);
    assert!(largest.saturating_sub(before) < 32 << 20, "{} more bytes", largest - before);
}

/// Returns the memory of this process, in bytes.
fn memory() -> usize {
    process_memory("self", "VmRSS:").unwrap()
}

#[tokio::test]
async fn a_body_longer_than_what_may_be_held_is_refused() {
    let rules = STREAM_RULES.replace("ProcessPartial", "Reject").replace("131072", "10000000");
    let upstream = upstream(async |_| Ok(reply(Full::from(vec![b'a'; 300_000]), "text/plain"))).await;
    let proxy = WafProxy::new(Proxy::to(upstream), Waf::from_rules(&rules).unwrap()).held_limit(100_000);
    let address = start(proxy).await;
    let long = Request::get("/").header("Host", "shop.example").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(ask(address, long).await.status(), 502);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: text/css\r\nContent-Length: 900000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b'a'; 150_000]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_continue() {
    let address = proxy(echo().await, STREAM_RULES).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Type: text/css\r\nContent-Length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hello"), "{answer}");
}

#[tokio::test]
async fn the_next_upstream_gets_the_whole_body_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let bodies = tokio::spawn(async move {
        let mut bodies = Vec::new();
        for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut received = Vec::new();
            while !received.ends_with(b"end") {
                stream.read_buf(&mut received).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            let start = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
            bodies.push(received.split_off(start));
        }
        bodies
    });
    let rules = STREAM_RULES.replace("ProcessPartial", "Reject").replace("131072", "10000000");
    let address = start(WafProxy::new(Proxy { retries: 1, ..Proxy::to(upstream) }, Waf::from_rules(&rules).unwrap())).await;
    let body = format!("{}end", "a".repeat(200_000));
    assert_eq!(ask(address, post("/", "text/css", body.clone())).await.status(), 200);
    assert!(bodies.await.unwrap() == [body.as_bytes(), body.as_bytes()]);
}
