//! PCRE's line start for the linear engine.
//!
//! Under multi-line matching both PCRE and Rust let `^` match after a newline, but PCRE does not when that newline ends the subject. The two differ
//! only where `^` is the last thing a match does: in PCRE a byte must still follow, inside the match or after it. An automaton can keep this debt in
//! its state, so the exact semantics take linear time as well. Every state is doubled: one copy may match, the other must first read a byte. A match
//! that ends in debt remembers its end and waits for that byte.

use regex_automata::nfa::thompson::{Builder, NFA, State, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::{Hir, HirKind};

/// Returns `true` if a match of `hir` may end with `^`, consuming nothing after it.
pub(super) fn may_end_a_match(hir: &Hir) -> bool {
    hir.properties().look_set().contains(regex_syntax::hir::Look::StartLF) && trails(hir, true)
}

/// Returns `true` if `hir` contains a `^` that only empty matches follow. `rest_empty` says that what follows `hir` may be empty.
///
/// The depth of the recursion is bounded by the nesting limit of the parser.
fn trails(hir: &Hir, rest_empty: bool) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(look) => rest_empty && *look == regex_syntax::hir::Look::StartLF,
        HirKind::Repetition(repetition) => trails(&repetition.sub, rest_empty),
        HirKind::Capture(capture) => trails(&capture.sub, rest_empty),
        HirKind::Alternation(branches) => branches.iter().any(|branch| trails(branch, rest_empty)),
        HirKind::Concat(parts) => {
            let mut rest_empty = rest_empty;
            parts.iter().rev().any(|part| {
                let found = trails(part, rest_empty);
                rest_empty &= part.properties().minimum_len() == Some(0);
                found
            })
        }
    }
}

/// Condition before a state of the doubled automaton may match.
#[derive(Clone, Copy)]
enum Debt {
    /// Nothing.
    Free,
    /// It passed a line start and has read no byte since.
    Byte,
}

/// Rebuilds `nfa`, which has one pattern, with PCRE's line starts; `None` if it becomes too large.
pub(super) fn as_in_pcre(nfa: &NFA) -> Option<NFA> {
    let mut doubler = Doubler { builder: Builder::new(), first_helper: nfa.states().len().checked_mul(2)?, helpers: Vec::new() };
    doubler.builder.set_utf8(false);
    doubler.builder.start_pattern().ok()?;
    for (index, old) in nfa.states().iter().enumerate() {
        let index = StateID::new(index).ok()?;
        doubler.add(index, old, Debt::Free)?;
        doubler.add(index, old, Debt::Byte)?;
    }
    doubler.finish(nfa.start_anchored(), nfa.start_unanchored())
}

/// Builder of the doubled automaton. States are numbered in the order of their addition: two for each old one, then two helpers for each line start.
struct Doubler {
    builder: Builder,
    first_helper: usize,
    helpers: Vec<(Look, StateID)>,
}

impl Doubler {
    /// Adds the counterpart of `old`, with number `index`, under `debt`.
    fn add(&mut self, index: StateID, old: &State, debt: Debt) -> Option<StateID> {
        let paid = |transition: &Transition| Some(Transition { next: state(transition.next, Debt::Free)?, ..*transition });
        let added = match old {
            State::ByteRange { trans } => self.builder.add_range(paid(trans)?),
            State::Sparse(sparse) => self.builder.add_sparse(sparse.transitions.iter().map(paid).collect::<Option<_>>()?),
            State::Dense(dense) => {
                let steps = (0..=u8::MAX).filter_map(|byte| Some(Transition { start: byte, end: byte, next: dense.matches_byte(byte)? }));
                self.builder.add_sparse(steps.map(|step| paid(&step)).collect::<Option<_>>()?)
            }
            State::Look { look: Look::StartLF, next } => {
                let at_the_start = self.helper(Look::Start, state(*next, debt)?)?;
                let after_a_newline = self.helper(Look::StartLF, state(*next, Debt::Byte)?)?;
                self.builder.add_union(vec![at_the_start, after_a_newline])
            }
            State::Look { look, next } => self.builder.add_look(state(*next, debt)?, *look),
            State::Union { alternates } => self.builder.add_union(alternates.iter().map(|&next| state(next, debt)).collect::<Option<_>>()?),
            State::BinaryUnion { alt1, alt2 } => self.builder.add_union(vec![state(*alt1, debt)?, state(*alt2, debt)?]),
            State::Capture { next, group_index, slot, .. } => {
                let next = state(*next, debt)?;
                if slot.as_usize().is_multiple_of(2) {
                    self.builder.add_capture_start(next, group_index.as_u32(), None)
                } else {
                    self.builder.add_capture_end(next, group_index.as_u32())
                }
            }
            State::Fail => self.builder.add_fail(),
            State::Match { .. } => match debt {
                Debt::Free => self.builder.add_match(),
                Debt::Byte => self.builder.add_range(Transition { start: 0, end: u8::MAX, next: state(index, Debt::Free)? }),
            },
        };
        added.ok()
    }

    /// Returns the number of a helper, which is added at the end.
    fn helper(&mut self, look: Look, next: StateID) -> Option<StateID> {
        let number = StateID::new(self.first_helper.checked_add(self.helpers.len())?).ok();
        self.helpers.push((look, next));
        number
    }

    fn finish(mut self, start_anchored: StateID, start_unanchored: StateID) -> Option<NFA> {
        for (look, next) in self.helpers {
            self.builder.add_look(next, look).ok()?;
        }
        let start = state(start_anchored, Debt::Free)?;
        self.builder.finish_pattern(start).ok()?;
        self.builder.build(start, state(start_unanchored, Debt::Free)?).ok()
    }
}

/// Returns the number of the counterpart of `old` under `debt`.
fn state(old: StateID, debt: Debt) -> Option<StateID> {
    StateID::new(old.as_usize().checked_mul(2)?.checked_add(debt as usize)?).ok()
}
