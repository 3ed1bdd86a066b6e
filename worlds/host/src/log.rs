//! The log of scripts: what they say, and what the host says of them.

use super::rate::Rate;
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// Number of lines that stay for the status.
const KEPT: usize = 1_000;

/// The tag of lines by the host itself.
const SYSTEM: &str = "system";

/// Maximum lengths of a tag and of a message, in bytes.
const LONGEST_TAG: usize = 32;
const LONGEST_MESSAGE: usize = 4 << 10;

/// The name of a script in the log: the path of its file.
pub type ScriptName = Arc<str>;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its time.
    pub time: SystemTime,
    /// The script.
    pub script: ScriptName,
    /// Its tag; `system` if the host wrote it.
    pub tag: Box<str>,
    /// What it says, in one line.
    pub message: Box<str>,
}

/// The log of all scripts of a host.
pub struct ScriptLog {
    lines_a_second: usize,
    state: Mutex<State>,
}

struct State {
    sink: Box<dyn Write + Send>,
    kept: VecDeque<LogLine>,
    rates: HashMap<ScriptName, Rate>,
}

impl ScriptLog {
    /// A log that is written to a sink, with at most this number of lines of each script in a second.
    pub fn new(sink: Box<dyn Write + Send>, lines_a_second: usize) -> Self {
        Self { lines_a_second, state: Mutex::new(State { sink, kept: VecDeque::new(), rates: HashMap::new() }) }
    }

    /// Writes a line of a script. Beyond its rate it is dropped; how many were is told once a second.
    ///
    /// # Errors
    /// If the tag or the message is empty, the tag is the host's, or it is longer than 32 bytes.
    pub fn write(&self, script: &ScriptName, tag: &str, message: &str) -> Result<(), String> {
        match tag {
            "" => return Err("the tag of a log line is empty".to_owned()),
            SYSTEM => return Err(format!("the tag `{SYSTEM}` is the host's: take another")),
            _ if tag.len() > LONGEST_TAG => return Err(format!("the tag of a log line has more than {LONGEST_TAG} bytes")),
            _ if message.is_empty() => return Err("the message of a log line is empty".to_owned()),
            _ => {}
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = state.rates.entry(Arc::clone(script)).or_insert_with(|| Rate::new(self.lines_a_second));
        let (may, beyond) = rate.count(Instant::now());
        if let Some(beyond) = beyond {
            state.add(script, SYSTEM, &self.told(beyond));
        }
        if may {
            state.add(script, tag, message);
        }
        Ok(())
    }

    /// Tells of the lines that were dropped in the last second: a script that is quiet after a flood does not do it.
    pub(crate) fn tell_dropped(&self) {
        let (mut state, now) = (self.state.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let dropped = |(script, rate): (&ScriptName, &mut Rate)| Some((Arc::clone(script), rate.ended(now)?));
        let ended: Vec<_> = state.rates.iter_mut().filter_map(dropped).collect();
        ended.iter().for_each(|(script, beyond)| state.add(script, SYSTEM, &self.told(*beyond)));
    }

    fn told(&self, beyond: u64) -> String {
        format!("{beyond} log lines were dropped, because there were more than {} in a second", self.lines_a_second)
    }

    /// Writes a line about a script. It is not counted.
    pub fn write_system(&self, script: &ScriptName, message: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).add(script, SYSTEM, message);
    }

    /// Returns the last lines, the oldest first.
    pub fn last(&self, count: usize) -> Vec<LogLine> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept.iter().skip(state.kept.len().saturating_sub(count)).cloned().collect()
    }
}

impl State {
    fn add(&mut self, script: &ScriptName, tag: &str, message: &str) {
        let message = one_line(message);
        let line = LogLine { time: SystemTime::now(), script: Arc::clone(script), tag: one_line(tag).into(), message: message.into() };
        // A log that cannot be written must not stop scripts; the status still has its last lines.
        let _ = writeln!(self.sink, "{line}").and_then(|()| self.sink.flush());
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line);
    }
}

/// Returns a text without what would end a line or disturb a terminal, cut at its longest.
fn one_line(text: &str) -> String {
    let end = text.char_indices().map(|(at, sign)| at + sign.len_utf8()).take_while(|end| *end <= LONGEST_MESSAGE).last().unwrap_or(0);
    let kept = text.get(..end).unwrap_or_default();
    kept.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

impl fmt::Display for LogLine {
    /// `2026-11-30T14:05:00.123Z plugins/ban.lua [process] matched`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::<Utc>::from(self.time).to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(f, "{time} {} [{}] {}", self.script, self.tag, self.message)
    }
}

impl fmt::Debug for ScriptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptLog").finish_non_exhaustive()
    }
}

impl Default for ScriptLog {
    /// A log on standard error, with 100 lines of a script in a second.
    fn default() -> Self {
        Self::new(Box::new(io::stderr()), 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(rate: usize) -> (ScriptLog, ScriptName) {
        (ScriptLog::new(Box::new(io::sink()), rate), "a.lua".into())
    }

    #[test]
    fn tags_and_messages_are_checked() {
        let (log, script) = log(10);
        for (tag, message) in [("", "a"), ("a", ""), ("system", "a"), ("a-tag-that-is-longer-than-32-bytes", "a")] {
            assert!(log.write(&script, tag, message).is_err(), "{tag:?} {message:?}");
        }
        log.write(&script, "a", &"ü\n".repeat(3_000)).unwrap();
        let line = log.last(1).pop().unwrap();
        assert!(line.message.len() <= LONGEST_MESSAGE && !line.message.contains('\n'));
        assert!(line.to_string().contains(" a.lua [a] ü ü "));
    }

    #[test]
    fn a_flood_is_cut_and_other_scripts_are_not() {
        let (log, script) = log(5);
        (0..100).for_each(|_| log.write(&script, "flood", "x").unwrap());
        log.write(&"b.lua".into(), "calm", "y").unwrap();
        assert_eq!(log.last(100).len(), 6);
        std::thread::sleep(std::time::Duration::from_millis(1_050));
        log.write(&script, "flood", "x").unwrap();
        let lines = log.last(2);
        assert_eq!((&*lines[0].tag, &*lines[1].tag), ("system", "flood"));
        assert!(lines[0].message.starts_with("95 log lines were dropped"), "{}", lines[0].message);
        (0..10).for_each(|_| log.write(&script, "flood", "x").unwrap());
        log.tell_dropped();
        assert_eq!(&*log.last(1)[0].tag, "flood", "the second has not ended");
        std::thread::sleep(std::time::Duration::from_millis(1_050));
        (0..2).for_each(|_| log.tell_dropped());
        let lines = log.last(2);
        assert_eq!((&*lines[0].tag, &*lines[1].tag), ("flood", "system"));
    }
}
