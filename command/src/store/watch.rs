//! `secrule store watch`: what changes in a store.

use super::super::bytes::{self, Bytes};
use super::super::{Failure, Format, Outcome, ban, duration};
use super::{OpenStore, collection, object, title, variable};
use clap::Args;
use secrule::internals::diagnostic::counted;
use secrule::{PersistentCollection, RecordKey, RequestKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::num::NonZeroU64;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// Show what changes, until it is interrupted
///
/// It looks at the store again and again, so that of several changes in between only the last is shown. Each line is a variable or a ban. With
/// --format json each line is a JSON object. If nobody reads its output any more, it ends at the next change.
#[derive(Args, Debug)]
pub struct Options {
    /// Only records of a collection, and no bans
    #[arg(value_name = "COLLECTION", value_parser = collection)]
    collection: Option<PersistentCollection>,

    /// Only the record with this key
    #[arg(value_name = "KEY", value_parser = bytes::parser())]
    key: Option<Bytes>,

    /// The time between two looks, in milliseconds
    #[arg(long, value_name = "MS", default_value = "1000")]
    every: NonZeroU64,

    /// Maximum number of records that are looked at
    #[arg(long, value_name = "N", default_value = "10000")]
    limit: usize,
}

/// The difference of two ends of a ban that are the same: a store may tell the time that is left, by its own clock.
const SAME_END: Duration = Duration::from_secs(1);

/// The variables of a record.
type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

/// The contents of a store at a look.
#[derive(Default)]
struct Seen {
    records: HashMap<RecordKey, Variables>,
    bans: HashMap<RequestKey, SystemTime>,
    /// The number of changes of bans.
    changes: Option<u64>,
}

/// A change between two looks.
enum Change<'s> {
    Variable { record: &'s RecordKey, name: &'s [u8], before: Option<&'s [u8]>, now: Option<&'s [u8]> },
    Ban { key: &'s RequestKey, until: Option<SystemTime> },
}

/// Writes changes until the results have no reader, or the process is interrupted.
pub fn run(options: &Options, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut seen = look(options, store, &Seen::default())?;
    let (records, bans) = (seen.records.len(), seen.bans.len());
    match format {
        Format::Text => writeln!(out, "watching {} and {}", counted(records, "record"), counted(bans, "ban"))?,
        Format::Json => writeln!(out, "{}", json!({ "watching": { "records": records, "bans": bans } }))?,
    }
    loop {
        // Also tells a reader that is gone.
        out.flush()?;
        sleep(Duration::from_millis(options.every.get()));
        let now = look(options, store, &seen)?;
        for change in changes(&seen, &now) {
            match format {
                Format::Text => writeln!(out, "{}", change.text())?,
                Format::Json => writeln!(out, "{}", change.json())?,
            }
        }
        seen = now;
    }
}

fn look(options: &Options, store: &OpenStore, before: &Seen) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let keys: Vec<RecordKey> = match (options.collection, &options.key) {
        (Some(collection), Some(Bytes(key))) => vec![RecordKey::new(collection, key, &store.web_app)],
        (collection, _) => {
            let is_meant = |key: &RecordKey| collection.is_none_or(|collection| collection == key.collection);
            let keys = store.records(&store.web_app, None).filter(|key| key.as_ref().map_or(true, is_meant));
            keys.take(options.limit).collect::<Result<_, _>>()?
        }
    };
    for key in keys {
        let variables: Variables = store.ask(|store, by| store.read_all(&key, by))?.into_iter().collect();
        if !variables.is_empty() {
            seen.records.insert(key, variables);
        }
    }
    if options.collection.is_none() {
        let changes = store.ask(|store, by| store.changes(by))?;
        seen.changes = Some(changes);
        seen.bans = match before.changes == Some(changes) {
            true => {
                let now = SystemTime::now();
                before.bans.iter().filter(|(_, until)| **until > now).map(|(key, until)| (key.clone(), *until)).collect()
            }
            false => store.bans().map(|ban| ban.map(|ban| (ban.key, ban.until))).collect::<Result<_, _>>()?,
        };
    }
    Ok(seen)
}

fn changes<'s>(before: &'s Seen, now: &'s Seen) -> Vec<Change<'s>> {
    let mut changes = Vec::new();
    let empty = const { &Variables::new() };
    for (record, old) in before.records.iter().filter(|(record, _)| !now.records.contains_key(*record)) {
        changes.extend(differences(record, old, empty));
    }
    for (record, new) in &now.records {
        changes.extend(differences(record, before.records.get(record).unwrap_or(empty), new));
    }
    let ended = before.bans.keys().filter(|key| !now.bans.contains_key(*key));
    changes.extend(ended.map(|key| Change::Ban { key, until: None }));
    let begun = now.bans.iter().filter(|(key, until)| before.bans.get(*key).is_none_or(|known| !is_same_end(*known, **until)));
    changes.extend(begun.map(|(key, until)| Change::Ban { key, until: Some(*until) }));
    changes
}

fn is_same_end(one: SystemTime, other: SystemTime) -> bool {
    let apart = one.duration_since(other).unwrap_or_else(|later| later.duration());
    apart <= SAME_END
}

fn differences<'s>(record: &'s RecordKey, old: &'s Variables, new: &'s Variables) -> impl Iterator<Item = Change<'s>> {
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(name, value)| (name, Some(value), None));
    let set = new.iter().map(|(name, value)| (name, old.get(name), Some(value))).filter(|(_, before, now)| before != now);
    gone.chain(set).map(move |(name, before, now)| Change::Variable {
        record,
        name,
        before: before.map(Vec::as_slice),
        now: now.map(Vec::as_slice),
    })
}

impl Change<'_> {
    fn text(&self) -> String {
        match self {
            Self::Variable { record, name, before, now } => {
                let shown = |value: &Option<&[u8]>| value.map_or_else(|| "(none)".to_owned(), bytes::line);
                format!("{} {}: {} -> {}", title(record), bytes::word(name), shown(before), shown(now))
            }
            Self::Ban { key, until: Some(until) } => format!("banned for {}: {}", duration::shown(ban::left(*until)), ban::name(key)),
            Self::Ban { key, until: None } => format!("no longer banned: {}", ban::name(key)),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Variable { record, name, before, now } => {
                let mut object = object(record);
                match now {
                    Some(now) => object.extend(variable(name, now)),
                    None => bytes::put(&mut object, "name", name),
                }
                if let Some(before) = before {
                    bytes::put(&mut object, "before", before);
                }
                json!({ "variable": object })
            }
            Self::Ban { key, until: Some(until) } => json!({ "ban": ban::object(key, *until) }),
            Self::Ban { key, until: None } => json!({ "unban": ban::parts(key) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_whose_end_wavers_did_not_change() {
        let key = RequestKey::default().with_host("a.example");
        let seen = |millis| Seen {
            bans: HashMap::from([(key.clone(), SystemTime::UNIX_EPOCH + Duration::from_millis(millis))]),
            ..Seen::default()
        };
        let shown = |before, now| changes(&seen(before), &seen(now)).len();
        assert_eq!((shown(5_000, 5_000), shown(5_000, 5_900), shown(5_900, 5_000)), (0, 0, 0));
        assert_eq!((shown(5_000, 7_000), shown(7_000, 5_000)), (1, 1));
    }
}
