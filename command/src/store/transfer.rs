//! `secrule store export` and `import`: records and bans as lines of JSON.

use super::super::{Failure, Format, Outcome, ban, bytes, duration, write_json};
use super::list::put_history;
use super::variables::write;
use super::{OpenStore, collection, object, variable};
use clap::Args;
use secrule::internals::diagnostic::counted;
use secrule::{RecordKey, RequestKey, SiteId};
use serde_json::{Map, Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Write what `store export` wrote into a store
///
/// Variables that the store has with other values are replaced. Variables of an export have no ends, so that each gets one: without it, a client that
/// was to be blocked for a minute would stay blocked as long as it goes on. A rule that sets a variable again gives it its own end.
#[derive(Args, Debug)]
pub struct ImportOptions {
    /// A file that `store export` wrote; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,

    /// Remove each variable after this time: seconds, or 90s, 10m, 2h, 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    expires: Duration,
}

/// Writes the records of a web application, and all bans, as lines of JSON.
pub fn export(store: &OpenStore, out: &mut dyn Write) -> Result<Outcome, Failure> {
    for record in store.records(&store.web_app, None) {
        let record = record?;
        // A record may have ended since it was listed.
        let Some(history) = store.ask(|store, by| store.history(&record, by))? else { continue };
        let variables = store.ask(|store, by| store.read_all(&record, by))?;
        let mut object = object(&record);
        put_history(&mut object, &history);
        let variables = variables.iter().map(|(name, value)| variable(name, value).into()).collect::<Vec<Value>>();
        object.insert("variables".to_owned(), variables.into());
        writeln!(out, "{}", json!({ "record": object }))?;
    }
    for ban in store.bans() {
        let ban = ban?;
        writeln!(out, "{}", json!({ "ban": ban::object(&ban.key, ban.until) }))?;
    }
    Ok(Outcome::Fine)
}

/// An entry of an export.
enum Entry {
    Record(RecordKey, Vec<(Vec<u8>, Vec<u8>)>),
    Ban(RequestKey, SystemTime),
}

/// Numbers of entries.
#[derive(Default)]
struct Counts {
    records: usize,
    bans: usize,
    ended: usize,
}

pub fn import(options: &ImportOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let now = SystemTime::now();
    let expires = now.checked_add(options.expires).ok_or_else(|| Failure::Reason("--expires is too long".to_owned()))?;
    let input: Box<dyn Read> = match options.file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(std::fs::File::open(&options.file).map_err(|error| Failure::unreadable(&options.file, error))?),
    };
    let mut counts = Counts::default();
    for (number, line) in BufReader::new(input).lines().enumerate() {
        let line = line.map_err(|error| Failure::unreadable(&options.file, error))?;
        let wrong =
            |reason| Failure::Reason(format!("{}:{}: {reason}; the lines before it are written", options.file.display(), number + 1));
        match entry(&line).map_err(wrong)? {
            Entry::Record(record, variables) => {
                let variables: Vec<(&[u8], &[u8])> = variables.iter().map(|(name, value)| (&name[..], &value[..])).collect();
                write(store, &record, &variables, Some(expires))?;
                counts.records += 1;
            }
            Entry::Ban(_, until) if until <= now => counts.ended += 1,
            Entry::Ban(key, until) => {
                store.ask(|store, by| store.ban(&key, until, by))?;
                counts.bans += 1;
            }
        }
    }
    let Counts { records, bans, ended } = counts;
    match format {
        Format::Json => write_json(out, &json!({ "records": records, "bans": bans, "ended_bans": ended }))?,
        Format::Text => {
            let left_out = if ended > 0 { format!(", and left out {} that had ended", counted(ended, "ban")) } else { String::new() };
            writeln!(out, "wrote {} and {}{left_out}", counted(records, "record"), counted(bans, "ban"))?;
        }
    }
    Ok(Outcome::Fine)
}

fn entry(line: &str) -> Result<Entry, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("it is not a line of JSON: {error}"))?;
    match (value.get("record"), value.get("ban")) {
        (Some(Value::Object(record)), None) => record_of(record),
        (None, Some(Value::Object(ban))) => ban_of(ban),
        _ => Err("it has neither a record nor a ban".to_owned()),
    }
}

fn record_of(object: &Map<String, Value>) -> Result<Entry, String> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is not a text"));
    let key = bytes::get(object, "key")?.ok_or("`key` is missing")?;
    let record = RecordKey::new(collection(text("collection")?)?, &key, text("web_app")?);
    let variables = object.get("variables").and_then(Value::as_array).ok_or("`variables` is not a list")?;
    let variables = variables.iter().map(|variable| {
        let variable = variable.as_object().ok_or("a variable is not an object")?;
        let part = |name: &str| bytes::get(variable, name)?.ok_or_else(|| format!("`{name}` of a variable is missing"));
        Ok::<_, String>((part("name")?, part("value")?))
    });
    Ok(Entry::Record(record, variables.collect::<Result<_, _>>()?))
}

fn ban_of(object: &Map<String, Value>) -> Result<Entry, String> {
    let mut key = RequestKey::default();
    if let Some(ip) = object.get("ip") {
        let ip = ip.as_str().and_then(|ip| ip.parse().ok()).ok_or("`ip` is not an address")?;
        key = RequestKey::of_address(None, ip);
    }
    if let Some(host) = object.get("host") {
        key = key.with_host(host.as_str().ok_or("`host` is not a text")?);
    }
    if let Some(path) = bytes::get(object, "path")? {
        key = key.with_url_path(&path);
    }
    if key == RequestKey::default() {
        return Err("the ban has no part".to_owned());
    }
    if let Some(site) = object.get("site") {
        key.site = Some(SiteId(site.as_u64().ok_or("`site` is not a number")?));
    }
    let until = object.get("until").and_then(Value::as_u64).ok_or("`until` is not a number")?;
    let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until)).ok_or("`until` is too large")?;
    Ok(Entry::Ban(key, until))
}
