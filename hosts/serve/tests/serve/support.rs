//! A server with rules, an upstream that answers as a test wants, and clients that write bytes.

use secrule::Waf;
use secrule_serve::{Counters, Server, Settings, Site, Sites, Stopper, Timeouts};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecRule REQUEST_URI|ARGS "@contains attack" "id:1,phase:2,deny,log"
SecRule RESPONSE_BODY "@contains password" "id:2,phase:4,deny,log"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.66" "id:3,phase:1,deny,status:451,log"
"#;

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    pub stopper: Stopper,
    pub counters: Arc<Counters>,
    pub end: JoinHandle<()>,
}

/// Times that tests can wait for.
pub fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.head, timeouts.body) = (Duration::from_millis(300), Duration::from_millis(300));
    (timeouts.connect, timeouts.answer, timeouts.shutdown) = (Duration::from_secs(1), Duration::from_secs(1), Duration::from_secs(5));
    timeouts
}

/// Starts a server with rules, and settings that `set` changes.
pub fn start(set: impl FnOnce(&mut Settings)) -> Running {
    let mut settings = Settings::default();
    (settings.listen, settings.timeouts) = (vec![([127, 0, 0, 1], 0).into()], timeouts());
    set(&mut settings);
    run(Server::bind(settings, Waf::from_rules(RULES).unwrap()).unwrap())
}

/// Starts a server with sites.
pub fn start_sites(sites: Vec<Site>) -> Running {
    let settings = Settings { listen: vec![([127, 0, 0, 1], 0).into()], timeouts: timeouts(), ..Settings::default() };
    run(Server::bind_sites(settings, Sites::new(sites, None).unwrap()).unwrap())
}

/// Runs a server.
pub fn run(server: Server) -> Running {
    let (address, stopper, counters) = (server.addresses()[0], server.stopper(), server.counters());
    Running { address, stopper, counters, end: tokio::spawn(server.run()) }
}

/// Starts a server in front of an upstream.
pub fn start_before(upstream: SocketAddr) -> Running {
    start(|settings| settings.upstream = Some(format!("http://{upstream}").parse().unwrap()))
}

/// Starts an upstream that reads the head of a request of each connection, and answers with what `answer` makes of it.
pub async fn upstream(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                let _ = stream.write_all(answer(&head).as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

/// Makes an answer with a text.
pub fn plain(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Reads until an empty line.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Sends bytes, and returns all that comes back.
pub async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a request over a connection of its own.
pub async fn ask(address: SocketAddr, request: &str) -> String {
    exchange(&mut TcpStream::connect(address).await.unwrap(), request).await
}

/// Sends a GET request with headers, and ends the connection.
pub async fn get(address: SocketAddr, target: &str, headers: &str) -> String {
    ask(address, &format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{headers}\r\n")).await
}
