//! What is known within one phase: the values of targets, what they hold together, and which rules cannot match.

use super::transform_cache::{TransformCache, ValueId};
use super::{Arena, Selected};
use crate::graph::{Phase, Plan, RuleBatch, RuleBatchId, RuleGraph, ScanPoint, TargetId, TargetListId, ValueScan};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, Signature, ValueKind};

/// A transaction whose targets have more values than these keeps no memory for the next.
const MAX_KEPT: usize = 1 << 12;

/// What is known of targets and rules in the phase that runs.
#[derive(Debug, Default)]
pub struct PhaseFilter {
    /// Counts the phases: what a target knows is true within one.
    phase: u32,
    targets: Vec<KnownTarget>,
    target_lists: Vec<KnownTargetList>,
    /// The literals that targets hold.
    literals: Vec<u64>,
    /// The steps of the phase that may still match, one bit each.
    open: Vec<u64>,
    /// The batches of the phase that were looked at.
    seen: Vec<bool>,
    /// The values of a chain's stages, while they are looked at.
    stages: Vec<ValueId>,
}

/// A value of a target.
#[derive(Clone, Copy, Debug)]
pub struct TargetValue {
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
    values: Vec<TargetValue>,
    /// How many values it had at most in this transaction: so many count.
    max_values: usize,
    /// The bytes that the values hold.
    bytes: ByteSet,
    scanned: Vec<ScannedPoint>,
}

/// A list of targets in this transaction.
#[derive(Clone, Copy, Debug, Default)]
struct KnownTargetList {
    phase: u32,
    /// What its values hold before any transformation; nothing where there is no value.
    held: Option<JointSignature>,
}

/// What the values of a target hold together before a chain, after it, or at all its stages.
#[derive(Clone, Copy, Debug)]
struct ScannedPoint {
    scan_point: ScanPoint,
    held: JointSignature,
}

/// What values hold together.
#[derive(Clone, Copy, Debug)]
struct JointSignature {
    bytes: ByteSet,
    /// Where their words begin in [`PhaseFilter::literals`]; none where they hold no literal.
    literals: Option<usize>,
}

impl JointSignature {
    fn signature<'l>(self, plan: &Plan, literals: &'l [u64]) -> Signature<'l> {
        let words = self.literals.and_then(|start| literals.get(start..start + plan.prefilters.words()));
        Signature { bytes: self.bytes, literals: words.unwrap_or_default() }
    }
}

impl PhaseFilter {
    /// Forgets everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.targets.iter().map(|target| target.values.capacity()).sum::<usize>() > MAX_KEPT {
            *self = Self::default();
        }
        self.phase = 0;
        self.targets.iter_mut().for_each(|target| (target.phase, target.max_values) = (0, 0));
        self.target_lists.iter_mut().for_each(|target_list| target_list.phase = 0);
    }

    /// Begins a phase, all rules of which may match.
    pub fn begin_phase(&mut self, plan: &Plan, phase: Phase) {
        self.phase += 1;
        self.literals.clear();
        self.open.clone_from(plan.open.at(phase));
        self.seen.clear();
        self.seen.resize(plan.batches.at(phase).len(), false);
        if self.targets.len() < plan.targets.len() {
            self.targets.resize_with(plan.targets.len(), KnownTarget::default);
        }
        if self.target_lists.len() < plan.target_lists.len() {
            self.target_lists.resize(plan.target_lists.len(), KnownTargetList::default());
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

    /// Returns `true` if a batch was looked at in this phase.
    pub fn is_seen(&self, batch: RuleBatchId) -> bool {
        self.seen.get(batch.0 as usize).copied().unwrap_or(true)
    }

    /// Returns `true` if the values of a list of targets are known.
    pub fn knows_list(&self, target_list: TargetListId) -> bool {
        self.target_lists.get(target_list.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Returns `true` if the values of a target are known.
    pub fn knows(&self, target: TargetId) -> bool {
        self.targets.get(target.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Takes the values of a target in.
    pub fn learn(&mut self, target: TargetId, kind: ValueKind, values: &[Selected], transforms: &mut TransformCache, arena: &mut Arena) {
        let Some(known) = self.targets.get_mut(target.0 as usize) else { return };
        known.phase = self.phase;
        known.scanned.clear();
        known.values.clear();
        arena.budget.reserve(values.len().saturating_sub(known.max_values).saturating_mul(size_of::<TargetValue>()));
        known.max_values = known.max_values.max(values.len());
        known.values.extend(values.iter().map(|value| {
            let id = transforms.number(arena, value.value, kind);
            TargetValue { selected: *value, id, bytes: transforms.bytes(id) }
        }));
        known.bytes = known.values.iter().fold(ByteSet::EMPTY, |bytes, value| bytes.union(value.bytes));
    }

    /// Lends the values of a target out, if there are any and they may match by what they hold together; [`give_back`](Self::give_back) takes them
    /// in again. They must be known.
    pub fn lend_open(&mut self, view: &mut View<'_>, target: TargetId, scan: &ValueScan) -> Option<Vec<TargetValue>> {
        if let Some(prefilter) = scan.excluding() {
            let held = self.holding(view, target, scan.scan_point)?;
            view.plan.prefilters.may_match(prefilter, held.signature(view.plan, &self.literals)).then_some(())?;
        }
        let known = self.targets.get_mut(target.0 as usize).filter(|known| !known.values.is_empty())?;
        Some(std::mem::take(&mut known.values))
    }

    /// Takes the values of a target in again.
    pub fn give_back(&mut self, target: TargetId, values: Vec<TargetValue>) {
        if let Some(known) = self.targets.get_mut(target.0 as usize) {
            known.values = values;
        }
    }

    /// Closes the steps of a batch that cannot match. The values of its list of targets must be known.
    pub fn look_at(&mut self, view: &mut View<'_>, id: RuleBatchId, batch: &RuleBatch) {
        if let Some(seen) = self.seen.get_mut(id.0 as usize) {
            *seen = true;
        }
        let held = self.target_list(view, batch.target_list).map(|plain| self.join(view, batch.target_list, batch.scan_point, plain));
        let Self { open: steps, literals, .. } = self;
        let signature = held.map(|held| held.signature(view.plan, literals));
        let may_match = |prefilter: &PrefilterId| signature.is_some_and(|signature| view.plan.prefilters.may_match(*prefilter, signature));
        for (place, prefilter) in &batch.rules {
            let open = prefilter.as_ref().map_or(signature.is_some(), may_match);
            if let Some(word) = steps.get_mut(place / u64::BITS as usize).filter(|_| !open) {
                *word &= !(1 << (place % u64::BITS as usize));
            }
        }
    }

    /// What the values of a list of targets hold before any transformation, found out now if it was not before in this phase.
    fn target_list(&mut self, view: &mut View<'_>, id: TargetListId) -> Option<JointSignature> {
        if let Some(known) = self.target_lists.get(id.0 as usize).filter(|known| known.phase == self.phase) {
            return known.held;
        }
        let held = view.plan.target_list(id).iter().fold(None, |before, target| {
            let more = self.holding(view, *target, ScanPoint::PLAIN);
            before.zip(more).map(|(before, more)| self.union(view, before, more)).or(before).or(more)
        });
        if let Some(known) = self.target_lists.get_mut(id.0 as usize) {
            *known = KnownTargetList { phase: self.phase, held };
        }
        held
    }

    /// Unites `plain`, the signature of the untransformed values, with the signature of each target that the chain can change.
    fn join(&mut self, view: &mut View<'_>, target_list: TargetListId, scan_point: ScanPoint, plain: JointSignature) -> JointSignature {
        let plan = view.plan;
        let Some(chain) = plan.chain(scan_point.chain).filter(|chain| chain.may_change(plain.bytes)) else { return plain };
        plan.target_list(target_list).iter().fold(plain, |before, target| {
            let changes = self.targets.get(target.0 as usize).is_some_and(|known| chain.may_change(known.bytes));
            let more = if changes { self.holding(view, *target, scan_point) } else { None };
            more.map_or(before, |more| self.union(view, before, more))
        })
    }

    /// What two values hold together.
    fn union(&mut self, view: &View<'_>, before: JointSignature, more: JointSignature) -> JointSignature {
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
        JointSignature { bytes: before.bytes.union(more.bytes), literals }
    }

    /// What the values of a target hold together; nothing where there is no value.
    #[inline]
    fn holding(&mut self, view: &mut View<'_>, target: TargetId, scan_point: ScanPoint) -> Option<JointSignature> {
        let known = self.targets.get(target.0 as usize).filter(|known| !known.values.is_empty())?;
        match known.scanned.iter().find(|holding| holding.scan_point == scan_point) {
            Some(holding) => Some(holding.held),
            None => self.find_out(view, target, scan_point),
        }
    }

    /// What the values of a target hold together at a scan point of which it is not known.
    fn find_out(&mut self, view: &mut View<'_>, target: TargetId, scan_point: ScanPoint) -> Option<JointSignature> {
        let known = self.targets.get_mut(target.0 as usize)?;
        let planned = view.plan.chain(scan_point.chain).filter(|planned| planned.may_change(known.bytes));
        let scan_point = if planned.is_some() { scan_point } else { ScanPoint::PLAIN };
        if let Some(holding) = known.scanned.iter().find(|holding| holding.scan_point == scan_point) {
            return Some(holding.held);
        }
        let before = if planned.is_some() { self.holding(view, target, ScanPoint::PLAIN) } else { None };
        let start = self.literals.len();
        if let Some(literals) = before.and_then(|before| before.literals) {
            self.literals.extend_from_within(literals..literals + view.plan.prefilters.words());
        }
        let known = self.targets.get_mut(target.0 as usize)?;
        let mut bytes = known.bytes;
        // Values that the chain leaves alone are what they were before.
        let changing = known.values.iter().filter(|value| planned.is_none_or(|planned| planned.may_change(value.bytes)));
        for value in changing {
            // Then no rule is asked any more, whatever is found.
            if view.arena.budget.is_over() {
                break;
            }
            self.stages.clear();
            view.transforms.stages(view.graph, view.arena, value.id, scan_point, &mut self.stages);
            for value in &self.stages {
                let signature = view.transforms.signature(&view.plan.prefilters, view.arena, *value);
                bytes = bytes.union(signature.bytes);
                match self.literals.get_mut(start..) {
                    Some([]) | None => self.literals.extend_from_slice(signature.literals),
                    Some(joined) => joined.iter_mut().zip(signature.literals).for_each(|(word, more)| *word |= more),
                }
            }
        }
        let held = JointSignature { bytes, literals: (self.literals.len() > start).then_some(start) };
        known.scanned.push(ScannedPoint { scan_point, held });
        Some(held)
    }
}

/// What finding out needs besides the filter.
pub struct View<'v> {
    /// The rules.
    pub graph: &'v RuleGraph,
    /// Their plan.
    pub plan: &'v Plan,
    /// The values.
    pub transforms: &'v mut TransformCache,
    /// Their bytes.
    pub arena: &'v mut Arena,
}
