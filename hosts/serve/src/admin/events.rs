//! The last exchanges in which rules matched, or that were stopped.
//!
//! Texts are those of the logs: secrets are masked, and characters that could disguise a text show as `\xHH`. An exchange without a match keeps nothing
//! and takes no lock.

use secrule::internals::escape::{legible, text};
use secrule::internals::record::MaskedExchange;
use secrule::{Intervention, Match, MatchedValue, Observer, Transaction};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Number of exchanges that are kept by default.
const DEFAULT_COUNT: usize = 200;

/// Maximum number of bytes of texts that are kept of all exchanges.
const MAX_BYTES: usize = 4 << 20;

/// Maximum number of bytes of texts that are kept of one exchange.
const MAX_EVENT_BYTES: usize = 64 << 10;

/// Maximum length of a text, in bytes.
const MAX_TEXT: usize = 2 << 10;

/// Maximum number of matches of an exchange.
const MAX_MATCHES: usize = 100;

/// Maximum number of values of a match.
const MAX_VALUES: usize = 50;

/// Number of bytes of a value that the engine keeps: one of this length may be longer.
const KEPT_OF_VALUE: usize = 200;

/// Mark at the end of a text that is cut.
const CUT: &str = "… (cut)";

/// Keeps the last exchanges in which rules matched, or that were stopped: an [`Observer`] of one rule set or of several.
///
/// ```
/// use secrule::{Connection, Waf};
/// use secrule_serve::RecentEvents;
/// use std::sync::Arc;
///
/// let events = Arc::new(RecentEvents::new(50));
/// let waf = Waf::builder().starter_rules().observer(events.clone()).build()?;
/// let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
/// let (head, ()) = http::Request::get("/?file=../../../../etc/passwd").body(())?.into_parts();
/// let _ = tx.request_head(&head).and_then(|()| tx.request_end());
/// tx.finish();
/// let found = events.after(0);
/// assert_eq!(found[0].client, "192.0.2.7");
/// assert!(found[0].matches.iter().flat_map(|found| &found.values).any(|value| value.value.contains("etc/passwd")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RecentEvents {
    count: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<RecentEvent>>,
    bytes: usize,
    last: u64,
}

/// An exchange in which rules matched, or that was stopped.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RecentEvent {
    /// Its number: 1 for the first one since the start.
    pub number: u64,
    /// The time of its beginning, in milliseconds since 1970.
    pub time: u64,
    /// UNIQUE_ID, as in the logs.
    pub id: String,
    /// The address of the client.
    pub client: String,
    /// The method.
    pub method: String,
    /// The `Host` header; empty without one.
    pub host: String,
    /// The decoded path, without the query.
    pub path: String,
    /// The status that the client received; 0 if it received none.
    pub status: u16,
    /// `stopped`; `would be stopped`, if rules only detect; or `passed`.
    pub outcome: &'static str,
    /// The reason of an exchange that was stopped.
    pub reason: Option<String>,
    /// The sum of the points that rules added to anomaly scores.
    pub score: i64,
    /// The rules that matched and are logged.
    pub matches: Vec<EventMatch>,
    /// Number of further matches, which are not kept.
    pub left_out: usize,
}

/// A rule that matched.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EventMatch {
    /// The id of the rule; 0 without one.
    pub id: u64,
    /// Its message.
    pub message: String,
    /// Its severity: 0 (emergency) to 7 (debug).
    pub severity: Option<u8>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its phase: 0 to 5.
    pub phase: u8,
    /// Its `logdata`.
    pub data: String,
    /// Its file and line.
    pub location: String,
    /// `true` if it stopped the exchange.
    pub stops: bool,
    /// The values that matched.
    pub values: Vec<EventValue>,
    /// Number of further values, which are not kept.
    pub left_out: usize,
}

/// A value that matched.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EventValue {
    /// The target, such as `ARGS:id`.
    pub name: String,
    /// The value as received, up to its first 200 bytes.
    pub value: String,
    /// The transformations after which it matched.
    pub transformations: Vec<&'static str>,
}

impl RecentEvents {
    /// Keeps this number of exchanges, as long as they have no more than 4 MiB of text together.
    pub fn new(count: usize) -> Self {
        Self { count, kept: Mutex::default() }
    }

    /// Returns the exchanges after the one with a number that are kept, the oldest first; all with 0.
    pub fn after(&self, number: u64) -> Vec<Arc<RecentEvent>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.iter().filter(|event| event.number > number).cloned().collect()
    }

    fn keep(&self, mut event: RecentEvent) {
        let size = event.size();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last = kept.last.saturating_add(1);
        event.number = kept.last;
        kept.bytes = kept.bytes.saturating_add(size);
        kept.events.push_back(Arc::new(event));
        while kept.events.len() > self.count || kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.size());
        }
    }
}

impl Default for RecentEvents {
    fn default() -> Self {
        Self::new(DEFAULT_COUNT)
    }
}

impl Observer for RecentEvents {
    fn finished(&self, transaction: &Transaction) {
        if transaction.intervention().is_some() || transaction.matches().next().is_some() {
            self.keep(RecentEvent::of(transaction));
        }
    }
}

impl RecentEvent {
    fn of(transaction: &Transaction) -> Self {
        let masked = MaskedExchange::new(transaction);
        let host = masked.request_headers().find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
        let since = transaction.began().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let intervention = transaction.intervention();
        let outcome = match intervention {
            Some(_) => "stopped",
            None if transaction.is_detected() => "would be stopped",
            None => "passed",
        };
        let mut event = Self {
            number: 0,
            time: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            id: shown(transaction.id().as_bytes()),
            client: shown(transaction.client_address()),
            method: shown(transaction.method()),
            host: host.map(|(_, value)| shown(&value)).unwrap_or_default(),
            path: shown(&masked.path()),
            status: transaction.status(),
            outcome,
            reason: intervention.map(|intervention: &Intervention| shown(intervention.reason().as_bytes())),
            score: transaction.matches().fold(0, |sum, found| sum.saturating_add(found.score())),
            matches: Vec::new(),
            left_out: 0,
        };
        let mut size = event.size();
        for found in transaction.matches() {
            // The match that stops comes last, and is the most important one.
            if !found.stops() && (event.matches.len() >= MAX_MATCHES || size >= MAX_EVENT_BYTES) {
                event.left_out = event.left_out.saturating_add(1);
                continue;
            }
            let found = EventMatch::of(&found);
            size = size.saturating_add(found.size());
            event.matches.push(found);
        }
        event
    }

    /// Returns about the number of bytes that it takes.
    fn size(&self) -> usize {
        let Self { id, client, method, host, path, reason, matches, .. } = self;
        let texts = [id, client, method, host, path].map(String::len).iter().sum::<usize>();
        let matches = matches.iter().map(EventMatch::size).sum::<usize>();
        size_of::<Self>() + texts + reason.as_ref().map_or(0, String::len) + matches
    }
}

impl EventMatch {
    fn of(found: &Match<'_>) -> Self {
        let values: Vec<EventValue> = found.values().take(MAX_VALUES).map(|value| EventValue::of(&value)).collect();
        Self {
            id: found.id(),
            message: shown(found.message().as_bytes()),
            severity: found.severity(),
            tags: found.tags().take(MAX_VALUES).map(|tag| shown(tag.as_bytes())).collect(),
            phase: found.phase().number(),
            data: shown(found.data().as_bytes()),
            location: found.rule().map(|rule| format!("{}:{}", rule.file(), rule.line())).unwrap_or_default(),
            stops: found.stops(),
            left_out: found.value_count().saturating_sub(values.len()),
            values,
        }
    }

    fn size(&self) -> usize {
        let texts = [&self.message, &self.data, &self.location].map(String::len).iter().sum::<usize>();
        let tags = self.tags.iter().map(|tag| size_of::<String>() + tag.len()).sum::<usize>();
        let values = self.values.iter().map(|value| size_of::<EventValue>() + value.name.len() + value.value.len()).sum::<usize>();
        size_of::<Self>() + texts + tags + values
    }
}

impl EventValue {
    fn of(value: &MatchedValue<'_>) -> Self {
        let name = value.key().map_or_else(|| value.variable().to_owned(), |key| format!("{}:{key}", value.variable()));
        let text = value.value();
        let mut kept = shown(text.as_bytes());
        if text.len() >= KEPT_OF_VALUE && !kept.ends_with(CUT) {
            kept.push_str(CUT);
        }
        Self { name: shown(name.as_bytes()), value: kept, transformations: value.transformations() }
    }
}

/// Returns bytes as text of a limited length.
fn shown(bytes: &[u8]) -> String {
    let mut legible_bytes = Vec::with_capacity(bytes.len().min(MAX_TEXT));
    legible(bytes.get(..MAX_TEXT).unwrap_or(bytes), &mut legible_bytes);
    let mut text = text(&legible_bytes);
    if text.len() > MAX_TEXT || bytes.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::{Connection, Waf};

    /// Judges a request, and returns its event if there is one.
    fn judge(waf: &Waf, target: &str) {
        let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
        let (head, ()) = http::Request::get(target).header("Host", "shop.example").body(()).unwrap().into_parts();
        let _ = tx.request_head(&head).and_then(|()| tx.request_end());
        tx.finish();
    }

    fn waf(events: &Arc<RecentEvents>, rules: &str) -> Waf {
        Waf::builder().rules("rules", rules).observer(events.clone()).build().unwrap()
    }

    const RULES: &str = "SecRuleEngine On\n\
        SecRule ARGS \"@contains evil\" \"id:1,phase:2,deny,status:406,log,msg:'Evil',logdata:'%{MATCHED_VAR}',tag:'t',severity:CRITICAL\"\n\
        SecRule ARGS:note \"@rx .\" \"id:2,phase:1,pass,log,msg:'Note'\"\n";

    #[test]
    fn an_exchange_that_is_stopped_is_kept_with_every_value() {
        let events = Arc::new(RecentEvents::default());
        judge(&waf(&events, RULES), "/a%20b?x=evil%00one");
        let [event] = &events.after(0)[..] else { panic!("{events:?}") };
        assert_eq!((event.number, event.status, event.outcome), (1, 406, "stopped"));
        assert_eq!([&*event.client, &*event.method, &*event.host, &*event.path], ["192.0.2.7", "GET", "shop.example", "/a b"]);
        let [found] = &event.matches[..] else { panic!("{event:?}") };
        assert_eq!((found.id, &*found.message, found.severity, found.phase, found.stops), (1, "Evil", Some(2), 2, true));
        assert_eq!((&*found.values[0].name, &*found.values[0].value), ("ARGS:x", "evil\\x00one"));
        assert_eq!(found.location, "rules:2");
    }

    #[test]
    fn an_exchange_without_a_match_leaves_nothing() {
        let events = Arc::new(RecentEvents::default());
        judge(&waf(&events, RULES), "/?x=good");
        assert!(events.after(0).is_empty());
    }

    #[test]
    fn outcomes_tell_what_passed_from_what_would_be_stopped() {
        let events = Arc::new(RecentEvents::default());
        judge(&waf(&events, RULES), "/?note=1");
        judge(&waf(&events, &RULES.replace("Engine On", "Engine DetectionOnly")), "/?x=evil");
        let outcomes: Vec<_> = events.after(0).iter().map(|event| event.outcome).collect();
        assert_eq!(outcomes, ["passed", "would be stopped"]);
    }

    #[test]
    fn secrets_are_masked_as_in_logs() {
        let events = Arc::new(RecentEvents::default());
        judge(&waf(&events, &format!("SecSanitise ARGS:password\n{RULES}")), "/evil-s3cret?password=evil-s3cret");
        let shown = serde_json::to_string(&*events.after(0)[0]).unwrap();
        assert!(!shown.contains("s3cret") && shown.contains("ARGS:password") && shown.contains("***"), "{shown}");
    }

    #[test]
    fn only_the_last_ones_are_kept_and_long_texts_are_cut_with_a_mark() {
        let events = Arc::new(RecentEvents::new(3));
        let waf = waf(&events, RULES);
        for number in 0..5 {
            judge(&waf, &format!("/{}?x=evil{}", "p".repeat(5_000), "v".repeat(number * 100)));
        }
        let kept = events.after(0);
        assert_eq!(kept.iter().map(|event| event.number).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(events.after(4).len(), 1);
        let last = &kept[2];
        assert!(last.path.ends_with(CUT) && last.path.len() < MAX_TEXT + 20, "{}", last.path);
        assert_eq!(last.matches[0].values[0].value, format!("evil{}{CUT}", "v".repeat(196)));
    }

    #[test]
    fn many_matches_take_limited_memory_and_the_one_that_stops_is_among_them() {
        let events = Arc::new(RecentEvents::new(usize::MAX));
        let many: String =
            (10..200).map(|id| format!("SecRule ARGS \"@contains evil\" \"id:{id},phase:1,pass,log,msg:'%{{ARGS.x}}'\"\n")).collect();
        let waf = waf(&events, &format!("{many}{RULES}"));
        for _ in 0..80 {
            judge(&waf, &format!("/?x=evil{}", "v".repeat(4_000)));
        }
        let kept = events.kept.lock().unwrap();
        let sizes: Vec<usize> = kept.events.iter().map(|event| event.size()).collect();
        assert!(sizes.iter().all(|size| *size < MAX_EVENT_BYTES + 20_000) && sizes.iter().sum::<usize>() <= MAX_BYTES, "{sizes:?}");
        assert!(sizes.len() > 10 && kept.last == 80);
        let last = kept.events.back().unwrap();
        assert!(last.left_out > 100 && last.matches.last().unwrap().stops, "{last:?}");
    }
}
