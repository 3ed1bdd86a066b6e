//! The admin listener: a page for the operator, and the JSON that it shows, at an address of its own.
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `server` | an address → a small server on it: few connections, short heads, short bodies |
//! | `access` | the head of a request → allowed, or why not: `Host`, `Origin`, the token |
//! | `router` | a method and a path → the answer |
//! | `answers` | text, JSON, files of the page → responses that no page may frame, guess or keep |
//! | `page/` | what the browser gets: the document, its style and its script |
//! | `views` | rules, bans, metrics → JSON |
//! | `events` | exchanges in which rules matched → the last of them |
//!
//! A browser sends the token in the `Authorization` header, never as a cookie: cookies of `127.0.0.1` go to every port of the machine, and with each
//! request that another page causes.

mod access;
mod answers;
mod events;
mod router;
mod server;
mod views;

pub use events::{EventMatch, EventValue, RecentEvent, RecentEvents};
pub use server::AdminServer;

use secrule::Waf;
use secrule_metrics::Metrics;
use serde_json::Value;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Address and token of an admin page.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// The address. One that is not loopback needs a token file.
    pub address: SocketAddr,
    /// A file whose text is the token. Without it, a token is made for each start.
    pub token_file: Option<PathBuf>,
}

/// Sources of an admin page: rule sets, events, metrics, scripts.
///
/// ```
/// use secrule::{Observer, Waf};
/// use secrule_serve::{Admin, Metrics, RecentEvents};
/// use std::sync::Arc;
///
/// let (events, metrics) = (Arc::new(RecentEvents::default()), Arc::new(Metrics::default()));
/// let observers: Vec<Arc<dyn Observer>> = vec![events.clone(), metrics.clone()];
/// let waf = Waf::builder().starter_rules().observer(Arc::new(observers)).build()?;
/// let admin = Admin::new(waf, events, metrics);
/// # drop(admin);
/// # Ok::<(), secrule::LoadError>(())
/// ```
#[derive(Clone)]
pub struct Admin {
    rule_sets: Arc<RuleSets>,
    events: Arc<RecentEvents>,
    metrics: Arc<Metrics>,
    scripts: Option<Arc<dyn Scripts>>,
}

/// Returns the rule sets that are in force, with their names.
type RuleSets = dyn Fn() -> Vec<(String, Waf)> + Send + Sync;

impl Admin {
    /// Shows a rule set, also after a reload, and what two observers of it collect.
    pub fn new(waf: Waf, events: Arc<RecentEvents>, metrics: Arc<Metrics>) -> Self {
        Self { rule_sets: Arc::new(move || vec![(String::new(), waf.clone())]), events, metrics, scripts: None }
    }

    /// Shows several rule sets with their names, such as those of sites, instead of the one. It asks again at each look.
    #[must_use]
    pub fn rule_sets(mut self, rule_sets: impl Fn() -> Vec<(String, Waf)> + Send + Sync + 'static) -> Self {
        self.rule_sets = Arc::new(rule_sets);
        self
    }

    /// Shows plugins and extensions beside the rules, if this program runs or reaches any.
    #[must_use]
    pub fn scripts(mut self, scripts: Option<Arc<dyn Scripts>>) -> Self {
        self.scripts = scripts;
        self
    }
}

/// Plugins and extensions, as an admin page shows them. Its methods may wait; they are called where that is allowed.
pub trait Scripts: Send + Sync {
    /// Returns the host and its plugins as a JSON object: `problem` if the host cannot be asked, or `scripts` and `log`.
    fn plugins(&self) -> Value;

    /// Returns the extensions as a JSON object: `extensions`, `runs` and `running`.
    fn extensions(&self) -> Value;

    /// Starts a run of an extension, and does not wait for its end.
    ///
    /// # Errors
    /// If there is no such extension, or another one runs.
    fn run(&self, extension: &str) -> Result<(), String>;
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}
