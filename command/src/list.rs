//! `secrule list`: shows and changes the lists of addresses in a store.

use super::open_store::{OpenStore, StoreOptions};
use super::{Failure, Format, Outcome, bytes, note, write_json};
use clap::{Args, Subcommand};
use secrule::internals::graph::AddressList;
use secrule::internals::operator::{AddressSet, canonical_network};
use secrule::internals::store::{MAX_LIST_BYTES, list_entries};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Number of wrong lines of a file that are shown.
const SHOWN_ERRORS: usize = 20;

/// The time for which a verb keeps others from changing a list, should it end before its work is done.
const ALONE: Duration = Duration::from_secs(30);

/// The time between two attempts to change a list that another verb is changing.
const PAUSE: Duration = Duration::from_millis(20);

/// Shows and changes the lists of addresses in the store of a server
///
/// Rules name such a list with SecIpList: `SecIpList blacklist list:NAME` denies the requests of its addresses, `SecIpList whitelist list:NAME` lets them
/// pass bans and blacklists. A change counts in all processes and on all machines that share the store, at the latest 100 ms after it was made.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule list put attackers addresses.txt --rules /etc/waf/main.conf
                                            replace a list by the entries of a file; the rules name the store
  curl -s https://lists.example/all | secrule list put attackers --store lmdb:/var/lib/waf/store.mdb
                                            the same from standard input
  secrule list add attackers 192.0.2.7 2001:db8::/32 --rules /etc/waf/main.conf
  secrule list remove attackers 192.0.2.7 --rules /etc/waf/main.conf
  secrule list show attackers --rules /etc/waf/main.conf
                                            an entry on each line, as `put` reads them
  secrule list clear attackers --rules /etc/waf/main.conf
                                            an empty list: nobody is on it

Files have addresses and networks on each line, separated by commas; lines that begin with # are comments.

Exit codes:
  0  the list was shown or changed
  1  the list, or an entry that is to be removed, does not exist
  2  wrong usage, a wrong entry, or the store cannot be opened or does not answer; nothing is changed")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Show the entries of a list, one on each line
    Show(NameOptions),
    /// Replace a list by the entries of a file; it is made if there is none
    Put(PutOptions),
    /// Add entries to a list; it is made if there is none
    Add(EntryOptions),
    /// Remove entries from a list
    Remove(EntryOptions),
    /// Remove all entries of a list
    Clear(NameOptions),
}

#[derive(Args, Debug)]
struct NameOptions {
    /// The list, as SecIpList names it after `list:`
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
}

#[derive(Args, Debug)]
struct PutOptions {
    #[command(flatten)]
    list: NameOptions,

    /// A file with an address or network on each line; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Args, Debug)]
struct EntryOptions {
    #[command(flatten)]
    list: NameOptions,

    /// An address or a network, such as 192.0.2.7 or 192.0.2.0/24
    #[arg(value_name = "ENTRY", required = true, value_parser = entry)]
    entries: Vec<String>,
}

/// Runs a verb for lists.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let store = || options.store.open();
    match &options.verb {
        Verb::Show(list) => show(&list.name, &store()?, format, out),
        Verb::Put(put) => replace(put, &store, format, out),
        Verb::Add(add) => extend(add, &store()?, format, out),
        Verb::Remove(remove) => reduce(remove, &store()?, format, out),
        Verb::Clear(list) => clear(&list.name, &store()?, format, out),
    }
}

fn show(name: &str, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let Some(entries) = read(name, store)? else { return absent(name, format, out) };
    match format {
        Format::Json => write_json(out, &json!({ "name": name, "entries": entries }))?,
        Format::Text => {
            for entry in &entries {
                writeln!(out, "{}", bytes::line(entry.as_bytes()))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn replace(
    options: &PutOptions,
    store: &dyn Fn() -> Result<OpenStore, Failure>,
    format: Format,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let name = &options.list.name;
    let entries = entries_of(&options.file, &text_of(&options.file)?)?;
    let store = store()?;
    let entries = alone(name, &store, || write(name, entries.iter().map(String::as_str), &store))?;
    report(name, entries.len(), None, format, out)
}

fn extend(options: &EntryOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let name = &options.list.name;
    let (added, count) = alone(name, store, || {
        let before = read(name, store)?.unwrap_or_default();
        let mut known: HashSet<&str> = before.iter().map(String::as_str).collect();
        let added: Vec<&str> = options.entries.iter().map(String::as_str).filter(|entry| known.insert(entry)).collect();
        let entries = write(name, before.iter().map(String::as_str).chain(added.iter().copied()), store)?;
        Ok((added, entries.len()))
    })?;
    report(name, count, Some(("added", &added)), format, out)
}

fn reduce(options: &EntryOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let name = &options.list.name;
    let changed = alone(name, store, || {
        let Some(before) = read(name, store)? else { return Ok(None) };
        let known: HashSet<&str> = before.iter().map(String::as_str).collect();
        let (removed, missing): (Vec<&str>, Vec<&str>) =
            options.entries.iter().map(String::as_str).partition(|entry| known.contains(entry));
        let goes: HashSet<&str> = removed.iter().copied().collect();
        let stays: Vec<&str> = before.iter().map(String::as_str).filter(|entry| !goes.contains(entry)).collect();
        if !removed.is_empty() {
            write(name, stays.iter().copied(), store)?;
        }
        let missing: Vec<(&str, Option<String>)> = missing.into_iter().map(|entry| (entry, network_with(&stays, entry))).collect();
        Ok(Some((removed, missing, stays.len())))
    })?;
    let Some((removed, missing, count)) = changed else { return absent(name, format, out) };
    report(name, count, Some(("removed", &removed)), format, out)?;
    for (entry, network) in &missing {
        let network = network.as_ref().map(|network| format!(", but {network} contains it")).unwrap_or_default();
        note(&format!("secrule: {entry} is not an entry of the list {name}{network}: `secrule list show {name}` shows them"));
    }
    Ok(if missing.is_empty() { Outcome::Fine } else { Outcome::Finding })
}

fn clear(name: &str, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let was_there = alone(name, store, || {
        let was_there = read(name, store)?.is_some();
        if was_there {
            write(name, [].into_iter(), store)?;
        }
        Ok(was_there)
    })?;
    if was_there { report(name, 0, None, format, out) } else { absent(name, format, out) }
}

fn read(name: &str, store: &OpenStore) -> Result<Option<Vec<String>>, Failure> {
    Ok(store.ask(|store, by| store.list(name, None, by))?.map(|(_, entries)| entries))
}

/// Writes a list. Returns its entries as they are kept.
fn write<'e>(name: &str, entries: impl Iterator<Item = &'e str>, store: &OpenStore) -> Result<Vec<String>, Failure> {
    let entries = list_entries(name, entries).map_err(|error| Failure::Reason(error.to_string()))?;
    let texts: Vec<&str> = entries.iter().map(String::as_str).collect();
    store.ask(|store, by| store.put_list(name, &texts, by))?;
    Ok(entries)
}

/// Does work on a list while no other verb does, so that no change is lost.
fn alone<T>(name: &str, store: &OpenStore, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let lease = format!("list:{name}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let owner = format!("{}-{}", std::process::id(), now.as_nanos());
    let began = Instant::now();
    while !store.ask(|store, by| store.lease(&lease, &owner, ALONE, by))? {
        if began.elapsed() > ALONE {
            return Err(Failure::Reason(format!("another `secrule list` has been changing the list {name} for too long: try again later")));
        }
        sleep(PAUSE);
    }
    let result = work();
    // A lease that is not given back ends by itself.
    let _ = store.ask(|store, by| store.lease(&lease, &owner, Duration::from_millis(1), by));
    result
}

/// Reads a file of entries.
fn text_of(file: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limit = MAX_LIST_BYTES as u64 * 2;
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(limit + 1).read_to_end(&mut bytes))
    };
    let length = read.map_err(|error| Failure::unreadable(file, error))?;
    if length as u64 > limit {
        return Err(Failure::unreadable(file, "it has more than 128 MiB: write several lists"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the entries of a text.
///
/// # Errors
/// The wrong entries, each with its line.
fn entries_of(file: &Path, text: &str) -> Result<Vec<String>, Failure> {
    let (mut entries, mut errors, mut count) = (Vec::new(), Vec::new(), 0);
    for (line, number) in text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.starts_with('#')) {
        for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match canonical_network(entry) {
                Some(entry) => entries.push(entry),
                None => {
                    count += 1;
                    if errors.len() < SHOWN_ERRORS {
                        errors.push(format!(
                            "{}:{number}: `{}` is not an address or a network",
                            shown(file),
                            bytes::line(entry.as_bytes())
                        ));
                    }
                }
            }
        }
    }
    if count == 0 {
        return Ok(entries);
    }
    if count > errors.len() {
        errors.push(format!("and {} more", count - errors.len()));
    }
    errors.push("nothing is changed: write entries such as 192.0.2.7 or 192.0.2.0/24, one on each line".to_owned());
    Err(Failure::Reason(errors.join("\n")))
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Writes what was done to a list, and how many entries it has then.
fn report(name: &str, count: usize, done: Option<(&str, &[&str])>, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match format {
        Format::Json => {
            let mut object = Map::new();
            object.insert("name".to_owned(), name.into());
            object.insert("count".to_owned(), count.into());
            if let Some((what, entries)) = done {
                object.insert(what.to_owned(), entries.to_vec().into());
            }
            write_json(out, &object)?;
        }
        Format::Text => {
            let done = done.map(|(what, entries)| format!("{what} {}, ", entries.len())).unwrap_or_default();
            let entries = if count == 1 { "entry" } else { "entries" };
            writeln!(out, "list {name}: {done}{count} {entries}")?;
        }
    }
    Ok(Outcome::Fine)
}

fn absent(name: &str, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if format == Format::Json {
        write_json(out, &Value::Null)?;
    }
    note(&format!("secrule: there is no list {name}: `secrule list put {name} FILE` makes it"));
    Ok(Outcome::Finding)
}

/// Returns the first network that contains an address, or the first address of a network.
fn network_with(entries: &[&str], entry: &str) -> Option<String> {
    let address: IpAddr = entry.split('/').next()?.parse().ok()?;
    let contains = |network: &str| AddressSet::from_list(std::iter::once(network)).0.contains_address(address);
    entries.iter().find(|network| network.contains('/') && contains(network)).map(|network| (*network).to_owned())
}

fn name(text: &str) -> Result<String, String> {
    if AddressList::is_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits and the signs `_`, `-` and `.`".to_owned())
}

fn entry(text: &str) -> Result<String, String> {
    canonical_network(text).ok_or_else(|| "it is not an address or a network: write one such as 192.0.2.7 or 192.0.2.0/24".to_owned())
}
