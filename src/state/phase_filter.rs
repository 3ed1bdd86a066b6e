//! Values and signatures of targets during one phase, and the rules that cannot match.

use super::transform_cache::{TransformCache, ValueId};
use super::{Arena, Selected};
use crate::graph::{Phase, Plan, RuleBatch, RuleBatchId, RuleGraph, ScanPoint, TargetId, TargetListId, ValueScan};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, Signature, ValueKind};

/// A transaction whose targets have more values than these frees its memory.
const MAX_KEPT: usize = 1 << 12;

/// Values and signatures of targets, and the rules of the running phase that may still match.
#[derive(Debug, Default)]
pub struct PhaseFilter {
    /// Number of the phase: cached data of an earlier phase is invalid.
    phase: u32,
    targets: Vec<KnownTarget>,
    target_lists: Vec<KnownTargetList>,
    /// The literals in values, as bits of the plan's set.
    literals: Vec<u64>,
    /// The steps of the phase that may still match, one bit each.
    open: Vec<u64>,
    /// The batches of the phase that were scanned.
    seen: Vec<bool>,
    /// Buffer for the values of a chain's stages.
    stages: Vec<ValueId>,
}

/// A value of a target.
#[derive(Clone, Copy, Debug)]
pub struct TargetValue {
    /// The value and its label.
    pub selected: Selected,
    /// Its number.
    pub id: ValueId,
    /// The bytes that occur in it.
    pub bytes: ByteSet,
}

/// A target in this transaction.
#[derive(Debug, Default)]
struct KnownTarget {
    phase: u32,
    values: Vec<TargetValue>,
    /// Maximum number of its values so far in this transaction: that many were charged.
    max_values: usize,
    /// The bytes that occur in its values.
    bytes: ByteSet,
    scanned: Vec<ScannedPoint>,
}

/// A target list in this transaction.
#[derive(Clone, Copy, Debug, Default)]
struct KnownTargetList {
    phase: u32,
    /// Joint signature of its values before any transformation; `None` if there is no value.
    held: Option<JointSignature>,
}

/// Joint signature of a target's values before a chain, after it, or at all its stages.
#[derive(Clone, Copy, Debug)]
struct ScannedPoint {
    scan_point: ScanPoint,
    held: JointSignature,
}

/// Union of the signatures of several values.
#[derive(Clone, Copy, Debug)]
struct JointSignature {
    bytes: ByteSet,
    /// Index of their words in [`PhaseFilter::literals`]; `None` if they contain no literal.
    literals: Option<usize>,
}

impl JointSignature {
    fn signature<'l>(self, plan: &Plan, literals: &'l [u64]) -> Signature<'l> {
        let words = self.literals.and_then(|start| literals.get(start..start + plan.prefilters.words()));
        Signature { bytes: self.bytes, literals: words.unwrap_or_default() }
    }
}

impl PhaseFilter {
    /// Removes everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.targets.iter().map(|target| target.values.capacity()).sum::<usize>() > MAX_KEPT {
            *self = Self::default();
        }
        self.phase = 0;
        self.targets.iter_mut().for_each(|target| (target.phase, target.max_values) = (0, 0));
        self.target_lists.iter_mut().for_each(|target_list| target_list.phase = 0);
    }

    /// Begins a phase. All its rules may match.
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

    /// Returns the first step from `place` on that may match; if there is none, a number beyond the last step.
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

    /// Returns `true` if a batch was scanned in this phase.
    pub fn is_seen(&self, batch: RuleBatchId) -> bool {
        self.seen.get(batch.0 as usize).copied().unwrap_or(true)
    }

    /// Returns `true` if the values of a target list are known.
    pub fn knows_list(&self, target_list: TargetListId) -> bool {
        self.target_lists.get(target_list.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Returns `true` if the values of a target are known.
    pub fn knows(&self, target: TargetId) -> bool {
        self.targets.get(target.0 as usize).is_some_and(|known| known.phase == self.phase)
    }

    /// Stores the values of a target.
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

    /// Lends the values of a target, if there are any and their joint signature may match. They must be known; [`give_back`](Self::give_back) takes
    /// them back.
    pub fn lend_open(&mut self, view: &mut View<'_>, target: TargetId, scan: &ValueScan) -> Option<Vec<TargetValue>> {
        if let Some(prefilter) = scan.excluding() {
            let held = self.holding(view, target, scan.scan_point)?;
            view.plan.prefilters.may_match(prefilter, held.signature(view.plan, &self.literals)).then_some(())?;
        }
        let known = self.targets.get_mut(target.0 as usize).filter(|known| !known.values.is_empty())?;
        Some(std::mem::take(&mut known.values))
    }

    /// Takes lent values of a target back.
    pub fn give_back(&mut self, target: TargetId, values: Vec<TargetValue>) {
        if let Some(known) = self.targets.get_mut(target.0 as usize) {
            known.values = values;
        }
    }

    /// Closes the steps of a batch that cannot match. The values of its target list must be known.
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

    /// Returns the joint signature of a target list before any transformation, and computes it if this phase did not yet.
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

    /// Returns the union of two signatures.
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

    /// Returns the joint signature of a target's values; `None` if there is no value.
    #[inline]
    fn holding(&mut self, view: &mut View<'_>, target: TargetId, scan_point: ScanPoint) -> Option<JointSignature> {
        let known = self.targets.get(target.0 as usize).filter(|known| !known.values.is_empty())?;
        match known.scanned.iter().find(|holding| holding.scan_point == scan_point) {
            Some(holding) => Some(holding.held),
            None => self.find_out(view, target, scan_point),
        }
    }

    /// Computes the joint signature of a target's values at a scan point.
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
        // Values that the chain cannot change keep their signature.
        let changing = known.values.iter().filter(|value| planned.is_none_or(|planned| planned.may_change(value.bytes)));
        for value in changing {
            // Once the budget is exhausted no rule runs, so the result is not used.
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

/// Rules and values for the computation of signatures.
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
