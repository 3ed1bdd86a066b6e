//! The layer in a server of hyper, over real connections: events, upgrades, HTTP/2 with trailers, long bodies.

use crate::support::{Arriving, layer};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use secrule_testkit::process_memory::process_memory;
use secrule_testkit::streams::STREAM_RULES;
use secrule_tower::RequestBody;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tower::{Layer as _, service_fn};

type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

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

/// Starts a server with one service behind the layer.
async fn serve<F>(service: impl Fn(Request<RequestBody<Incoming>>) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = Result<Reply, io::Error>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(layer(STREAM_RULES).layer(service_fn(service)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Sends a request over a connection of its own.
async fn ask<B>(address: SocketAddr, request: Request<B>) -> Response<Incoming>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let is_modern = request.version() == Version::HTTP_2;
    if is_modern {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        return sender.send_request(request).await.unwrap();
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.unwrap()
}

fn reply(body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static, content_type: &str) -> Reply {
    Response::builder().header(CONTENT_TYPE, content_type).body(body.boxed_unsync()).unwrap()
}

fn nothing() -> Empty<Bytes> {
    Empty::new()
}

/// Returns the memory of this process, in bytes.
fn memory() -> usize {
    process_memory("self", "VmRSS:").unwrap()
}

#[tokio::test]
async fn events_arrive_at_once() {
    let (subscribed, mut subscribers) = tokio::sync::mpsc::unbounded_channel::<UnboundedSender<Bytes>>();
    let address = serve(move |_| {
        let (sender, body): (_, Arriving) = crate::support::channel();
        subscribed.send(sender).unwrap();
        async { Ok(reply(body, "text/event-stream")) }
    })
    .await;
    let mut response = ask(address, Request::get("/events").body(nothing()).unwrap()).await;
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

#[tokio::test]
async fn an_upgraded_connection_lives() {
    let address = serve(|request: Request<RequestBody<Incoming>>| async move {
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut data = [0; 5];
            while stream.read_exact(&mut data).await.is_ok() {
                stream.write_all(&data).await.unwrap();
            }
        });
        let mut response = Response::new(nothing().map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
        Ok(response)
    })
    .await;
    let request = Request::get("/").header(CONNECTION, "upgrade").header(UPGRADE, "echo").body(nothing()).unwrap();
    let response = ask(address, request).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for word in [b"hello", b"again"] {
        stream.write_all(word).await.unwrap();
        let mut data = [0; 5];
        stream.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, word);
    }
}

#[tokio::test]
async fn http_2_streams_both_ways_with_trailers() {
    let address = serve(|request: Request<RequestBody<Incoming>>| async move {
        let trailers =
            async { Some(Ok(HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]))) };
        Ok(reply(request.into_body().map_err(io::Error::other).with_trailers(trailers), "application/grpc"))
    })
    .await;
    let (sender, body) = crate::support::channel();
    // The server answers after the first message: what it may look at is over by then.
    let request = Request::post(format!("http://{address}/echo")).version(Version::HTTP_2).header(CONTENT_TYPE, "application/grpc");
    let response = tokio::spawn(ask(address, request.body(body).unwrap()));
    sender.send(Bytes::from(vec![b'a'; 140_000])).unwrap();
    let mut response = response.await.unwrap();
    let mut received = 0;
    while received < 140_000 {
        received += response.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    for message in ["b", "c"] {
        sender.send(Bytes::from(message)).unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), message);
    }
    drop(sender);
    let trailers = response.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn attacks_are_stopped_in_both_versions() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let address = serve(|_| async { Ok(reply(Full::from("the password").map_err(|never| match never {}), "text/plain")) }).await;
        for (target, expected) in [("/?a=attack", 403), ("/?a=1", 403)] {
            let request = Request::get(format!("http://{address}{target}")).version(version).header("Host", "shop.example");
            let response = ask(address, request.body(nothing()).unwrap()).await;
            assert_eq!(response.status(), expected, "{target}");
            assert_eq!(crate::support::text(response).await, "403 Forbidden\n");
        }
    }
}

#[tokio::test]
async fn long_bodies_pass_in_constant_memory() {
    const LENGTH: u64 = 256 << 20;
    let address = serve(|request: Request<RequestBody<Incoming>>| async move {
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
    let before = memory();
    let request = Request::post("/").header(CONTENT_TYPE, "application/octet-stream").body(Zeros(LENGTH)).unwrap();
    let mut response = ask(address, request).await;
    assert_eq!(response.headers()["X-Received"], LENGTH.to_string());
    let (mut received, mut largest) = (0, 0);
    while let Some(frame) = response.frame().await {
        received += frame.unwrap().into_data().unwrap().len() as u64;
        largest = largest.max(memory());
    }
    assert_eq!(received, LENGTH);
    assert!(largest.saturating_sub(before) < 32 << 20, "{} more bytes", largest - before);
}
