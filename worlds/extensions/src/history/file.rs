//! The file of the history: appended to, read, and written anew when it has twice as many runs as are kept.
//!
//! A host and the command may append at the same time, so each takes a lock of the file first. Readers take none: a line is written at once, and the file
//! that is written anew takes the place of the old one as a whole.

use crate::run::Run;
use chrono::{TimeDelta, Utc};
use rustix::fs::{FlockOperation, flock};
use secrule::internals::graph::HistoryFile;
use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Maximum length of a line that is read, in bytes: an event has at most 1 MiB.
const MAX_LINE: u64 = 8 << 20;

/// Maximum wait for the lock, and time between two looks at it.
const LOCK_TIME: Duration = Duration::from_secs(2);
const LOCK_LOOK: Duration = Duration::from_millis(10);

/// The rights of the file: events hold parts of requests.
const MODE: u32 = 0o640;

/// Selection of runs from a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// The path of the script, or the end of it, such as the name of the file; `None` for all.
    pub extension: Option<String>,
    /// Maximum number of runs: the last ones.
    pub last: usize,
}

/// Appends runs to a file.
#[derive(Debug)]
pub struct HistoryWriter {
    file: HistoryFile,
    /// Number of lines of each extension, if they were counted; other programs may have added some.
    lines: Option<HashMap<String, usize>>,
    /// The time of the oldest line.
    oldest: Option<SystemTime>,
}

impl Filter {
    /// Asks for the last runs of all extensions.
    pub fn last(count: usize) -> Self {
        Self { extension: None, last: count }
    }

    /// Asks for the runs of one extension, by its path or the end of it.
    #[must_use]
    pub fn of(self, extension: &str) -> Self {
        Self { extension: Some(extension.to_owned()), ..self }
    }

    /// Returns `true` if the runs of an extension are asked for.
    pub fn takes(&self, extension: &str) -> bool {
        self.extension.as_ref().is_none_or(|wanted| Path::new(extension).ends_with(wanted))
    }
}

/// Reads the last runs of a file, the oldest first. What is not a run, such as a line that is being written, is left out.
///
/// # Errors
/// If the file cannot be read.
pub fn read(path: &Path, filter: &Filter) -> io::Result<Vec<Run>> {
    let mut runs = VecDeque::new();
    each_run(File::open(path)?, |_, run| {
        if filter.takes(&run.extension) {
            runs.push_back(run);
        }
        if runs.len() > filter.last {
            runs.pop_front();
        }
        Ok(())
    })?;
    Ok(runs.into())
}

/// Appends a run, such as one by hand, to a file that a host may be writing.
///
/// # Errors
/// If the file cannot be written, or another program holds its lock for two seconds.
pub fn append(file: &HistoryFile, run: &Run) -> io::Result<()> {
    HistoryWriter::new(file.clone()).append(run)
}

impl HistoryWriter {
    pub fn new(file: HistoryFile) -> Self {
        Self { file, lines: None, oldest: None }
    }

    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Appends a run. Removes the runs beyond the limits, if there are as many again, or one is twice as old.
    pub fn append(&mut self, run: &Run) -> io::Result<()> {
        let mut file = self.open_locked()?;
        // A program that was killed within a line must not spoil the next one.
        let is_within_line = file.metadata()?.len().checked_sub(1).is_some_and(|last| {
            let mut byte = [0];
            file.read_exact_at(&mut byte, last).is_ok_and(|()| byte != *b"\n")
        });
        let line = format!("{}{}\n", if is_within_line { "\n" } else { "" }, run.to_json());
        file.write_all(line.as_bytes())?;
        if self.lines.is_none() {
            self.count()?;
        } else if let Some(lines) = &mut self.lines {
            *lines.entry(run.extension.clone()).or_default() += 1;
            self.oldest.get_or_insert(run.began);
        }
        let max = usize::try_from(self.file.runs).unwrap_or(usize::MAX);
        let is_large = self.lines.iter().flat_map(HashMap::values).any(|lines| *lines >= max.saturating_mul(2));
        if is_large || self.oldest.is_some_and(|oldest| oldest < days_ago(self.file.days.saturating_mul(2))) {
            self.trim()?;
        }
        Ok(())
    }

    /// Opens the file, and takes its lock. Another program may have written it anew in between.
    fn open_locked(&self) -> io::Result<File> {
        let by = Instant::now() + LOCK_TIME;
        loop {
            let file = self.open()?;
            while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
                if Instant::now() >= by {
                    return Err(io::Error::new(ErrorKind::TimedOut, format!("another program holds its lock: {error}")));
                }
                thread::sleep(LOCK_LOOK);
            }
            let is_same = std::fs::metadata(&self.file.path).is_ok_and(|now| file.metadata().is_ok_and(|opened| opened.ino() == now.ino()));
            if is_same || Instant::now() >= by {
                return Ok(file);
            }
        }
    }

    /// Opens the file. One that the administrator makes, by a run by hand, belongs to the owner of the folder: a host of that user appends to it.
    fn open(&self) -> io::Result<File> {
        let (path, mut options) = (&self.file.path, OpenOptions::new());
        options.read(true).append(true).mode(MODE);
        match options.create_new(true).open(path) {
            Ok(file) => {
                if rustix::process::geteuid().is_root()
                    && let Some(folder) = path.parent()
                {
                    let folder = std::fs::metadata(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
                    fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
                }
                Ok(file)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => options.create_new(false).open(path),
            Err(error) => Err(error),
        }
    }

    fn count(&mut self) -> io::Result<()> {
        let (mut lines, mut oldest) = (HashMap::new(), None);
        each_run(File::open(&self.file.path)?, |_, run| {
            oldest.get_or_insert(run.began);
            *lines.entry(run.extension).or_default() += 1;
            Ok(())
        })?;
        (self.lines, self.oldest) = (Some(lines), oldest);
        Ok(())
    }

    /// Writes the file anew, with the runs that are kept.
    fn trim(&mut self) -> io::Result<()> {
        let owner = std::fs::metadata(&self.file.path)?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            // The new file would be this user's, and a host of another could not write it any more. It is asked again after as many runs.
            (self.lines, self.oldest) = (Some(HashMap::new()), None);
            return Ok(());
        }
        self.count()?;
        let max = usize::try_from(self.file.runs).unwrap_or(usize::MAX);
        let mut surplus: HashMap<String, usize> = self.lines.take().unwrap_or_default();
        surplus.values_mut().for_each(|lines| *lines = lines.saturating_sub(max));
        let too_old = days_ago(self.file.days);
        let new = self.new_path();
        let mut writer = BufWriter::new(OpenOptions::new().create(true).write(true).truncate(true).mode(MODE).open(&new)?);
        each_run(File::open(&self.file.path)?, |line, run| match surplus.get_mut(&run.extension) {
            Some(surplus) if *surplus > 0 => {
                *surplus -= 1;
                Ok(())
            }
            _ if run.began < too_old => Ok(()),
            _ => writer.write_all(line),
        })?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        std::fs::rename(&new, &self.file.path)?;
        self.count()
    }

    fn new_path(&self) -> PathBuf {
        let mut path = self.file.path.clone().into_os_string();
        path.push(".new");
        path.into()
    }
}

fn days_ago(days: u32) -> SystemTime {
    let then = TimeDelta::try_days(days.into()).and_then(|days| Utc::now().checked_sub_signed(days));
    then.map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
}

/// Calls a function with each line that is a run, with its end.
fn each_run(file: File, mut take: impl FnMut(&[u8], Run) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let run = serde_json::from_slice(&line).ok().and_then(|value| Run::from_json(&value));
        if let Some(run) = run.filter(|_| line.ends_with(b"\n")) {
            take(&line, run)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Cause, Ending};

    fn run(extension: &str, number: usize) -> Run {
        let mut run = Run::skipped(extension, Cause::Timetable, SystemTime::now(), "");
        (run.ending, run.output) = (Ending::Ok, number.to_string());
        run
    }

    fn outputs(path: &Path, extension: &str) -> Vec<String> {
        read(path, &Filter::last(100).of(extension)).unwrap().into_iter().map(|run| run.output).collect()
    }

    fn writer(folder: &tempfile::TempDir, runs: u32, days: u32) -> HistoryWriter {
        HistoryWriter::new(HistoryFile { path: folder.path().join("history.jsonl"), runs, days })
    }

    #[test]
    fn an_extension_keeps_its_last_runs_whatever_others_do() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder, 3, 30);
        writer.append(&run("rare.lua", 0)).unwrap();
        let mut largest = 0;
        for number in 0..20 {
            writer.append(&run("often.lua", number)).unwrap();
            largest = largest.max(outputs(writer.path(), "often.lua").len());
        }
        let kept = outputs(writer.path(), "often.lua");
        assert!(
            (3..6).contains(&kept.len()) && largest < 6 && kept.ends_with(&["17".into(), "18".into(), "19".into()]),
            "{kept:?} {largest}"
        );
        assert_eq!(outputs(writer.path(), "rare.lua"), ["0"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_root_makes_belongs_to_the_owner_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        // Others can make files of their own alone.
        let owner = if rustix::process::geteuid().is_root() { 65_534 } else { rustix::process::geteuid().as_raw() };
        std::os::unix::fs::chown(folder.path(), Some(owner), None).unwrap();
        let mut writer = writer(&folder, 10, 30);
        writer.append(&run("a.lua", 1)).unwrap();
        writer.append(&run("a.lua", 2)).unwrap();
        assert_eq!(std::fs::metadata(writer.path()).unwrap().uid(), owner);
    }

    #[test]
    fn runs_that_are_too_old_go() {
        let folder = tempfile::tempdir().unwrap();
        let day = Duration::from_secs(86_400);
        let mut first = writer(&folder, 1_000, 30);
        for (number, days) in [(1, 5), (2, 3), (3, 1)] {
            first.append(&Run { began: SystemTime::now() - day * days, ..run("a.lua", number) }).unwrap();
        }
        assert_eq!(outputs(first.path(), "a.lua").len(), 3);
        writer(&folder, 1_000, 2).append(&run("a.lua", 4)).unwrap();
        assert_eq!(outputs(first.path(), "a.lua"), ["3", "4"]);
    }

    #[test]
    fn two_programs_write_the_same_file_and_no_run_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = writer(&folder, 40, 30).path().to_owned();
        thread::scope(|scope| {
            for name in ["a.lua", "b.lua"] {
                let mut writer = writer(&folder, 40, 30);
                scope.spawn(move || (0..200).for_each(|number| writer.append(&run(name, number)).unwrap()));
            }
        });
        for name in ["a.lua", "b.lua"] {
            let kept = outputs(&path, name);
            assert_eq!(kept[kept.len() - 40..], (160..200).map(|number| number.to_string()).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_run_is_left_out_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(&folder, 10, 30);
        std::fs::write(writer.path(), "{\"half\": \nnot json\n\u{0}\n").unwrap();
        writer.append(&run("a.lua", 1)).unwrap();
        File::options().append(true).open(writer.path()).unwrap().write_all(b"{\"extension\":\"a.lua\",").unwrap();
        assert_eq!(outputs(writer.path(), "a.lua"), ["1"]);
        assert_eq!(read(Path::new("/does/not/exist"), &Filter::last(1)).unwrap_err().kind(), ErrorKind::NotFound);
        // A line that was cut off, because its program was killed, does not swallow the next.
        writer.append(&run("a.lua", 2)).unwrap();
        assert_eq!(outputs(writer.path(), "a.lua"), ["1", "2"]);
    }
}
