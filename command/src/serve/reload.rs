//! The rules of a proxy, and what replaces them and certificates while it runs.

use crate::rules::{Replaced, RuleOptions, unloadable};
use crate::{Failure, note};
use secrule::internals::compile::Input;
use secrule::{Waf, WafBuilder};
use secrule_serve::{Counters, Metrics, ServeError, Sites, SitesHandle, TlsFiles, Upstream};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::Signal;
use tokio::time::sleep;

/// Time between two looks at the files. A file that is being written may load in halves; the next look finds the rest.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Rules as the command line names them.
pub struct Rules<'o> {
    pub options: &'o RuleOptions,
    pub detect_only: bool,
    /// Minimum number of rules of each site.
    pub min_rules: usize,
    /// Counts loads that fail.
    pub metrics: Option<Arc<Metrics>>,
}

impl Rules<'_> {
    /// Collects the rules, and returns what reads their files.
    pub fn collect(&self) -> Result<(WafBuilder, Replaced), Failure> {
        let (builder, loader) = self.options.collect()?;
        let mode = Input::Text { name: "--detect-only".to_owned(), text: "SecRuleEngine DetectionOnly\n".to_owned() };
        Ok((if self.detect_only { builder.input(mode) } else { builder }, loader))
    }

    /// Collects the rules of a proxy with one site, which are refused if they are fewer than expected.
    pub fn collect_expected(&self) -> Result<(WafBuilder, Replaced), Failure> {
        let (builder, loader) = self.collect()?;
        Ok((builder.expect_rules(self.min_rules), loader))
    }

    /// Counts a load that failed before the engine was told of it, and shows it on the admin page.
    pub fn note_failed_load(&self, failure: &Failure) {
        if let (Some(metrics), Failure::Reason(reason)) = (&self.metrics, failure) {
            metrics.note_failed_load(reason);
        }
    }
}

/// Returns the number of rules.
pub fn count(waf: &Waf) -> usize {
    waf.report().rules
}

/// Something that is loaded of files, and can be loaded again while the proxy runs.
pub trait Reload {
    /// Name in messages.
    const NAME: &'static str;

    /// Returns its files, and names that are not files.
    fn files(&self) -> BTreeSet<PathBuf>;

    /// Loads it again, and returns what to tell about that. What does not load changes nothing.
    fn reload(&mut self) -> Result<String, Failure>;
}

/// The rules of a proxy with one site.
pub struct LiveRules<'o> {
    pub rules: &'o Rules<'o>,
    pub waf: Waf,
}

impl Reload for LiveRules<'_> {
    const NAME: &'static str = "rules";

    fn files(&self) -> BTreeSet<PathBuf> {
        self.waf.report().sources.iter().map(|source| PathBuf::from(&*source.name)).collect()
    }

    fn reload(&mut self) -> Result<String, Failure> {
        let (builder, loader) = self.rules.collect_expected().inspect_err(|failure| self.rules.note_failed_load(failure))?;
        self.waf.reload_with(builder, &loader).map_err(|error| unloadable(&error))?;
        let number = count(&self.waf);
        Ok(format!("{} {} loaded again", super::numbered(number, "rule"), if number == 1 { "was" } else { "were" }))
    }
}

/// The certificate of a proxy with one site.
pub struct LiveCertificate {
    pub tls: TlsFiles,
    pub handle: SitesHandle,
    pub waf: Waf,
    pub upstream: Option<Upstream>,
    /// Counts loads.
    pub counters: Arc<Counters>,
}

impl LiveCertificate {
    fn replace(&self) -> Result<(), ServeError> {
        let sites = Sites::one(self.waf.clone(), self.upstream.clone(), Some(&self.tls))?;
        sites.warnings().iter().for_each(|warning| super::warn(warning));
        self.handle.replace(sites)
    }
}

impl Reload for LiveCertificate {
    const NAME: &'static str = "certificate";

    fn files(&self) -> BTreeSet<PathBuf> {
        [self.tls.certificate.clone(), self.tls.key.clone()].into()
    }

    fn reload(&mut self) -> Result<String, Failure> {
        let replaced = self.replace();
        self.counters.note_certificate(replaced.is_ok());
        replaced.map_err(|error| Failure::Reason(error.to_string()))?;
        Ok("the certificate was loaded again".to_owned())
    }
}

/// Loads something again when its files change, and when a signal comes. `loaded` is the time before it was loaded first. It does not end.
pub async fn follow<R: Reload>(mut live: R, loaded: SystemTime, mut hangups: Signal) {
    let mut known = times_since(live.files(), loaded);
    loop {
        let is_asked = tokio::select! {
            _ = hangups.recv() => true,
            () = sleep(LOOK_INTERVAL) => false,
        };
        if !is_asked && times(known.iter().map(|(path, _)| path.clone())) == known {
            continue;
        }
        let loaded = SystemTime::now();
        match live.reload() {
            Ok(done) => note(&format!("secrule: {done}")),
            Err(Failure::Reason(reason)) => {
                let stay = if R::NAME.ends_with('s') { "stay" } else { "stays" };
                note(&format!("secrule: the earlier {} {stay}: {reason}", R::NAME));
            }
            Err(Failure::Closed) => {}
        }
        // After a failure, until they change again.
        known = times_since(live.files(), loaded);
    }
}

/// Time by which the system's stamp of a change may be too early: it is that of the last tick of its clock.
const STAMP_LAG: Duration = Duration::from_millis(20);

type Times = Vec<(PathBuf, Option<SystemTime>)>;

/// Returns files that were loaded from a time on, with the times of their last changes. One that has changed since may have been read before or after
/// that, so that it counts as not known.
fn times_since(files: BTreeSet<PathBuf>, loaded: SystemTime) -> Times {
    let mut files = times(files.into_iter());
    let (start, now) = (loaded.checked_sub(STAMP_LAG).unwrap_or(loaded), SystemTime::now());
    for (_, time) in &mut files {
        *time = time.filter(|time| !(start..=now).contains(time));
    }
    files
}

fn times(paths: impl Iterator<Item = PathBuf>) -> Times {
    // The rules that are built in have no file, and never change.
    let with_time = |path: PathBuf| {
        let changed = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
        (path, changed)
    };
    paths.map(with_time).collect()
}
