//! A service of gRPC whose messages are texts, without a compiler of protocol buffers.

use bytes::{Buf as _, BufMut as _, Bytes};
use http::Request as HttpRequest;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::sleep;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, StreamingService};
use tonic::{Code, Request, Response, Status, Streaming};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the time since a message of `Count` was sent.
pub fn since(message: &[u8]) -> Duration {
    let sent = std::str::from_utf8(message).unwrap().parse().unwrap();
    START.elapsed().saturating_sub(Duration::from_micros(sent))
}

/// Starts the service; the address speaks HTTP/2 without TLS.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    LazyLock::force(&START);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|request: HttpRequest<Incoming>| async {
                let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
                Ok::<_, Infallible>(Grpc::new(Text).streaming(Chat { method }, request).await)
            });
            tokio::spawn(hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

/// A method of the service.
struct Chat {
    method: String,
}

type Message = Result<Bytes, Status>;

impl StreamingService<Bytes> for Chat {
    type Response = Bytes;
    type ResponseStream = ReceiverStream<Message>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (sender, answers) = channel(1);
        let method = self.method.clone();
        tokio::spawn(async move { answer(&method, request.into_inner(), &sender).await });
        ready(Ok(Response::new(ReceiverStream::new(answers))))
    }
}

/// Answers until the client ends, and then with a status that has the number of messages.
async fn answer(method: &str, mut messages: Streaming<Bytes>, sender: &Sender<Message>) {
    let (mut count, mut joined) = (0, Vec::new());
    while let Some(Ok(message)) = messages.next().await {
        match method {
            "Join" => joined.extend_from_slice(&message),
            "Count" => {
                for _ in 1..std::str::from_utf8(&message).unwrap().parse::<u32>().unwrap() {
                    sender.send(Ok(now())).await.unwrap();
                    count += 1;
                    sleep(Duration::from_millis(5)).await;
                }
                sender.send(Ok(now())).await.unwrap();
            }
            _ => sender.send(Ok(message)).await.unwrap(),
        }
        count += 1;
        if method == "Fail" {
            let _ = sender.send(Err(status(Code::ResourceExhausted, "enough: 1 €", count))).await;
            return;
        }
    }
    if method == "Join" {
        sender.send(Ok(joined.into())).await.unwrap();
    }
    // The trailers of a call that succeeds.
    let _ = sender.send(Err(status(Code::Ok, "", count))).await;
}

fn now() -> Bytes {
    START.elapsed().as_micros().to_string().into()
}

fn status(code: Code, message: &str, count: u32) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("x-count", count.to_string().parse().unwrap());
    Status::with_metadata(code, message, metadata)
}

/// Messages that are texts.
#[derive(Clone, Copy)]
pub struct Text;

impl Codec for Text {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Text {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
