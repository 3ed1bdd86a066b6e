//! The rules of a proxy, and those that replace them while it runs.

use crate::rules::{Replaced, RuleOptions, unloadable};
use crate::{Failure, note};
use secrule::internals::compile::Input;
use secrule::{Waf, WafBuilder};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// Time between two looks at the rule files. A file that is being written may load in halves; the next look finds the rest.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Rules as the command line names them.
pub struct Rules<'o> {
    pub options: &'o RuleOptions,
    pub detect_only: bool,
    /// The least number of rules.
    pub expected: usize,
}

impl Rules<'_> {
    /// Collects the rules, and returns what reads their files.
    pub fn collect(&self) -> Result<(WafBuilder, Replaced), Failure> {
        let (builder, loader) = self.options.collect()?;
        let mode = Input::Text { name: "--detect-only".to_owned(), text: "SecRuleEngine DetectionOnly\n".to_owned() };
        Ok((if self.detect_only { builder.input(mode) } else { builder }, loader))
    }

    /// Refuses rules that are fewer than expected.
    pub fn check(&self, waf: &Waf) -> Result<(), Failure> {
        let count = count(waf);
        if count < self.expected {
            let expected = self.expected;
            return Err(Failure::Reason(format!(
                "there are {count} rules, and --expect-rules {expected}: see `secrule check` for what was loaded"
            )));
        }
        Ok(())
    }

    fn reload(&self, waf: &Waf) -> Result<(), Failure> {
        if self.expected > 0 {
            let (builder, loader) = self.collect()?;
            // Tried beside the rules that hold, without their logs and their store.
            let tried = builder.without_logs().without_store().build_with(&loader).map_err(|error| unloadable(&error))?;
            self.check(&tried)?;
        }
        let (builder, loader) = self.collect()?;
        waf.reload_with(builder, &loader).map_err(|error| unloadable(&error))
    }
}

/// Returns the number of rules.
pub fn count(waf: &Waf) -> usize {
    waf.report().rules
}

/// Loads rules again when their files change, and on SIGHUP. `loaded` is the time before they were loaded first. It does not end.
pub async fn follow(rules: &Rules<'_>, waf: &Waf, loaded: SystemTime) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return std::future::pending().await };
    let mut known = files(waf, loaded);
    loop {
        let is_asked = tokio::select! {
            _ = hangups.recv() => true,
            () = sleep(LOOK_INTERVAL) => false,
        };
        let now = times(known.iter().map(|(path, _)| path.clone()));
        if !is_asked && now == known {
            continue;
        }
        let loaded = SystemTime::now();
        match rules.reload(waf) {
            Ok(()) => {
                known = files(waf, loaded);
                note(&format!("secrule: {} rules were loaded again", count(waf)));
            }
            Err(Failure::Reason(reason)) => {
                // Until they change again.
                known = now;
                note(&format!("secrule: the earlier rules stay: {reason}"));
            }
            Err(Failure::Closed) => {}
        }
    }
}

type Times = Vec<(PathBuf, Option<SystemTime>)>;

/// Returns the files of the rules that were loaded from a time on, with the times of their last changes. One that has changed since may have been read
/// before or after that, so that it counts as not known.
fn files(waf: &Waf, loaded: SystemTime) -> Times {
    let mut files = times(waf.report().sources.iter().map(|source| PathBuf::from(&*source.name)));
    let now = SystemTime::now();
    for (_, time) in &mut files {
        *time = time.filter(|time| !(loaded..=now).contains(time));
    }
    files
}

fn times(paths: impl Iterator<Item = PathBuf>) -> Times {
    // What is not a file, such as the rules that are built in, never changes.
    let with_time = |path: PathBuf| {
        let changed = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
        (path, changed)
    };
    paths.map(with_time).collect()
}
