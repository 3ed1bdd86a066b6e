//! The admin page of a proxy: its options, and what it shows.

use super::metrics::MetricsOptions;
use crate::{Failure, note};
use clap::Args;
use secrule::{Observer, Waf};
use secrule_serve::questions::Counts;
use secrule_serve::{Admin, AdminServer, AdminSettings, Counters, Metrics, Probes, RecentEvents, Scripts, SitesHandle, Stopper};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

const HEADING: &str = "Admin page";

/// Options of the admin page.
#[derive(Args, Debug)]
pub struct AdminOptions {
    /// Show a page for the operator here: what rules found and in which values, the rules, bans and scripts
    ///
    /// The URL that is printed holds a token, which is made for each start. Whoever has it sees parts of requests, may end bans and run extensions. An
    /// address that is not of this machine alone needs --admin-token-file, and speaks HTTP: put TLS in front of it, or reach it by `ssh -L`.
    ///
    /// Programs find metrics at /metrics, the number of rules and their fingerprint at /ready, and a sign of life at /health: on an address of this
    /// machine without the token, elsewhere with `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = HEADING)]
    admin: Option<SocketAddr>,

    /// A file whose text is the token of the admin page, at least 16 letters and digits; it is read at the start
    #[arg(long, value_name = "FILE", requires = "admin", help_heading = HEADING)]
    admin_token_file: Option<PathBuf>,
}

/// Parts of the program that the page and the metrics show.
pub struct Served<'s> {
    /// The rules: those that all sites extend, if there are several.
    pub waf: &'s Waf,
    /// The sites, if there are several.
    pub sites: Option<SitesHandle>,
    pub counters: Arc<Counters>,
    pub questions: Arc<Counts>,
    pub stoppers: &'s [Stopper],
}

/// The admin page that is wanted, if one is.
pub struct Page(Option<Wanted>);

struct Wanted {
    settings: AdminSettings,
    events: Arc<RecentEvents>,
    metrics: Arc<Metrics>,
}

impl Page {
    /// Returns the page that options want.
    pub fn of(options: &AdminOptions, metrics: &MetricsOptions) -> Self {
        let wanted = |address| Wanted {
            settings: AdminSettings { address, token_file: options.admin_token_file.clone() },
            events: Arc::default(),
            metrics: Arc::new(metrics.metrics()),
        };
        Self(options.admin.map(wanted))
    }

    /// Returns the observers of the rules that collect what it shows.
    pub fn observers(&self) -> Vec<Arc<dyn Observer>> {
        let of = |wanted: &Wanted| -> Vec<Arc<dyn Observer>> { vec![wanted.events.clone(), wanted.metrics.clone()] };
        self.0.as_ref().map(of).unwrap_or_default()
    }

    /// Returns the metrics that it shows.
    pub fn metrics(&self) -> Option<Arc<Metrics>> {
        self.0.as_ref().map(|wanted| wanted.metrics.clone())
    }

    /// Opens its socket, and says where it is.
    pub fn bind(&self, served: Served<'_>) -> Result<Option<AdminServer>, Failure> {
        let Served { waf, sites, counters, questions, stoppers } = served;
        let Some(Wanted { settings, events, metrics }) = &self.0 else { return Ok(None) };
        let admin = Admin::new(waf.clone(), events.clone(), metrics.clone()).scripts(scripts(waf));
        let admin = match sites {
            Some(sites) => admin.rule_sets(move || sites.sites().rule_sets()),
            None => admin,
        };
        let server = AdminServer::bind(settings, admin).map_err(|error| Failure::Reason(error.to_string()))?;
        let server = match stoppers.first() {
            Some(stopper) => {
                server.probes(Probes { waf: waf.clone(), metrics: metrics.clone(), counters, questions, stopper: stopper.clone() })
            }
            None => server,
        };
        let hint = settings.token_file.as_ref().map(|path| format!("; its token is in {}", path.display())).unwrap_or_default();
        note(&format!("secrule: the admin page is {}{hint}", server.url()));
        Ok(Some(server))
    }
}

/// Returns the scripts beside the rules, if this build can reach them.
fn scripts(waf: &Waf) -> Option<Arc<dyn Scripts>> {
    #[cfg(feature = "worlds")]
    return Some(Arc::new(super::scripts::RuleScripts::of(waf)));
    #[cfg(not(feature = "worlds"))]
    {
        let _ = waf;
        None
    }
}

/// Serves the page; without one it does not end.
pub async fn run(server: Option<AdminServer>) {
    match server {
        Some(server) => server.run().await,
        None => std::future::pending().await,
    }
}
