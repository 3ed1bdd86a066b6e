//! Connections of scripts, for `socket` and `socket.unix`.
//!
//! A connection blocks while it waits, but never longer than the call may take. It does not look up names: addresses are given as text.

use super::fault::{Fault, Outcome, is_late};
use super::handles::Handles;
use super::wait::Waits;
use crate::lua::budget::{Budget, Excess};
use crate::lua::strings::{stopped, string};
use mlua::{Lua, LuaString, Result, Table};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Number of bytes that are read or written at a time.
const PIECE: usize = 16 << 10;

/// Maximum size of a datagram, in bytes.
const LARGEST_DATAGRAM: usize = 65_507;

/// The open connections of a call.
#[derive(Default)]
pub struct Connections {
    open: Handles<Connection>,
}

struct Connection {
    end: End,
    /// Bytes that were received and not read yet.
    received: Vec<u8>,
}

/// This end of a connection.
enum End {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
    Datagram(UdpSocket),
}

/// A value, or `nil` and a reason.
type Answer<T> = (Option<T>, Option<String>);

impl Connections {
    /// Closes all connections.
    pub fn close(&self) {
        self.open.clear();
    }

    fn keep(&self, end: End) -> Answer<f64> {
        match self.open.keep(Connection { end, received: Vec::new() }) {
            Some(number) => (Some(number), None),
            None => (None, Some("too many open sockets".to_owned())),
        }
    }
}

/// Adds the functions on connections. Time limits are two numbers of seconds, for each wait and for all waits; negative means none.
pub fn add(lua: &Lua, part: &Table, connections: &Rc<Connections>, budget: &Rc<Budget>) -> Result<()> {
    add_openers(lua, part, connections, budget)?;
    add_streams(lua, part, connections, budget)?;
    add_datagrams(lua, part, connections, budget)?;
    add_ends(lua, part, connections)?;
    let now = |_: &Lua, ()| Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    part.raw_set("now", lua.create_function(now)?)?;
    let own = Rc::clone(budget);
    let sleep = move |_: &Lua, time: f64| {
        let wait = Waits::new(&own, time, -1.0).next()?;
        if time > 0.0 {
            std::thread::sleep(wait.limit);
        }
        if wait.is_own { Ok(()) } else { Waits::new(&own, -1.0, -1.0).next().map(drop) }
    };
    part.raw_set("sleep", lua.create_function(sleep)?)
}

fn add_openers(lua: &Lua, part: &Table, connections: &Rc<Connections>, budget: &Rc<Budget>) -> Result<()> {
    let (open, own) = (Rc::clone(connections), Rc::clone(budget));
    let function = lua.create_function(move |_, (address, port, each, all): (LuaString, u16, f64, f64)| {
        let waits = Waits::new(&own, each, all);
        let Some(address) = address_of(&address, port) else { return Ok((None, Some("invalid address".to_owned()))) };
        let wait = waits.next()?;
        match TcpStream::connect_timeout(&address, wait.limit) {
            Ok(stream) => Ok(open.keep(End::Tcp(stream))),
            Err(error) if is_late(&error) && !wait.is_own => waits.next().map(|_| (None, Some(Fault::Timeout.text()))),
            Err(error) => Ok((None, Some(Fault::of(&error).text()))),
        }
    })?;
    part.raw_set("connect", function)?;

    #[cfg(unix)]
    {
        let (open, own) = (Rc::clone(connections), Rc::clone(budget));
        let function = lua.create_function(move |_, (path, each, all): (LuaString, f64, f64)| {
            Ok(match super::unix::connect(&path.as_bytes(), &Waits::new(&own, each, all))? {
                Ok(stream) => open.keep(End::Unix(stream)),
                Err(fault) => (None, Some(fault.text())),
            })
        })?;
        part.raw_set("connect_unix", function)?;
    }

    let open = Rc::clone(connections);
    let function = lua.create_function(move |_, is_newer: bool| {
        let here = if is_newer { "[::]:0" } else { "0.0.0.0:0" };
        Ok(match UdpSocket::bind(here) {
            Ok(socket) => open.keep(End::Datagram(socket)),
            Err(error) => (None, Some(Fault::of(&error).text())),
        })
    })?;
    part.raw_set("datagrams", function)
}

/// `send` returns the number of bytes sent, and the reason if not all were. `receive` returns a text, or `nil`, the reason, and the partial text.
fn add_streams(lua: &Lua, part: &Table, connections: &Rc<Connections>, budget: &Rc<Budget>) -> Result<()> {
    let (open, own) = (Rc::clone(connections), Rc::clone(budget));
    let function = lua.create_function(move |_, (number, text, each, all): (f64, LuaString, f64, f64)| {
        let waits = Waits::new(&own, each, all);
        own.spend_on(text.as_bytes().len()).map_err(stopped)?;
        let sent = open.open.with(number, |connection| connection.send(&text.as_bytes(), &waits));
        let (sent, fault) = sent.unwrap_or(Ok((0, Some(Fault::Closed))))?;
        Ok((sent, fault.map(|fault| fault.text())))
    })?;
    part.raw_set("send", function)?;

    let (open, own) = (Rc::clone(connections), Rc::clone(budget));
    // `wanted` is a number of bytes, negative for a line, or `nil` for everything up to the end.
    let function = lua.create_function(move |lua, (number, wanted, each, all): (f64, Option<f64>, f64, f64)| {
        let waits = Waits::new(&own, each, all);
        let received = open.open.with(number, |connection| connection.receive(wanted, &waits, &own));
        let (bytes, fault) = received.unwrap_or_else(|| Ok((Vec::new(), Some(Fault::Closed))))?;
        own.spend_on(bytes.len()).map_err(stopped)?;
        let text = string(lua, &bytes)?;
        Ok(match fault {
            None => (Some(text), None, None),
            Some(fault) => (None, Some(fault.text()), Some(text)),
        })
    })?;
    part.raw_set("receive", function)
}

fn add_datagrams(lua: &Lua, part: &Table, connections: &Rc<Connections>, budget: &Rc<Budget>) -> Result<()> {
    let open = Rc::clone(connections);
    let function = lua.create_function(move |_, (number, address, port): (f64, LuaString, u16)| {
        let address = address_of(&address, port);
        let outcome = open.with_datagrams(number, |socket| socket.connect(address.ok_or(io::ErrorKind::InvalidInput)?));
        Ok(outcome.1)
    })?;
    part.raw_set("set_peer", function)?;

    let (open, own) = (Rc::clone(connections), Rc::clone(budget));
    let function = lua.create_function(move |_, (number, text, address, port): (f64, LuaString, Option<LuaString>, u16)| {
        own.spend_on(text.as_bytes().len()).map_err(stopped)?;
        let sent = open.with_datagrams(number, |socket| match address {
            Some(address) => {
                let address = address_of(&address, port).ok_or(io::ErrorKind::InvalidInput)?;
                socket.send_to(&text.as_bytes(), address)
            }
            None => socket.send(&text.as_bytes()),
        });
        Ok(sent)
    })?;
    part.raw_set("send_datagram", function)?;

    let (open, own) = (Rc::clone(connections), Rc::clone(budget));
    let function = lua.create_function(move |lua, (number, each, all): (f64, f64, f64)| {
        let waits = Waits::new(&own, each, all);
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let wait = waits.next()?;
            let received = open.with_datagrams(number, |socket| {
                socket.set_read_timeout(Some(wait.limit))?;
                socket.recv_from(&mut buffer)
            });
            match received {
                (Some((length, from)), _) => {
                    let text = string(lua, buffer.get(..length).unwrap_or_default())?;
                    return Ok((Some(text), None, Some(from.ip().to_string()), Some(from.port())));
                }
                (None, Some(fault)) if fault == "timeout" && !wait.is_own => {}
                (None, fault) => return Ok((None, fault, None, None)),
            }
        }
    })?;
    part.raw_set("receive_datagram", function)
}

fn add_ends(lua: &Lua, part: &Table, connections: &Rc<Connections>) -> Result<()> {
    let open = Rc::clone(connections);
    let close = move |_: &Lua, number: f64| Ok(open.open.end(number).is_some());
    part.raw_set("close", lua.create_function(close)?)?;

    for (name, is_peer) in [("peer", true), ("here", false)] {
        let open = Rc::clone(connections);
        let function = lua.create_function(move |_, number: f64| {
            let address = open.open.with(number, |connection| connection.end.address(is_peer)).flatten();
            Ok((address.map(|address| address.ip().to_string()), address.map(|address| address.port())))
        })?;
        part.raw_set(name, function)?;
    }

    let open = Rc::clone(connections);
    let function = lua.create_function(move |_, (number, reads, writes): (f64, bool, bool)| {
        let how = match (reads, writes) {
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            _ => Shutdown::Both,
        };
        Ok(open.open.with(number, |connection| connection.end.shut(how).is_ok()).unwrap_or(false))
    })?;
    part.raw_set("shut", function)?;

    let open = Rc::clone(connections);
    let function = lua.create_function(move |_, (number, is_on): (f64, bool)| {
        let set = open.open.with(number, |connection| match &connection.end {
            End::Tcp(stream) => stream.set_nodelay(is_on).is_ok(),
            _ => false,
        });
        Ok(set.unwrap_or(false))
    })?;
    part.raw_set("set_nodelay", function)
}

impl Connections {
    fn with_datagrams<T>(&self, number: f64, act: impl FnOnce(&UdpSocket) -> io::Result<T>) -> Answer<T> {
        let outcome = self.open.with(number, |connection| match &connection.end {
            End::Datagram(socket) => act(socket).map_err(|error| Fault::of(&error)),
            _ => Err(Fault::Other("not a socket for datagrams".to_owned())),
        });
        match outcome.unwrap_or(Err(Fault::Closed)) {
            Ok(value) => (Some(value), None),
            Err(fault) => (None, Some(fault.text())),
        }
    }
}

impl Connection {
    /// Sends a text. Returns the number of bytes sent.
    fn send(&mut self, text: &[u8], waits: &Waits<'_>) -> Result<(usize, Option<Fault>)> {
        let mut sent = 0;
        while let Some(rest) = text.get(sent..).filter(|rest| !rest.is_empty()) {
            let wait = waits.next()?;
            let piece = rest.get(..PIECE).unwrap_or(rest);
            match self.end.set_timeout(wait.limit).and_then(|()| self.end.write(piece)) {
                Ok(length) => sent = sent.saturating_add(length),
                Err(error) if is_retried(&error, wait.is_own) => {}
                Err(error) => return Ok((sent, Some(Fault::of(&error)))),
            }
        }
        Ok((sent, None))
    }

    /// Receives a line, a number of bytes, or everything up to the end.
    fn receive(&mut self, wanted: Option<f64>, waits: &Waits<'_>, budget: &Budget) -> Result<(Vec<u8>, Option<Fault>)> {
        let mut looked = 0;
        loop {
            match wanted {
                Some(count) if count >= 0.0 => {
                    if let Some(rest) = self.received.split_off_checked(count as usize) {
                        return Ok((std::mem::replace(&mut self.received, rest), None));
                    }
                }
                Some(_) => {
                    let end = self.received.get(looked..).and_then(|rest| memchr::memchr(b'\n', rest)).map(|at| looked + at);
                    if let Some(rest) = end.and_then(|end| self.received.split_off_checked(end + 1)) {
                        let line = std::mem::replace(&mut self.received, rest);
                        return Ok((without_ends(line), None));
                    }
                    looked = self.received.len();
                }
                None => {}
            }
            let Err(fault) = self.fill(waits, budget)? else { continue };
            let rest = std::mem::take(&mut self.received);
            return Ok(match (wanted, &fault) {
                (None, Fault::Closed) if !rest.is_empty() => (rest, None),
                (Some(count), _) if count < 0.0 => (without_ends(rest), Some(fault)),
                _ => (rest, Some(fault)),
            });
        }
    }

    /// Receives the available bytes, and waits for the first.
    fn fill(&mut self, waits: &Waits<'_>, budget: &Budget) -> Outcome<()> {
        let mut buffer = [0; PIECE];
        loop {
            let wait = waits.next()?;
            match self.end.set_timeout(wait.limit).and_then(|()| self.end.read(&mut buffer)) {
                Ok(0) => return Ok(Err(Fault::Closed)),
                Ok(length) => {
                    self.received.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    if self.received.len() > budget.memory() {
                        return Err(stopped(budget.exceed(Excess::Memory)));
                    }
                    return Ok(Ok(()));
                }
                Err(error) if is_retried(&error, wait.is_own) => {}
                Err(error) => return Ok(Err(Fault::of(&error))),
            }
        }
    }
}

/// Splits off the bytes after an offset, if there are so many.
trait SplitOff: Sized {
    fn split_off_checked(&mut self, at: usize) -> Option<Self>;
}

impl SplitOff for Vec<u8> {
    fn split_off_checked(&mut self, at: usize) -> Option<Self> {
        (at <= self.len()).then(|| self.split_off(at))
    }
}

impl End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            Self::Datagram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
            Self::Datagram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn set_timeout(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(limit)).and_then(|()| stream.set_write_timeout(Some(limit))),
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_read_timeout(Some(limit)).and_then(|()| stream.set_write_timeout(Some(limit))),
            Self::Datagram(socket) => socket.set_read_timeout(Some(limit)),
        }
    }

    fn address(&self, is_peer: bool) -> Option<SocketAddr> {
        match (self, is_peer) {
            (Self::Tcp(stream), true) => stream.peer_addr().ok(),
            (Self::Tcp(stream), false) => stream.local_addr().ok(),
            (Self::Datagram(socket), true) => socket.peer_addr().ok(),
            (Self::Datagram(socket), false) => socket.local_addr().ok(),
            #[cfg(unix)]
            (Self::Unix(_), _) => None,
        }
    }

    fn shut(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(how),
            Self::Datagram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Returns `true` if an operation must be repeated: a signal arrived, or the wait ended with the call's time, which the next wait detects.
fn is_retried(error: &io::Error, is_own: bool) -> bool {
    error.kind() == io::ErrorKind::Interrupted || is_late(error) && !is_own
}

fn address_of(text: &LuaString, port: u16) -> Option<SocketAddr> {
    let address: IpAddr = text.to_str().ok()?.parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// Removes the end of a line and, as LuaSocket does, all carriage returns.
fn without_ends(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    line.retain(|byte| *byte != b'\r');
    line
}
