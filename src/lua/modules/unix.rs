//! Connecting to a Unix socket. The standard library has no time limit for it: it waits while the peer's backlog is full.

use super::fault::{Fault, Outcome};
use super::wait::Waits;
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Wait before the next try while the backlog is full.
const PAUSE: Duration = Duration::from_millis(1);

/// Connects to the socket at a path.
pub fn connect(path: &[u8], waits: &Waits<'_>) -> Outcome<UnixStream> {
    match connected(path, waits) {
        Ok(outcome) => outcome,
        Err(error) => Ok(Err(Fault::of(&error))),
    }
}

fn connected(path: &[u8], waits: &Waits<'_>) -> io::Result<Outcome<UnixStream>> {
    let address = SockAddr::unix(OsStr::from_bytes(path))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let mut wait = match waits.next() {
        Ok(wait) => wait,
        Err(error) => return Ok(Err(error)),
    };
    let began = Instant::now();
    loop {
        match socket.connect(&address) {
            Ok(()) => break,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if began.elapsed() >= wait.limit {
            if wait.is_own {
                return Ok(Ok(Err(Fault::Timeout)));
            }
            wait = match waits.next() {
                Ok(wait) => wait,
                Err(error) => return Ok(Err(error)),
            };
        }
        std::thread::sleep(PAUSE.min(wait.limit));
    }
    socket.set_nonblocking(false)?;
    Ok(Ok(Ok(OwnedFd::from(socket).into())))
}
