//! Asks name servers over UDP, and over TCP if an answer does not fit.
//!
//! Each question uses a separate port and a separate id. If a server does not answer within its share of the time, the next one is asked as well, and
//! the first answer counts. After a server's failure the next one is asked at once.

use super::dns::{Answer, Kind, Question, Record};
use super::servers::Servers;
use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Maximum length of a datagram that is read, in bytes; longer answers are requested over TCP.
const MAX_DATAGRAM: usize = 4096;

/// Time to wait for the newest question before earlier ones are checked.
const TURN: Duration = Duration::from_millis(5);

/// Shortest timeout that a socket accepts.
const SHORTEST: Duration = Duration::from_micros(1);

/// Asks for the records of a name; empty if there are none. Returns at the deadline at the latest.
///
/// # Errors
///
/// `TimedOut` if no server answered in time; otherwise the last failure of a server.
pub fn ask(servers: &Servers, name: &str, kind: Kind, deadline: Instant) -> io::Result<Vec<Record>> {
    let all = servers.addresses.len().saturating_mul(servers.attempts);
    let mut tries: VecDeque<SocketAddr> = servers.addresses.iter().copied().cycle().take(all).collect();
    let mut open: Vec<Try<'_>> = Vec::new();
    let mut failure = io::Error::from(io::ErrorKind::TimedOut);
    let mut next = Instant::now();
    loop {
        let left = left(deadline)?;
        if next <= Instant::now() || open.is_empty() {
            match tries.pop_front() {
                Some(server) => match Try::begin(server, name, kind) {
                    Ok(begun) => {
                        open.push(begun);
                        let shares = u32::try_from(tries.len()).unwrap_or(u32::MAX).saturating_add(1);
                        next = Instant::now() + servers.timeout.min(left / shares);
                    }
                    Err(error) => {
                        failure = error;
                        continue;
                    }
                },
                None if open.is_empty() => return Err(failure),
                None => next = deadline,
            }
        }
        match listen(&mut open, next.min(deadline), deadline) {
            Some(Ok(records)) => return Ok(records),
            Some(Err(error)) => {
                failure = error;
                next = Instant::now();
            }
            None => {}
        }
    }
}

/// Returns the first available answer, or the failure of a server, which is then not asked again; `None` if none came until the moment.
fn listen(open: &mut Vec<Try<'_>>, until: Instant, deadline: Instant) -> Option<io::Result<Vec<Record>>> {
    let wait = until.saturating_duration_since(Instant::now());
    let wait = if open.len() > 1 { wait.min(TURN) } else { wait };
    let newest = open.len().saturating_sub(1);
    let found = open.iter().enumerate().rev().find_map(|(at, question)| {
        let wait = (at == newest).then_some(wait.max(SHORTEST));
        Some((at, question.receive(wait, deadline)?))
    });
    let (at, answer) = found?;
    if answer.is_err() {
        open.remove(at);
    }
    Some(answer)
}

/// A question without an answer so far.
struct Try<'a> {
    server: SocketAddr,
    question: Question<'a>,
    socket: UdpSocket,
}

impl<'a> Try<'a> {
    fn begin(server: SocketAddr, name: &'a str, kind: Kind) -> io::Result<Self> {
        let here =
            if server.is_ipv4() { SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) } else { SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)) };
        let question = Question::new(name, kind)?;
        let socket = UdpSocket::bind(here)?;
        // A connected socket receives datagrams of this server only, and learns if the port is closed.
        socket.connect(server)?;
        socket.send(&question.bytes()?)?;
        Ok(Self { server, question, socket })
    }

    /// Waits for a datagram, or checks if there is one. Returns `None` if none came, or one that does not answer the question.
    fn receive(&self, wait: Option<Duration>, deadline: Instant) -> Option<io::Result<Vec<Record>>> {
        let mut buffer = [0; MAX_DATAGRAM];
        let ready = self.socket.set_nonblocking(wait.is_none()).and_then(|()| self.socket.set_read_timeout(wait));
        match ready.and_then(|()| self.socket.recv(&mut buffer)) {
            Ok(length) => match self.question.read(buffer.get(..length).unwrap_or_default()) {
                Answer::Records(records) => Some(Ok(records)),
                Answer::Failed(error) => Some(Err(error)),
                Answer::Truncated => Some(self.ask_again(deadline)),
                Answer::Foreign => None,
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Asks over TCP, where each message has its length before it (RFC 1035, 4.2.2).
    fn ask_again(&self, deadline: Instant) -> io::Result<Vec<Record>> {
        let mut stream = TcpStream::connect_timeout(&self.server, left(deadline)?)?;
        let question = self.question.bytes()?;
        let length = u16::try_from(question.len()).map_err(io::Error::other)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(&[&length.to_be_bytes(), &*question].concat())?;
        let mut length = [0; 2];
        fill(&mut stream, &mut length, deadline)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        fill(&mut stream, &mut message, deadline)?;
        match self.question.read(&message) {
            Answer::Records(records) => Ok(records),
            Answer::Failed(error) => Err(error),
            Answer::Truncated | Answer::Foreign => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Fills the buffer, however the stream is split, until the deadline.
fn fill(stream: &mut TcpStream, mut room: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !room.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(room)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        room = room.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}

/// Returns the time until the deadline; an error if it has passed.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, TcpListener};

    const LISTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Makes the datagrams with which a server answers a question.
    type Make = fn(&[u8]) -> Vec<Vec<u8>>;

    /// A server that answers each question so.
    fn server(make: Make) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                make(&buffer[..length]).iter().for_each(|answer| drop(socket.send_to(answer, from)));
            }
        });
        address
    }

    /// Makes an answer from the question, with this number of records after it and a code.
    fn answer(question: &[u8], flags: [u8; 2], records: &[u8]) -> Vec<u8> {
        let mut answer = [question, records].concat();
        answer[2..4].copy_from_slice(&flags);
        answer[7] = u8::from(!records.is_empty());
        answer
    }

    const LISTED_RECORD: [u8; 16] = [192, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2];

    fn listed(question: &[u8]) -> Vec<Vec<u8>> {
        vec![answer(question, [0x81, 0x80], &LISTED_RECORD)]
    }

    fn silent(_question: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn failing(question: &[u8]) -> Vec<Vec<u8>> {
        vec![answer(question, [0x81, 0x82], &[])]
    }

    /// Other ids, other names, no answer at all, and then the right one.
    fn guessing(question: &[u8]) -> Vec<Vec<u8>> {
        let right = listed(question).remove(0);
        let changed = |at: usize| {
            let mut wrong = right.clone();
            wrong[at] ^= 1;
            wrong[question.len() + 15] = 99;
            wrong
        };
        vec![changed(1), changed(13), question.to_vec(), Vec::new(), vec![255; 40], right]
    }

    fn asked(addresses: Vec<SocketAddr>, limit: Duration) -> io::Result<Vec<Record>> {
        let servers = Servers { addresses, timeout: Duration::from_secs(5), attempts: 2, rotates: false };
        ask(&servers, "listed.example.", Kind::A, Instant::now() + limit)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_right_answer_is_found_among_those_that_guess() {
        assert_eq!(asked(vec![server(guessing)], SECOND).unwrap(), [Record::Address(LISTED)]);
    }

    #[test]
    fn the_next_server_is_asked_when_one_is_silent_fails_or_is_not_there() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for first in [server(silent), server(failing), closed] {
            assert_eq!(asked(vec![first, server(listed)], SECOND).unwrap(), [Record::Address(LISTED)]);
        }
    }

    #[test]
    fn an_answer_that_comes_when_the_next_server_was_asked_counts() {
        let slow = server(|question| {
            std::thread::sleep(Duration::from_millis(300));
            listed(question)
        });
        assert_eq!(asked(vec![slow, server(silent)], SECOND).unwrap(), [Record::Address(LISTED)]);
    }

    #[test]
    fn servers_that_fail_or_are_silent_end_in_an_error_in_time() {
        assert!(asked(vec![server(failing)], SECOND).unwrap_err().to_string().contains("ServerFailure"));
        let began = Instant::now();
        let error = asked(vec![server(silent), server(silent)], Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < SECOND);
    }

    /// Truncates over UDP; over TCP it answers in pieces, or only begins to.
    fn truncating(whole: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            let _ = socket.send_to(&answer(&buffer[..length], [0x83, 0x80], &[]), from);
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let message = listed(&question).remove(0);
            let framed = [&u16::try_from(message.len()).unwrap().to_be_bytes(), &*message].concat();
            for byte in framed.iter().take(if whole { framed.len() } else { 9 }) {
                let _ = stream.write_all(&[*byte]);
            }
            // Held open: the client waits for the rest until the deadline.
            let _ = stream.read(&mut length);
        });
        address
    }

    #[test]
    fn an_answer_that_does_not_fit_is_asked_for_over_tcp() {
        assert_eq!(asked(vec![truncating(true)], SECOND).unwrap(), [Record::Address(LISTED)]);
        let began = Instant::now();
        assert!(asked(vec![truncating(false)], Duration::from_millis(200)).is_err());
        assert!(began.elapsed() < SECOND);
    }
}
