//! A TCP connection, with TLS or without.

use crate::timed::{self, Timed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// A connection.
pub struct Wire(Stream);

enum Stream {
    Plain(Timed<TcpStream>),
    Secure(Box<StreamOwned<ClientConnection, Timed<TcpStream>>>),
}

impl Wire {
    /// Connects to the first address that answers; each has an equal part of the time that is left.
    pub fn connect(addresses: &[SocketAddr], by: Instant) -> io::Result<Self> {
        timed::connect(addresses, by).map(|socket| Self(Stream::Plain(socket)))
    }

    /// Makes the connection a TLS connection. The certificate is checked as the configuration says.
    pub fn secure(self, config: Arc<ClientConfig>, name: ServerName<'static>, by: Instant) -> io::Result<Self> {
        let Stream::Plain(mut timed) = self.0 else {
            return Err(io::Error::other(rustls::Error::General("the connection is encrypted already".to_owned())));
        };
        timed.set_deadline(by);
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
            Stream::Plain(timed) => timed.set_deadline(by),
            Stream::Secure(secure) => secure.sock.set_deadline(by),
        }
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
