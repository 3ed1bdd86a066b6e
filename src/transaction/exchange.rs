//! The record of an exchange for the script host, made at its end.

use super::Transaction;
use crate::engine;
use crate::exchange::{AttackRecord, ExchangeLog, ExchangeRecord, MatchRecord};
use crate::graph::{KNOWN_SCORES, PersistentCollection, Phase};
use crate::state::{Masking, RuleMatch};
use crate::store::{MAX_URL_PATH, key_host};
use crate::vocabulary::Variable;
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// Maximum lengths of texts, in bytes.
const LONG_TEXT: usize = 700;
const SHORT_TEXT: usize = 255;

/// Maximum number of sessions.
const MAX_SESSIONS: usize = 4;

/// Maximum lengths of heads and bodies, in bytes: together with the rest they fit into a datagram.
const MAX_HEAD: usize = 64 << 10;
const MAX_BODY: usize = 64 << 10;

/// Maximum number of matches, of values of a match, and of tags.
const MAX_MATCHES: usize = 64;
const MAX_VALUES: usize = 8;

/// Maximum size of all matches, in bytes.
const MAX_MATCH_BYTES: usize = 64 << 10;
const MAX_TAGS: usize = 64;

/// Time that the server's application takes for its answer.
#[derive(Debug, Default)]
pub struct BackendTime {
    asked: Option<Instant>,
    taken: Option<Duration>,
}

impl BackendTime {
    /// The request has ended.
    pub fn begin(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// The head of the response has arrived. Later calls do nothing.
    pub fn end(&mut self) {
        if self.taken.is_none() {
            self.taken = self.asked.map(|asked| asked.elapsed());
        }
    }
}

type Text<'a> = Cow<'a, [u8]>;

/// Hands the record of an exchange on. A request that was banned is neither an access nor an attack, and has none. `is_denied` is `true` if the exchange
/// was stopped; a rule of phase 5 comes too late for that.
pub fn write(transaction: &Transaction, log: &dyn ExchangeLog, is_denied: bool) {
    if !transaction.state.pending.is_banned {
        log.write(&|| record(transaction, is_denied));
    }
}

fn record(transaction: &Transaction, is_denied: bool) -> ExchangeRecord<'_> {
    let state = &transaction.state;
    let collections = &state.collections;
    let read = |text| collections.arena.read(text);
    let settings = &transaction.shared.graph.settings;
    let masking = transaction.masking();
    let client = engine::client(collections, &settings.decisions.trusted);
    let scalars = &collections.scalars;
    let target = masking.map_or(Cow::Borrowed(transaction.target()), Masking::target);
    let url_path = masking.map_or(Cow::Borrowed(transaction.path()), Masking::path);
    let is_attack = state.matches.iter().any(|found| found.phase != Phase::Logging);
    let host = read(scalars.server_name);
    let site = state.site.or(settings.site).or_else(|| settings.decisions.site_of(host)).unwrap_or_default().0;
    let host = bytes_of(key_host(host));
    let host = match masking {
        None => host,
        Some(masking) => Cow::Owned(masking.request_header(b"host", &host).into_owned()),
    };
    ExchangeRecord {
        arrived: transaction.began(),
        backend: transaction.backend.taken,
        status: transaction.status(),
        is_denied,
        site,
        peer: Cow::Borrowed(cut(read(scalars.remote_addr), SHORT_TEXT)),
        client: client.map(|client| client.address),
        is_forwarded: client.is_some_and(|client| client.is_forwarded),
        server: Cow::Borrowed(cut(read(scalars.server_addr), SHORT_TEXT)),
        server_port: Cow::Borrowed(read(scalars.server_port)),
        method: covered(masking, cut(transaction.method(), SHORT_TEXT)),
        host,
        url_path: cut_text(url_path, MAX_URL_PATH),
        target: cut_text(target, LONG_TEXT),
        sessions: sessions(transaction, masking),
        attack: is_attack.then(|| attack(transaction, masking, is_denied)),
    }
}

/// Returns the values of the cookies and arguments that `SecSessionCookie` names, and the key of `setsid`, with their secrets covered.
fn sessions<'a>(transaction: &'a Transaction, masking: Option<Masking<'a>>) -> Vec<(Text<'a>, Text<'a>)> {
    let collections = &transaction.state.collections;
    let read = |text| collections.arena.read(text);
    let names = &transaction.shared.graph.settings.worlds.session_names;
    let own = collections.open_records.key(PersistentCollection::Session);
    if names.is_empty() && own.is_none() {
        return Vec::new();
    }
    let cookies = || collections.cookies.iter().map(|entry| (Variable::RequestCookies, entry));
    let entries = || cookies().chain(collections.arguments.iter().map(|argument| (Variable::Args, &argument.entry)));
    let named = names.iter().flat_map(|name| {
        let meant = entries().filter(|(_, entry)| read(entry.name) == name.as_bytes());
        meant.map(|(variable, entry)| (Some(variable), name.as_bytes(), read(entry.value)))
    });
    let all = named.chain(own.map(|key| (None, Variable::SessionId.name().as_bytes(), read(key))));
    let shown = |(variable, name, value): (Option<Variable>, &'a [u8], &'a [u8])| {
        let value = match (masking, variable) {
            (None, _) => Cow::Borrowed(value),
            (Some(masking), Some(variable)) => masking.value(variable, name, value),
            // Rules made it, perhaps of a secret.
            (Some(masking), None) => masking.derived(value, false),
        };
        (Cow::Borrowed(cut(name, SHORT_TEXT)), cut_text(value, SHORT_TEXT))
    };
    all.filter(|(.., value)| !value.is_empty()).take(MAX_SESSIONS).map(shown).collect()
}

fn attack<'a>(transaction: &'a Transaction, masking: Option<Masking<'a>>, is_denied: bool) -> AttackRecord<'a> {
    let state = &transaction.state;
    let detail = transaction.shared.graph.settings.plugin_detail;
    let mut found: Vec<&RuleMatch> = state.matches.iter().filter(|found| found.phase != Phase::Logging).collect();
    let matches = if detail { matches(transaction, &found) } else { Vec::new() };
    // The lowest number is the highest severity; of equal ones the first match counts, because rules that sum scores up come last.
    found.sort_by_key(|found| found.severity.unwrap_or(u32::MAX));
    let worst = found.first();
    let (score, threshold) = scores(transaction, is_denied);
    let agent = state.collections.request_header(b"user-agent").map_or(&b""[..], |agent| state.collections.arena.read(agent));
    let agent = masking.map_or(Cow::Borrowed(agent), |masking| masking.request_header(b"user-agent", agent));
    let body = |body: Text<'a>| if detail { cut_text(body, MAX_BODY) } else { Cow::default() };
    AttackRecord {
        unique_id: Cow::Borrowed(state.collections.arena.read(state.collections.scalars.unique_id)),
        rule: worst.map_or(0, |worst| worst.id),
        severity: worst.and_then(|worst| worst.severity).and_then(|severity| u8::try_from(severity).ok()),
        tags: tags(&found),
        score,
        threshold,
        user_agent: cut_text(agent, LONG_TEXT),
        request_head: if detail { request_head(transaction, masking) } else { Cow::default() },
        request_body: body(masking.map_or(Cow::Borrowed(transaction.request_body_bytes()), Masking::request_body)),
        response_head: if detail { response_head(transaction, masking) } else { Cow::default() },
        response_body: body(masking.map_or(Cow::Borrowed(transaction.response_body_bytes()), Masking::response_body)),
        matches,
    }
}

/// Returns the tags of matches, each once.
fn tags<'a>(found: &[&'a RuleMatch]) -> Vec<Text<'a>> {
    let mut tags: Vec<Text<'a>> = Vec::new();
    for tag in found.iter().flat_map(|found| &found.tags) {
        let tag = cut(tag, SHORT_TEXT);
        if tags.len() < MAX_TAGS && !tags.iter().any(|known| known.as_ref() == tag) {
            tags.push(Cow::Borrowed(tag));
        }
    }
    tags
}

/// Returns the first matches.
fn matches<'a>(transaction: &'a Transaction, found: &[&'a RuleMatch]) -> Vec<MatchRecord<'a>> {
    let mut room = MAX_MATCH_BYTES;
    let matches = found.iter().take(MAX_MATCHES).map(|found| of_match(transaction, found));
    let fits = |found: &MatchRecord<'_>| {
        room = room.saturating_sub(found.size());
        room > 0
    };
    matches.take_while(fits).collect()
}

fn of_match<'a>(transaction: &'a Transaction, found: &'a RuleMatch) -> MatchRecord<'a> {
    let location = transaction.shared.graph.rule(found.rule).map(|rule| &rule.location);
    let values = found.values.iter().take(MAX_VALUES);
    MatchRecord {
        rule: found.id,
        first_line: location.map_or(0, |location| location.line as u64),
        last_line: location.map_or(0, |location| location.last_line as u64),
        message: Cow::Borrowed(cut(&found.message, LONG_TEXT)),
        group: found.tags.first().map_or(Cow::default(), |tag| Cow::Borrowed(cut(tag, SHORT_TEXT))),
        values: values.map(|value| (Cow::Owned(value.label().into_bytes()), Cow::Borrowed(value.value.as_slice()))).collect(),
    }
}

/// Returns the score of the request and the threshold: those that `SecExtensionScore` names, or the OWASP CRS; without them 1 of 1 for a request that was
/// stopped.
fn scores(transaction: &Transaction, is_denied: bool) -> (i64, i64) {
    let number = |key: &str| transaction.tx(key).and_then(|text| text.trim().parse::<i64>().ok());
    let both = |score: &str, threshold: &str| Some((number(score)?, number(threshold)?));
    let named = transaction.shared.graph.settings.extension_score.as_ref();
    let found = match named {
        Some(names) => both(&names.score, &names.threshold),
        None => KNOWN_SCORES.iter().find_map(|(score, threshold)| both(score, threshold)),
    };
    found.unwrap_or((i64::from(is_denied), 1))
}

fn request_head<'a>(transaction: &Transaction, masking: Option<Masking<'_>>) -> Text<'a> {
    let target = masking.map_or(Cow::Borrowed(transaction.target()), Masking::target);
    let (method, protocol) = (covered(masking, transaction.method()), covered(masking, transaction.protocol()));
    let mut head = [&method, &b" "[..], &target, b" ", &protocol, b"\r\n"].concat();
    for (name, value) in transaction.request_headers() {
        let value = masking.map_or(Cow::Borrowed(value), |masking| masking.request_header(name, value));
        line(&mut head, &covered(masking, name), &value);
    }
    cut_text(Cow::Owned(head), MAX_HEAD)
}

fn response_head<'a>(transaction: &Transaction, masking: Option<Masking<'_>>) -> Text<'a> {
    if transaction.response_protocol().is_empty() {
        return Cow::default();
    }
    let mut head = [transaction.response_protocol(), b" ", transaction.status().to_string().as_bytes(), b"\r\n"].concat();
    for (name, value) in transaction.response_headers() {
        let value = masking.map_or(Cow::Borrowed(value), |masking| masking.response_header(name, value));
        line(&mut head, &covered(masking, name), &value);
    }
    cut_text(Cow::Owned(head), MAX_HEAD)
}

fn line(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if head.len() < MAX_HEAD {
        head.extend_from_slice(name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
}

/// Covers secrets in a text without a place of its own.
fn covered<'t>(masking: Option<Masking<'_>>, text: &'t [u8]) -> Text<'t> {
    masking.map_or(Cow::Borrowed(text), |masking| masking.text(text))
}

fn cut(text: &[u8], length: usize) -> &[u8] {
    text.get(..length).unwrap_or(text)
}

fn cut_text(text: Text<'_>, length: usize) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text, length)),
        Cow::Owned(mut text) => {
            text.truncate(length);
            Cow::Owned(text)
        }
    }
}

fn bytes_of(text: Cow<'_, str>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
