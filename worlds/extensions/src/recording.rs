//! Fills the host's own database: a row for each request whose score reaches the threshold, and one a minute.

use crate::place::Place;
use crate::rule_set::RuleSet;
use crate::sql::{Action, Minute, Recorder, Retention, System, WafEvent, Waiting};
use crate::waf_event;
use secrule::internals::exchange::AttackRecord;
use secrule_host::{Exchange, ScriptLog, ScriptName};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Number of rows that wait for the thread that writes; more are dropped and counted.
const MAX_WAITING: usize = 4_096;

/// Time between two looks at what waits within the recorder, and between two removals of old rows.
const FLUSH: Duration = Duration::from_secs(1);
const REMOVAL: Duration = Duration::from_secs(60);

/// Maximum wait for the last rows when the host ends.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// Time between two tries to open a database, and between two lines about one that fails.
const PAUSE: Duration = Duration::from_secs(60);

/// The name of the recording in the log.
const OWN_NAME: &str = "extensions";

const SECONDS_OF_MINUTE: u64 = 60;

/// Takes what is to be recorded, and never waits: a thread writes.
#[derive(Debug)]
pub struct Recording {
    rows: Mutex<Option<SyncSender<Row>>>,
    ended: Mutex<Receiver<()>>,
    requests: AtomicU64,
    blocked: AtomicU64,
    /// Rows that found no room on the way to the thread.
    dropped: AtomicU64,
    /// Rows that the thread could not write.
    unwritten: Arc<AtomicU64>,
    /// The minute since 1970 that goes on.
    minute: AtomicU64,
}

#[derive(Debug)]
enum Row {
    Event(Box<WafEvent>),
    Minute { created: SystemTime, node: u64, requests: u64, blocked: u64 },
}

impl Recording {
    /// Starts the thread that writes to a file, which it opens later.
    ///
    /// # Errors
    /// If no thread can start.
    pub fn start(path: PathBuf, log: &Arc<ScriptLog>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let (alive, ended) = channel();
        let unwritten = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            path,
            log: Arc::clone(log),
            recorder: None,
            tried: None,
            waiting: Waiting::default(),
            unwritten: Arc::clone(&unwritten),
            reported: None,
        };
        let work = move || {
            let _alive = alive;
            writer.write_all(&receiver);
        };
        thread::Builder::new().name("secrule-recorder".to_owned()).spawn(work)?;
        let numbers = [(); 4].map(|()| AtomicU64::new(0));
        let [requests, blocked, dropped, minute] = numbers;
        Ok(Self { rows: Mutex::new(Some(sender)), ended: Mutex::new(ended), requests, blocked, dropped, unwritten, minute })
    }

    /// Counts a request for its minute.
    pub fn count(&self, exchange: &Exchange) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.blocked.fetch_add(u64::from(exchange.is_denied), Ordering::Relaxed);
    }

    /// Takes a request whose score reached the threshold.
    pub fn take(&self, exchange: &Exchange, attack: &AttackRecord<'_>, rules: &RuleSet, place: Place) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let worst = attack.matches.iter().find(|found| found.rule == attack.rule);
        self.send(Row::Event(Box::new(WafEvent {
            created: exchange.arrived,
            app_id: number(exchange.site),
            request_id: text(&attack.unique_id),
            remote_addr: waf_event::client(exchange).into_owned(),
            host: exchange.host.to_vec(),
            method: exchange.method.to_vec(),
            uri: exchange.target.to_vec(),
            request: waf_event::request_line(exchange, attack),
            header: waf_event::headers(attack).to_vec(),
            body: attack.request_body.to_vec(),
            status: exchange.status,
            action: if exchange.is_denied { Action::Block } else { Action::Log },
            score: attack.score,
            threshold: attack.threshold,
            rule_id: attack.rule.to_string(),
            rule_set_id: number(rules.number),
            msg: worst.map_or_else(String::new, |worst| text(&worst.message)),
            client_country: place.country,
            client_province: place.province,
            client_city: place.city,
            client_isp: place.provider,
            user_agent: attack.user_agent.to_vec(),
        })));
    }

    /// Ends the minute, if its time has come.
    pub fn tick(&self, now: SystemTime, node: u64) {
        let minute = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / SECONDS_OF_MINUTE;
        let before = self.minute.swap(minute, Ordering::Relaxed);
        // The first one has begun before the host.
        if before != 0 && before != minute {
            let (requests, blocked) = (self.requests.swap(0, Ordering::Relaxed), self.blocked.swap(0, Ordering::Relaxed));
            self.send(Row::Minute { created: now, node, requests, blocked });
        }
    }

    /// Returns the number of rows that were dropped, because the thread that writes is too slow, or the database could not be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.unwritten.load(Ordering::Relaxed)
    }

    /// Ends the thread after the rows that wait, and waits for it a little.
    pub fn stop(&self) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It sends nothing: the wait ends when the thread does.
        let _ = self.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(STOP_WAIT);
    }

    fn send(&self, row: Row) {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.as_ref().is_some_and(|rows| rows.try_send(row).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    log: Arc<ScriptLog>,
    /// The open file.
    recorder: Option<Recorder>,
    /// The last try to open the file.
    tried: Option<Instant>,
    /// Rows while the file is not open.
    waiting: Waiting,
    /// The number of rows that were dropped, for the status.
    unwritten: Arc<AtomicU64>,
    /// The time of the last line about a failure.
    reported: Option<Instant>,
}

impl Writer {
    fn write_all(mut self, rows: &Receiver<Row>) {
        let mut system = System::default();
        let mut removal = Instant::now();
        loop {
            if self.tried.is_none_or(|tried| tried.elapsed() >= PAUSE) {
                self.open();
            }
            let row = match rows.recv_timeout(FLUSH) {
                Ok(row) => Some(row),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let written = match row {
                Some(Row::Event(event)) => self.write_event(*event),
                Some(Row::Minute { created, node, requests, blocked }) => self.write_minute(Minute {
                    created,
                    node_id: i64::try_from(node).unwrap_or(i64::MAX),
                    system_cpu_percent: system.processor_percent(),
                    system_memory_percent: system.memory_percent(),
                    requests,
                    blocked,
                }),
                None => self.flush(),
            };
            self.unwritten.store(self.dropped(), Ordering::Relaxed);
            self.report_failure(written);
            if removal.elapsed() >= REMOVAL {
                removal = Instant::now();
                let removed = self.recorder.as_mut().map_or(Ok(()), |open| open.remove_old(SystemTime::now()));
                self.report_failure(removed);
            }
        }
        self.end();
    }

    /// Opens the file, if that works, and gives it what waits.
    fn open(&mut self) {
        if self.recorder.is_some() {
            return;
        }
        self.tried = Some(Instant::now());
        let opened = Recorder::open(&self.path, Retention::default());
        if let Some(mut recorder) = self.report_failure(opened) {
            recorder.take_over(std::mem::take(&mut self.waiting));
            self.recorder = Some(recorder);
        }
    }

    fn write_event(&mut self, event: WafEvent) -> Result<(), String> {
        match &mut self.recorder {
            Some(open) => open.record_event(event),
            None => {
                self.waiting.add_event(event);
                Ok(())
            }
        }
    }

    fn write_minute(&mut self, minute: Minute) -> Result<(), String> {
        match &mut self.recorder {
            Some(open) => open.record_minute(minute),
            None => {
                self.waiting.add_minute(minute);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        self.recorder.as_mut().map_or(Ok(()), Recorder::flush)
    }

    fn dropped(&self) -> u64 {
        self.recorder.as_ref().map_or_else(|| self.waiting.dropped(), Recorder::dropped)
    }

    /// Writes what waits, opening the file once more. What cannot be written is counted and reported.
    fn end(&mut self) {
        self.open();
        let written = self.flush();
        self.report_failure(written);
        let lost = self.recorder.as_mut().map_or_else(|| self.waiting.give_up(), Recorder::give_up);
        self.unwritten.store(self.dropped(), Ordering::Relaxed);
        if lost > 0 {
            let path = self.path.display();
            self.log.write_system(&ScriptName::from(OWN_NAME), &format!("the host ends, and {lost} rows are not in {path}"));
        }
    }

    /// Writes a failure to the log, at most once a minute.
    fn report_failure<T>(&mut self, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                if self.reported.is_none_or(|reported| reported.elapsed() >= PAUSE) {
                    self.reported = Some(Instant::now());
                    let line = format!("events wait, and are not recorded: {problem} ({} rows were dropped until now)", self.dropped());
                    self.log.write_system(&ScriptName::from(OWN_NAME), &line);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;
    use std::io;
    use tempfile::TempDir;

    /// Starts a recording into a folder that does not exist yet.
    fn without_folder() -> (TempDir, PathBuf, Arc<ScriptLog>, Recording) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later/events.db");
        let log = Arc::new(ScriptLog::new(Box::new(io::sink()), 100));
        let recording = Recording::start(path.clone(), &log).unwrap();
        wait_until(|| !log.last(10).is_empty());
        (folder, path, log, recording)
    }

    fn wait_until(is_so: impl Fn() -> bool) {
        let by = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < by, "waited in vain");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn event(bytes: usize) -> Row {
        Row::Event(Box::new(WafEvent { created: SystemTime::now(), body: vec![b'a'; bytes], ..WafEvent::default() }))
    }

    fn minute() -> Row {
        Row::Minute { created: SystemTime::now(), node: 1, requests: 2, blocked: 1 }
    }

    #[test]
    fn rows_wait_while_the_file_cannot_be_opened() {
        let (_folder, path, log, recording) = without_folder();
        (0..3).for_each(|_| recording.send(event(10)));
        recording.send(minute());
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        recording.stop();
        assert_eq!(recording.dropped(), 0);
        let file = Connection::open(&path).unwrap();
        let count = |table: &str| file.query_row(&format!("select count(*) from {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((count("waf_request_tsdb"), count("monitor")), (3, 1));
        assert_eq!(log.last(10).len(), 1);
    }

    #[test]
    fn rows_that_cannot_be_written_are_counted_and_reported() {
        let (_folder, _path, log, recording) = without_folder();
        (0..768).for_each(|_| recording.send(event(64 << 10)));
        recording.send(minute());
        // 48 MiB, of which 32 wait.
        wait_until(|| (256..400).contains(&recording.dropped()));
        recording.stop();
        assert_eq!(recording.dropped(), 769);
        let last = log.last(1).remove(0).to_string();
        assert!(last.contains("the host ends, and ") && last.contains("rows are not in "), "{last}");
    }
}
