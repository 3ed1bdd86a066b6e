//! The file of the sites: TOML → what an operator wrote, with the place of each value.

use crate::Failure;
use serde::Deserialize;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Largest file that is read: a thousand sites with a thousand exclusions each are less.
const MAX_BYTES: usize = 64 << 20;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    site: Vec<Spanned<SiteTable>>,
}

/// Makes a table with the changes to rules that sites and paths have.
macro_rules! table_with_changes {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
            detect_only: Option<bool>,
            engine: Option<Engine>,
            #[serde(default)]
            rules: Vec<Spanned<PathBuf>>,
            #[serde(default)]
            remove_rules: Vec<u64>,
            #[serde(default)]
            remove_rules_by_tag: Vec<Spanned<String>>,
            #[serde(default)]
            remove_targets: Vec<RuleTarget>,
        }

        impl $name {
            /// Returns what it changes of the rules that it inherits.
            pub fn changes(&self) -> Changes<'_> {
                let Self { detect_only, engine, rules, remove_rules, remove_rules_by_tag, remove_targets, .. } = self;
                Changes { detect_only: *detect_only, engine: *engine, rules, remove_rules, remove_rules_by_tag, remove_targets }
            }
        }
    };
}

table_with_changes! {
    /// `[[site]]`
    SiteTable {
        #[serde(default)]
        hosts: Vec<Spanned<String>>,
        #[serde(default)]
        default: bool,
        upstream: Spanned<String>,
        tls: Option<TlsTable>,
        #[serde(default)]
        path: Vec<Spanned<PathTable>>,
    }
}

table_with_changes! {
    /// `[[site.path]]`
    PathTable {
        prefix: Spanned<String>,
    }
}

/// `tls = { certificate = "…", key = "…" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsTable {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `{ rule = 942100, target = "ARGS:password" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTarget {
    pub rule: u64,
    pub target: String,
}

/// `engine = "off"`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    On,
    DetectOnly,
    Off,
}

/// Changes to inherited rules.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'t> {
    pub detect_only: Option<bool>,
    pub engine: Option<Engine>,
    pub rules: &'t [Spanned<PathBuf>],
    pub remove_rules: &'t [u64],
    pub remove_rules_by_tag: &'t [Spanned<String>],
    pub remove_targets: &'t [RuleTarget],
}

/// A file of sites that was read.
#[derive(Debug)]
pub struct SitesFile {
    path: PathBuf,
    text: String,
    pub sites: Vec<Spanned<SiteTable>>,
}

impl SitesFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, error))?;
        if text.len() > MAX_BYTES {
            return Err(Failure::unreadable(path, format!("it is larger than {MAX_BYTES} bytes: split it among several servers")));
        }
        let mut file = Self { path: path.to_owned(), text, sites: Vec::new() };
        let table: Table = toml::from_str(&file.text).map_err(|error| file.wrong(error.span().unwrap_or_default(), error.message()))?;
        if table.site.is_empty() {
            return Err(file.wrong(
                0..0,
                "there is no site in it: write [[site]], and below it hosts = [\"shop.example\"] and upstream = \"http://…\"",
            ));
        }
        file.sites = table.site;
        Ok(file)
    }

    /// Returns a file that is named in this one: its name is relative to the folder of this one.
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Makes an error about a place in the file, with its line.
    pub fn wrong(&self, span: Range<usize>, message: impl Display) -> Failure {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
        let number = before.matches('\n').count().saturating_add(1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        Failure::Reason(format!("{}:{number}: {message}\n  {number} | {line}", self.path.display()))
    }

    /// Returns the name of the file.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}
