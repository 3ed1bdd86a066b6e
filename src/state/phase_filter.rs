//! Values and signatures of targets during one phase, and the rules that cannot match.

use super::stages::unite;
use super::transform_cache::TransformCache;
use super::value_numbers::ValueId;
use super::{Arena, Selected};
use crate::graph::{Phase, Plan, RuleBatch, RuleBatchId, RuleGraph, ScanPointId, ScanPointSet, TargetId, TargetListId, ValueScan};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, Signature};

/// A transaction whose targets have more values than these frees its memory.
const MAX_KEPT: usize = 1 << 12;

/// Cost of testing the signature of a value, in units of the budget.
const TEST: usize = 8;

/// Values and signatures of targets, and the rules of the running phase that may still match.
#[derive(Debug, Default)]
pub struct PhaseFilter {
    /// Number of the phase: cached data of an earlier phase is invalid, but for targets with the same values.
    phase: u32,
    targets: Vec<KnownTarget>,
    target_lists: Vec<KnownTargetList>,
    /// The literals of joint signatures, as bits of the plan's set.
    literals: Vec<u64>,
    /// Buffer for the literals of a union.
    united: Vec<u64>,
    /// Buffer for the values of a target that may match.
    candidates: Vec<TargetValue>,
    /// `true` once a value was not scanned, because the budget was exhausted: the logging phase, which has a share of its own, must scan it.
    is_partial: bool,
    /// The steps of the phase that may still match, one bit each.
    open: Vec<u64>,
    /// The batches of the phase that were scanned.
    seen: Vec<bool>,
}

/// A value of a target.
#[derive(Clone, Copy, Debug)]
pub struct TargetValue {
    /// The value and its label.
    pub selected: Selected,
    /// Its number.
    pub id: ValueId,
    /// The scan points that may change it.
    changing: ScanPointSet,
}

/// Values of a target that a rule tests. They are lent until [`PhaseFilter::give_back`].
#[derive(Debug)]
pub struct LentValues {
    /// The values.
    pub values: Vec<TargetValue>,
    /// The target, if they are all of its values.
    all_of: Option<TargetId>,
}

/// Union of the signatures of several values.
#[derive(Clone, Copy, Debug, Default)]
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

    /// Adds the signature of a value to one whose literals are the last ones in `literals`.
    fn add(&mut self, literals: &mut Vec<u64>, more: Signature<'_>) {
        self.bytes = self.bytes.union(more.bytes);
        match self.literals {
            _ if more.literals.is_empty() => {}
            Some(start) => unite(literals.get_mut(start..).unwrap_or_default(), more.literals),
            None => {
                self.literals = Some(literals.len());
                literals.extend_from_slice(more.literals);
            }
        }
    }
}

/// A target in this transaction.
#[derive(Debug, Default)]
struct KnownTarget {
    phase: u32,
    values: Vec<TargetValue>,
    /// Maximum number of its values so far in this transaction: that many were charged.
    max_values: usize,
    /// The scan points that may change one of its values.
    changing: ScanPointSet,
    /// Joint signature of its values as received; `None` if there is no value.
    plain: Option<JointSignature>,
    /// Joint signatures at other points.
    scanned: Vec<(ScanPointId, JointSignature)>,
}

/// A target list in this transaction.
#[derive(Clone, Copy, Debug, Default)]
struct KnownTargetList {
    phase: u32,
    /// The scan points that may change one of its values.
    changing: ScanPointSet,
    /// Joint signature of its values as received; `None` if there is no value.
    plain: Option<JointSignature>,
}

impl PhaseFilter {
    /// Removes everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.targets.iter().map(|target| target.values.capacity()).sum::<usize>() > MAX_KEPT {
            *self = Self::default();
        }
        (self.phase, self.is_partial) = (0, false);
        self.literals.clear();
        self.targets.iter_mut().for_each(|target| (target.phase, target.max_values) = (0, 0));
        self.target_lists.iter_mut().for_each(|target_list| target_list.phase = 0);
    }

    /// Begins a phase. All its rules may match.
    pub fn begin_phase(&mut self, plan: &Plan, phase: Phase) {
        self.phase += 1;
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

    /// Stores the values of a target. If they are those of an earlier phase, all that is known of them stays.
    pub fn learn(&mut self, view: &mut View<'_>, target: TargetId, selected: &[Selected]) {
        let Some(known) = self.targets.get_mut(target.0 as usize) else { return };
        let earlier = std::mem::replace(&mut known.phase, self.phase);
        if earlier > 0 && !self.is_partial && known.values.iter().map(|value| &value.selected).eq(selected) {
            return;
        }
        (known.changing, known.plain) = (ScanPointSet::default(), None);
        known.scanned.clear();
        known.values.clear();
        if !selected.is_empty() {
            self.learn_values(view, target, selected);
        }
    }

    fn learn_values(&mut self, view: &mut View<'_>, target: TargetId, selected: &[Selected]) {
        let Some((known, planned)) = self.targets.get_mut(target.0 as usize).zip(view.plan.targets.get(target.0 as usize)) else { return };
        view.arena.budget.reserve(selected.len().saturating_sub(known.max_values).saturating_mul(size_of::<TargetValue>()));
        known.max_values = known.max_values.max(selected.len());
        let (mut joint, mut is_scanned) = (JointSignature::default(), false);
        for selected in selected {
            let (id, scanned) = view.transforms.learn(view.graph, view.plan, view.arena, selected.value, planned.kind);
            let mut changing = ScanPointSet::default();
            // Once the budget is exhausted no rule of the phase runs, so that nothing need be known of the values.
            match scanned {
                Some((changed_at, signature)) => {
                    changing = changed_at;
                    known.changing = known.changing.union(changing);
                    joint.add(&mut self.literals, signature);
                    is_scanned = true;
                }
                None => self.is_partial = true,
            }
            known.values.push(TargetValue { selected: *selected, id, changing });
        }
        known.plain = is_scanned.then_some(joint);
    }

    /// Lends the values of a target that may match, or all of them for a rule that tests all, if there are any. They must be known.
    pub fn lend_open(&mut self, view: &mut View<'_>, target: TargetId, scan: &ValueScan) -> Option<LentValues> {
        if let Some(prefilter) = scan.excluding() {
            let changed = self.changed(view, target, scan.scan_point);
            let joint = changed.or_else(|| self.targets.get(target.0 as usize)?.plain)?;
            view.plan.prefilters.may_match(prefilter, joint.signature(view.plan, &self.literals)).then_some(())?;
            let known = self.targets.get(target.0 as usize)?;
            if known.values.len() > 1 {
                view.arena.budget.charge(known.values.len().saturating_mul(TEST));
                let mut values = std::mem::take(&mut self.candidates);
                values.clear();
                let prefilters = &view.plan.prefilters;
                for value in &known.values {
                    if prefilters.may_match(prefilter, view.signature(value.id, scan.scan_point, ScanPointSet::default())) {
                        values.push(*value);
                    }
                }
                return Some(LentValues { values, all_of: None });
            }
        }
        let known = self.targets.get_mut(target.0 as usize).filter(|known| !known.values.is_empty())?;
        Some(LentValues { values: std::mem::take(&mut known.values), all_of: Some(target) })
    }

    /// Takes lent values back.
    pub fn give_back(&mut self, LentValues { values, all_of }: LentValues) {
        match all_of {
            Some(target) => {
                if let Some(known) = self.targets.get_mut(target.0 as usize) {
                    known.values = values;
                }
            }
            None => self.candidates = values,
        }
    }

    /// Closes the steps of a batch that cannot match. The values of its target list must be known.
    pub fn look_at(&mut self, view: &mut View<'_>, id: RuleBatchId, batch: &RuleBatch) {
        if let Some(seen) = self.seen.get_mut(id.0 as usize) {
            *seen = true;
        }
        let list = self.target_list(view, batch.target_list);
        let point = batch.scan_point;
        let mut joint = list.plain;
        if list.changing.contains(point) {
            // Values that are not changed keep their signature.
            joint = self.join(view, batch.target_list, joint, |filter, view, target| filter.changed(view, target, point));
        }
        let Self { open: steps, literals, .. } = self;
        let signature = joint.map(|joint| joint.signature(view.plan, literals));
        let may_match = |prefilter: &PrefilterId| signature.is_some_and(|signature| view.plan.prefilters.may_match(*prefilter, signature));
        for (place, prefilter) in &batch.rules {
            let open = prefilter.as_ref().map_or(signature.is_some(), may_match);
            if let Some(word) = steps.get_mut(place / u64::BITS as usize).filter(|_| !open) {
                *word &= !(1 << (place % u64::BITS as usize));
            }
        }
    }

    /// Returns the joint signature and the changing points of a target list. The values of its targets must be known.
    fn target_list(&mut self, view: &mut View<'_>, id: TargetListId) -> KnownTargetList {
        if let Some(known) = self.target_lists.get(id.0 as usize).filter(|known| known.phase == self.phase) {
            return *known;
        }
        let changing = view.plan.target_list(id).iter().filter_map(|target| self.targets.get(target.0 as usize));
        let changing = changing.fold(ScanPointSet::default(), |changing, target| changing.union(target.changing));
        let plain = self.join(view, id, None, |filter, _, target| filter.targets.get(target.0 as usize)?.plain);
        let list = KnownTargetList { phase: self.phase, changing, plain };
        if let Some(known) = self.target_lists.get_mut(id.0 as usize) {
            *known = list;
        }
        list
    }

    /// Returns the joint signature of a target's values at a scan point that may change one of them.
    #[inline]
    fn changed(&mut self, view: &mut View<'_>, target: TargetId, point: ScanPointId) -> Option<JointSignature> {
        let known = self.targets.get(target.0 as usize).filter(|known| known.changing.contains(point))?;
        match known.scanned.iter().find(|(known, _)| *known == point) {
            Some((_, joint)) => Some(*joint),
            None => self.scan_target(view, target, point),
        }
    }

    fn scan_target(&mut self, view: &mut View<'_>, target: TargetId, point: ScanPointId) -> Option<JointSignature> {
        let others = view.plan.target_points.get(target.0 as usize).copied().unwrap_or_default();
        let known = self.targets.get_mut(target.0 as usize)?;
        // Values that are not changed keep their signature, so that the joint signature of all is the first part of this one.
        let plain = known.plain?;
        let mut joint = JointSignature { bytes: plain.bytes, literals: plain.literals.map(|_| self.literals.len()) };
        if let Some(start) = plain.literals {
            self.literals.extend_from_within(start..start + view.plan.prefilters.words());
        }
        for value in known.values.iter().filter(|value| value.changing.contains(point)) {
            // Once the budget is exhausted no rule of the phase runs, so the result is not used.
            if view.arena.budget.is_over() {
                self.is_partial = true;
                break;
            }
            joint.add(&mut self.literals, view.signature(value.id, point, others));
        }
        known.scanned.push((point, joint));
        Some(joint)
    }

    /// Adds the joint signatures of a list's targets, if they have one, to another.
    fn join(
        &mut self,
        view: &mut View<'_>,
        list: TargetListId,
        before: Option<JointSignature>,
        joint_of: impl Fn(&mut Self, &mut View<'_>, TargetId) -> Option<JointSignature>,
    ) -> Option<JointSignature> {
        let words = view.plan.prefilters.words();
        let mut joint = before;
        // Literals of the union, once it has those of two targets.
        let mut united = std::mem::take(&mut self.united);
        united.clear();
        for target in view.plan.target_list(list) {
            let Some(more) = joint_of(self, view, *target) else { continue };
            let before = joint.get_or_insert(JointSignature { bytes: ByteSet::EMPTY, literals: more.literals });
            before.bytes = before.bytes.union(more.bytes);
            match (before.literals, more.literals) {
                (Some(one), Some(other)) if one != other => {
                    let literals_at = |start: usize| self.literals.get(start..start + words).unwrap_or_default();
                    if united.is_empty() {
                        united.extend_from_slice(literals_at(one));
                    }
                    unite(&mut united, literals_at(other));
                }
                (one, other) => before.literals = one.or(other),
            }
        }
        if let Some(joint) = joint.as_mut().filter(|_| !united.is_empty()) {
            joint.literals = Some(self.literals.len());
            self.literals.extend_from_slice(&united);
        }
        self.united = united;
        joint
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

impl View<'_> {
    /// Returns the signature of a value at a scan point.
    pub fn signature(&mut self, value: ValueId, point: ScanPointId, others: ScanPointSet) -> Signature<'_> {
        self.transforms.signature(self.graph, self.plan, self.arena, value, point, others)
    }
}
