//! A run of an extension: why it ran, how it ended, and what it put out.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// A run of an extension, as the history keeps it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// The path of the script.
    pub extension: String,
    /// Its begin, to milliseconds.
    pub began: SystemTime,
    /// Its end.
    pub ended: SystemTime,
    /// Why it ran.
    pub cause: Cause,
    /// How it ended.
    pub ending: Ending,
    /// Its output: each message with a line break after it.
    pub output: String,
    /// Notes of the host about it.
    pub notes: Vec<String>,
}

/// Why an extension runs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// Its timetable.
    Timetable,
    /// An event, which the script has as `trigger_event`.
    Event(std::sync::Arc<Value>),
    /// Somebody ran it by hand, perhaps with an event.
    Hand(Option<std::sync::Arc<Value>>),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// At the end of the script.
    Ok,
    /// By an error of the script, with its line.
    Error(String),
    /// By a limit, or by the end of the host.
    Stopped(String),
    /// It did not begin.
    Skipped(String),
}

impl Cause {
    /// Returns the event that the script has as `trigger_event`.
    pub fn event(&self) -> Option<&Value> {
        match self {
            Self::Timetable => None,
            Self::Event(event) => Some(event),
            Self::Hand(event) => event.as_deref(),
        }
    }

    /// Returns its name in the history: `cron`, `event` or `hand`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Timetable => "cron",
            Self::Event(_) => "event",
            Self::Hand(_) => "hand",
        }
    }
}

impl Ending {
    /// Returns its name in the history: `ok`, `error`, `stopped` or `skipped`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error(_) => "error",
            Self::Stopped(_) => "stopped",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Returns the reason, if there is something to say.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Error(reason) | Self::Stopped(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

impl Run {
    /// Makes a run that did not begin.
    pub(crate) fn skipped(extension: &str, cause: Cause, now: SystemTime, reason: impl Into<String>) -> Self {
        let ending = Ending::Skipped(reason.into());
        Self { extension: extension.to_owned(), began: now, ended: now, cause, ending, output: String::new(), notes: Vec::new() }
    }

    /// Makes a run that goes on while the host ends.
    pub(crate) fn stopped(extension: &str, cause: Cause, began: SystemTime, reason: &str) -> Self {
        Self { ending: Ending::Stopped(reason.to_owned()), began, ..Self::skipped(extension, cause, SystemTime::now(), "") }
    }

    /// Returns the run as a JSON object, a line of the history.
    ///
    /// | member | |
    /// | --- | --- |
    /// | `extension` | the path of the script |
    /// | `began`, `ended` | times, such as `2026-11-30T14:05:00.123Z` |
    /// | `trigger` | `cron`, `event` or `hand` |
    /// | `event` | the event, if there is one |
    /// | `result` | `ok`, `error`, `stopped` or `skipped` |
    /// | `reason` | a text, unless the result is `ok` |
    /// | `output` | a text |
    /// | `notes` | a list of texts |
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        put("extension", json!(self.extension));
        put("began", json!(written(self.began)));
        put("ended", json!(written(self.ended)));
        put("trigger", json!(self.cause.name()));
        if let Some(event) = self.cause.event() {
            put("event", event.clone());
        }
        put("result", json!(self.ending.name()));
        if let Some(reason) = self.ending.reason() {
            put("reason", json!(reason));
        }
        put("output", json!(self.output));
        put("notes", json!(self.notes));
        Value::Object(object)
    }

    /// Reads a line of the history; `None` if it is not one.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let event = || value.get("event").cloned().map(std::sync::Arc::new);
        let reason = || text("reason").unwrap_or_default();
        Some(Self {
            extension: text("extension")?,
            began: read(&text("began")?)?,
            ended: read(&text("ended")?)?,
            cause: match text("trigger")?.as_str() {
                "cron" => Cause::Timetable,
                "event" => Cause::Event(event()?),
                "hand" => Cause::Hand(event()),
                _ => return None,
            },
            ending: match text("result")?.as_str() {
                "ok" => Ending::Ok,
                "error" => Ending::Error(reason()),
                "stopped" => Ending::Stopped(reason()),
                "skipped" => Ending::Skipped(reason()),
                _ => return None,
            },
            output: text("output")?,
            notes: value.get("notes")?.as_array()?.iter().filter_map(|note| note.as_str().map(str::to_owned)).collect(),
        })
    }
}

/// Returns a time as the history has it.
pub fn written(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn read(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let event = Arc::new(json!({"type": "release", "uid": 2}));
        let causes = [Cause::Timetable, Cause::Event(Arc::clone(&event)), Cause::Hand(None), Cause::Hand(Some(event))];
        let endings =
            [Ending::Ok, Ending::Error("a.lua:3: x".to_owned()), Ending::Stopped("y".to_owned()), Ending::Skipped("z".to_owned())];
        for (cause, ending) in causes.into_iter().zip(endings) {
            let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_512_345_678);
            let run = Run {
                extension: "a.lua".to_owned(),
                began,
                ended: began + Duration::from_secs(2),
                cause,
                ending,
                output: "one\ntwo\n".to_owned(),
                notes: vec!["cut".to_owned()],
            };
            let line = run.to_json().to_string();
            assert!(!line.contains('\n'));
            assert_eq!(Run::from_json(&serde_json::from_str(&line).unwrap()), Some(run));
        }
        assert_eq!(Run::from_json(&json!({"extension": "a.lua"})), None);
    }
}
