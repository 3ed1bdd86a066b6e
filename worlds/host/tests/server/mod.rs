//! Servers of tests on 127.0.0.1. Each connection has a thread; they end with the process.

#![allow(dead_code, reason = "a file of tests uses what it needs")]

use secrule_host::outgoing::{Allowed, HostLookup, Outgoing};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listener whose connections are counted.
pub struct Server {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

/// A server that keeps requests and gives each the same answer.
pub struct Answering {
    pub server: Server,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A look-up that calls a function.
pub struct Looking<F>(pub F);

impl Server {
    /// Calls a function for each connection, with its number, from 0.
    pub fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), serve)
    }

    /// The same at an address.
    pub fn at(address: SocketAddr, serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let serve = Arc::new(serve);
        thread::spawn({
            let connections = Arc::clone(&connections);
            move || {
                for stream in listener.incoming().flatten() {
                    let number = connections.fetch_add(1, Ordering::SeqCst);
                    let serve = Arc::clone(&serve);
                    thread::spawn(move || serve(stream, number));
                }
            }
        });
        Self { port, connections }
    }

    /// Number of connections until now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns an `Outgoing` that may connect to this server alone.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::new(allowed(&[&format!("127.0.0.1:{}", self.port)]))
    }
}

impl Answering {
    pub fn with(answer: impl Into<Vec<u8>>) -> Self {
        let (answer, requests) = (answer.into(), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&requests);
        let server = Server::start(move |mut stream, _| {
            let request = read_request(&mut stream).unwrap();
            kept.lock().unwrap().push(request);
            // The client may have heard enough.
            let _ = stream.write_all(&answer);
        });
        Self { server, requests }
    }

    /// The requests until now, with their bodies as they were sent.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl<F: Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static> HostLookup for Looking<F> {
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((self.0)(host))
    }
}

pub fn allowed(texts: &[&str]) -> Allowed {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A response of status 200.
pub fn response(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads a request, to the end of its body.
pub fn read_request(stream: &mut impl Read) -> io::Result<String> {
    let head = read_until(stream, b"\r\n\r\n")?;
    let value =
        |name: &str| head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|value| value.trim().to_owned()));
    let mut body = String::new();
    if value("transfer-encoding:").is_some() {
        body = read_until(stream, b"0\r\n\r\n")?;
    } else if let Some(length) = value("content-length:") {
        stream.take(length.parse().unwrap()).read_to_string(&mut body)?;
    }
    Ok(head + &body)
}

/// Reads until the text ends so.
pub fn read_until(stream: &mut impl Read, end: &[u8]) -> io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(end) {
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
    }
    Ok(String::from_utf8(text).unwrap())
}
