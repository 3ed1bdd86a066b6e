//! Scans a value at the stages of its transformations.
//!
//! The stages are computed in buffers of their own and forgotten: hardly any rule looks at them once the prefilters have. Points share the stages
//! that they have in common.

use super::PER_VALUE;
use super::scan_results::ScanResults;
use crate::graph::{Plan, RuleGraph, ScanPoint, ScanPointId, ScanPointSet};
use crate::metrics::TransformationCosts;
use crate::pattern::ByteSet;
use crate::prefilter::{Signature, SpreadLiterals, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Limit;
use std::num::NonZeroU8;
use std::time::Instant;

/// The maximum length of all stages, in bytes, that are kept for further points. Beyond it a stage is freed once the next one is computed.
const MAX_SHARED: usize = 256 << 10;

/// The longest buffer that is kept for the next value, in bytes.
const MAX_KEPT: usize = 64 << 10;

const TRANSFORMATIONS: usize = Transformation::ALL.len();

/// Stages of one value.
#[derive(Debug, Default)]
pub struct Stages {
    /// The stages, and unused buffers behind them.
    stages: Vec<Stage>,
    /// The number of stages.
    count: usize,
    /// For each stage, the value as received first, and each transformation, one more than the stage after it; 0 if that is unknown.
    steps: Vec<[u16; TRANSFORMATIONS]>,
    /// Length of all stages together.
    length: usize,
    /// Buffer for the literals that are found.
    literals: Vec<u64>,
}

/// The value as received, or a stage by its number from 1 on.
type StageId = usize;

#[derive(Debug, Default)]
struct Stage {
    value: Vec<u8>,
    kind: ValueKind,
    bytes: ByteSet,
    /// The literals in it; empty if it was not scanned.
    literals: Vec<u64>,
    /// The place of the results of a point that ends with it.
    place: Option<NonZeroU8>,
    /// `true` if it was cut at the limit of transformations.
    is_cut: bool,
}

/// A value to scan, and the rules that ask for it.
#[derive(Clone, Copy)]
pub struct Original<'v> {
    pub value: &'v [u8],
    pub kind: ValueKind,
    pub graph: &'v RuleGraph,
    pub plan: &'v Plan,
}

impl Stages {
    /// Scans a value as received.
    pub fn scan_plain(&mut self, original: Original<'_>, results: &mut ScanResults) {
        let prefilters = &original.plan.prefilters;
        self.literals.clear();
        self.literals.resize(prefilters.words(), 0);
        prefilters.scan(original.kind, original.value, &mut self.literals);
        results.insert(ScanPointId::PLAIN, Signature { bytes: results.bytes, literals: &self.literals }, original.value.len(), false);
    }

    /// Scans a value at a point, and at those of `others` that are not known, as long as the stages are short: points have stages in common.
    pub fn scan(
        &mut self,
        original: Original<'_>,
        results: &mut ScanResults,
        point: ScanPointId,
        others: ScanPointSet,
        costs: Option<&mut TransformationCosts>,
    ) {
        if results.place(ScanPointId::PLAIN).is_none() {
            self.scan_plain(original, results);
        }
        let mut costs = costs;
        self.scan_point(original, results, point, costs.as_deref_mut());
        for other in others.intersection(results.changing).iter() {
            if self.length <= MAX_SHARED && results.place(other).is_none() {
                self.scan_point(original, results, other, costs.as_deref_mut());
            }
        }
        self.clear();
    }

    fn scan_point(
        &mut self,
        original: Original<'_>,
        results: &mut ScanResults,
        point: ScanPointId,
        mut costs: Option<&mut TransformationCosts>,
    ) {
        let plan = original.plan;
        let scan_point = plan.scan_point(point);
        let steps = plan.chain(scan_point.chain).map_or(&[][..], |chain| &chain.steps);
        if let Some((few, removed)) = few_literals(plan, scan_point, original.kind)
            && !few.are_in(original.value, removed)
        {
            // The bytes are those of the value as received: more of them than there are, which a prefilter may see.
            let signature = Signature { bytes: results.bytes, literals: &[] };
            return results.insert(point, signature, original.value.len() + PER_VALUE, false);
        }
        let mut joint = scan_point.every_stage.then(|| Joint::new(&mut self.literals, plan));
        if let Some(joint) = &mut joint {
            joint.unite(plain(results, plan));
        }
        let (mut at, mut work, mut exceeds) = (0, 0, false);
        for step in steps {
            let (length, bytes) = self.measure(at, original, results);
            if !step.may_change(bytes) {
                continue;
            }
            work += length + PER_VALUE;
            let before = at;
            at = self.step(original, before, step.transformation, costs.as_deref_mut());
            if at != before {
                if self.length > MAX_SHARED
                    && let Some(stage) = self.stage_mut(before)
                {
                    stage.value = Vec::new();
                }
                let Some(stage) = self.stage_mut(at) else { continue };
                exceeds |= stage.is_cut;
                if let Some(joint) = &mut joint {
                    work += stage.value.len();
                    joint.unite(stage.scan(plan));
                }
            }
        }
        match (joint, self.stage_mut(at)) {
            (Some(joint), _) => {
                results.insert(point, Signature { bytes: joint.bytes, literals: &joint.literals }, work, exceeds);
                self.literals = joint.literals;
            }
            (None, Some(stage)) => {
                work += stage.value.len();
                match stage.place {
                    Some(place) => results.insert_again(point, place, work, exceeds),
                    None => {
                        results.insert(point, stage.scan(plan), work, exceeds);
                        stage.place = results.place(point);
                    }
                }
            }
            (None, None) => match results.place(ScanPointId::PLAIN) {
                Some(place) => results.insert_again(point, place, work, exceeds),
                None => results.insert(point, Signature { bytes: results.bytes, literals: &[] }, work, exceeds),
            },
        }
    }

    /// Returns length and bytes of a stage.
    fn measure(&self, stage: StageId, original: Original<'_>, results: &ScanResults) -> (usize, ByteSet) {
        match self.stage(stage) {
            Some(stage) => (stage.value.len(), stage.bytes),
            None => (original.value.len(), results.bytes),
        }
    }

    /// Returns the stage after a transformation; the same one, if that changes nothing.
    fn step(
        &mut self,
        original: Original<'_>,
        before: StageId,
        transformation: Transformation,
        costs: Option<&mut TransformationCosts>,
    ) -> StageId {
        if self.steps.len() <= before {
            self.steps.resize(before + 1, [0; TRANSFORMATIONS]);
        }
        let known = self.steps.get(before).and_then(|steps| steps.get(transformation as usize)).copied().unwrap_or(0);
        if let Some(after) = known.checked_sub(1) {
            return usize::from(after);
        }
        if self.stages.len() == self.count {
            self.stages.push(Stage::default());
        }
        let (made, unused) = self.stages.split_at_mut(self.count);
        let before_stage = before.checked_sub(1).and_then(|place| made.get(place));
        let (value, kind) = before_stage.map_or((original.value, original.kind), |stage| (&stage.value, stage.kind));
        let Some(stage) = unused.first_mut() else { return before };
        let start = costs.as_ref().map(|_| Instant::now());
        let effect = transformation.apply(value, &mut stage.value, original.graph.unicode_map.as_deref());
        if let (Some(costs), Some(start)) = (costs, start) {
            costs.add(transformation, start.elapsed());
        }
        let mut after = before;
        if effect.rewritten {
            let max = original.graph.settings.limit(Limit::Transformation).max(value.len());
            stage.is_cut = stage.value.len() > max;
            stage.value.truncate(max);
            (stage.kind, stage.bytes) = (kind.made_by(transformation as u8), ByteSet::of(&stage.value));
            stage.literals.clear();
            stage.place = None;
            self.length += stage.value.len();
            self.count += 1;
            after = self.count;
        }
        let known = self.steps.get_mut(before).and_then(|steps| steps.get_mut(transformation as usize));
        if let (Some(known), Ok(after)) = (known, u16::try_from(after + 1)) {
            *known = after;
        }
        after
    }

    /// Returns a stage; `None` for the value as received.
    fn stage(&self, id: StageId) -> Option<&Stage> {
        self.stages.get(id.checked_sub(1)?)
    }

    fn stage_mut(&mut self, id: StageId) -> Option<&mut Stage> {
        self.stages.get_mut(id.checked_sub(1)?)
    }

    fn clear(&mut self) {
        self.stages.retain(|stage| stage.value.capacity() <= MAX_KEPT);
        (self.count, self.length) = (0, 0);
        self.steps.clear();
    }
}

impl Stage {
    /// Returns the signature of the stage, which is scanned if it was not yet.
    fn scan(&mut self, plan: &Plan) -> Signature<'_> {
        if self.literals.is_empty() {
            self.literals.resize(plan.prefilters.words(), 0);
            plan.prefilters.scan(self.kind, &self.value, &mut self.literals);
        }
        Signature { bytes: self.bytes, literals: &self.literals }
    }
}

/// Returns the literals that are searched for at a point, if they are few, and a value can be searched for them before the point's transformation.
pub fn few_literals(plan: &Plan, point: ScanPoint, kind: ValueKind) -> Option<(&SpreadLiterals, ByteSet)> {
    let [step] = &*plan.chain(point.chain)?.steps else { return None };
    let removes = !point.every_stage && step.transformation.only_removes();
    let few = plan.prefilters.few(kind.made_by(step.transformation as u8)).filter(|_| removes)?;
    Some((few, step.triggers))
}

/// The union of signatures.
struct Joint {
    bytes: ByteSet,
    literals: Vec<u64>,
}

impl Joint {
    /// Takes a buffer for the literals.
    fn new(literals: &mut Vec<u64>, plan: &Plan) -> Self {
        let mut literals = std::mem::take(literals);
        literals.clear();
        literals.resize(plan.prefilters.words(), 0);
        Self { bytes: ByteSet::EMPTY, literals }
    }

    fn unite(&mut self, more: Signature<'_>) {
        self.bytes = self.bytes.union(more.bytes);
        unite(&mut self.literals, more.literals);
    }
}

/// Returns the signature of the value as received.
fn plain<'r>(results: &'r ScanResults, plan: &Plan) -> Signature<'r> {
    let scanned = results.place(ScanPointId::PLAIN).and_then(|place| results.at(place));
    scanned.map_or(Signature { bytes: results.bytes, literals: &[] }, |scanned| results.signature(scanned, plan.prefilters.words()))
}

/// Adds bits to others.
pub fn unite(bits: &mut [u64], more: &[u64]) {
    bits.iter_mut().zip(more).for_each(|(word, more)| *word |= more);
}
