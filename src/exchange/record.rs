//! The record of an exchange, as a message to the script host.

use crate::encoding::{Reader, Writer};
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// The first byte of a datagram: it changes with the form of messages, so that a host refuses those of another version.
const FORM: u8 = 1;

/// Kinds of messages.
const EXCHANGE: u8 = 0;
const EVENT: u8 = 1;

/// Flags of a record.
const DENIED: u64 = 1;
const FORWARDED: u64 = 2;
const ATTACK: u64 = 4;
const ANSWERED: u64 = 8;

/// A number that stands for a missing one.
const NONE: u64 = u64::MAX;

/// Maximum number of members of a list in a message.
const MAX_MEMBERS: u64 = 1_000;

/// A text, as bytes.
type Text<'a> = Cow<'a, [u8]>;

/// Names and values.
type Pairs<'a> = Vec<(Text<'a>, Text<'a>)>;

/// An exchange at its end. Texts are bytes as in the request, without what `SecSanitise` covers, and may be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRecord<'a> {
    /// The arrival of the request.
    pub arrived: SystemTime,
    /// The time from the end of the request to the head of the response, to microseconds; `None` without a response.
    pub backend: Option<Duration>,
    /// The status of the response; 0 if there was none.
    pub status: u16,
    /// `true` if the exchange was stopped.
    pub is_denied: bool,
    /// The site; 0 if the server distinguishes none.
    pub site: u64,
    /// The peer as text, such as a proxy.
    pub peer: Text<'a>,
    /// The client, by the rules of `SecTrustedSource`; `None` if the peer has no address.
    pub client: Option<IpAddr>,
    /// `true` if a trusted peer named the client.
    pub is_forwarded: bool,
    /// The server's address as text.
    pub server: Text<'a>,
    /// The server's port as text.
    pub server_port: Text<'a>,
    /// The method.
    pub method: Text<'a>,
    /// The host without port, in lower case, without a dot at its end.
    pub host: Text<'a>,
    /// The path without query, as in REQUEST_FILENAME.
    pub url_path: Text<'a>,
    /// The target as sent.
    pub target: Text<'a>,
    /// Names and values of `SecSessionCookie`, and SESSIONID with the key of `setsid`.
    pub sessions: Pairs<'a>,
    /// The matches of rules; `None` if no logged rule matched before phase 5.
    pub attack: Option<AttackRecord<'a>>,
}

/// The matches of rules in an exchange, and the texts in which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttackRecord<'a> {
    /// UNIQUE_ID
    pub unique_id: Text<'a>,
    /// The id of the rule with the highest severity.
    pub rule: u64,
    /// That severity: 0 (emergency) to 7 (debug).
    pub severity: Option<u8>,
    /// The tags of the rules that matched, those of the highest severity first.
    pub tags: Vec<Text<'a>>,
    /// The sum of the anomaly scores.
    pub score: i64,
    /// The sum from which requests are stopped.
    pub threshold: i64,
    /// The user agent.
    pub user_agent: Text<'a>,
    /// The head of the request, with `\r\n` after each line. Heads and bodies are empty with `SecPluginDetail Off`.
    pub request_head: Text<'a>,
    /// The body of the request, as far as it was kept.
    pub request_body: Text<'a>,
    /// The head of the response, with `\r\n` after each line.
    pub response_head: Text<'a>,
    /// The body of the response, as far as it was kept.
    pub response_body: Text<'a>,
    /// The rules that matched, in their order.
    pub matches: Vec<MatchRecord<'a>>,
}

/// A rule that matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchRecord<'a> {
    /// Its id; 0 if it has none.
    pub rule: u64,
    /// The number of its first line in its file, from 1.
    pub first_line: u64,
    /// The number of its last line.
    pub last_line: u64,
    /// Its message.
    pub message: Text<'a>,
    /// Its first tag.
    pub group: Text<'a>,
    /// Names and values that it matched.
    pub values: Pairs<'a>,
}

/// A message of a datagram.
#[derive(Debug)]
pub enum Message<'a> {
    /// An exchange.
    Exchange(Box<ExchangeRecord<'a>>),
    /// An event, as JSON.
    Event(&'a str),
}

/// Reads the messages of a datagram.
#[derive(Debug)]
pub struct MessageReader<'b> {
    messages: Reader<'b>,
    is_broken: bool,
}

impl Message<'_> {
    /// Appends an event to a datagram.
    pub fn append_event(event: &str, datagram: &mut Vec<u8>) {
        append(EVENT, event.as_bytes(), datagram);
    }

    /// Appends an encoded record to a datagram.
    pub fn append_record(record: &[u8], datagram: &mut Vec<u8>) {
        append(EXCHANGE, record, datagram);
    }
}

fn append(kind: u8, content: &[u8], datagram: &mut Vec<u8>) {
    if datagram.is_empty() {
        datagram.push(FORM);
    }
    let mut writer = Writer(std::mem::take(datagram));
    writer.0.push(kind);
    writer.bytes(content);
    *datagram = writer.0;
}

impl<'b> MessageReader<'b> {
    /// Begins with a datagram; `None` if it has another form.
    pub fn new(datagram: &'b [u8]) -> Option<Self> {
        let (form, messages) = datagram.split_first()?;
        (*form == FORM).then_some(Self { messages: Reader(messages), is_broken: false })
    }

    /// Returns `true` if a message was broken, which ended the datagram.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Reads a message from its kind on.
    fn message(&mut self, kind: u8) -> Option<Message<'b>> {
        let content = self.messages.bytes()?;
        match kind {
            EXCHANGE => ExchangeRecord::decode(content).map(|record| Message::Exchange(Box::new(record))),
            EVENT => std::str::from_utf8(content).ok().map(Message::Event),
            _ => None,
        }
    }
}

impl<'b> Iterator for MessageReader<'b> {
    type Item = Message<'b>;

    /// Returns the next message. A broken one ends the datagram.
    fn next(&mut self) -> Option<Message<'b>> {
        let (kind, rest) = self.messages.0.split_first()?;
        self.messages.0 = rest;
        let message = self.message(*kind);
        if message.is_none() {
            (self.messages.0, self.is_broken) = (&[], true);
        }
        message
    }
}

impl<'a> ExchangeRecord<'a> {
    /// Returns the record as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(512));
        let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        let flags = flag(self.is_denied, DENIED) | flag(self.is_forwarded, FORWARDED) | flag(self.attack.is_some(), ATTACK);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let arrived = micros(self.arrived.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        writer.number(flags | flag(self.backend.is_some(), ANSWERED)).number(arrived).number(self.backend.map_or(0, micros));
        writer.number(self.status.into()).number(self.site);
        match self.client {
            None => writer.bytes(&[]),
            Some(IpAddr::V4(address)) => writer.bytes(&address.octets()),
            Some(IpAddr::V6(address)) => writer.bytes(&address.octets()),
        };
        let texts = [&self.peer, &self.server, &self.server_port, &self.method, &self.host, &self.url_path, &self.target];
        texts.into_iter().for_each(|text| put(&mut writer, text));
        put_pairs(&mut writer, &self.sessions);
        if let Some(attack) = &self.attack {
            attack.encode(&mut writer);
        }
        writer.0
    }

    /// Reads a record from its bytes.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let flags = reader.number()?;
        let arrived = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(reader.number()?))?;
        let backend = Duration::from_micros(reader.number()?);
        let (status, site) = (u16::try_from(reader.number()?).ok()?, reader.number()?);
        let client = match reader.bytes()? {
            [] => None,
            address => match <[u8; 4]>::try_from(address) {
                Ok(address) => Some(IpAddr::from(address)),
                Err(_) => Some(IpAddr::from(<[u8; 16]>::try_from(address).ok()?)),
            },
        };
        Some(Self {
            arrived,
            backend: Some(backend).filter(|_| flags & ANSWERED != 0),
            status,
            is_denied: flags & DENIED != 0,
            site,
            client,
            is_forwarded: flags & FORWARDED != 0,
            peer: take(&mut reader)?,
            server: take(&mut reader)?,
            server_port: take(&mut reader)?,
            method: take(&mut reader)?,
            host: take(&mut reader)?,
            url_path: take(&mut reader)?,
            target: take(&mut reader)?,
            sessions: take_pairs(&mut reader)?,
            attack: if flags & ATTACK == 0 { None } else { Some(AttackRecord::decode(&mut reader)?) },
        })
    }

    /// Returns the same record without heads, bodies and matches, as with `SecPluginDetail Off`.
    #[must_use]
    pub fn without_detail(mut self) -> Self {
        if let Some(attack) = &mut self.attack {
            for text in [&mut attack.request_head, &mut attack.request_body, &mut attack.response_head, &mut attack.response_body] {
                *text = Cow::default();
            }
            attack.matches = Vec::new();
        }
        self
    }

    /// Returns about the memory that the record takes, in bytes.
    pub fn size(&self) -> usize {
        let texts = [&self.peer, &self.server, &self.server_port, &self.method, &self.host, &self.url_path, &self.target];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        size_of::<Self>() + texts + size_of_pairs(&self.sessions) + self.attack.as_ref().map_or(0, AttackRecord::size)
    }

    /// Returns the same record with texts of its own.
    pub fn into_owned(self) -> ExchangeRecord<'static> {
        ExchangeRecord {
            arrived: self.arrived,
            backend: self.backend,
            status: self.status,
            is_denied: self.is_denied,
            site: self.site,
            client: self.client,
            is_forwarded: self.is_forwarded,
            peer: own(self.peer),
            server: own(self.server),
            server_port: own(self.server_port),
            method: own(self.method),
            host: own(self.host),
            url_path: own(self.url_path),
            target: own(self.target),
            sessions: own_pairs(self.sessions),
            attack: self.attack.map(AttackRecord::into_owned),
        }
    }
}

impl<'a> AttackRecord<'a> {
    fn encode(&self, writer: &mut Writer) {
        writer.number(self.rule).number(self.severity.map_or(NONE, u64::from));
        writer.number(self.score.cast_unsigned()).number(self.threshold.cast_unsigned());
        let texts = [&self.unique_id, &self.user_agent, &self.request_head, &self.request_body, &self.response_head, &self.response_body];
        texts.into_iter().for_each(|text| put(writer, text));
        writer.number(self.tags.len() as u64);
        self.tags.iter().for_each(|tag| put(writer, tag));
        writer.number(self.matches.len() as u64);
        for found in &self.matches {
            writer.number(found.rule).number(found.first_line).number(found.last_line);
            put(writer, &found.message);
            put(writer, &found.group);
            put_pairs(writer, &found.values);
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Option<Self> {
        let (rule, severity) = (reader.number()?, reader.number()?);
        let (score, threshold) = (reader.number()?.cast_signed(), reader.number()?.cast_signed());
        Some(Self {
            rule,
            severity: u8::try_from(severity).ok(),
            score,
            threshold,
            unique_id: take(reader)?,
            user_agent: take(reader)?,
            request_head: take(reader)?,
            request_body: take(reader)?,
            response_head: take(reader)?,
            response_body: take(reader)?,
            tags: members(reader, take)?,
            matches: members(reader, |reader| {
                Some(MatchRecord {
                    rule: reader.number()?,
                    first_line: reader.number()?,
                    last_line: reader.number()?,
                    message: take(reader)?,
                    group: take(reader)?,
                    values: take_pairs(reader)?,
                })
            })?,
        })
    }

    fn size(&self) -> usize {
        let texts = [&self.unique_id, &self.user_agent, &self.request_head, &self.request_body, &self.response_head, &self.response_body];
        let texts: usize = texts.into_iter().chain(&self.tags).map(|text| text.len()).sum();
        let matches: usize = self.matches.iter().map(MatchRecord::size).sum();
        texts + matches + self.tags.len() * size_of::<Text<'_>>()
    }

    fn into_owned(self) -> AttackRecord<'static> {
        AttackRecord {
            unique_id: own(self.unique_id),
            rule: self.rule,
            severity: self.severity,
            tags: self.tags.into_iter().map(own).collect(),
            score: self.score,
            threshold: self.threshold,
            user_agent: own(self.user_agent),
            request_head: own(self.request_head),
            request_body: own(self.request_body),
            response_head: own(self.response_head),
            response_body: own(self.response_body),
            matches: self.matches.into_iter().map(MatchRecord::into_owned).collect(),
        }
    }
}

impl MatchRecord<'_> {
    /// Returns about the memory that the match takes, in bytes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.message.len() + self.group.len() + size_of_pairs(&self.values)
    }

    fn into_owned(self) -> MatchRecord<'static> {
        MatchRecord {
            rule: self.rule,
            first_line: self.first_line,
            last_line: self.last_line,
            message: own(self.message),
            group: own(self.group),
            values: own_pairs(self.values),
        }
    }
}

fn put(writer: &mut Writer, text: &Text<'_>) {
    writer.bytes(text);
}

fn take<'a>(reader: &mut Reader<'a>) -> Option<Text<'a>> {
    reader.bytes().map(Cow::Borrowed)
}

fn own(text: Text<'_>) -> Text<'static> {
    Cow::Owned(text.into_owned())
}

fn size_of_pairs(pairs: &[(Text<'_>, Text<'_>)]) -> usize {
    pairs.iter().map(|(name, value)| size_of::<(Text<'_>, Text<'_>)>() + name.len() + value.len()).sum()
}

fn put_pairs(writer: &mut Writer, pairs: &[(Text<'_>, Text<'_>)]) {
    writer.number(pairs.len() as u64);
    for (name, value) in pairs {
        writer.bytes(name).bytes(value);
    }
}

fn take_pairs<'a>(reader: &mut Reader<'a>) -> Option<Vec<(Text<'a>, Text<'a>)>> {
    members(reader, |reader| Some((take(reader)?, take(reader)?)))
}

fn own_pairs(pairs: Vec<(Text<'_>, Text<'_>)>) -> Vec<(Text<'static>, Text<'static>)> {
    pairs.into_iter().map(|(name, value)| (own(name), own(value))).collect()
}

/// Reads a list. A longer one than is ever written is broken.
fn members<'a, T>(reader: &mut Reader<'a>, member: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = reader.number().filter(|count| *count <= MAX_MEMBERS)?;
    (0..count).map(|_| member(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ExchangeRecord<'static> {
        ExchangeRecord {
            arrived: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
            backend: Some(Duration::from_micros(1_500)),
            status: 404,
            is_denied: true,
            site: 7,
            peer: b"192.0.2.1".into(),
            client: Some("2001:db8::1".parse().unwrap()),
            is_forwarded: true,
            server: b"198.51.100.1".into(),
            server_port: b"443".into(),
            method: b"GET".into(),
            host: b"shop.example".into(),
            url_path: b"/a\xFF".into(),
            target: b"/a%FF?b".into(),
            sessions: vec![(b"sid".into(), b"1".into()), (b"sid".into(), b"".into())],
            attack: Some(AttackRecord {
                unique_id: b"1.2".into(),
                rule: 942100,
                severity: Some(2),
                tags: vec![b"attack-sqli".into()],
                score: -5,
                threshold: 5,
                request_head: b"GET / HTTP/1.1\r\n".into(),
                matches: vec![MatchRecord {
                    rule: 942100,
                    first_line: 3,
                    last_line: 4,
                    message: b"SQL".into(),
                    group: b"attack-sqli".into(),
                    values: vec![(b"ARGS:a".into(), b"1'".into())],
                }],
                ..AttackRecord::default()
            }),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut datagram = Vec::new();
        let without = ExchangeRecord { backend: None, client: Some([192, 0, 2, 7].into()), attack: None, ..record() };
        for written in [record(), without.clone(), ExchangeRecord { client: None, ..without }] {
            assert_eq!(ExchangeRecord::decode(&written.encode()).as_ref(), Some(&written));
            Message::append_record(&written.encode(), &mut datagram);
        }
        Message::append_event("{}", &mut datagram);
        let messages: Vec<_> = MessageReader::new(&datagram).unwrap().collect();
        assert_eq!(messages.len(), 4);
        assert!(matches!(&messages[0], Message::Exchange(read) if **read == record()));
        assert!(matches!(messages[3], Message::Event("{}")));
    }

    #[test]
    fn detail_makes_a_record_large_and_can_be_left_out() {
        let mut large = record();
        large.attack.as_mut().unwrap().request_body = vec![b'a'; 64 << 10].into();
        assert!(large.size() > 64 << 10 && large.encode().len() > 64 << 10);
        let small = large.without_detail();
        assert!(small.size() < 2_000 && small.encode().len() < 300);
        let attack = small.attack.unwrap();
        assert!(attack.rule == 942100 && attack.request_head.is_empty() && attack.request_body.is_empty() && attack.matches.is_empty());
    }

    #[test]
    fn a_broken_datagram_gives_no_message_and_no_panic() {
        let mut datagram = Vec::new();
        Message::append_record(&record().encode(), &mut datagram);
        for length in 0..datagram.len() {
            let Some(mut messages) = MessageReader::new(&datagram[..length]) else { continue };
            assert!(messages.next().is_none() && messages.is_broken() == (length > 1), "{length}");
        }
        datagram[0] += 1;
        assert!(MessageReader::new(&datagram).is_none());
        for (at, byte) in [(6, 0xFF), (40, 0xFF), (60, 0x7F)] {
            let mut broken = Vec::new();
            Message::append_record(&record().encode(), &mut broken);
            broken[at] = byte;
            let _ = MessageReader::new(&broken).unwrap().count();
        }
    }
}
