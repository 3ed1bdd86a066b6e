//! The databases that the rules name, and the one of the host itself.

use crate::sql::{Address, Databases, Query, Rows};
use secrule::internals::graph::{OWN_DATABASE, Settings};
use std::fmt;
use std::path::PathBuf;

/// The file of that database in the folder of `SecDataDir`, if no directive names another.
const OWN_FILE: &str = "extensions.db";

/// Answers the queries of scripts.
pub trait Queries: Send + Sync + fmt::Debug {
    /// Runs a query and returns its rows, or a text that says why there are none.
    fn query(&self, destination: &str, query: &Query) -> Result<Rows, String>;
}

impl Queries for Databases {
    fn query(&self, destination: &str, query: &Query) -> Result<Rows, String> {
        Self::query(self, destination, query)
    }
}

/// Returns the databases of `sql_query`. Nothing is opened.
///
/// # Errors
/// The first address that cannot be used, without its password, and what to write.
pub fn databases(settings: &Settings) -> Result<Databases, String> {
    let mut databases = own_file(settings)?.map_or_else(Databases::none, Databases::new);
    for (name, address) in &settings.worlds.databases {
        let parsed = Address::parse(&address.node).map_err(|error| format!("SecExtensionDatabase {name}: {error}"))?;
        databases.add(name, parsed).map_err(|problem| format!("SecExtensionDatabase {name}: {problem}"))?;
    }
    Ok(databases)
}

/// Checks the addresses that `SecExtensionDatabase` names, as a host does when it starts.
///
/// # Errors
/// The first address that cannot be used, without its password, and what to write.
pub fn check(settings: &Settings) -> Result<(), String> {
    databases(settings).map(drop)
}

/// Returns the file that the host fills with its events: the embedded database with the name `log_server`, or else one in the folder of `SecDataDir`.
/// `None` if there is neither, or `log_server` is a PostgreSQL.
///
/// # Errors
/// As [`databases`].
pub fn own_file(settings: &Settings) -> Result<Option<PathBuf>, String> {
    let named = settings.worlds.databases.iter().rev().find(|(name, _)| **name == *OWN_DATABASE);
    let Some((name, address)) = named else { return Ok(settings.data_folder.as_ref().map(|folder| folder.join(OWN_FILE))) };
    match Address::parse(&address.node).map_err(|error| format!("SecExtensionDatabase {name}: {error}"))? {
        Address::Embedded(path) => Ok(Some(path)),
        Address::Postgres(_) => Ok(None),
    }
}
