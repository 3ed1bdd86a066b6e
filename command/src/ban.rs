//! `secrule ban`: shows, sets and ends bans in a store.

use super::open_store::{OpenStore, StoreOptions};
use super::table::{self, Column};
use super::{Failure, Format, Outcome, bytes, duration, note, write_json};
use bytes::Bytes;
use clap::{ArgGroup, Args, Subcommand};
use secrule::{Ban, RequestKey, SiteId};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

/// The longest ban, in days.
const LONGEST_DAYS: u64 = 3_650;

/// Shows, sets and ends bans in the store of a server
///
/// A ban denies requests before any rule runs, in all processes and on all machines that share the store, at the latest 100 ms after it was set. It
/// means the requests that have all of its parts: an address, a host, a path, a site. Clients on an allow list of SecIpList are not banned.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule ban add --ip 192.0.2.7 --for 2h --store lmdb:/var/lib/waf/store.mdb
                                            an address, from everything
  secrule ban add --ip 192.0.2.7 --path /login --for 10m --rules /etc/waf/main.conf
                                            the same address, from one path; the rules name the store
  secrule ban list --ip 192.0.2.7 --rules /etc/waf/main.conf
                                            all bans of this address
  secrule ban remove --ip 192.0.2.7 --path /login --rules /etc/waf/main.conf
                                            exactly this ban; others of the address stay
  SECRULE_STORE=redis://:secret@10.0.0.5 secrule ban list --format json | jq '.bans[] | .ip'
                                            a password is not on the command line, where others could see it

Exit codes:
  0  bans were shown, set or ended
  1  the ban that is to be removed does not exist
  2  wrong usage, or the store cannot be opened or does not answer")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Show bans and the time that is left of each
    List(ListOptions),
    /// Set a ban, or give one with the same parts another end
    Add(AddOptions),
    /// End the ban that has exactly these parts
    Remove(RemoveOptions),
}

#[derive(Args, Debug)]
struct ListOptions {
    #[command(flatten)]
    key: KeyOptions,

    /// Maximum number of bans
    #[arg(long, value_name = "N", default_value = "1000")]
    limit: usize,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("part").args(["ip", "host", "path"]).multiple(true).required(true)))]
struct AddOptions {
    #[command(flatten)]
    key: KeyOptions,

    /// The time until it ends: 90s, 10m, 2h or 7d
    #[arg(long = "for", value_name = "TIME", value_parser = ban_time)]
    time: Duration,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("part").args(["ip", "host", "path"]).multiple(true).required(true)))]
struct RemoveOptions {
    #[command(flatten)]
    key: KeyOptions,
}

/// Parts of a ban.
#[derive(Args, Debug)]
struct KeyOptions {
    /// The address of a client
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,

    /// A host, without port
    #[arg(long, value_name = "NAME", value_parser = host)]
    host: Option<String>,

    /// A path without query, decoded as in REQUEST_FILENAME; `\xHH` stands for a byte
    #[arg(long, value_name = "PATH", value_parser = bytes::parser())]
    path: Option<Bytes>,

    /// A number of SecSite or SecSiteId; without it, all sites
    #[arg(long, value_name = "N")]
    site: Option<NonZeroU64>,
}

/// Runs a verb for bans.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let store = || options.store.open();
    match &options.verb {
        Verb::List(list) => show(list, &store()?, format, out),
        Verb::Add(add) => set(add, &store, format, out),
        Verb::Remove(remove) => end(&remove.key, &store()?, format, out),
    }
}

fn show(options: &ListOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut shown: Vec<Ban> = Vec::new();
    let mut is_cut = false;
    for ban in store.bans() {
        let ban = ban?;
        if options.key.selects(&ban.key) {
            if shown.len() == options.limit {
                is_cut = true;
                break;
            }
            shown.push(ban);
        }
    }
    match format {
        Format::Json => {
            write_json(out, &json!({ "bans": shown.iter().map(|ban| object(&ban.key, ban.until)).collect::<Vec<_>>(), "more": is_cut }))?
        }
        Format::Text if shown.is_empty() => writeln!(out, "no bans")?,
        Format::Text => {
            let columns =
                [Column::Number("ends in"), Column::Number("site"), Column::Text("ip"), Column::Text("host"), Column::Text("path")];
            let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
            table::write(out, &columns, &rows)?;
            if is_cut {
                writeln!(out, "and more: --limit")?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn set(
    options: &AddOptions,
    store: &dyn Fn() -> Result<OpenStore, Failure>,
    format: Format,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    if let Some(Bytes(path)) = &options.key.path
        && (!path.starts_with(b"/") || path.contains(&b'?'))
    {
        let reason = format!("`{}` matches no request: a path begins with / and has no query", bytes::line(path));
        return Err(Failure::Reason(reason));
    }
    let key = options.key.key();
    let until = SystemTime::now() + options.time;
    store()?.ask(|store, by| store.ban(&key, until, by))?;
    match format {
        Format::Json => write_json(out, &object(&key, until))?,
        Format::Text => writeln!(out, "banned for {}: {}", duration::shown(options.time), name(&key))?,
    }
    Ok(Outcome::Fine)
}

fn end(options: &KeyOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let key = options.key();
    let was_banned = store.ask(|store, by| store.unban(&key, by))?;
    match format {
        Format::Json => write_json(out, &json!({ "removed": was_banned }))?,
        Format::Text if was_banned => writeln!(out, "no longer banned: {}", name(&key))?,
        Format::Text => {
            note(&format!("secrule: no ban has exactly the parts {}: `secrule ban list` shows those that there are", name(&key)))
        }
    }
    Ok(if was_banned { Outcome::Fine } else { Outcome::Finding })
}

impl KeyOptions {
    fn key(&self) -> RequestKey {
        let mut key = RequestKey::default();
        key.site = self.site.map(|site| SiteId(site.get()));
        key.ip = self.ip.map(|ip| ip.to_canonical());
        if let Some(host) = &self.host {
            key = key.with_host(host);
        }
        if let Some(Bytes(path)) = &self.path {
            key = key.with_url_path(path);
        }
        key
    }

    /// Returns `true` if a ban has all of these parts.
    fn selects(&self, ban: &RequestKey) -> bool {
        let wanted = self.key();
        let has = |is_wanted: bool, is_equal: bool| !is_wanted || is_equal;
        has(wanted.site.is_some(), wanted.site == ban.site)
            && has(wanted.ip.is_some(), wanted.ip == ban.ip)
            && has(wanted.host.is_some(), wanted.host == ban.host)
            && has(wanted.url_path.is_some(), wanted.url_path == ban.url_path)
    }
}

/// Returns a ban for JSON.
pub fn object(key: &RequestKey, until: SystemTime) -> Value {
    let mut object = parts(key);
    object.insert("until".to_owned(), duration::unix(until).into());
    object.insert("seconds_left".to_owned(), left(until).as_secs().into());
    object.into()
}

/// Returns the parts of a ban for JSON. Those that it does not have are missing.
pub fn parts(key: &RequestKey) -> Map<String, Value> {
    let mut object = Map::new();
    let RequestKey { site, ip, host, url_path, .. } = key;
    site.map(|site| object.insert("site".to_owned(), site.0.into()));
    ip.map(|ip| object.insert("ip".to_owned(), ip.to_string().into()));
    host.as_ref().map(|host| object.insert("host".to_owned(), (&**host).into()));
    if let Some(path) = url_path {
        bytes::put(&mut object, "path", path);
    }
    object
}

/// Returns the parts of a ban as a text.
pub fn name(key: &RequestKey) -> String {
    let RequestKey { site, ip, host, url_path, .. } = key;
    let parts = [
        site.map(|site| format!("site={}", site.0)),
        ip.map(|ip| format!("ip={ip}")),
        host.as_ref().map(|host| format!("host={}", bytes::word(host.as_bytes()))),
        url_path.as_ref().map(|path| format!("path={}", bytes::word(path))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn row(ban: &Ban) -> Vec<String> {
    let or_any = |part: Option<String>| part.unwrap_or_else(|| "*".to_owned());
    let RequestKey { site, ip, host, url_path, .. } = &ban.key;
    vec![
        duration::shown(left(ban.until)),
        or_any(site.map(|site| site.0.to_string())),
        or_any(ip.map(|ip| ip.to_string())),
        or_any(host.as_ref().map(|host| bytes::word(host.as_bytes()))),
        or_any(url_path.as_ref().map(|path| bytes::word(path))),
    ]
}

/// Returns the time that is left of a ban.
pub fn left(until: SystemTime) -> Duration {
    until.duration_since(SystemTime::now()).unwrap_or_default()
}

fn host(text: &str) -> Result<String, String> {
    let host = text.strip_suffix('.').unwrap_or(text);
    let has_port = !host.starts_with('[') && host.contains(':') || host.contains("]:");
    match host {
        "" => Err("it is empty".to_owned()),
        _ if has_port => Err("write the host without its port".to_owned()),
        _ => Ok(host.to_owned()),
    }
}

fn ban_time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    match time.as_secs() {
        0 => Err("a ban lasts at least a second; `secrule ban remove` ends one".to_owned()),
        seconds if seconds > LONGEST_DAYS * 86_400 => Err(format!("a ban lasts at most {LONGEST_DAYS}d")),
        _ => Ok(time),
    }
}
