//! Scans a body while it arrives, so that its end costs no long pause.
//!
//! The results are those of a scan of the whole body ([`Stages`](super::stages::Stages)), however it is cut into chunks: a transformation that decodes
//! from left to right leaves an escape for the next chunk if that may change it, and each scan begins within the bytes of the one before. A scan point
//! with any other transformation waits for the whole body.

use super::PER_VALUE;
use super::scan_results::ScanResults;
use super::stages::{few_literals, unite};
use crate::graph::{Plan, PlanId, PlannedTransformation, RuleGraph, ScanPointId, ScanPointSet, Selector, Target, TargetId};
use crate::pattern::ByteSet;
use crate::prefilter::{LONGEST_LITERAL, Signature, ValueKind};
use crate::vocabulary::Variable;

/// The length of a body from which on it is scanned while it arrives, in bytes. To scan shorter ones at their end is no long pause, and spares the scan if
/// no rule asks for it.
const FIRST: usize = 128 << 10;

/// How many bytes arrive between two scans, at least.
const STEP: usize = 16 << 10;

/// The most bytes that are scanned at once: stages take several times as much memory, and a body that begins to be scanned is no long pause, either.
const MAX_PART: usize = 48 << 10;

/// The most bytes of a stage that may wait for those that follow them.
const MAX_WAITING: usize = 4 << 10;

/// How many bytes before those that arrived a literal may begin.
const OVERLAP: usize = LONGEST_LITERAL - 1;

/// The scan of a body that arrives.
#[derive(Debug, Default)]
pub struct BodyScan {
    /// The length of the body from which on it is looked at again.
    due: usize,
    /// The scan of the body so far; `None` as long as it is short, and if no rule reads it.
    begun: Option<Progress>,
}

/// The scan of the bytes that arrived so far.
#[derive(Debug)]
struct Progress {
    plan: PlanId,
    kind: ValueKind,
    /// The number of bytes that were scanned.
    scanned: usize,
    /// The body as received, and what its transformations make of it, each after the one that it is made of.
    stages: Vec<Stage>,
    points: Vec<Point>,
}

/// A scan point, and the stages after each of its transformations.
#[derive(Debug)]
struct Point {
    id: ScanPointId,
    stages: Vec<usize>,
}

/// What the transformations of a stage make of the body so far.
#[derive(Debug, Default)]
struct Stage {
    /// The stage that it is made of, and the transformation; `None` for the body as received.
    made: Option<(usize, PlannedTransformation)>,
    kind: ValueKind,
    /// `true` once a chunk had bytes that the transformation acts on. Until then the stage is that which it is made of.
    differs: bool,
    /// `true` once the transformation changed something.
    is_rewritten: bool,
    /// `true` if too many bytes waited, so that the points of this stage wait for the whole body.
    is_lost: bool,
    /// Bytes that the transformation will decode together with those that follow.
    waiting: Vec<u8>,
    /// The last bytes before the chunk, then what became of the chunk.
    recent: Vec<u8>,
    /// The length of the last bytes before the chunk.
    overlap: usize,
    /// Length of the stage so far.
    length: usize,
    bytes: ByteSet,
    literals: Vec<u64>,
}

/// The last bytes of a stage, and the number of those that were scanned before.
type Recent<'b> = (&'b [u8], usize);

impl Stage {
    /// Returns its last bytes. Those of the body as received are `received`.
    fn recent<'s>(&'s self, received: Recent<'s>) -> Recent<'s> {
        if self.made.is_some() { (&self.recent, self.overlap) } else { received }
    }
}

impl BodyScan {
    /// Scans what has arrived of a body, which is a value of `variable`, if it is enough. `reached` are the scan points that are worth it.
    pub fn read(&mut self, graph: &RuleGraph, plan: &Plan, variable: Variable, reached: ScanPointSet, body: &[u8]) {
        if body.len() < self.due.max(FIRST) {
            return;
        }
        if self.due == 0 {
            self.begun = target_of(plan, variable).map(|target| Progress::new(plan, target, reached));
        }
        self.due = body.len() + STEP;
        self.begun.iter_mut().for_each(|begun| begun.read(graph, plan, body));
    }

    /// Scans the rest of a body, and returns the results, with the kind of the value; `None` if the body was not scanned while it arrived.
    pub fn finish(&mut self, graph: &RuleGraph, plan: &Plan, body: &[u8]) -> Option<(ValueKind, ScanResults)> {
        let mut begun = self.begun.take().filter(|begun| begun.plan == plan.id && begun.scanned <= body.len())?;
        begun.finish(graph, plan, body);
        Some((begun.kind, begun.results(plan)))
    }
}

/// Returns the target whose only value is a variable.
fn target_of(plan: &Plan, variable: Variable) -> Option<TargetId> {
    let is_it = |target: &Target| target.variable == variable && !target.count && matches!(target.selector, Selector::All);
    let place = plan.targets.iter().position(|planned| is_it(&planned.target))?;
    u32::try_from(place).ok().map(TargetId)
}

impl Progress {
    fn new(plan: &Plan, target: TargetId, reached: ScanPointSet) -> Self {
        let place = target.0 as usize;
        let kind = plan.targets.get(place).map_or_else(ValueKind::default, |planned| planned.kind);
        let received = Stage { kind, differs: true, literals: vec![0; plan.prefilters.words()], ..Stage::default() };
        let mut begun = Self { plan: plan.id, kind, scanned: 0, stages: vec![received], points: Vec::new() };
        let points = plan.target_points.get(place).copied().unwrap_or_default();
        points.intersection(reached).iter().for_each(|point| begun.add_point(plan, point));
        begun
    }

    /// Adds the stages of a scan point, if its transformations can work on a body that arrives.
    fn add_point(&mut self, plan: &Plan, id: ScanPointId) {
        let point = plan.scan_point(id);
        // To search the whole body for a few literals takes less time than a transformation.
        if few_literals(plan, point, self.kind).is_some() {
            return;
        }
        let steps = plan.chain(point.chain).map_or(&[][..], |chain| &chain.steps);
        if steps.is_empty() || steps.iter().any(|step| step.transformation.apply_to_beginning(b"", &mut Vec::new(), None).is_none()) {
            return;
        }
        let mut stages = Vec::with_capacity(steps.len());
        let mut before = 0;
        for step in steps {
            let is_same =
                |stage: &Stage| matches!(stage.made, Some((from, made)) if from == before && made.transformation == step.transformation);
            before = self.stages.iter().position(is_same).unwrap_or_else(|| {
                let kind = self.kind.made_by(step.transformation as u8);
                self.stages.push(Stage { made: Some((before, *step)), kind, ..Stage::default() });
                self.stages.len() - 1
            });
            stages.push(before);
        }
        self.points.push(Point { id, stages });
    }

    /// Scans a part of the bytes that arrived; more of them, if too many were left for the end.
    fn read(&mut self, graph: &RuleGraph, plan: &Plan, body: &[u8]) {
        loop {
            self.read_part(graph, plan, body, false);
            if body.len() - self.scanned <= FIRST {
                break;
            }
        }
    }

    /// Scans the rest of a body.
    fn finish(&mut self, graph: &RuleGraph, plan: &Plan, body: &[u8]) {
        while body.len() - self.scanned > MAX_PART {
            self.read_part(graph, plan, body, false);
        }
        self.read_part(graph, plan, body, true);
    }

    /// Scans the next part of a body; `is_end` if nothing follows it.
    fn read_part(&mut self, graph: &RuleGraph, plan: &Plan, body: &[u8], is_end: bool) {
        let body = body.get(..self.scanned + MAX_PART).unwrap_or(body);
        let overlap = self.scanned.min(OVERLAP);
        let recent = body.get(self.scanned - overlap..).unwrap_or_default();
        for place in 1..self.stages.len() {
            self.transform(place, graph, (recent, overlap), is_end);
        }
        for stage in self.stages.iter_mut().filter(|stage| stage.differs && !stage.is_lost) {
            let mut literals = std::mem::take(&mut stage.literals);
            let (recent, overlap) = stage.recent((recent, overlap));
            plan.prefilters.scan(stage.kind, recent, &mut literals);
            let made = recent.get(overlap..).unwrap_or_default();
            (stage.bytes, stage.length) = (stage.bytes.union(ByteSet::of(made)), stage.length + made.len());
            stage.literals = literals;
        }
        self.scanned = body.len();
    }

    /// Makes a stage's part of a chunk, which is `received` with the overlap before it.
    fn transform(&mut self, place: usize, graph: &RuleGraph, received: Recent<'_>, is_end: bool) {
        let Some((before, after)) = self.stages.split_at_mut_checked(place) else { return };
        let Some(stage) = after.first_mut() else { return };
        let Some((from, step)) = stage.made else { return };
        // The nearest stage before it that differs from the one that it is made of.
        let mut source = before.get(from);
        while let Some(same) = source.filter(|source| !source.differs) {
            source = same.made.and_then(|(from, _)| before.get(from));
        }
        let Some(source) = source else { return };
        let (recent, overlap) = source.recent(received);
        let (known, arrived) = recent.split_at_checked(overlap).unwrap_or_default();
        stage.is_lost |= source.is_lost;
        if stage.is_lost {
            return;
        }
        if !stage.differs {
            if !step.may_change(ByteSet::of(arrived)) {
                return;
            }
            // So far it was its source.
            stage.differs = true;
            (stage.length, stage.bytes, stage.literals) = (source.length, source.bytes, source.literals.clone());
            stage.recent.extend_from_slice(known);
            stage.overlap = known.len();
        } else {
            let forgotten = stage.recent.len().saturating_sub(OVERLAP);
            stage.recent.drain(..forgotten);
            stage.overlap = stage.recent.len();
        }
        stage.waiting.extend_from_slice(arrived);
        let unicode = graph.unicode_map.as_deref();
        let length = if is_end {
            let mut changed = Vec::new();
            let effect = step.transformation.apply(&stage.waiting, &mut changed, unicode);
            stage.recent.extend_from_slice(if effect.rewritten { &changed } else { &stage.waiting });
            stage.waiting.len()
        } else {
            step.transformation.apply_to_beginning(&stage.waiting, &mut stage.recent, unicode).unwrap_or(0)
        };
        let made = stage.recent.get(stage.overlap..).unwrap_or_default();
        stage.is_rewritten |= stage.waiting.get(..length) != Some(made);
        stage.waiting.drain(..length);
        stage.is_lost = stage.waiting.len() > MAX_WAITING;
    }

    /// Returns the results of the whole body.
    fn results(&self, plan: &Plan) -> ScanResults {
        let mut results = ScanResults::default();
        let Some(received) = self.stages.first() else { return results };
        results.begin(received.bytes, plan.changes.of(received.bytes));
        let signature = Signature { bytes: received.bytes, literals: &received.literals };
        results.insert(ScanPointId::PLAIN, signature, received.length, false);
        for point in &self.points {
            if !results.changing.contains(point.id) {
                continue;
            }
            if let Some((bytes, literals, work)) = self.result(plan, point, received) {
                results.insert(point.id, Signature { bytes, literals: &literals }, work, false);
            }
        }
        results
    }

    /// Returns bytes and literals of a point, and the work of its transformations and scans; `None` if one of its stages is lost.
    fn result(&self, plan: &Plan, point: &Point, received: &Stage) -> Option<(ByteSet, Vec<u64>, usize)> {
        let every_stage = plan.scan_point(point.id).every_stage;
        let (mut bytes, mut literals, mut work) = (ByteSet::EMPTY, vec![0; plan.prefilters.words()], 0);
        let mut add = |stage: &Stage| {
            bytes = bytes.union(stage.bytes);
            unite(&mut literals, &stage.literals);
        };
        let mut last = received;
        if every_stage {
            add(received);
        }
        for stage in point.stages.iter().filter_map(|place| self.stages.get(*place)) {
            let (_, step) = stage.made?;
            if !step.may_change(last.bytes) {
                continue;
            }
            if stage.is_lost {
                return None;
            }
            work += last.length + PER_VALUE;
            if stage.is_rewritten {
                last = stage;
                if every_stage {
                    add(stage);
                    work += stage.length;
                }
            }
        }
        if !every_stage {
            add(last);
            work += if last.made.is_some() { last.length } else { 0 };
        }
        Some((bytes, literals, work))
    }
}
