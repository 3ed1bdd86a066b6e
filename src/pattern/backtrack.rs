//! The backtracking engine, for what automata cannot do: look-around, back-references, atomic groups, subroutine calls and verbs. It finds what PCRE2
//! finds, with the same captures, and counts every step.
//!
//! Backtracking may take exponential time, and PCRE's own limit does not bound it: that limit counts neither the bytes that are read nor the
//! positions where a match is tried. For example, `(a+)\1x` over 30,000 bytes keeps PCRE2 10.42 with its JIT compiler and a limit of a million busy
//! for ten minutes. Here each operation is a step, and so are each eight bytes that a repetition or a back-reference reads. An [`Effort`] bounds the
//! steps.
//!
//! Most patterns never come near the limit. Without back-references, calls and verbs, the rest of a match depends only on the operation and the
//! position, so a failure is remembered and not tried again ([`Op::Memo`]), and a run of bytes is read once ([`Run`]). Look-around, possessive
//! quantifiers and nested repetitions then take time linear in the length of the input.

use super::byte_set::ByteSet;
use super::effort::Effort;
use super::error::LimitExceeded;
use super::escape::first_char;
use super::program::{Op, Program};
use super::tree::{Assertion, EmptyMatches};
use choice::Choice;
use regex_syntax::hir::ClassUnicode;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// Steps that a search may take for each byte of the input, in addition to its limit.
const STEPS_OF_BYTE: usize = 64;

/// Maximum number of choices that are kept at once, of 32 bytes each.
const MAX_CHOICES: usize = 500_000;

/// Maximum number of failures that are remembered.
const MAX_FAILURES: usize = 1_000_000;

/// Number of bytes that count as one step if they are only searched for one byte or a set of bytes.
const BYTES_OF_STEP: usize = 8;

/// Value of a slot without a capture.
const UNSET: usize = usize::MAX;

/// Finds the first match at or after `start`, trying positions from `first` on. All searches with one effort share its limit.
///
/// On a match `groups` holds the whole match and each capturing group; otherwise it is unchanged.
pub(super) fn search(
    program: &Program,
    input: &[u8],
    (start, first): (usize, usize),
    first_bytes: Option<ByteSet>,
    limit: usize,
    effort: &mut Effort,
    groups: &mut Vec<Option<Range<usize>>>,
) -> Result<bool, LimitExceeded> {
    let limit = limit.saturating_add(input.len().saturating_mul(STEPS_OF_BYTE));
    let mut machine = Machine::new(program, input, start, effort.step_limit(limit));
    machine.steps = effort.steps();
    let found = machine.search(first, first_bytes);
    effort.note_steps(machine.steps);
    if found? {
        let slots = machine.slots.chunks_exact(2);
        groups.clear();
        groups.extend(slots.map(|pair| match pair {
            [from, to] if *from != UNSET && *to != UNSET => Some(*from..(*to).max(*from)),
            _ => None,
        }));
        return Ok(true);
    }
    Ok(false)
}

/// A subroutine call of a group.
struct Frame {
    group: usize,
    /// The operation to continue with after the call.
    back: usize,
    /// The input position of the call.
    place: usize,
    /// The enclosing call.
    around: usize,
    /// Captures and registers at the time of the call.
    saved: Vec<usize>,
    /// The decision that encloses the call.
    barrier: usize,
}

/// No call, no decision.
const NONE: usize = usize::MAX;

/// A run of bytes of a set, and the known results of continuing after them.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    /// From this position on, the rest failed.
    failed: usize,
    /// Up to this position, the rest succeeded, within look-around.
    succeeded: Option<usize>,
}

/// Result of an attempt at one position.
enum Outcome {
    Match,
    NoMatch,
    /// No other position is tried.
    NoOther,
    /// The next position to try.
    Skip(usize),
}

/// The next action of the program.
enum Next {
    Go(usize),
    Back,
    End(Outcome),
}

struct Machine<'p> {
    program: &'p Program,
    input: &'p [u8],
    /// Start of the search.
    start: usize,
    /// Current position in the input.
    place: usize,
    steps: usize,
    limit: usize,
    /// Start and end of the match and of each group.
    slots: Vec<usize>,
    registers: Vec<usize>,
    choices: Vec<Choice>,
    frames: Vec<Frame>,
    /// The current call.
    frame: usize,
    /// Index in the choices at which the innermost current decision begins.
    barrier: usize,
    runs: Vec<Run>,
    failures: FxHashSet<(usize, usize)>,
}

mod calls;
mod choice;
mod spans;

impl<'p> Machine<'p> {
    fn new(program: &'p Program, input: &'p [u8], start: usize, limit: usize) -> Self {
        let unknown = Run { start: UNSET, end: 0, failed: UNSET, succeeded: None };
        Self {
            program,
            input,
            start,
            place: start,
            steps: 0,
            limit,
            slots: vec![UNSET; program.groups.saturating_add(1).saturating_mul(2)],
            registers: vec![UNSET; program.registers],
            choices: Vec::new(),
            frames: Vec::new(),
            frame: NONE,
            barrier: NONE,
            runs: vec![unknown; program.spans],
            failures: FxHashSet::default(),
        }
    }

    fn search(&mut self, first: usize, first_bytes: Option<ByteSet>) -> Result<bool, LimitExceeded> {
        let mut at = first;
        while at <= self.input.len() {
            if let Some(set) = first_bytes {
                let rest = self.input.get(at..).unwrap_or_default();
                let Some(skipped) = rest.iter().position(|byte| set.contains(*byte)) else {
                    self.steps = self.steps.saturating_add(rest.len() / BYTES_OF_STEP);
                    return Ok(false);
                };
                self.steps = self.steps.saturating_add(skipped / BYTES_OF_STEP);
                at = at.saturating_add(skipped);
            }
            at = match self.attempt(at)? {
                Outcome::Match => return Ok(true),
                Outcome::NoOther => return Ok(false),
                Outcome::Skip(to) if to > at => to,
                Outcome::Skip(_) | Outcome::NoMatch => self.after(at),
            };
        }
        Ok(false)
    }

    /// Returns the position after the byte or character at `at`.
    fn after(&self, at: usize) -> usize {
        let rest = self.input.get(at.saturating_add(1)..).unwrap_or_default();
        let inner = if self.program.utf { rest.iter().take_while(|byte| is_continuation(**byte)).count() } else { 0 };
        at.saturating_add(1).saturating_add(inner)
    }

    /// Tries to match at one position.
    fn attempt(&mut self, at: usize) -> Result<Outcome, LimitExceeded> {
        self.slots.fill(UNSET);
        self.choices.clear();
        self.frames.clear();
        (self.frame, self.barrier) = (NONE, NONE);
        self.place = at;
        self.set_slot(0, at);
        let mut pc = 0;
        loop {
            self.count(1)?;
            let next = match self.program.ops.get(pc) {
                Some(op) => self.step(op, pc)?,
                None => Next::Back,
            };
            let next = match next {
                Next::Back => self.turn_back()?,
                other => other,
            };
            match next {
                Next::Go(to) => pc = to,
                Next::End(outcome) => return Ok(outcome),
                Next::Back => return Ok(Outcome::NoMatch),
            }
        }
    }

    fn count(&mut self, steps: usize) -> Result<(), LimitExceeded> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limit || self.choices.len() > MAX_CHOICES { Err(LimitExceeded) } else { Ok(()) }
    }

    fn next_byte(&self) -> Option<u8> {
        self.input.get(self.place).copied()
    }

    #[inline]
    fn step(&mut self, op: &'p Op, pc: usize) -> Result<Next, LimitExceeded> {
        let on = Next::Go(pc.saturating_add(1));
        Ok(match op {
            Op::Byte(byte) if self.next_byte() == Some(*byte) => self.take(1, on),
            Op::Set(set) if self.next_byte().is_some_and(|byte| set.contains(byte)) => self.take(1, on),
            Op::Byte(_) | Op::Set(_) | Op::Fail => Next::Back,
            Op::Char(set) => match first_char(self.input.get(self.place..).unwrap_or_default()) {
                Some(char) if is_in(set, char) => self.take(char.len_utf8(), on),
                _ => Next::Back,
            },
            Op::Take(set, count) => {
                let bytes = self.input.get(self.place..self.place.saturating_add(*count));
                self.count(bytes.map_or(0, |bytes| bytes.len() / BYTES_OF_STEP))?;
                match bytes.filter(|bytes| bytes.iter().all(|byte| set.contains(*byte))) {
                    Some(_) => self.take(*count, on),
                    None => Next::Back,
                }
            }
            Op::Span(span) => self.span(span, pc)?,
            Op::Assert(assertion) if self.holds(*assertion) => on,
            Op::Assert(_) => Next::Back,
            Op::Split { other, lazy } => {
                let (now, later) = if *lazy { (*other, pc.saturating_add(1)) } else { (pc.saturating_add(1), *other) };
                self.choices.push(Choice::Branch { to: later, place: self.place });
                Next::Go(now)
            }
            Op::Alternative { other, scope } => {
                self.choices.push(Choice::Alternative { to: *other, place: self.place, scope: *scope });
                on
            }
            Op::Jump(to) => Next::Go(*to),
            Op::Memo if self.failures.contains(&(pc, self.place)) => Next::Back,
            Op::Memo => {
                self.choices.push(Choice::Failed { op: pc, place: self.place });
                on
            }
            Op::Mark(register) => {
                self.set_register(*register, self.place);
                on
            }
            Op::Progress { register, exit } => {
                let is_empty = self.registers.get(*register) == Some(&self.place);
                if is_empty { Next::Go(*exit) } else { on }
            }
            Op::Rewind(register) => {
                self.place = self.registers.get(*register).copied().unwrap_or(self.place);
                on
            }
            Op::Close { group, register } => {
                let from = self.registers.get(*register).copied().unwrap_or(self.place);
                self.set_slot(group.saturating_mul(2), from);
                self.set_slot(group.saturating_mul(2).saturating_add(1), self.place);
                on
            }
            Op::Return(group) => match self.frames.get(self.frame) {
                Some(frame) if frame.group == *group => self.come_back()?,
                _ => on,
            },
            Op::Atomic => {
                self.choices.push(Choice::Atomic { around: self.barrier });
                self.barrier = self.choices.len() - 1;
                on
            }
            Op::Look { .. } => {
                self.choices.push(Choice::Look { op: pc, place: self.place, around: self.barrier });
                self.barrier = self.choices.len() - 1;
                on
            }
            Op::Commit { rewinds } => {
                let began = self.commit(pc)?;
                if *rewinds {
                    self.place = began.unwrap_or(self.place);
                }
                on
            }
            Op::Reject { to } => {
                self.note_success(pc);
                let began = self.undo_to_barrier();
                match to {
                    Some(to) => {
                        self.place = began.unwrap_or(self.place);
                        Next::Go(*to)
                    }
                    None => Next::Back,
                }
            }
            Op::StepBack(count) => match self.place_before(*count) {
                Some(place) => {
                    self.place = place;
                    on
                }
                None => Next::Back,
            },
            Op::BackReference { groups, ignores_case } => match self.repeats_capture(groups, *ignores_case)? {
                true => on,
                false => Next::Back,
            },
            Op::Call { group, to } => self.call(*group, *to, pc)?,
            Op::IfGroup { groups, otherwise } => {
                let took_part = groups.iter().any(|group| self.captured(*group).is_some());
                if took_part { on } else { Next::Go(*otherwise) }
            }
            Op::IfRecursion { groups, otherwise } => {
                let called = self.frames.get(self.frame).map(|frame| frame.group);
                let holds = match groups {
                    None => called.is_some(),
                    Some(groups) => called.is_some_and(|called| groups.contains(&called)),
                };
                if holds { on } else { Next::Go(*otherwise) }
            }
            Op::Keep => {
                self.set_slot(0, self.place);
                on
            }
            Op::Accept => self.accept()?,
            Op::Verb(_) => {
                self.choices.push(Choice::Verb { op: pc, place: self.place });
                on
            }
            Op::Match => self.matched()?,
        })
    }

    fn take(&mut self, bytes: usize, next: Next) -> Next {
        self.place = self.place.saturating_add(bytes);
        next
    }

    /// Returns `true` if a match that ends here counts.
    fn counts(&self) -> bool {
        let from = self.slots.first().copied().unwrap_or(self.place);
        match self.program.empty_matches {
            EmptyMatches::All => true,
            EmptyMatches::NotAtStart => from != self.place || from != self.start,
            EmptyMatches::None => from != self.place,
        }
    }

    fn matched(&mut self) -> Result<Next, LimitExceeded> {
        if self.frame != NONE {
            return self.come_back();
        }
        if !self.counts() {
            return Ok(Next::Back);
        }
        self.set_slot(1, self.place);
        Ok(Next::End(Outcome::Match))
    }

    // Captures and registers

    fn set_slot(&mut self, index: usize, value: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            self.choices.push(Choice::Restore { index, value: std::mem::replace(slot, value) });
        }
    }

    fn set_register(&mut self, index: usize, value: usize) {
        let number = self.slots.len().saturating_add(index);
        if let Some(register) = self.registers.get_mut(index) {
            self.choices.push(Choice::Restore { index: number, value: std::mem::replace(register, value) });
        }
    }

    fn restore(&mut self, index: usize, value: usize) {
        let slot = match index.checked_sub(self.slots.len()) {
            None => self.slots.get_mut(index),
            Some(register) => self.registers.get_mut(register),
        };
        if let Some(slot) = slot {
            *slot = value;
        }
    }

    fn captured(&self, group: usize) -> Option<Range<usize>> {
        let from = group.saturating_mul(2);
        let (from, to) = (*self.slots.get(from)?, *self.slots.get(from.saturating_add(1))?);
        (from != UNSET && to != UNSET).then_some(from..to)
    }

    fn repeats_capture(&mut self, groups: &[usize], ignores_case: bool) -> Result<bool, LimitExceeded> {
        let Some(range) = groups.iter().find_map(|group| self.captured(*group)) else { return Ok(false) };
        self.count(range.len() / BYTES_OF_STEP)?;
        let wanted = self.input.get(range).unwrap_or_default();
        let rest = self.input.get(self.place..).unwrap_or_default();
        let length = match (ignores_case, self.program.utf) {
            (false, _) => rest.starts_with(wanted).then_some(wanted.len()),
            (true, false) => rest.get(..wanted.len()).filter(|found| found.eq_ignore_ascii_case(wanted)).map(<[u8]>::len),
            (true, true) => length_of_same_letters(wanted, rest),
        };
        self.place = self.place.saturating_add(length.unwrap_or(0));
        Ok(length.is_some())
    }

    // Decisions

    /// Ends the innermost decision: its choices are dropped, its captures stay. Returns the start of the look-around.
    fn commit(&mut self, pc: usize) -> Result<Option<usize>, LimitExceeded> {
        self.note_success(pc);
        let start = self.barrier.min(self.choices.len());
        let mut inner = self.choices.split_off(start).into_iter();
        self.count(inner.len() / BYTES_OF_STEP)?;
        let began = match inner.next() {
            Some(Choice::Look { place, around, .. }) => {
                self.barrier = around;
                Some(place)
            }
            Some(Choice::Atomic { around }) => {
                self.barrier = around;
                None
            }
            _ => None,
        };
        self.choices
            .extend(inner.filter(|choice| matches!(choice, Choice::Restore { .. } | Choice::Called { .. } | Choice::CameBack { .. })));
        Ok(began)
    }

    /// Undoes everything that the innermost decision did. Returns the start of the look-around.
    fn undo_to_barrier(&mut self) -> Option<usize> {
        let start = self.barrier;
        while self.choices.len() > start.saturating_add(1) {
            let choice = self.choices.pop()?;
            self.undo(&choice);
        }
        match self.choices.pop()? {
            Choice::Look { place, around, .. } => {
                self.barrier = around;
                Some(place)
            }
            Choice::Atomic { around } => {
                self.barrier = around;
                None
            }
            _ => None,
        }
    }

    fn undo(&mut self, choice: &Choice) {
        match choice {
            Choice::Restore { index, value } => self.restore(*index, *value),
            Choice::Called { around, frames } => {
                self.frame = *around;
                self.frames.truncate(*frames);
            }
            Choice::CameBack { frame } => self.frame = *frame,
            Choice::Atomic { around } | Choice::Look { around, .. } => self.barrier = *around,
            _ => {}
        }
    }

    // Backtracking

    /// Continues with the last choice that leads anywhere.
    fn turn_back(&mut self) -> Result<Next, LimitExceeded> {
        while let Some(choice) = self.choices.pop() {
            self.count(1)?;
            match choice {
                Choice::Branch { to, place } | Choice::Alternative { to: Some(to), place, .. } => {
                    self.place = place;
                    return Ok(Next::Go(to));
                }
                Choice::Look { op, place, around } => {
                    self.barrier = around;
                    if let Some(Op::Look { on_failure: Some(to), .. }) = self.program.ops.get(op) {
                        self.place = place;
                        return Ok(Next::Go(*to));
                    }
                }
                Choice::Shrink { span: pc, low, at } => {
                    let span = self.span_at(pc);
                    if let Some(next) = span.map(|span| self.shrink(span, pc, low, at)).transpose()?.flatten() {
                        return Ok(next);
                    }
                }
                Choice::Grow { span: pc, low, at } => {
                    let span = self.span_at(pc);
                    if let Some(next) = span.map(|span| self.grow(span, pc, low, at.saturating_add(1))).transpose()?.flatten() {
                        return Ok(next);
                    }
                }
                Choice::Failed { op, place } => {
                    if self.failures.len() < MAX_FAILURES {
                        self.failures.insert((op, place));
                    }
                }
                Choice::Verb { op, place } => {
                    if let Some(outcome) = self.turn_back_to_verb(op, place)? {
                        return Ok(outcome);
                    }
                }
                other => self.undo(&other),
            }
        }
        Ok(Next::End(Outcome::NoMatch))
    }

    // Positions

    fn holds(&self, assertion: Assertion) -> bool {
        let place = self.place;
        let before = place.checked_sub(1).and_then(|before| self.input.get(before)).copied();
        let (next, end) = (self.next_byte(), self.input.len());
        let is_word = |byte: Option<u8>| byte.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        match assertion {
            // There is no line start after a newline that ends the input.
            Assertion::LineStart => place == 0 || (before == Some(b'\n') && place < end),
            Assertion::LineEnd => next.is_none() || next == Some(b'\n'),
            Assertion::TextStart => place == 0,
            Assertion::TextEnd => place == end,
            Assertion::FinalEnd => place == end || (next == Some(b'\n') && place.saturating_add(1) == end),
            Assertion::SearchStart => place == self.start,
            Assertion::WordBoundary => is_word(before) != is_word(next),
            Assertion::NotWordBoundary => is_word(before) == is_word(next),
        }
    }

    /// Returns the position `count` bytes or characters before this one.
    fn place_before(&self, count: usize) -> Option<usize> {
        if !self.program.utf {
            return self.place.checked_sub(count);
        }
        (0..count).try_fold(self.place, |place, _| {
            let before = self.input.get(..place)?;
            before.iter().rposition(|byte| !is_continuation(*byte))
        })
    }
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

fn is_in(set: &ClassUnicode, char: char) -> bool {
    let ranges = set.ranges();
    let after = ranges.partition_point(|range| range.start() <= char);
    after.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|range| char <= range.end())
}

/// Returns the length of the prefix of `rest` that equals `wanted` except for case.
fn length_of_same_letters(wanted: &[u8], rest: &[u8]) -> Option<usize> {
    let (mut wanted, mut length) = (wanted, 0usize);
    while let Some(char) = first_char(wanted) {
        let found = first_char(rest.get(length..)?)?;
        if char != found && !char.to_lowercase().eq(found.to_lowercase()) && !char.to_uppercase().eq(found.to_uppercase()) {
            return None;
        }
        length = length.checked_add(found.len_utf8())?;
        wanted = wanted.get(char.len_utf8()..)?;
    }
    wanted.is_empty().then_some(length)
}
