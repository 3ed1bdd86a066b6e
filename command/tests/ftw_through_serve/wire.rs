//! Clients that send bytes as they are, each over a connection of its own.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

/// Time for an answer, which is longer than those of the server.
const LIMIT: Duration = Duration::from_secs(10);

/// Connections to a server, no two of them from the same port.
pub struct Connections {
    address: SocketAddr,
    ports: Mutex<BTreeSet<u16>>,
}

impl Connections {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, ports: Mutex::default() }
    }

    /// Sends bytes, and returns the port that sent them and the status of the answer, if there is any.
    pub fn exchange(&self, request: &[u8]) -> (u16, Option<u16>) {
        let mut stream = self.open();
        let port = stream.local_addr().unwrap().port();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // A server may refuse a request before it has read all of it.
        let _ = stream.write_all(request);
        (port, answer(&mut stream, request.starts_with(b"HEAD ")))
    }

    fn open(&self) -> TcpStream {
        // Those with a known port stay open until there is a new one.
        let mut known = Vec::new();
        loop {
            let stream = TcpStream::connect(self.address).unwrap();
            if self.ports.lock().unwrap().insert(stream.local_addr().unwrap().port()) {
                return stream;
            }
            known.push(stream);
        }
    }
}

/// Reads an answer until its end, and returns its status.
fn answer(stream: &mut TcpStream, is_head: bool) -> Option<u16> {
    let mut answer = Vec::new();
    let mut piece = [0; 8_192];
    while !is_complete(&answer, is_head) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
        }
    }
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

/// Returns `true` if nothing more of an answer can come, or if only the end of the connection can tell it.
fn is_complete(answer: &[u8], is_head: bool) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if is_head || [" 204 ", " 304 "].iter().any(|status| head.contains(status)) {
        return true;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|length| length.trim().parse::<usize>().ok());
    match length {
        Some(length) => answer.len() >= end + 4 + length,
        None => head.contains("chunked") && answer.ends_with(b"0\r\n\r\n"),
    }
}
