//! Sockets of which each read and write ends by a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A socket whose reads and writes can have a time limit.
pub trait TimeoutSocket: Read + Write {
    /// Sets the time limit of reads.
    ///
    /// # Errors
    /// As [`TcpStream::set_read_timeout`].
    fn set_read_timeout(&self, time: Duration) -> io::Result<()>;

    /// Sets the time limit of writes.
    ///
    /// # Errors
    /// As [`TcpStream::set_write_timeout`].
    fn set_write_timeout(&self, time: Duration) -> io::Result<()>;
}

/// A socket with a deadline. A read or write beyond it is the error [`ErrorKind::TimedOut`]; a signal that interrupts one is none.
#[derive(Debug)]
pub struct Timed<S> {
    socket: S,
    by: Instant,
}

/// Connects to the first address that answers; each has an equal part of the time that is left.
///
/// # Errors
/// The failure of the last address; [`ErrorKind::AddrNotAvailable`] if there is no address.
pub fn connect(addresses: &[SocketAddr], by: Instant) -> io::Result<Timed<TcpStream>> {
    let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
    for (place, address) in addresses.iter().enumerate() {
        let parts = u32::try_from(addresses.len().saturating_sub(place)).unwrap_or(1);
        let attempt = left(by).and_then(|left| TcpStream::connect_timeout(address, (left / parts).max(Duration::from_millis(1))));
        match attempt.and_then(|socket| socket.set_nodelay(true).map(|()| socket)) {
            Ok(socket) => return Ok(Timed::new(socket, by)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl<S> Timed<S> {
    /// Gives a socket a deadline.
    pub fn new(socket: S, by: Instant) -> Self {
        Self { socket, by }
    }

    /// Sets the deadline of reads and writes.
    pub fn set_deadline(&mut self, by: Instant) {
        self.by = by;
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

impl<S: TimeoutSocket> Read for Timed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        timed(|| {
            self.socket.set_read_timeout(left(self.by)?)?;
            self.socket.read(buffer)
        })
    }
}

impl<S: TimeoutSocket> Write for Timed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        timed(|| {
            self.socket.set_write_timeout(left(self.by)?)?;
            self.socket.write(bytes)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl TimeoutSocket for TcpStream {
    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        Self::set_read_timeout(self, Some(time))
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        Self::set_write_timeout(self, Some(time))
    }
}

impl TimeoutSocket for UnixStream {
    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        Self::set_read_timeout(self, Some(time))
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        Self::set_write_timeout(self, Some(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket each step of which a signal interrupts once, and whose time is over at the third.
    #[derive(Default)]
    struct Interrupted(u32);

    impl Interrupted {
        fn step(&mut self) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 | 3 => Err(ErrorKind::Interrupted.into()),
                2 | 4 => Ok(1),
                _ => Err(ErrorKind::WouldBlock.into()),
            }
        }
    }

    impl Read for Interrupted {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            self.step()
        }
    }

    impl Write for Interrupted {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            self.step()
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl TimeoutSocket for Interrupted {
        fn set_read_timeout(&self, _time: Duration) -> io::Result<()> {
            Ok(())
        }

        fn set_write_timeout(&self, _time: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_signal_interrupts_no_step_and_the_end_of_the_time_has_one_name() {
        let mut timed = Timed::new(Interrupted::default(), Instant::now() + Duration::from_secs(60));
        let kind = |result: io::Result<usize>| result.map_err(|error| error.kind());
        assert_eq!((kind(timed.read(&mut [0])), kind(timed.write(b"a"))), (Ok(1), Ok(1)));
        assert_eq!((kind(timed.read(&mut [0])), kind(timed.write(b"a"))), (Err(ErrorKind::TimedOut), Err(ErrorKind::TimedOut)));
        timed = Timed::new(Interrupted::default(), Instant::now());
        assert_eq!(kind(timed.read(&mut [0])), Err(ErrorKind::TimedOut));
    }
}
