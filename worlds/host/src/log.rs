//! The log of scripts: what they say, and what the host says of them.

use super::rate::Rate;
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Number of lines that stay for the status.
const KEPT: usize = 1_000;

/// The tag of lines by the host itself.
const SYSTEM: &str = "system";

/// Maximum lengths of a tag and of a message, in bytes.
const MAX_TAG: usize = 32;
const MAX_MESSAGE: usize = 4 << 10;

/// Number of lines that wait to be written.
const MAX_WAITING: usize = 4_096;

/// Maximum wait for the last lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

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
    /// Its text, in one line.
    pub message: Box<str>,
}

/// The log of all scripts of a host. A thread writes it, because what it is written to may stop: no script and no request waits for that.
pub struct ScriptLog {
    lines_a_second: usize,
    state: Mutex<State>,
}

struct State {
    writer: Option<SyncSender<Entry>>,
    /// Number of lines that found the writer too slow.
    unwritten: u64,
    kept: VecDeque<LogLine>,
    rates: HashMap<ScriptName, Rates>,
}

/// Something for the writer.
enum Entry {
    Line(LogLine),
    /// Asks for a sign when all lines before it are written.
    Mark(SyncSender<()>),
}

/// The rates of a script: of its own lines, and of those about it.
struct Rates {
    own: Rate,
    system: Rate,
}

impl ScriptLog {
    /// A log that is written to a sink, with at most this number of lines of each script in a second, and as many about it.
    pub fn new(sink: Box<dyn Write + Send>, lines_a_second: usize) -> Self {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        // Without a thread nothing can be written; the status still has the last lines, and the host cannot start its own threads either.
        let started = thread::Builder::new().name("secrule-log".to_owned()).spawn(move || write_all(sink, &receiver));
        let writer = started.ok().map(|_| sender);
        Self { lines_a_second, state: Mutex::new(State { writer, unwritten: 0, kept: VecDeque::new(), rates: HashMap::new() }) }
    }

    /// Writes a line of a script. Beyond its rate it is dropped; the number of those is reported once a second.
    ///
    /// # Errors
    /// If the tag or the message is empty, the tag is the host's, or it is longer than 32 bytes.
    pub fn write(&self, script: &ScriptName, tag: &str, message: &str) -> Result<(), String> {
        match tag {
            "" => return Err("the tag of a log line is empty".to_owned()),
            SYSTEM => return Err(format!("the tag `{SYSTEM}` is the host's: take another")),
            _ if tag.len() > MAX_TAG => return Err(format!("the tag of a log line has more than {MAX_TAG} bytes")),
            _ if message.is_empty() => return Err("the message of a log line is empty".to_owned()),
            _ => {}
        }
        self.add(script, tag, message, |rates| &mut rates.own);
        Ok(())
    }

    /// Writes a line about a script, with a rate of its own.
    pub fn write_system(&self, script: &ScriptName, message: &str) {
        self.add(script, SYSTEM, message, |rates| &mut rates.system);
    }

    /// Reports the lines that were dropped in the last second: a script that is quiet after a flood does not do it.
    pub(crate) fn report_dropped(&self) {
        let (mut state, now) = (self.lock(), Instant::now());
        let dropped = |(script, rates): (&ScriptName, &mut Rates)| {
            let (own, system) = (rates.own.ended(now).unwrap_or(0), rates.system.ended(now).unwrap_or(0));
            Some((Arc::clone(script), own.saturating_add(system))).filter(|(_, dropped)| *dropped > 0)
        };
        let dropped: Vec<_> = state.rates.iter_mut().filter_map(dropped).collect();
        dropped.iter().for_each(|(script, dropped)| state.add(script, SYSTEM, &self.report(*dropped)));
    }

    /// Returns the last lines, the oldest first.
    pub fn last(&self, count: usize) -> Vec<LogLine> {
        let state = self.lock();
        state.kept.iter().skip(state.kept.len().saturating_sub(count)).cloned().collect()
    }

    /// Waits until all lines so far are written, but not long.
    pub fn flush(&self) {
        let Some(writer) = self.lock().writer.clone() else { return };
        let (sender, receiver) = sync_channel(1);
        if writer.try_send(Entry::Mark(sender)).is_ok() {
            // What is written to may have stopped.
            let _ = receiver.recv_timeout(FLUSH_LIMIT);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, script: &ScriptName, tag: &str, message: &str, rate: impl FnOnce(&mut Rates) -> &mut Rate) {
        let mut state = self.lock();
        let new = || Rates { own: Rate::new(self.lines_a_second), system: Rate::new(self.lines_a_second) };
        let rates = state.rates.entry(Arc::clone(script)).or_insert_with(new);
        let (may, dropped) = rate(rates).count(Instant::now());
        if let Some(dropped) = dropped {
            state.add(script, SYSTEM, &self.report(dropped));
        }
        if may {
            state.add(script, tag, message);
        }
    }

    fn report(&self, dropped: u64) -> String {
        format!("{dropped} log lines were dropped, because there were more than {} in a second", self.lines_a_second)
    }
}

impl State {
    fn add(&mut self, script: &ScriptName, tag: &str, message: &str) {
        if self.unwritten > 0 {
            let report = format!("{} log lines were not written, because what the log is written to was too slow", self.unwritten);
            if self.put(line(script, SYSTEM, &report)) {
                self.unwritten = 0;
            }
        }
        if !self.put(line(script, tag, message)) {
            self.unwritten = self.unwritten.saturating_add(1);
        }
    }

    /// Keeps a line, and gives it to the writer. Returns `false` if that has too many.
    fn put(&mut self, line: LogLine) -> bool {
        let is_written = self.writer.as_ref().is_some_and(|writer| writer.try_send(Entry::Line(line.clone())).is_ok());
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line);
        is_written
    }
}

impl Drop for ScriptLog {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes what comes, until the log is dropped.
fn write_all(mut sink: Box<dyn Write + Send>, entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            // A log that cannot be written must not stop scripts; the status still has its last lines.
            Entry::Line(line) => drop(writeln!(sink, "{line}").and_then(|()| sink.flush())),
            Entry::Mark(sender) => drop(sender.send(())),
        }
    }
}

fn line(script: &ScriptName, tag: &str, message: &str) -> LogLine {
    LogLine { time: SystemTime::now(), script: Arc::clone(script), tag: one_line(tag).into(), message: one_line(message).into() }
}

/// Returns a text without what would end a line or disturb a terminal, cut at its longest.
fn one_line(text: &str) -> String {
    let end = text.char_indices().map(|(at, sign)| at + sign.len_utf8()).take_while(|end| *end <= MAX_MESSAGE).last().unwrap_or(0);
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
        assert!(line.message.len() <= MAX_MESSAGE && !line.message.contains('\n'));
        assert!(line.to_string().contains(" a.lua [a] ü ü "));
    }

    /// Output of a log, which stops until the other end of a channel says more.
    struct Stopping(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stopping {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_sink_that_stops_stops_nobody_and_lines_that_are_lost_are_counted() {
        let (go, stopped) = sync_channel(0);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = ScriptLog::new(Box::new(Stopping(stopped, Arc::clone(&written))), usize::MAX);
        let script: ScriptName = "a.lua".into();
        // One is being written.
        (0..MAX_WAITING + 11).for_each(|_| log.write(&script, "a", "x").unwrap());
        drop(go);
        std::thread::sleep(Duration::from_millis(200));
        log.write(&script, "a", "last").unwrap();
        log.flush();
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lost = written.lines().find_map(|line| line.split_once("[system] ")?.1.split_once(" log lines were not written")).unwrap().0;
        assert!((9..=11).contains(&lost.parse::<usize>().unwrap()) && written.ends_with("a.lua [a] last\n"), "{lost}");
    }

    #[test]
    fn lines_about_a_script_have_a_rate_of_their_own() {
        let (log, script) = log(5);
        (0..100).for_each(|_| log.write_system(&script, "it failed"));
        log.write(&script, "a", "x").unwrap();
        assert_eq!(log.last(100).len(), 6);
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
        log.report_dropped();
        assert_eq!(&*log.last(1)[0].tag, "flood", "the second has not ended");
        std::thread::sleep(std::time::Duration::from_millis(1_050));
        (0..2).for_each(|_| log.report_dropped());
        let lines = log.last(2);
        assert_eq!((&*lines[0].tag, &*lines[1].tag), ("flood", "system"));
    }
}
