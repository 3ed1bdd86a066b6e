//! The databases that the rules name, and the one of the host itself.

use crate::sql::{Address, Databases, Query, Rows};
use secrule::internals::graph::{OWN_DATABASE, Settings};
use std::fmt;
use std::path::{Path, PathBuf};

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
/// `None` if there is neither, `log_server` is a PostgreSQL, or there is no extension that could read it.
///
/// # Errors
/// As [`databases`].
pub fn own_file(settings: &Settings) -> Result<Option<PathBuf>, String> {
    if settings.worlds.extensions.is_empty() {
        return Ok(None);
    }
    let named = settings.worlds.databases.iter().rev().find(|(name, _)| **name == *OWN_DATABASE);
    let Some((name, address)) = named else { return settings.data_folder.as_deref().map(in_folder).transpose() };
    match Address::parse(&address.node).map_err(|error| format!("SecExtensionDatabase {name}: {error}"))? {
        Address::Embedded(path) => Ok(Some(path)),
        Address::Postgres(_) => Ok(None),
    }
}

/// Returns the file of the host's database in the folder of `SecDataDir`. A path that is not from the root on would mean another folder for each host and
/// command, because these run in different ones.
fn in_folder(folder: &Path) -> Result<PathBuf, String> {
    if folder.is_absolute() {
        return Ok(folder.join(OWN_FILE));
    }
    let folder = folder.display();
    Err(format!(
        "SecDataDir {folder}: extensions need a path from the root on for their database; write SecDataDir /var/lib/waf, or SecExtensionDatabase log_server embedded:/var/lib/waf/events.db"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule::Waf;

    fn checked(rules: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("a.lua");
        std::fs::write(&script, "").unwrap();
        let rules = rules.replace("a.lua", &script.display().to_string());
        let waf = Waf::from_rules(&rules).unwrap();
        let graph = waf.graph();
        check(&graph.settings)
    }

    #[test]
    fn a_data_folder_that_is_not_from_the_root_on_is_an_error_for_the_database_of_extensions() {
        let extension = "SecPluginHost unix:/h.sock\nSecExtension a.lua event:x\n";
        let problem = checked(&format!("{extension}SecDataDir data")).unwrap_err();
        assert!(problem.starts_with("SecDataDir data: ") && problem.contains("write SecDataDir /var/lib/waf"), "{problem}");
        for others in [
            "SecDataDir data".to_owned(),
            format!("{extension}SecDataDir /data"),
            format!("{extension}SecDataDir data\nSecExtensionDatabase log_server embedded:/a.db"),
        ] {
            assert_eq!(checked(&others), Ok(()), "{others}");
        }
    }
}
