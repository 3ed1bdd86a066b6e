//! Questions to one name server over UDP, and its answers.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 4096;

/// How many parts a name may have, pointers counted.
const MOST_LABELS: usize = 128;

/// How many records of an answer are looked at.
const MOST_RECORDS: u16 = 64;

const INTERNET: u16 = 1;

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// Its IPv4 addresses.
    A = 1,
    /// The names of an address.
    Ptr = 12,
    /// Its IPv6 addresses.
    Aaaa = 28,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case.
    Name(String),
}

/// Asks a name server; no records where there are none. It takes no longer than until the deadline.
pub fn ask(server: SocketAddr, name: &str, kind: Kind, deadline: Instant) -> io::Result<Vec<Record>> {
    let here = if server.is_ipv4() { SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) } else { SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)) };
    let socket = UdpSocket::bind(here)?;
    socket.connect(server)?;
    let id = unpredictable();
    socket.send(&question(id, name, kind)?)?;
    let mut buffer = [0; LARGEST_ANSWER];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        let answer = buffer.get(..length).unwrap_or_default();
        // What answers another question, or nobody's, is passed over: somebody may be guessing.
        if let Some(records) = records(answer, id, kind) {
            return records;
        }
    }
}

/// The name under which the names of an address stand.
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits: Vec<String> =
                address.octets().iter().rev().flat_map(|byte| [byte & 15, byte >> 4]).map(|digit| format!("{digit:x}")).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

fn unpredictable() -> u16 {
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u8(0);
    (hasher.finish() & 0xffff) as u16
}

fn question(id: u16, name: &str, kind: Kind) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(name.len() + 18);
    message.extend_from_slice(&id.to_be_bytes());
    // A standard question, to be answered with the help of others; one of them.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        match u8::try_from(label.len()) {
            Ok(length @ 1..=63) => message.push(length),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&(kind as u16).to_be_bytes());
    message.extend_from_slice(&INTERNET.to_be_bytes());
    Ok(message)
}

/// The records of an answer; `None` for what does not answer the question, an error for a server that does not know.
fn records(message: &[u8], id: u16, kind: Kind) -> Option<io::Result<Vec<Record>>> {
    let mut reader = Reader { message, at: 0 };
    if reader.number()? != id {
        return None;
    }
    let flags = reader.number()?;
    if flags & 0x8000 == 0 {
        return None;
    }
    match flags & 15 {
        0 => {}
        // There is no such name.
        3 => return Some(Ok(Vec::new())),
        code => return Some(Err(io::Error::other(format!("the name server answers with code {code}")))),
    }
    Some(reader.answers(kind).ok_or_else(|| io::ErrorKind::InvalidData.into()))
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn answers(&mut self, kind: Kind) -> Option<Vec<Record>> {
        let questions = self.number()?;
        let answers = self.number()?;
        self.at += 4;
        for _ in 0..questions {
            self.name()?;
            self.at += 4;
        }
        let mut records = Vec::new();
        for _ in 0..answers.min(MOST_RECORDS) {
            self.name()?;
            let found = self.number()?;
            let class = self.number()?;
            self.at += 4;
            let length = usize::from(self.number()?);
            let behind = self.at.checked_add(length)?;
            if class == INTERNET && found == kind as u16 {
                records.push(match kind {
                    Kind::A => Record::Address(IpAddr::from(<[u8; 4]>::try_from(self.message.get(self.at..behind)?).ok()?)),
                    Kind::Aaaa => Record::Address(IpAddr::from(<[u8; 16]>::try_from(self.message.get(self.at..behind)?).ok()?)),
                    Kind::Ptr => Record::Name(self.name()?),
                });
            }
            self.at = behind;
        }
        Some(records)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.message.get(self.at..)?.first_chunk()?;
        self.at += 2;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A name, which may go on elsewhere in the message.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut behind = None;
        for _ in 0..MOST_LABELS {
            let length = *self.message.get(at)?;
            match length {
                0 => {
                    self.at = behind.unwrap_or(at + 1);
                    return Some(name);
                }
                1..=63 => {
                    let end = at + 1 + usize::from(length);
                    let label = self.message.get(at + 1..end)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    // What is no letter of a name makes it one that is nobody's.
                    name.extend(label.iter().map(|byte| match byte {
                        b'.' | 0x80.. => '?',
                        byte => char::from(byte.to_ascii_lowercase()),
                    }));
                    at = end;
                }
                192.. => {
                    behind = behind.or(Some(at + 2));
                    at = usize::from(u16::from_be_bytes([length & 63, *self.message.get(at + 1)?]));
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_names() {
        assert_eq!(reverse_name("192.0.2.10".parse().unwrap()), "10.2.0.192.in-addr.arpa");
        let name = reverse_name("2001:db8::1".parse().unwrap());
        assert!(name.starts_with("1.0.0.0.") && name.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{name}");
    }

    /// An answer with a name that points back to the question's.
    fn answer() -> Vec<u8> {
        let mut message = question(7, "a.example", Kind::Ptr).unwrap();
        message[2] = 0x81;
        message[7] = 1;
        message.extend_from_slice(&[192, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, 7, 4]);
        message.extend_from_slice(b"HOST");
        message.extend_from_slice(&[192, 14]);
        message
    }

    #[test]
    fn answers_are_read() {
        let found = records(&answer(), 7, Kind::Ptr).unwrap().unwrap();
        assert_eq!(found, [Record::Name("host.example".to_owned())]);
        assert!(records(&answer(), 8, Kind::Ptr).is_none());
    }

    #[test]
    fn no_answer_is_too_broken() {
        let whole = answer();
        for at in 0..whole.len() {
            for byte in [0, 1, 63, 64, 192, 255] {
                let mut broken = whole.clone();
                broken[at] = byte;
                let _ = records(&broken, 7, Kind::Ptr);
            }
            let _ = records(&whole[..at], 7, Kind::Ptr);
        }
        // A name that points to itself.
        let mut round = whole.clone();
        let end = round.len();
        round[end - 1] = u8::try_from(end - 2).unwrap();
        assert!(records(&round, 7, Kind::Ptr).unwrap().is_err());
    }
}
