//! The store of a verb: named on the command line, by rules, or in the environment.

use super::{Failure, duration, rules, stores};
use clap::Args;
use secrule::internals::graph::Settings;
use secrule::{Limit, RecordKey, Store, StoreLimits, WriteError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const HEADING: &str = "Store";

/// The variable of the environment that names a store. Unlike an argument, other users do not see it in the list of processes.
const VARIABLE: &str = "SECRULE_STORE";

/// Number of records or bans that one call of the store returns at most.
pub const PAGE: usize = 1_000;

/// The store of a verb.
#[derive(Args, Debug)]
pub struct StoreOptions {
    /// The address of the store, as SecCollectionStore has it: lmdb:/var/lib/waf/store.mdb
    ///
    /// Without --store and --rules the environment variable SECRULE_STORE names it. Use that for an address with a password, because others can see
    /// arguments in the list of processes.
    #[arg(long = "store", value_name = "ADDRESS", global = true, conflicts_with = "rules", help_heading = HEADING)]
    address: Option<String>,

    /// A rule file that names the store: by SecCollectionStore, or by SecDataDir as the C library uses it
    ///
    /// Its SecWebAppId, SecCollectionTimeout and limits of the store are those of the verb, too.
    #[arg(short, long, value_name = "FILE", global = true, help_heading = HEADING)]
    rules: Vec<PathBuf>,

    /// Make the file of an LMDB store if there is none
    ///
    /// Run this as the user of the server's workers, because a store is opened only by the user who owns its file.
    #[arg(long, global = true, help_heading = HEADING)]
    create: bool,

    /// The time that each call of the store may take
    #[arg(long, value_name = "TIME", global = true, default_value = "10s", value_parser = duration::parse, help_heading = HEADING)]
    wait: Duration,
}

/// A store that is open.
pub struct OpenStore {
    store: Arc<dyn Store>,
    /// The web application of the rules; empty without rules.
    pub web_app: Box<str>,
    /// The time without a change after which a record is removed.
    pub timeout: Option<Duration>,
    /// The limits of the rules. Without rules there are none: a verb must not drop what the server keeps.
    pub limits: StoreLimits,
    wait: Duration,
}

/// The name of a store.
enum Name {
    Address(String),
    /// A folder with a file of LMDB for each user.
    Folder(PathBuf),
}

impl StoreOptions {
    /// Opens the store.
    pub fn open(&self) -> Result<OpenStore, Failure> {
        if self.rules.is_empty() {
            let environment = || std::env::var(VARIABLE).ok().filter(|address| !address.is_empty());
            let address = self.address.clone().or_else(environment).ok_or_else(unnamed)?;
            let no_limits = StoreLimits::new(usize::MAX, usize::MAX);
            return self.open_named(Name::Address(stores::without_limit(address)), &Settings::default(), no_limits);
        }
        let waf = rules::load_files(&self.rules)?;
        let settings = &waf.graph().settings;
        let limits = StoreLimits::new(settings.limit(Limit::StoreVariables), settings.limit(Limit::StoreBytes));
        let name = match (&settings.collection_store, &settings.data_folder) {
            (Some(address), _) => Name::Address(address.node.to_string()),
            (None, Some(folder)) => Name::Folder(folder.clone()),
            (None, None) => return Err(Failure::Reason(IN_MEMORY_WITHOUT_A_WORD.to_owned())),
        };
        self.open_named(name, settings, limits)
    }

    fn open_named(&self, name: Name, settings: &Settings, limits: StoreLimits) -> Result<OpenStore, Failure> {
        let store = match name {
            Name::Address(address) if address.eq_ignore_ascii_case("memory") => return Err(Failure::Reason(IN_MEMORY.to_owned())),
            Name::Address(address) => stores::open(&address, self.create),
            Name::Folder(folder) => stores::open_folder(&folder, self.create),
        };
        Ok(OpenStore {
            store: store.map_err(Failure::Reason)?,
            web_app: settings.web_app_id.clone(),
            timeout: Some(settings.collection_timeout).filter(|timeout| !timeout.is_zero()),
            limits,
            wait: self.wait,
        })
    }
}

const IN_MEMORY: &str = "`memory` is in each process of the server, and no other process can read it: name a store that processes share, such as \
    SecCollectionStore lmdb:/var/lib/waf/store.mdb";

const IN_MEMORY_WITHOUT_A_WORD: &str = "the rules name no store, so that each process of the server keeps its own in memory, and no other process \
    can read it: add SecCollectionStore lmdb:/var/lib/waf/store.mdb, or for the C library SecDataDir";

fn unnamed() -> Failure {
    Failure::Reason(format!(
        "no store is named: add --store with its address, such as --store lmdb:/var/lib/waf/store.mdb, or --rules with a file that names it, or set \
         {VARIABLE} in the environment"
    ))
}

impl OpenStore {
    /// Asks the store.
    pub fn ask<T, E: Into<WriteError>>(&self, ask: impl FnOnce(&dyn Store, Instant) -> Result<T, E>) -> Result<T, Failure> {
        let now = Instant::now();
        let by = now.checked_add(self.wait).unwrap_or(now);
        ask(&*self.store, by).map_err(|error| match error.into() {
            WriteError::Full(full) => Failure::Reason(format!("it is not written: {full}")),
            error => Failure::Reason(error.to_string()),
        })
    }

    /// Returns the records of a web application that follow one, page by page.
    pub fn records<'s>(&'s self, web_app: &'s str, after: Option<RecordKey>) -> impl Iterator<Item = Result<RecordKey, Failure>> + 's {
        paged(after, move |after| self.ask(|store, by| store.records(web_app, after, PAGE, by)), RecordKey::clone)
    }

    /// Returns the bans, page by page.
    pub fn bans(&self) -> impl Iterator<Item = Result<secrule::Ban, Failure>> + '_ {
        paged(None, move |after| self.ask(|store, by| store.bans(after, PAGE, by)), |ban| ban.key.clone())
    }
}

/// Returns all entries of a list that is read in pages, each of which follows the last entry of the one before.
fn paged<T, K>(
    first_after: Option<K>,
    read: impl Fn(Option<&K>) -> Result<Vec<T>, Failure>,
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = Result<T, Failure>> {
    let (mut after, mut page, mut is_last) = (first_after, Vec::new().into_iter(), false);
    std::iter::from_fn(move || {
        loop {
            if let Some(entry) = page.next() {
                return Some(Ok(entry));
            }
            if is_last {
                return None;
            }
            let entries = match read(after.as_ref()) {
                Ok(entries) => entries,
                Err(failure) => {
                    is_last = true;
                    return Some(Err(failure));
                }
            };
            is_last = entries.len() < PAGE;
            after = entries.last().map(&key);
            page = entries.into_iter();
        }
    })
}
