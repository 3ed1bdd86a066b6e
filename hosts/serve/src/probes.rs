//! Metrics and readiness of a server, for programs that watch it.

use crate::questions::Counts;
use crate::{Counters, Stopper};
use secrule::Waf;
use secrule_metrics::{Format, Metrics};
use std::fmt;
use std::sync::Arc;

/// Numbers and the state of a server, for programs that watch it.
#[derive(Clone)]
pub struct Probes {
    /// The rules, also after a reload: those that all sites extend, if there are several.
    pub waf: Waf,
    /// An observer of the rules.
    pub metrics: Arc<Metrics>,
    /// The numbers of the server.
    pub counters: Arc<Counters>,
    /// The numbers of questions of other proxies.
    pub questions: Arc<Counts>,
    /// Ends the server: it is not ready from then on.
    pub stopper: Stopper,
}

/// The state of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// `true` if requests should be sent to it: there are rules, and it was not told to end.
    pub ready: bool,
    /// The number of rules.
    pub rules: usize,
    /// Their [fingerprint](secrule::LoadReport::fingerprint).
    pub fingerprint: String,
}

impl Probes {
    /// Returns all metrics in a format.
    pub fn text(&self, format: Format) -> String {
        let mut exposition = self.metrics.exposition(format);
        self.metrics.write(&self.waf, &mut exposition);
        self.counters.write(&mut exposition);
        self.questions.write(&mut exposition);
        exposition.end()
    }

    /// Returns the state of the server.
    pub fn readiness(&self) -> Readiness {
        let report = self.waf.report();
        let ready = report.rules > 0 && !self.stopper.is_stopped();
        Readiness { ready, rules: report.rules, fingerprint: report.fingerprint().to_owned() }
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").finish_non_exhaustive()
    }
}
