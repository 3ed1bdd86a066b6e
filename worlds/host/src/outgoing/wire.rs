//! A TCP connection, with TLS or without, each read and write of which ends by a deadline.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection.
pub struct Wire(Stream);

enum Stream {
    Plain(Timed),
    Secure(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket with a deadline.
struct Timed {
    socket: TcpStream,
    by: Instant,
}

impl Wire {
    /// Connects to the first address that answers; each has an equal part of the time that is left.
    pub fn connect(addresses: &[SocketAddr], by: Instant) -> io::Result<Self> {
        let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
        for (place, address) in addresses.iter().enumerate() {
            let parts = u32::try_from(addresses.len().saturating_sub(place)).unwrap_or(1);
            let attempt = left(by).and_then(|left| TcpStream::connect_timeout(address, (left / parts).max(Duration::from_millis(1))));
            match attempt.and_then(|socket| socket.set_nodelay(true).map(|()| socket)) {
                Ok(socket) => return Ok(Self(Stream::Plain(Timed { socket, by }))),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Makes the connection a TLS connection. The certificate is checked as the configuration says.
    pub fn secure(self, config: Arc<ClientConfig>, name: ServerName<'static>, by: Instant) -> io::Result<Self> {
        let Stream::Plain(mut timed) = self.0 else {
            return Err(io::Error::other(rustls::Error::General("the connection is encrypted already".to_owned())));
        };
        timed.by = by;
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut timed)?;
        }
        Ok(Self(Stream::Secure(Box::new(StreamOwned::new(connection, timed)))))
    }

    /// Returns `true` if this is a TLS connection.
    pub fn is_secure(&self) -> bool {
        matches!(self.0, Stream::Secure(_))
    }

    /// Sets the deadline of reads and writes.
    pub fn set_deadline(&mut self, by: Instant) {
        match &mut self.0 {
            Stream::Plain(timed) => timed.by = by,
            Stream::Secure(secure) => secure.sock.by = by,
        }
    }
}

fn left(by: Instant) -> io::Result<Duration> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Turns the error of a socket whose time is over into the one that callers know, and leaves out interruptions.
fn timed(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match step() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            result => return result,
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        timed(|| {
            self.socket.set_read_timeout(Some(left(self.by)?))?;
            self.socket.read(buffer)
        })
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        timed(|| {
            self.socket.set_write_timeout(Some(left(self.by)?))?;
            self.socket.write(bytes)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Plain(timed) => timed.read(buffer),
            Stream::Secure(secure) => secure.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Plain(timed) => timed.write(bytes),
            Stream::Secure(secure) => secure.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Stream::Plain(timed) => timed.flush(),
            Stream::Secure(secure) => secure.flush(),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("is_secure", &self.is_secure()).finish_non_exhaustive()
    }
}
