//! What is known within one phase: the values of targets, what they hold together, and which rules cannot match.

use super::slots::{Slots, ValueId};
use super::{Arena, Selected};
use crate::graph::{Crowd, CrowdId, GroupId, Phase, Plan, RuleGraph, Sight, TargetId};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, Signature, ValueKind};

/// A transaction whose targets have more values than these keeps no memory for the next.
const MOST_KEPT: usize = 1 << 12;

/// What is known of targets and rules in the phase that runs.
#[derive(Debug, Default)]
pub struct Gates {
    /// Counts the phases: what a target knows is true within one.
    phase: u32,
    targets: Vec<KnownTarget>,
    groups: Vec<KnownGroup>,
    /// The literals that targets hold.
    literals: Vec<u64>,
    /// The steps of the phase that may still match, one bit each.
    open: Vec<u64>,
    /// The crowds of the phase that were looked at.
    seen: Vec<bool>,
    /// The values of a chain's stages, while they are looked at.
    stages: Vec<ValueId>,
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
    /// How many values it had at most in this transaction: so many count.
    most: usize,
    /// The bytes that the values hold.
    bytes: ByteSet,
    holdings: Vec<Holding>,
}

/// A list of targets in this transaction.
#[derive(Clone, Copy, Debug, Default)]
struct KnownGroup {
    phase: u32,
    /// What its values hold before any transformation; nothing where there is no value.
    held: Option<Held>,
}

/// What the values of a target hold together before a chain, after it, or at all its stages.
#[derive(Clone, Copy, Debug)]
struct Holding {
    sight: Sight,
    held: Held,
}

/// What values hold together.
#[derive(Clone, Copy, Debug)]
struct Held {
    bytes: ByteSet,
    /// Where their words begin in [`Gates::literals`]; none where they hold no literal.
    literals: Option<usize>,
}

impl Held {
    fn signature<'l>(self, plan: &Plan, literals: &'l [u64]) -> Signature<'l> {
        let words = self.literals.and_then(|start| literals.get(start..start + plan.prefilters.words()));
        Signature { bytes: self.bytes, literals: words.unwrap_or_default() }
    }
}

impl Gates {
    /// Forgets everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.targets.iter().map(|target| target.members.capacity()).sum::<usize>() > MOST_KEPT {
            *self = Self::default();
        }
        self.phase = 0;
        self.targets.iter_mut().for_each(|target| (target.phase, target.most) = (0, 0));
        self.groups.iter_mut().for_each(|group| group.phase = 0);
    }

    /// Begins a phase, all rules of which may match.
    pub fn begin_phase(&mut self, plan: &Plan, phase: Phase) {
        self.phase += 1;
        self.literals.clear();
        self.open.clone_from(plan.open.at(phase));
        self.seen.clear();
        self.seen.resize(plan.crowds.at(phase).len(), false);
        if self.targets.len() < plan.targets.len() {
            self.targets.resize_with(plan.targets.len(), KnownTarget::default);
        }
        if self.groups.len() < plan.groups.len() {
            self.groups.resize(plan.groups.len(), KnownGroup::default());
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

    /// Whether the values of a group are known.
    pub fn knows_group(&self, group: GroupId) -> bool {
        self.groups.get(group.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Whether the values of a target are known.
    pub fn knows(&self, target: TargetId) -> bool {
        self.targets.get(target.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Takes the values of a target in.
    pub fn learn(&mut self, target: TargetId, kind: ValueKind, values: &[Selected], slots: &mut Slots, arena: &mut Arena) {
        let Some(known) = self.targets.get_mut(target.0 as usize) else { return };
        known.phase = self.phase;
        known.holdings.clear();
        known.members.clear();
        arena.work.hold(values.len().saturating_sub(known.most).saturating_mul(size_of::<Member>()));
        known.most = known.most.max(values.len());
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

    /// Whether a target has values, and they may match at some sight what is behind a gate. The values must be known.
    pub fn is_open(&mut self, view: &mut View<'_>, target: TargetId, sight: Sight, gate: Option<PrefilterId>) -> bool {
        if self.targets.get(target.0 as usize).is_none_or(|known| known.members.is_empty()) {
            return false;
        }
        let Some(gate) = gate else { return true };
        let literals = &view.plan.prefilters;
        self.holding(view, target, sight).is_none_or(|held| literals.may_match(gate, held.signature(view.plan, &self.literals)))
    }

    /// Closes the steps of a crowd that cannot match. The values of its group must be known.
    pub fn look_at(&mut self, view: &mut View<'_>, id: CrowdId, crowd: &Crowd) {
        if let Some(seen) = self.seen.get_mut(id.0 as usize) {
            *seen = true;
        }
        let held = self.group(view, crowd.group).map(|plain| self.join(view, crowd.group, view.plan.sight(crowd.sight), plain));
        let Self { open: steps, literals, .. } = self;
        let signature = held.map(|held| held.signature(view.plan, literals));
        let may_match = |gate: &PrefilterId| signature.is_some_and(|signature| view.plan.prefilters.may_match(*gate, signature));
        for (place, gate) in &crowd.rules {
            let open = gate.as_ref().map_or(signature.is_some(), may_match);
            if let Some(word) = steps.get_mut(place / u64::BITS as usize).filter(|_| !open) {
                *word &= !(1 << (place % u64::BITS as usize));
            }
        }
    }

    /// What the values of a group hold before any transformation, found out now if it was not before in this phase.
    fn group(&mut self, view: &mut View<'_>, id: GroupId) -> Option<Held> {
        if let Some(known) = self.groups.get(id.0 as usize).filter(|known| known.phase == self.phase) {
            return known.held;
        }
        let held = view.plan.group(id).iter().fold(None, |before, target| {
            let more = self.holding(view, *target, Sight::PLAIN);
            before.zip(more).map(|(before, more)| self.union(view, before, more)).or(before).or(more)
        });
        if let Some(known) = self.groups.get_mut(id.0 as usize) {
            *known = KnownGroup { phase: self.phase, held };
        }
        held
    }

    /// What the values of a group hold at a sight, and what they hold plainly, which is known: only targets that the chain may change are looked at.
    fn join(&mut self, view: &mut View<'_>, group: GroupId, sight: Sight, plain: Held) -> Held {
        let plan = view.plan;
        let Some(chain) = plan.chain(sight.chain).filter(|chain| chain.may_change(plain.bytes)) else { return plain };
        plan.group(group).iter().fold(plain, |before, target| {
            let changes = self.targets.get(target.0 as usize).is_some_and(|known| chain.may_change(known.bytes));
            let more = if changes { self.holding(view, *target, sight) } else { None };
            more.map_or(before, |more| self.union(view, before, more))
        })
    }

    /// What two values hold together.
    fn union(&mut self, view: &View<'_>, before: Held, more: Held) -> Held {
        let words = view.plan.prefilters.words();
        let literals = match (before.literals, more.literals) {
            (Some(one), Some(other)) => {
                let start = self.literals.len();
                self.literals.extend_from_within(one..one + words);
                let (known, joined) = self.literals.split_at_mut(start);
                let other = known.get(other..other + words).unwrap_or_default();
                joined.iter_mut().zip(other).for_each(|(word, more)| *word |= more);
                Some(start)
            }
            (one, other) => one.or(other),
        };
        Held { bytes: before.bytes.union(more.bytes), literals }
    }

    /// What the values of a target hold together; nothing where there is no value.
    #[inline]
    fn holding(&mut self, view: &mut View<'_>, target: TargetId, sight: Sight) -> Option<Held> {
        let known = self.targets.get(target.0 as usize).filter(|known| !known.members.is_empty())?;
        match known.holdings.iter().find(|holding| holding.sight == sight) {
            Some(holding) => Some(holding.held),
            None => self.find_out(view, target, sight),
        }
    }

    /// What the values of a target hold together at a sight of which it is not known.
    fn find_out(&mut self, view: &mut View<'_>, target: TargetId, sight: Sight) -> Option<Held> {
        let known = self.targets.get_mut(target.0 as usize)?;
        let sight = view.plan.sight(sight);
        let planned = view.plan.chain(sight.chain).filter(|planned| planned.may_change(known.bytes));
        let sight = if planned.is_some() { sight } else { Sight::PLAIN };
        if let Some(holding) = known.holdings.iter().find(|holding| holding.sight == sight) {
            return Some(holding.held);
        }
        let before = if planned.is_some() { self.holding(view, target, Sight::PLAIN) } else { None };
        let start = self.literals.len();
        if let Some(literals) = before.and_then(|before| before.literals) {
            self.literals.extend_from_within(literals..literals + view.plan.prefilters.words());
        }
        let known = self.targets.get_mut(target.0 as usize)?;
        let mut bytes = known.bytes;
        // Values that the chain leaves alone are what they were before.
        let changing = known.members.iter().filter(|member| planned.is_none_or(|planned| planned.may_change(member.bytes)));
        for member in changing {
            // Then no rule is asked any more, whatever is found.
            if view.arena.work.is_over() {
                break;
            }
            self.stages.clear();
            view.slots.stages(view.graph, view.arena, member.id, sight, &mut self.stages);
            for value in &self.stages {
                let signature = view.slots.signature(&view.plan.prefilters, view.arena, *value);
                bytes = bytes.union(signature.bytes);
                match self.literals.get_mut(start..) {
                    Some([]) | None => self.literals.extend_from_slice(signature.literals),
                    Some(joined) => joined.iter_mut().zip(signature.literals).for_each(|(word, more)| *word |= more),
                }
            }
        }
        let held = Held { bytes, literals: (self.literals.len() > start).then_some(start) };
        known.holdings.push(Holding { sight, held });
        Some(held)
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
