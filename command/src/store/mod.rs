//! `secrule store`: shows and changes what a store keeps.

mod list;
mod transfer;
mod variables;
mod watch;

use super::bytes::{self, Bytes};
use super::open_store::{OpenStore, StoreOptions};
use super::{Failure, Format, Outcome};
use clap::{Args, Subcommand};
use secrule::{PersistentCollection, RecordKey};
use serde_json::{Map, Value};
use std::io::Write;

/// Shows and changes what the store of a server keeps: the records of persistent collections, and bans
///
/// A record has the variables of one address, session, user or resource, or of all requests. Counters are read and changed while the server runs.
/// Keys, names and values are shown on one line: `\xHH` stands for a byte, in arguments too. `secrule ban` sets and ends bans,
/// `secrule list` changes lists of addresses.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule store list --store lmdb:/var/lib/waf/store.mdb
                                            all records, with the times of their creation and last change
  secrule store list ip --rules /etc/waf/main.conf
                                            records of one collection, in the store that the rules name
  sudo -u www-data secrule store list --rules /etc/waf/main.conf
                                            a store in LMDB is opened only by the user who owns its file
  secrule store get ip 192.0.2.7            one record; here SECRULE_STORE names the store
  secrule store get ip 192.0.2.7 counter    one of its variables
  secrule store set ip 192.0.2.7 blocked 1 --expires 10m
  secrule store remove ip 192.0.2.7         let a client begin anew
  secrule store watch ip --every 500        what changes, until Ctrl-C
  secrule store export --rules old.conf | secrule store import --rules new.conf
                                            move to another store

Exit codes:
  0  it was done
  1  the record or variable that is asked for, or is to be removed, does not exist
  2  wrong usage, or the store cannot be opened or does not answer")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    store: StoreOptions,

    /// The web application whose records are meant: a SecWebAppId; the default is that of --rules, or none
    #[arg(long, value_name = "NAME", global = true, help_heading = "Store")]
    web_app: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    List(list::Options),
    Get(variables::GetOptions),
    Set(variables::SetOptions),
    Remove(variables::RemoveOptions),
    /// Write all records of a web application, and all bans, as lines of JSON
    ///
    /// Each line is `{"record": …}` or `{"ban": …}`. Bytes that are not UTF-8 are in fields such as `value_base64`. The ends of variables are not in it,
    /// nor what is counted against rates, lists and maps.
    Export,
    Import(transfer::ImportOptions),
    Watch(watch::Options),
}

/// A record that is named by arguments.
#[derive(Args, Debug)]
struct RecordOptions {
    /// global, ip, resource, session or user
    #[arg(value_name = "COLLECTION", value_parser = collection)]
    collection: PersistentCollection,

    /// The key that initcol, setsid, setuid or setrsc gave, such as an address
    #[arg(value_name = "KEY", value_parser = bytes::parser())]
    key: Bytes,
}

/// Runs a verb for a store.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut store = options.store.open()?;
    if let Some(web_app) = &options.web_app {
        store.web_app = web_app.as_str().into();
    }
    match &options.verb {
        Verb::List(options) => list::run(options, &store, format, out),
        Verb::Get(options) => variables::get(options, &store, format, out),
        Verb::Set(options) => variables::set(options, &store, format, out),
        Verb::Remove(options) => variables::remove(options, &store, format, out),
        Verb::Export => transfer::export(&store, out),
        Verb::Import(options) => transfer::import(options, &store, format, out),
        Verb::Watch(options) => watch::run(options, &store, format, out),
    }
}

impl RecordOptions {
    fn key(&self, store: &OpenStore) -> RecordKey {
        RecordKey::new(self.collection, &self.key.0, &store.web_app)
    }
}

/// Reads the name of a collection.
fn collection(text: &str) -> Result<PersistentCollection, String> {
    let known = PersistentCollection::ALL.into_iter().find(|known| name(*known).eq_ignore_ascii_case(text));
    known.ok_or_else(|| "the collections are global, ip, resource, session and user".to_owned())
}

/// Returns the name of a collection.
fn name(collection: PersistentCollection) -> String {
    collection.variable().name().to_ascii_lowercase()
}

/// Returns a record's collection and key as a text.
fn title(record: &RecordKey) -> String {
    format!("{} {}", name(record.collection), bytes::word(&record.key))
}

/// Returns a record's key for JSON.
fn object(record: &RecordKey) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("collection".to_owned(), name(record.collection).into());
    bytes::put(&mut object, "key", &record.key);
    object.insert("web_app".to_owned(), (&*record.web_app).into());
    object
}

/// Returns a variable for JSON.
fn variable(name: &[u8], value: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    bytes::put(&mut object, "name", name);
    bytes::put(&mut object, "value", value);
    object
}
