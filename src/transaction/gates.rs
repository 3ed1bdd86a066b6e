//! What is known within one phase: the values of targets, what they hold together, and which rules cannot match.

use super::slots::{Slots, ValueId};
use crate::collection::{Arena, Selected};
use crate::graph::{ChainId, Crowd, CrowdId, Phase, Plan, RuleGraph, TargetId};
use crate::pattern::{ByteSet, GateId, Signature, ValueKind};

/// A transaction whose targets have more values than these keeps no memory for the next.
const MOST_KEPT: usize = 1 << 12;

/// What is known of targets and rules in the phase that runs.
#[derive(Debug, Default)]
pub struct Gates {
    /// Counts the phases: what a target knows is true within one.
    phase: u32,
    targets: Vec<KnownTarget>,
    /// The literals that targets hold.
    literals: Vec<u64>,
    /// The steps of the phase that may still match, one bit each.
    open: Vec<u64>,
    /// The crowds of the phase that were looked at.
    seen: Vec<bool>,
    /// Memory for what a group of targets holds.
    joined: Vec<u64>,
}

/// A value of a target.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The value with its label.
    pub selected: Selected,
    /// Its number.
    pub id: ValueId,
    /// The bytes that it holds.
    pub bytes: ByteSet,
}

/// A target in this transaction.
#[derive(Debug, Default)]
struct KnownTarget {
    phase: u32,
    members: Vec<Member>,
    /// The bytes that the values hold.
    bytes: ByteSet,
    holdings: Vec<Holding>,
}

/// What the values of a target hold together before a chain or after it.
#[derive(Clone, Copy, Debug)]
struct Holding {
    chain: ChainId,
    bytes: ByteSet,
    /// Where its words begin in `literals`; none where it holds no literal.
    literals: Option<usize>,
}

impl Gates {
    /// Forgets everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.targets.iter().map(|target| target.members.capacity()).sum::<usize>() > MOST_KEPT {
            *self = Self::default();
        }
        self.phase = 0;
        self.targets.iter_mut().for_each(|target| target.phase = 0);
    }

    /// Begins a phase with so many steps, all of which may match.
    pub fn begin_phase(&mut self, plan: &Plan, phase: Phase, steps: usize) {
        self.phase += 1;
        self.literals.clear();
        self.open.clear();
        self.open.resize(steps.div_ceil(u64::BITS as usize), u64::MAX);
        self.seen.clear();
        self.seen.resize(plan.crowds.at(phase).len(), false);
        if self.targets.len() < plan.targets.len() {
            self.targets.resize_with(plan.targets.len(), KnownTarget::default);
        }
    }

    /// The first step from `place` on that may match; the number of steps, or more, where there is none.
    pub fn next_open(&self, place: usize) -> usize {
        let first = place / u64::BITS as usize;
        let words = self.open.get(first..).unwrap_or_default().iter().enumerate();
        for (at, word) in words {
            let word = if at == 0 { word & (u64::MAX << (place % u64::BITS as usize)) } else { *word };
            if word != 0 {
                return (first + at) * u64::BITS as usize + word.trailing_zeros() as usize;
            }
        }
        usize::MAX
    }

    /// Whether a crowd was looked at in this phase.
    pub fn is_seen(&self, crowd: CrowdId) -> bool {
        self.seen.get(crowd.0 as usize).copied().unwrap_or(true)
    }

    /// Whether the values of a target are known.
    pub fn knows(&self, target: TargetId) -> bool {
        self.targets.get(target.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Takes the values of a target in.
    pub fn learn(&mut self, target: TargetId, kind: ValueKind, values: &[Selected], slots: &mut Slots, arena: &Arena) {
        let Some(known) = self.targets.get_mut(target.0 as usize) else { return };
        known.phase = self.phase;
        known.holdings.clear();
        known.members.clear();
        known.members.extend(values.iter().map(|value| {
            let id = slots.number(arena, value.value, kind);
            Member { selected: *value, id, bytes: slots.bytes(id) }
        }));
        known.bytes = known.members.iter().fold(ByteSet::EMPTY, |bytes, member| bytes.union(member.bytes));
    }

    /// Lends the values of a target out; [`give_back`](Self::give_back) takes them in again.
    pub fn borrow(&mut self, target: TargetId) -> Vec<Member> {
        self.targets.get_mut(target.0 as usize).map(|known| std::mem::take(&mut known.members)).unwrap_or_default()
    }

    /// Takes the values of a target in again.
    pub fn give_back(&mut self, target: TargetId, members: Vec<Member>) {
        if let Some(known) = self.targets.get_mut(target.0 as usize) {
            known.members = members;
        }
    }

    /// Whether a target has values, and they may match after a chain what is behind a gate. The values must be known.
    pub fn is_open(&mut self, view: &mut View<'_>, target: TargetId, chain: ChainId, gate: Option<GateId>) -> bool {
        if self.targets.get(target.0 as usize).is_none_or(|known| known.members.is_empty()) {
            return false;
        }
        let Some(gate) = gate else { return true };
        let literals = &view.plan.literals;
        self.holding(view, target, chain).is_none_or(|holding| literals.is_open(gate, self.signature(view.plan, holding)))
    }

    /// Closes the steps of a crowd that cannot match. The values of its group must be known.
    pub fn look_at(&mut self, view: &mut View<'_>, id: CrowdId, crowd: &Crowd) {
        if let Some(seen) = self.seen.get_mut(id.0 as usize) {
            *seen = true;
        }
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        let mut bytes = ByteSet::EMPTY;
        let mut any = false;
        for target in view.plan.group(crowd.group) {
            let Some(holding) = self.holding(view, *target, crowd.chain) else { continue };
            let signature = self.signature(view.plan, holding);
            any = true;
            bytes = bytes.union(signature.bytes);
            join(&mut joined, signature.literals);
        }
        let signature = Signature { bytes, literals: &joined };
        for (place, gate) in &crowd.rules {
            if !any || gate.is_some_and(|gate| !view.plan.literals.is_open(gate, signature)) {
                self.close(*place);
            }
        }
        self.joined = joined;
    }

    fn close(&mut self, place: usize) {
        if let Some(word) = self.open.get_mut(place / u64::BITS as usize) {
            *word &= !(1 << (place % u64::BITS as usize));
        }
    }

    fn signature(&self, plan: &Plan, holding: Holding) -> Signature<'_> {
        let words = holding.literals.and_then(|start| self.literals.get(start..start + plan.literals.words()));
        Signature { bytes: holding.bytes, literals: words.unwrap_or_default() }
    }

    /// What the values of a target hold together before or after a chain, found out now if it was not before; nothing where there is no value.
    fn holding(&mut self, view: &mut View<'_>, target: TargetId, chain: ChainId) -> Option<Holding> {
        let known = self.targets.get_mut(target.0 as usize).filter(|known| !known.members.is_empty())?;
        let sight = view.plan.sight(chain);
        let planned = view.plan.chain(sight).filter(|planned| planned.may_change(known.bytes));
        let sight = if planned.is_some() { sight } else { ChainId::EMPTY };
        if let Some(holding) = known.holdings.iter().find(|holding| holding.chain == sight) {
            return Some(*holding);
        }
        let before = if planned.is_some() { self.holding(view, target, ChainId::EMPTY) } else { None };
        let start = self.literals.len();
        if let Some(literals) = before.and_then(|before| before.literals) {
            self.literals.extend_from_within(literals..literals + view.plan.literals.words());
        }
        let known = self.targets.get_mut(target.0 as usize)?;
        let mut bytes = known.bytes;
        // Values that the chain leaves alone are what they were before.
        let changing = known.members.iter().filter(|member| planned.is_none_or(|planned| planned.may_change(member.bytes)));
        for member in changing {
            let slot = view.slots.value(view.graph, view.arena, member.id, sight);
            let signature = view.slots.signature(&view.plan.literals, view.arena, slot.id);
            bytes = bytes.union(signature.bytes);
            match self.literals.get_mut(start..) {
                Some([]) | None => self.literals.extend_from_slice(signature.literals),
                Some(joined) => joined.iter_mut().zip(signature.literals).for_each(|(word, more)| *word |= more),
            }
        }
        let holding = Holding { chain: sight, bytes, literals: (self.literals.len() > start).then_some(start) };
        known.holdings.push(holding);
        Some(holding)
    }
}

/// Adds the literals of one value or target to those of others; where there are none, there need be no words.
fn join(joined: &mut Vec<u64>, more: &[u64]) {
    match joined.is_empty() {
        true => joined.extend_from_slice(more),
        false => joined.iter_mut().zip(more).for_each(|(word, more)| *word |= more),
    }
}

/// What finding out needs besides the gates.
pub struct View<'v> {
    /// The rules.
    pub graph: &'v RuleGraph,
    /// Their plan.
    pub plan: &'v Plan,
    /// The values.
    pub slots: &'v mut Slots,
    /// Their bytes.
    pub arena: &'v mut Arena,
}
