//! Settings of scripts that run beside requests: plugins and extensions.

use crate::script::Script;
use crate::source::{Span, Spanned};
use std::fmt;
use std::path::PathBuf;

/// The values of `SecPlugin`, `SecSessionCookie`, `SecExtension`, `SecExtensionDatabase`, `SecAlarm` and `SecScriptConnect`.
#[derive(Clone, Debug, Default)]
pub struct Worlds {
    /// The first `SecPlugin` or `SecExtension`.
    pub named_at: Option<Span>,
    /// `SecPlugin`: the scripts, in the order of the files.
    pub plugins: Vec<Script>,
    /// `SecSessionCookie`: names of cookies and arguments that hold a session.
    pub session_names: Vec<Box<str>>,
    /// `SecExtension`, in the order of the files.
    pub extensions: Vec<Extension>,
    /// `SecExtensionDatabase`: names, and addresses such as `embedded:/var/lib/waf/events.db`.
    pub databases: Vec<(Box<str>, Spanned<Box<str>>)>,
    /// `SecAlarm`: `log`, or an https address.
    pub alarms: Vec<Box<str>>,
    /// `SecScriptConnect`: hosts and networks that scripts may connect to, each with a port or without.
    pub connects: Vec<Spanned<Box<str>>>,
}

/// An extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its script.
    pub script: Script,
    /// When it runs.
    pub trigger: Trigger,
    /// `false` if it runs only by hand.
    pub is_on: bool,
}

impl Extension {
    /// Returns `true` if it runs on events of a type.
    pub fn runs_on(&self, event: &str) -> bool {
        self.is_on && self.trigger.takes(event)
    }
}

/// The times at which an extension runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `cron:`: minute, hour, day, month and weekday, as in a crontab.
    Timetable(Box<str>),
    /// `event:`: types of events.
    Events(Vec<Box<str>>),
}

/// `SecExtensionHistory`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryFile {
    /// Its path.
    pub path: PathBuf,
    /// The number of runs that are kept of each extension.
    pub runs: u32,
    /// The number of days for which runs are kept.
    pub days: u32,
}

/// `SecExtensionScore`: keys of TX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreNames {
    /// The sum of the scores of a request.
    pub score: Box<str>,
    /// The sum from which requests are stopped.
    pub threshold: Box<str>,
}

/// Type of the events that the engine makes: requests whose score reaches the threshold.
pub const WAF_EVENT: &str = "waf_event";

/// Name of the database that the script host fills.
pub const OWN_DATABASE: &str = "log_server";

/// Keys of the sums in version 4 of the OWASP CRS and in the starter rules, and in version 3.
pub const KNOWN_SCORES: [(&str, &str); 3] = [
    ("blocking_inbound_anomaly_score", "inbound_anomaly_score_threshold"),
    ("anomaly_score", "inbound_anomaly_score_threshold"),
    ("inbound_anomaly_score", "inbound_anomaly_score_threshold"),
];

/// Returns the name of a type of events, as the field `type` has it: the published documents name two of them in two ways.
pub fn event_type(name: &str) -> &str {
    match name {
        "nodes_offline" => "node_offline",
        "nodes_online" => "node_online",
        other => other,
    }
}

/// As `SecExtension` takes it, without quotation marks.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timetable(text) => write!(f, "cron:{text}"),
            Self::Events(types) => write!(f, "event:{}", types.join(",")),
        }
    }
}

impl Trigger {
    /// Returns `true` for the events of a type, by either of its names.
    pub fn takes(&self, kind: &str) -> bool {
        let kind = event_type(kind);
        matches!(self, Self::Events(types) if types.iter().any(|own| **own == *kind))
    }
}

impl Worlds {
    /// Adds the values of a later load.
    pub fn append(&mut self, mut later: Worlds) {
        self.named_at = self.named_at.or(later.named_at);
        later.plugins.into_iter().for_each(|script| self.add_plugin(script));
        self.session_names.append(&mut later.session_names);
        later.extensions.into_iter().for_each(|extension| self.add_extension(extension));
        self.databases.append(&mut later.databases);
        self.alarms.append(&mut later.alarms);
        self.connects.append(&mut later.connects);
    }

    /// Adds a plugin. A file that is named twice is one plugin: it would count every request twice.
    pub fn add_plugin(&mut self, script: Script) {
        if !self.plugins.iter().any(|known| known.name() == script.name()) {
            self.plugins.push(script);
        }
    }

    /// Adds an extension. A file that is named twice with the same trigger is one: it would run twice at once. The later name says if it is on.
    pub fn add_extension(&mut self, extension: Extension) {
        let is_same = |known: &&mut Extension| known.script.name() == extension.script.name() && known.trigger == extension.trigger;
        match self.extensions.iter_mut().find(is_same) {
            Some(known) => known.is_on = extension.is_on,
            None => self.extensions.push(extension),
        }
    }

    /// Returns `true` if there are scripts for the script host.
    pub fn have_scripts(&self) -> bool {
        !self.plugins.is_empty() || !self.extensions.is_empty()
    }

    /// Returns `true` if the script host needs the records of exchanges: for plugins, for an extension that runs on events of the engine, or because it
    /// fills a database of its own for extensions. That is named, or it is in the folder of `SecDataDir`.
    pub fn need_records(&self, has_data_folder: bool) -> bool {
        let named = self.databases.iter().rev().find(|(name, _)| **name == *OWN_DATABASE);
        let has_database = named.map_or(has_data_folder, |(_, address)| address.node.starts_with("embedded:"));
        !self.plugins.is_empty() || self.extensions.iter().any(|extension| has_database || extension.runs_on(WAF_EVENT))
    }
}
