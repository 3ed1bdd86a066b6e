//! A connection to one server, each call of which ends by its deadline.

use super::address::{Login, Node};
use super::command::{Argument, command};
use super::names::Names;
use redis::{Cmd, Parser, Value};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use secrule::Down;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a connection begins with.
#[derive(Clone, Copy, Debug)]
pub struct Greeting<'a> {
    pub login: &'a Login,
    pub database: u32,
    /// `true` if the server must be a master: a sentinel may not know yet that another one is.
    pub must_be_master: bool,
    pub tls: Option<&'a Arc<ClientConfig>>,
}

/// A connection. One whose call failed is of no use any more: its answer may come to the next call.
pub struct Connection {
    node: Node,
    stream: Stream,
    parser: Parser,
}

enum Stream {
    Plain(Timed),
    Secure(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket whose reads and writes end by a deadline.
struct Timed {
    socket: TcpStream,
    by: Instant,
}

impl Connection {
    /// Connects to a node.
    pub fn open(node: &Node, greeting: Greeting<'_>, names: &Names, by: Instant) -> Result<Self, Down> {
        let socket = connect(node, &names.addresses(node, by)?, by)?;
        let timed = Timed { socket, by };
        let stream = match greeting.tls {
            None => Stream::Plain(timed),
            Some(config) => {
                let name = ServerName::try_from(node.host.clone()).map_err(|error| failed(node, error))?;
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(|error| failed(node, error))?;
                Stream::Secure(Box::new(StreamOwned::new(connection, timed)))
            }
        };
        let mut connection = Self { node: node.clone(), stream, parser: Parser::new() };
        connection.greet(greeting, by).map_err(|error| failed(node, error))?;
        Ok(connection)
    }

    /// Sends a request and returns its answer, which may be an error of the server.
    pub fn call(&mut self, request: &[u8], by: Instant) -> Result<Value, Down> {
        self.send(request, by).and_then(|()| self.answer()).map_err(|error| failed(&self.node, error))
    }

    /// Returns `true` if the server did not close the connection, as far as is known, and nothing is left to read from it.
    pub fn is_idle(&self) -> bool {
        let socket = match &self.stream {
            Stream::Plain(timed) => &timed.socket,
            Stream::Secure(secure) => &secure.sock.socket,
        };
        recv(socket, &mut [0][..], RecvFlags::PEEK) == Err(Errno::AGAIN)
    }

    fn greet(&mut self, greeting: Greeting<'_>, by: Instant) -> Result<(), String> {
        let mut commands = Vec::new();
        if let Some(password) = &greeting.login.password {
            let mut command = redis::cmd("AUTH");
            command.arg(greeting.login.user.as_deref()).arg(password);
            commands.push(command);
        }
        if greeting.database != 0 {
            commands.push(command("SELECT", &[Argument::Number(greeting.database.into())]));
        }
        if greeting.must_be_master {
            commands.push(command("ROLE", &[]));
        }
        // There is always an answer: tickets of TLS come before it, so that nothing is left to read once it is there.
        commands.push(command("CLIENT", &[Argument::Bytes(b"SETNAME"), Argument::Bytes(b"secrule")]));
        self.send(&commands.iter().flat_map(Cmd::get_packed_command).collect::<Vec<u8>>(), by)?;
        let last = commands.len() - 1;
        for place in 0..commands.len() {
            match self.answer()? {
                // A user may not be allowed to name the connection, and a proxy of the server may not know how.
                Value::ServerError(error) if place == last && matches!(error.code(), "NOPERM" | "ERR") => {}
                Value::ServerError(error) => return Err(reason(&error)),
                Value::Array(role) if role.first() != Some(&Value::BulkString(b"master".to_vec())) => {
                    return Err("it is not the master any more".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, request: &[u8], by: Instant) -> Result<(), String> {
        match &mut self.stream {
            Stream::Plain(timed) => timed.by = by,
            Stream::Secure(secure) => secure.sock.by = by,
        }
        self.stream.write_all(request).and_then(|()| self.stream.flush()).map_err(|error| error.to_string())
    }

    fn answer(&mut self) -> Result<Value, String> {
        self.parser.parse_value(&mut self.stream).map_err(|error| error.to_string())
    }
}

/// Returns the reason that a server gives.
pub fn reason(error: &redis::ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default()).trim_end().to_owned()
}

/// Connects to the first address that answers; each has an equal part of the time that is left.
fn connect(node: &Node, addresses: &[SocketAddr], by: Instant) -> Result<TcpStream, Down> {
    let mut failure = None;
    for (place, address) in addresses.iter().enumerate() {
        let parts = u32::try_from(addresses.len() - place).unwrap_or(1);
        let attempt = left(by).and_then(|left| TcpStream::connect_timeout(address, (left / parts).max(Duration::from_millis(1))));
        match attempt.and_then(|socket| socket.set_nodelay(true).and_then(|()| socket.set_nonblocking(true)).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.map_or_else(|| "no address".to_owned(), |error| error.to_string());
    Err(failed(node, failure))
}

fn failed(node: &Node, error: impl std::fmt::Display) -> Down {
    Down::new(format!("{node}: {error}"))
}

fn left(by: Instant) -> io::Result<Duration> {
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(late()) } else { Ok(left) }
}

fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "no answer in time")
}

impl Timed {
    /// Waits until the socket can be read or written. The timeouts of sockets are as coarse as the ticks of the system; those of `poll` are not.
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        loop {
            let left = Timespec::try_from(left(self.by)?).map_err(|_| late())?;
            match poll(&mut [PollFd::new(&self.socket, flags)], Some(&left)) {
                Ok(0) => return Err(late()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A request was just sent: its answer is not there yet.
            self.wait(PollFlags::IN)?;
            match self.socket.read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                result => return result,
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.socket.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Secure(secure) => secure.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(bytes),
            Self::Secure(secure) => secure.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Secure(secure) => secure.flush(),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
