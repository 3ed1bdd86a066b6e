//! Runs of bytes of a set: how far a [`Span`] reaches, from where the rest is tried, and which results are remembered.

use super::super::byte_set::ByteSet;
use super::super::error::LimitExceeded;
use super::super::program::{Op, Span};
use super::super::tree::RepeatKind;
use super::choice::Choice;
use super::{BYTES_OF_STEP, Machine, Next, Run, UNSET};

impl<'p> Machine<'p> {
    pub(super) fn span_at(&self, pc: usize) -> Option<&'p Span> {
        match self.program.ops.get(pc)? {
            Op::Span(span) => Some(span),
            _ => None,
        }
    }

    pub(super) fn span(&mut self, span: &'p Span, pc: usize) -> Result<Next, LimitExceeded> {
        let low = self.place;
        if span.remembers {
            let run = self.run(span, low)?;
            if low >= run.failed {
                return Ok(Next::Back);
            }
            if let (Some(end), Some(place)) = (span.look_end, run.succeeded)
                && low <= place
            {
                return Ok(Next::Go(end));
            }
        }
        let next = match span.kind {
            RepeatKind::Possessive => {
                self.place = self.high(span, low)?;
                return Ok(Next::Go(pc.saturating_add(1)));
            }
            RepeatKind::Greedy => {
                let high = self.high(span, low)?;
                self.try_from_end(span, pc, low, high)?
            }
            RepeatKind::Lazy => self.grow(span, pc, low, low)?,
        };
        Ok(next.unwrap_or(Next::Back))
    }

    /// Returns how far a span that begins at `low` may reach: up to the first position that is known to fail.
    fn high(&mut self, span: &Span, low: usize) -> Result<usize, LimitExceeded> {
        let Some(max) = span.max else {
            let run = self.run(span, low)?;
            return Ok(if span.remembers { run.end.min(run.failed.saturating_sub(1)) } else { run.end });
        };
        let rest = self.input.get(low..).unwrap_or_default();
        let length = rest.iter().take(max).take_while(|byte| span.set.contains(**byte)).count();
        self.count(length / BYTES_OF_STEP)?;
        Ok(low.saturating_add(length))
    }

    /// Returns the run of bytes of a set that contains `place`, or that ends there.
    fn run(&mut self, span: &Span, place: usize) -> Result<Run, LimitExceeded> {
        if let Some(run) = self.runs.get(span.number).filter(|run| run.start <= place && place <= run.end) {
            return Ok(*run);
        }
        let rest = self.input.get(place..).unwrap_or_default();
        let length = if span.set == ByteSet::ALL { rest.len() } else { rest.iter().take_while(|byte| span.set.contains(**byte)).count() };
        let read = if span.set == ByteSet::ALL { 0 } else { length };
        self.count(read / BYTES_OF_STEP)?;
        let run = Run { start: place, end: place.saturating_add(length), failed: UNSET, succeeded: None };
        if let Some(known) = self.runs.get_mut(span.number) {
            *known = run;
        }
        Ok(run)
    }

    /// Backtracks into a greedy span that reached `at` and failed there.
    pub(super) fn shrink(&mut self, span: &'p Span, pc: usize, low: usize, at: usize) -> Result<Option<Next>, LimitExceeded> {
        if at <= low {
            self.note_failure(span, low);
            return Ok(None);
        }
        self.try_from_end(span, pc, low, at.saturating_sub(1))
    }

    /// Continues after the longest span after which the next byte fits.
    fn try_from_end(&mut self, span: &'p Span, pc: usize, low: usize, high: usize) -> Result<Option<Next>, LimitExceeded> {
        let next = pc.saturating_add(1);
        let window = |input: &'p [u8]| input.get(low..high.saturating_add(1).min(input.len())).unwrap_or_default();
        let place = match self.program.ops.get(next) {
            Some(Op::Byte(byte)) => memchr::memrchr(*byte, window(self.input)),
            Some(Op::Set(set)) => window(self.input).iter().rposition(|byte| set.contains(*byte)),
            _ => Some(high.saturating_sub(low)),
        };
        let Some(place) = place.map(|place| low.saturating_add(place)) else {
            self.count(high.saturating_sub(low) / BYTES_OF_STEP)?;
            self.note_failure(span, low);
            return Ok(None);
        };
        self.count(high.saturating_sub(place) / BYTES_OF_STEP)?;
        if place > low || span.remembers {
            self.choices.push(Choice::Shrink { span: pc, low, at: place });
        }
        self.place = place;
        Ok(Some(Next::Go(next)))
    }

    /// Continues after the shortest span that ends at or after `from` and after which the next byte fits.
    pub(super) fn grow(&mut self, span: &'p Span, pc: usize, low: usize, from: usize) -> Result<Option<Next>, LimitExceeded> {
        let high = self.high(span, low)?;
        let next = pc.saturating_add(1);
        let window = |input: &'p [u8]| input.get(from..high.saturating_add(1).min(input.len())).unwrap_or_default();
        let found = match self.program.ops.get(next) {
            _ if from > high => None,
            Some(Op::Byte(byte)) => memchr::memchr(*byte, window(self.input)),
            Some(Op::Set(set)) => window(self.input).iter().position(|byte| set.contains(*byte)),
            _ => Some(0),
        };
        let Some(skipped) = found else {
            self.count(high.saturating_sub(from) / BYTES_OF_STEP)?;
            self.note_failure(span, low);
            return Ok(None);
        };
        self.count(skipped / BYTES_OF_STEP)?;
        let place = from.saturating_add(skipped);
        if place < high || span.remembers {
            self.choices.push(Choice::Grow { span: pc, low, at: place });
        }
        self.place = place;
        Ok(Some(Next::Go(next)))
    }

    /// Remembers that the rest after the span does not match from this position of the run on.
    fn note_failure(&mut self, span: &Span, low: usize) {
        if span.remembers
            && let Some(run) = self.runs.get_mut(span.number).filter(|run| run.start <= low && low <= run.end)
        {
            run.failed = run.failed.min(low);
        }
    }

    /// Remembers that the look-around ending at `pc` matched. It then also matches for each of its spans that ended here or earlier in the run.
    pub(super) fn note_success(&mut self, pc: usize) {
        let inner = self.choices.get(self.barrier.min(self.choices.len())..).unwrap_or_default();
        for choice in inner {
            let (Choice::Shrink { span, at, .. } | Choice::Grow { span, at, .. }) = choice else { continue };
            let Some(Op::Span(span)) = self.program.ops.get(*span) else { continue };
            if span.look_end == Some(pc)
                && let Some(run) = self.runs.get_mut(span.number).filter(|run| run.start <= *at && *at <= run.end)
            {
                run.succeeded = Some(run.succeeded.map_or(*at, |place| place.max(*at)));
            }
        }
    }
}
