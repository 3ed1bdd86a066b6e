//! Subroutine calls, and verbs: what happens when a match backtracks to one.

use super::super::error::LimitExceeded;
use super::super::program::{BacktrackingVerb, Op};
use super::choice::Choice;
use super::{Frame, Machine, NONE, Next, Outcome};

impl Machine<'_> {
    pub(super) fn call(&mut self, group: usize, to: usize, pc: usize) -> Result<Next, LimitExceeded> {
        let mut frame = self.frame;
        let mut calls = 0;
        while let Some(call) = self.frames.get(frame) {
            if call.group == group {
                // A call of the same group at the same position would not end.
                if call.place == self.place {
                    return Err(LimitExceeded);
                }
                break;
            }
            calls += 1;
            frame = call.around;
        }
        self.count(calls)?;
        let saved: Vec<usize> = self.slots.iter().chain(&self.registers).copied().collect();
        self.count(saved.len())?;
        self.choices.push(Choice::Called { around: self.frame, frames: self.frames.len() });
        let back = pc.saturating_add(1);
        self.frames.push(Frame { group, back, place: self.place, around: self.frame, saved, barrier: self.barrier });
        self.frame = self.frames.len() - 1;
        Ok(Next::Go(to))
    }

    /// Ends the current call: restores the captures from before it, except the start of the match.
    pub(super) fn come_back(&mut self) -> Result<Next, LimitExceeded> {
        let Some(frame) = self.frames.get(self.frame) else { return Ok(Next::Back) };
        let (back, around, saved) = (frame.back, frame.around, frame.saved.clone());
        self.count(saved.len())?;
        for (index, value) in saved.into_iter().enumerate().skip(1) {
            match index.checked_sub(self.slots.len()) {
                None if self.slots.get(index) != Some(&value) => self.set_slot(index, value),
                Some(register) if self.registers.get(register) != Some(&value) => self.set_register(register, value),
                _ => {}
            }
        }
        self.choices.push(Choice::CameBack { frame: self.frame });
        self.frame = around;
        Ok(Next::Go(back))
    }

    /// `(*ACCEPT)`: ends the look-around, call or match that contains it.
    pub(super) fn accept(&mut self) -> Result<Next, LimitExceeded> {
        let outermost = self.frames.get(self.frame).map_or(NONE, |frame| frame.barrier);
        while self.barrier != outermost {
            if let Some(Choice::Look { op, .. }) = self.choices.get(self.barrier) {
                return Ok(match self.program.ops.get(*op) {
                    Some(Op::Look { end, .. }) => Next::Go(*end),
                    _ => Next::Back,
                });
            }
            // If the match does not count, alternatives within finished decisions are still tried.
            if self.frame == NONE && self.within_no_look() && !self.counts() {
                return Ok(Next::Back);
            }
            self.commit(NONE)?;
        }
        if self.frame == NONE { self.matched() } else { self.come_back() }
    }

    /// Returns `true` outside of look-around.
    fn within_no_look(&self) -> bool {
        let mut barrier = self.barrier;
        while let Some(choice) = self.choices.get(barrier) {
            match choice {
                Choice::Atomic { around } => barrier = *around,
                _ => return false,
            }
        }
        true
    }

    pub(super) fn turn_back_to_verb(&mut self, op: usize, place: usize) -> Result<Option<Next>, LimitExceeded> {
        let Some(Op::Verb(verb)) = self.program.ops.get(op) else { return Ok(None) };
        let outcome = match verb {
            BacktrackingVerb::Mark(_) => return Ok(None),
            BacktrackingVerb::Commit => Outcome::NoOther,
            BacktrackingVerb::Prune | BacktrackingVerb::Then(_) => Outcome::NoMatch,
            BacktrackingVerb::Skip(None) => Outcome::Skip(place),
            BacktrackingVerb::Skip(Some(name)) => match self.mark(name) {
                Some(place) => Outcome::Skip(place),
                // Without that mark the verb has no effect.
                None => return Ok(None),
            },
        };
        let (is_then, wanted) = if let BacktrackingVerb::Then(scope) = verb { (true, *scope) } else { (false, None) };
        let frame = self.frame;
        while let Some(choice) = self.choices.pop() {
            self.count(1)?;
            match choice {
                // Within negative look-around and calls, these fail instead. `(*THEN)` continues with the alternatives of its look-around.
                Choice::Look { op, place, around } if wanted.is_none() && (is_then || self.is_negative(op)) => {
                    self.choices.push(Choice::Look { op, place, around });
                    return Ok(None);
                }
                called @ Choice::Called { .. } if self.frame == frame => {
                    self.undo(&called);
                    return Ok(None);
                }
                Choice::Alternative { to, place, scope } if wanted == Some(scope) => {
                    let Some(to) = to else { return Ok(None) };
                    self.place = place;
                    return Ok(Some(Next::Go(to)));
                }
                other => self.undo(&other),
            }
        }
        Ok(Some(Next::End(outcome)))
    }

    fn is_negative(&self, look: usize) -> bool {
        let end = match self.program.ops.get(look) {
            Some(Op::Look { end, .. }) => self.program.ops.get(*end),
            _ => None,
        };
        matches!(end, Some(Op::Reject { .. }))
    }

    /// Returns the position of the last mark of this name.
    fn mark(&self, wanted: &[u8]) -> Option<usize> {
        self.choices.iter().rev().find_map(|choice| match choice {
            Choice::Verb { op, place } => match self.program.ops.get(*op) {
                Some(Op::Verb(BacktrackingVerb::Mark(name))) if name.as_ref() == wanted => Some(*place),
                _ => None,
            },
            _ => None,
        })
    }
}
