//! Proxies, upstreams, clients and logs for tests.

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use pingora_core::Result;
use pingora_core::apps::HttpServerOptions;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use secrule::{AuditLog, Transaction, Waf};
use secrule_pingora::{Inspection, WafProxy};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

pub type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// The status of an exchange, and the rules in its outcome.
pub type Entry = (u16, Option<usize>);

/// A proxy to one upstream, with an access log.
#[derive(Clone)]
pub struct Proxy {
    pub upstream: SocketAddr,
    /// Tries of upstreams that fail after they have the request.
    pub retries: usize,
    pub log: Arc<Mutex<Vec<Entry>>>,
}

impl Proxy {
    pub fn to(upstream: SocketAddr) -> Self {
        Self { upstream, retries: 0, log: Arc::default() }
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = usize;

    fn new_ctx(&self) -> usize {
        0
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut usize) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<pingora_core::Error>,
        tries: &mut usize,
        _: bool,
    ) -> Box<pingora_core::Error> {
        *tries += 1;
        error.set_retry(*tries <= self.retries && !session.as_ref().retry_buffer_truncated());
        error
    }

    async fn logging(&self, session: &mut Session, _: Option<&pingora_core::Error>, _: &mut usize) {
        let status = session.response_written().map_or(0, |head| head.status.as_u16());
        let inspection = session.req_header().extensions.get::<Inspection>();
        let outcome = inspection.and_then(Inspection::outcome);
        self.log.lock().unwrap().push((status, outcome.map(|outcome| outcome.matches().count())));
    }
}

/// Starts a proxy behind a firewall, for HTTP/1 and HTTP/2.
pub async fn start<P>(proxy: WafProxy<P>) -> SocketAddr
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::thread::spawn(move || {
        let configuration = ServerConf { threads: 2, ..ServerConf::default() };
        let mut server = Server::new_with_opt_and_conf(None, configuration);
        server.bootstrap();
        let mut service = http_proxy_service(&server.configuration, proxy);
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        service.app_logic_mut().unwrap().server_options = Some(options);
        service.add_tcp(&address.to_string());
        server.add_service(service);
        server.run_forever();
    });
    wait_for(async || TcpStream::connect(address).await.ok()).await;
    address
}

/// Starts an upstream.
pub async fn upstream<F>(service: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = io::Result<Reply>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(service.clone());
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Sends a request over a connection of its own.
pub async fn ask<B>(address: SocketAddr, request: Request<B>) -> Response<Incoming>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    if request.version() == Version::HTTP_2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        return sender.send_request(request).await.unwrap();
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.unwrap()
}

pub fn get(target: &str) -> Request<Full<Bytes>> {
    Request::get(target).header("Host", "shop.example").body(Full::default()).unwrap()
}

pub fn post(target: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(target).header("Host", "shop.example").header(CONTENT_TYPE, content_type).body(Full::new(body.into())).unwrap()
}

pub fn reply<B>(body: B, content_type: &str) -> Reply
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    Response::builder().header(CONTENT_TYPE, content_type).body(body.map_err(io::Error::other).boxed_unsync()).unwrap()
}

/// Returns the body of a message as text.
pub async fn text<B: Body<Error: std::fmt::Debug> + Unpin>(body: B) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Waits until there is something.
pub async fn wait_for<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing after ten seconds")
}

/// A body that somebody sends piece by piece.
pub struct Arriving(pub tokio::sync::mpsc::UnboundedReceiver<Bytes>);

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Makes rules with an audit log in memory.
pub fn rules(text: &str) -> (Waf, Arc<Log>) {
    let log = Arc::new(Log::default());
    (Waf::builder().rules("test", text).audit_log(log.clone()).build().unwrap(), log)
}

/// An audit log in memory.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Vec<u8>>>);

impl Log {
    pub fn records(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl AuditLog for Log {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        self.0.lock().unwrap().push(secrule::audit_record(transaction, secrule::AuditFormat::Json));
        Ok(())
    }
}
