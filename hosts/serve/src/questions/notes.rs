//! Lines for the operator, few of them: whoever sends many bad questions must not fill a log.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of a kind.
const INTERVAL: Duration = Duration::from_secs(10);

/// Kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A peer asks that may not.
    NotTrusted,
    /// A question lacks something, or contradicts itself.
    BadQuestion,
    /// A request belongs to no site.
    NoSite,
    /// Rules need more of a body than what came.
    HiddenBody,
    /// A part of the server failed.
    Failure,
}

/// Writes lines: of each kind one in ten seconds, with the number of those that were left out.
pub struct Notes {
    write: Box<dyn Fn(&str) + Send + Sync>,
    last: [Mutex<Last>; 5],
}

#[derive(Clone, Copy, Default)]
struct Last {
    written: Option<Instant>,
    left_out: u64,
}

impl Notes {
    /// Makes notes that `write` writes.
    pub fn new(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { write: Box::new(write), last: Default::default() }
    }

    /// Writes a line, unless there was one of its kind just now.
    pub fn write(&self, kind: Kind, line: impl fmt::Display) {
        let [not_trusted, bad_question, no_site, hidden_body, failure] = &self.last;
        let last = match kind {
            Kind::NotTrusted => not_trusted,
            Kind::BadQuestion => bad_question,
            Kind::NoSite => no_site,
            Kind::HiddenBody => hidden_body,
            Kind::Failure => failure,
        };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.written.is_some_and(|written| written.elapsed() < INTERVAL) {
            last.left_out = last.left_out.saturating_add(1);
            return;
        }
        let left_out = std::mem::take(&mut last.left_out);
        last.written = Some(Instant::now());
        drop(last);
        match left_out {
            0 => (self.write)(&line.to_string()),
            _ => (self.write)(&format!("{line} ({left_out} more of this kind before it)")),
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_flood_of_one_kind_is_one_line_and_hides_no_other() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let notes = Notes::new(move |line| kept.lock().unwrap().push(line.to_owned()));
        (0..1_000).for_each(|number| notes.write(Kind::HiddenBody, number));
        notes.write(Kind::NotTrusted, "a stranger");
        assert_eq!(*lines.lock().unwrap(), ["0", "a stranger"]);
    }
}
