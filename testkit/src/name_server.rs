//! A name server on loopback that knows a few addresses and names.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub struct NameServer {
    socket: Arc<UdpSocket>,
    questions: Arc<AtomicUsize>,
}

/// Records by name and kind.
type Records = HashMap<(String, u16), Vec<Vec<u8>>>;

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

impl NameServer {
    /// Starts a server with addresses, the name of each, and the addresses of that name.
    pub fn start(known: &[(&str, &str, &[&str])]) -> Self {
        let mut records = Records::new();
        for (address, name, addresses) in known {
            records.entry((reverse(address.parse().unwrap()), PTR)).or_default().push(encoded(name));
            for address in addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()) {
                let (kind, bytes) = match address {
                    IpAddr::V4(address) => (A, address.octets().to_vec()),
                    IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
                };
                records.entry(((*name).to_owned(), kind)).or_default().push(bytes);
            }
        }
        Self::answering(move |question| Some(answer(question, &records)))
    }

    /// Starts a server that never answers.
    pub fn silent() -> Self {
        Self::answering(|_| None)
    }

    /// Starts a server without records that answers after `time`.
    pub fn slow(time: std::time::Duration) -> Self {
        Self::answering(move |question| {
            thread::sleep(time);
            Some(answer(question, &Records::new()))
        })
    }

    /// Starts a server that answers with a failure.
    pub fn failing() -> Self {
        Self::answering(|question| {
            let mut message = question.to_vec();
            message[2..4].copy_from_slice(&[0x81, 0x82]);
            Some(message)
        })
    }

    /// Starts a server that answers each question with 127.0.0.2, after `change`.
    pub fn listing(change: fn(&mut Vec<u8>)) -> Self {
        Self::answering(move |question| {
            let (name, end) = decoded(question, 12);
            let kind = u16::from_be_bytes([question[end], question[end + 1]]);
            let mut message = answer(question, &Records::from([((name, kind), vec![vec![127, 0, 0, 2]])]));
            change(&mut message);
            Some(message)
        })
    }

    fn answering(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let questions = Arc::new(AtomicUsize::new(0));
        let (own, count) = (Arc::clone(&socket), Arc::clone(&questions));
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = own.recv_from(&mut buffer) {
                count.fetch_add(1, Ordering::SeqCst);
                if let Some(message) = answer(&buffer[..length]) {
                    let _ = own.send_to(&message, from);
                }
            }
        });
        Self { socket, questions }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Returns the number of questions so far.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

fn answer(question: &[u8], records: &Records) -> Vec<u8> {
    let (name, end) = decoded(question, 12);
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let found = records.get(&(name, kind));
    let mut message = question[..end + 4].to_vec();
    message[2..4].copy_from_slice(&[0x81, if found.is_some() { 0x80 } else { 0x83 }]);
    let found = found.map_or(&[][..], |found| found);
    message[7] = u8::try_from(found.len()).unwrap();
    for data in found {
        message.extend_from_slice(&[192, 12]);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        message.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend_from_slice(data);
    }
    message
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

fn decoded(message: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), at + 1)
}

fn reverse(address: IpAddr) -> String {
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
