//! Questions to name servers and their answers, as bytes.
//!
//! An answer must match the question: its id, its only question, and the owner of each record are compared. `CNAME` records are followed within the
//! answer.

use crate::random::unique_number;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Label, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, TYPE};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maximum length of an encoded name, in bytes (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;

/// Maximum number of entries of an answer, in all four sections.
const MAX_ENTRIES: u16 = 512;

/// Type of a question about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its IPv4 addresses.
    A,
    /// The names of an address.
    Ptr,
    /// Its IPv6 addresses.
    Aaaa,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case.
    Name(String),
}

/// A question, with an id that cannot be guessed.
#[derive(Debug)]
pub struct Question<'a> {
    id: u16,
    name: Name<'a>,
    kind: Kind,
}

/// Result of reading a message from a name server.
#[derive(Debug)]
pub enum Answer {
    /// Its records; empty if the name does not exist, or has none of this type.
    Records(Vec<Record>),
    /// Too long for one datagram: the question must be repeated over TCP.
    Truncated,
    /// The server failed.
    Failed(io::Error),
    /// Not an answer to this question: possibly a forged one.
    Foreign,
}

impl<'a> Question<'a> {
    /// Makes a question about a name, which may end with a dot.
    ///
    /// # Errors
    ///
    /// If the name cannot be encoded: it has an empty part, or a part or the whole is too long.
    pub fn new(name: &'a str, kind: Kind) -> io::Result<Self> {
        let labels: Result<Vec<Label>, io::Error> = name.strip_suffix('.').unwrap_or(name).split('.').map(label).collect();
        let labels = labels?;
        if labels.iter().map(|label| label.len().saturating_add(1)).sum::<usize>() >= MAX_NAME {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { id: (unique_number() & 0xffff) as u16, name: Name::new_with_labels(&labels), kind })
    }

    /// Returns the encoded question, with recursion desired.
    ///
    /// # Errors
    ///
    /// None for a name that [`new`](Self::new) accepts.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(simple_dns::Question::new(self.name.clone(), QTYPE::TYPE(self.kind.code()), QCLASS::CLASS(CLASS::IN), false));
        packet.build_bytes_vec().map_err(io::Error::other)
    }

    /// Reads a message of a server.
    pub fn read(&self, message: &[u8]) -> Answer {
        // Memory is reserved for the announced number at once.
        if entries(message).is_none_or(|entries| entries > MAX_ENTRIES) {
            return Answer::Foreign;
        }
        let Ok(packet) = Packet::parse(message) else { return Answer::Foreign };
        let is_answer = packet.id() == self.id && packet.has_flags(PacketFlag::RESPONSE) && packet.opcode() == OPCODE::StandardQuery;
        if !is_answer || !self.is_asked_by(&packet) {
            return Answer::Foreign;
        }
        match packet.rcode() {
            RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) => Answer::Truncated,
            RCODE::NoError => Answer::Records(self.records(&packet)),
            RCODE::NameError => Answer::Records(Vec::new()),
            code => Answer::Failed(io::Error::other(format!("the name server answers {code:?}"))),
        }
    }

    /// Returns `true` if the answer repeats only this question. A server that fails may leave it out.
    fn is_asked_by(&self, packet: &Packet<'_>) -> bool {
        match &packet.questions[..] {
            [] => !matches!(packet.rcode(), RCODE::NoError | RCODE::NameError),
            [asked] => {
                asked.qname == self.name
                    && asked.qtype == QTYPE::TYPE(self.kind.code())
                    && asked.qclass == QCLASS::CLASS(CLASS::IN)
                    && !asked.unicast_response
            }
            _ => false,
        }
    }

    /// Returns the records of the name, or of the name that it is an alias of. Each step uses up a record, so a cycle ends.
    fn records(&self, packet: &Packet<'_>) -> Vec<Record> {
        let mut owner = &self.name;
        for _ in 0..=packet.answers.len() {
            let own = packet.answers.iter().filter(|record| record.name == *owner && record.class == CLASS::IN && !record.cache_flush);
            let found: Vec<Record> = own.clone().filter_map(|record| self.kind.read(&record.rdata)).collect();
            if !found.is_empty() {
                return found;
            }
            let alias = own.into_iter().find_map(|record| match &record.rdata {
                RData::CNAME(alias) => Some(&alias.0),
                _ => None,
            });
            let Some(alias) = alias else { break };
            owner = alias;
        }
        Vec::new()
    }
}

impl Kind {
    fn code(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Ptr => TYPE::PTR,
            Self::Aaaa => TYPE::AAAA,
        }
    }

    fn read(self, data: &RData<'_>) -> Option<Record> {
        match (self, data) {
            (Self::A, RData::A(found)) => Some(Record::Address(Ipv4Addr::from(found.address).into())),
            (Self::Aaaa, RData::AAAA(found)) => Some(Record::Address(Ipv6Addr::from(found.address).into())),
            (Self::Ptr, RData::PTR(found)) => Some(Record::Name(text(&found.0))),
            _ => None,
        }
    }
}

/// Returns the DNS name for the reverse look-up of an address.
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

/// Makes a part of a name, without interpreting it.
fn label(part: &str) -> io::Result<Label<'_>> {
    match part.len() {
        1..=63 => Ok(Label::new_unchecked(part.as_bytes())),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Returns a name in lower case. A part with an invalid character makes it a name that does not exist.
fn text(name: &Name<'_>) -> String {
    let labels: Vec<String> = name.as_bytes().map(|label| label.iter().map(|byte| letter(*byte)).collect()).collect();
    labels.join(".")
}

fn letter(byte: u8) -> char {
    match byte {
        b'.' | 0..=b' ' | 127.. => '?',
        byte => char::from(byte.to_ascii_lowercase()),
    }
}

/// Returns the number of entries that the header announces.
fn entries(message: &[u8]) -> Option<u16> {
    let counts = message.get(4..12)?.chunks_exact(2);
    Some(counts.map(|count| count.iter().fold(0, |number: u16, byte| number << 8 | u16::from(*byte))).fold(0, u16::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME, PTR};

    fn name(text: &str) -> Name<'_> {
        Name::new_unchecked(text)
    }

    fn address(owner: &'static str, last: u8) -> ResourceRecord<'static> {
        ResourceRecord::new(name(owner), CLASS::IN, 60, RData::A(A { address: u32::from_be_bytes([127, 0, 0, last]) }))
    }

    fn alias(owner: &'static str, of: &'static str) -> ResourceRecord<'static> {
        ResourceRecord::new(name(owner), CLASS::IN, 60, RData::CNAME(CNAME(name(of))))
    }

    /// An answer to a question with these records, changed in some way.
    fn answer<'a>(question: &Question<'a>, records: Vec<ResourceRecord<'a>>, change: impl FnOnce(&mut Packet<'a>)) -> Vec<u8> {
        let mut packet = Packet::new_reply(question.id);
        packet.questions =
            vec![simple_dns::Question::new(question.name.clone(), QTYPE::TYPE(question.kind.code()), CLASS::IN.into(), false)];
        packet.answers = records;
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn found(records: Vec<ResourceRecord<'static>>) -> Vec<Record> {
        let question = Question::new("a.example.", Kind::A).unwrap();
        match question.read(&answer(&question, records, |_| {})) {
            Answer::Records(records) => records,
            other => panic!("{other:?}"),
        }
    }

    fn local(last: u8) -> Record {
        Record::Address(IpAddr::from([127, 0, 0, last]))
    }

    #[test]
    fn addresses_have_names() {
        assert_eq!(reverse_name("192.0.2.10".parse().unwrap()), "10.2.0.192.in-addr.arpa");
        let name = reverse_name("2001:db8::1".parse().unwrap());
        assert!(name.starts_with("1.0.0.0.") && name.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{name}");
    }

    #[test]
    fn only_records_of_the_name_count() {
        assert_eq!(found(vec![address("A.Example", 2), address("other.example", 3)]), [local(2)]);
        assert_eq!(found(vec![address("other.example", 3)]), []);
        assert_eq!(found(vec![]), []);
    }

    #[test]
    fn other_names_are_followed_in_any_order_and_never_in_circles() {
        let chain = vec![address("c.example", 4), alias("b.example", "c.example"), alias("a.example", "b.example")];
        assert_eq!(found(chain), [local(4)]);
        assert_eq!(found(vec![alias("b.example", "c.example"), address("c.example", 4)]), []);
        assert_eq!(found(vec![alias("a.example", "b.example"), alias("b.example", "a.example")]), []);
        assert_eq!(found(vec![alias("a.example", "a.example")]), []);
    }

    #[test]
    fn what_answers_another_question_is_foreign() {
        let question = Question::new("a.example", Kind::A).unwrap();
        let read =
            |change: &dyn Fn(&mut Packet<'_>)| question.read(&answer(&question, vec![address("a.example", 2)], |packet| change(packet)));
        assert!(matches!(read(&|_| {}), Answer::Records(records) if records == [local(2)]));
        let foreign: [&dyn Fn(&mut Packet<'_>); 8] = [
            &|packet| packet.set_id(packet.id().wrapping_add(1)),
            &|packet| packet.remove_flags(PacketFlag::RESPONSE),
            &|packet| *packet.opcode_mut() = OPCODE::Notify,
            &|packet| packet.questions[0].qname = name("b.example"),
            &|packet| packet.questions[0].qtype = QTYPE::TYPE(TYPE::AAAA),
            &|packet| packet.questions[0].qclass = QCLASS::CLASS(CLASS::CH),
            &|packet| packet.questions.push(packet.questions[0].clone()),
            &|packet| packet.questions.clear(),
        ];
        for (at, change) in foreign.into_iter().enumerate() {
            assert!(matches!(read(change), Answer::Foreign), "{at}");
        }
    }

    #[test]
    fn failures_and_names_that_are_not_there_differ() {
        let question = Question::new("a.example", Kind::A).unwrap();
        let read = |code: RCODE, asks: bool| {
            question.read(&answer(&question, Vec::new(), |packet| {
                *packet.rcode_mut() = code;
                if !asks {
                    packet.questions.clear();
                }
            }))
        };
        assert!(matches!(read(RCODE::NameError, true), Answer::Records(records) if records.is_empty()));
        assert!(matches!(read(RCODE::ServerFailure, true), Answer::Failed(_)));
        assert!(matches!(read(RCODE::Refused, false), Answer::Failed(_)));
        assert!(matches!(read(RCODE::NameError, false), Answer::Foreign));
        let truncated = answer(&question, Vec::new(), |packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert!(matches!(question.read(&truncated), Answer::Truncated));
    }

    #[test]
    fn a_name_with_odd_bytes_is_nobodys() {
        let question = Question::new("1.in-addr.arpa", Kind::Ptr).unwrap();
        let odd = Name::new_with_labels(&[Label::new_unchecked(&b"crawl.googlebot"[..]), Label::new_unchecked(&b"C\xd6M"[..])]);
        let record = ResourceRecord::new(name("1.in-addr.arpa"), CLASS::IN, 60, RData::PTR(PTR(odd)));
        let read = question.read(&answer(&question, vec![record], |_| {}));
        assert!(matches!(&read, Answer::Records(records) if *records == [Record::Name("crawl?googlebot.c?m".to_owned())]), "{read:?}");
    }

    #[test]
    fn names_that_cannot_be_asked_about_are_refused() {
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join(".");
        for name in ["", ".", "a..b", &"a".repeat(64), &long] {
            assert!(Question::new(name, Kind::A).is_err(), "{name}");
        }
        assert!(Question::new(&long[2..], Kind::A).is_ok());
    }

    #[test]
    fn no_answer_is_too_broken() {
        let question = Question::new("a.example", Kind::A).unwrap();
        let whole = answer(&question, vec![alias("a.example", "b.example"), address("b.example", 2)], |_| {});
        let mut read = 0;
        for at in 0..whole.len() {
            for byte in [0, 1, 63, 64, 128, 192, 255] {
                let mut broken = whole.clone();
                broken[at] = byte;
                let _ = question.read(&broken);
                read += 1;
            }
            let _ = question.read(&whole[..at]);
        }
        assert!(read > 300);
        // A name that points to itself, and one that points ahead.
        for pointer in [[192, 12], [192, 40]] {
            let mut round = whole.clone();
            round[12..14].copy_from_slice(&pointer);
            assert!(matches!(question.read(&round), Answer::Foreign));
        }
        // More entries than there is room for.
        let mut many = whole;
        many[6..8].copy_from_slice(&[255, 255]);
        assert!(matches!(question.read(&many), Answer::Foreign));
    }
}
