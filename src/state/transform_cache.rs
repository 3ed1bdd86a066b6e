//! Values before and after transformations: each value and chain is computed at most once, and what a value holds is found out once.

use super::{Arena, Budget, PER_VALUE, Text};
use crate::graph::{ChainId, RuleGraph, ScanPoint};
use crate::metrics::TransformationCosts;
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterSet, Signature, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Limit;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// The number of a value within its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueId(u32);

/// A transaction with more values than these keeps no memory for the next.
const MOST_KEPT: usize = 4096;

/// The most bytes that are kept for the next transaction to transform values in.
const MOST_OUTPUT: usize = 256 << 10;

/// Values, and what chains of transformations make of them.
#[derive(Debug, Default)]
pub struct TransformCache {
    numbers: FxHashMap<(Text, ValueKind), ValueId>,
    values: Vec<Value>,
    /// What transformations make of values.
    computed: Computed,
    /// The literals that values hold, as the plan's set shows them.
    literals: Vec<u64>,
    /// Where transformations write, so that a value is stored once it is known to have changed.
    output: Vec<u8>,
    /// What transformations cost, while a profile is taken.
    pub costs: Option<Box<TransformationCosts>>,
}

/// What transformations made of values: for each transformation by its number the values by theirs, so that values that are asked about one
/// after the other lie close together.
#[derive(Debug, Default)]
struct Computed {
    of: Vec<Vec<Option<Outcome>>>,
}

/// What a transformation made of a value.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    id: ValueId,
    counted: bool,
}

impl Computed {
    fn clear(&mut self) {
        self.of.iter_mut().for_each(Vec::clear);
    }

    fn get(&self, transformation: Transformation, id: ValueId) -> Option<Outcome> {
        self.of.get(transformation as usize)?.get(id.0 as usize).copied().flatten()
    }

    fn insert(&mut self, work: &mut Budget, transformation: Transformation, id: ValueId, outcome: Outcome) {
        let (row, place) = (transformation as usize, id.0 as usize);
        if self.of.len() <= row {
            self.of.resize_with(row + 1, Vec::new);
        }
        if let Some(row) = self.of.get_mut(row) {
            if row.len() <= place {
                work.reserve((place + 1 - row.len()) * size_of::<Option<Outcome>>());
                row.resize(place + 1, None);
            }
            row.get_mut(place).into_iter().for_each(|known| *known = Some(outcome));
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Value {
    text: Text,
    kind: ValueKind,
    bytes: ByteSet,
    literals: Literals,
}

/// What is known of the literals in a value.
#[derive(Clone, Copy, Debug)]
enum Literals {
    /// It was not searched.
    Unknown,
    /// It holds none, as most values.
    None,
    /// Where its words begin in [`TransformCache::literals`].
    Known(usize),
}

/// A value after a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transformed {
    /// The number of the value.
    pub id: ValueId,
    /// The value.
    pub value: Text,
    /// Whether the last step counts as a change, so that `multiMatch` looks at it.
    pub counted: bool,
}

impl TransformCache {
    /// Forgets all values, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        if self.values.len() > MOST_KEPT || self.output.capacity() > MOST_OUTPUT {
            *self = Self::default();
        }
        self.costs = None;
        self.numbers.clear();
        self.values.clear();
        self.computed.clear();
        self.literals.clear();
    }

    /// The number of a value, given out now if it is new.
    pub fn number(&mut self, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
        let Self { numbers, values, .. } = self;
        *numbers.entry((text, kind)).or_insert_with(|| add(values, arena, text, kind))
    }

    /// The bytes that a value holds.
    pub fn bytes(&self, id: ValueId) -> ByteSet {
        self.values.get(id.0 as usize).map_or(ByteSet::ALL, |value| value.bytes)
    }

    /// A value after a chain, computed now if it was not before. What one step makes of a value is known to every chain that comes to it.
    pub fn value(&mut self, graph: &RuleGraph, arena: &mut Arena, original: ValueId, chain: ChainId) -> Transformed {
        let mut reached = Transformed { id: original, value: self.text(original), counted: false };
        if chain == ChainId::EMPTY {
            return reached;
        }
        let Some(known) = graph.plan.as_ref().and_then(|plan| plan.chain(chain)) else {
            let steps = graph.transformations.prefixes(chain).into_iter().filter_map(|prefix| graph.transformations.last_step(prefix));
            return steps.fold(reached, |before, step| self.step(graph, arena, before, step.transformation));
        };
        let mut bytes = self.bytes(original);
        if known.may_change(bytes) {
            for step in &known.steps {
                reached.counted = false;
                if step.may_change(bytes) {
                    reached = self.step(graph, arena, reached, step.transformation);
                    bytes = self.bytes(reached.id);
                }
            }
        }
        reached
    }

    /// Appends what prefilters look at: a value after a chain, or every other value that the chain makes of it on the way.
    pub fn stages(&mut self, graph: &RuleGraph, arena: &mut Arena, original: ValueId, scan_point: ScanPoint, found: &mut Vec<ValueId>) {
        let known = graph.plan.as_ref().and_then(|plan| plan.chain(scan_point.chain)).filter(|_| scan_point.every_stage);
        let Some(known) = known else { return found.push(self.value(graph, arena, original, scan_point.chain).id) };
        let mut reached = Transformed { id: original, value: self.text(original), counted: false };
        for step in &known.steps {
            if step.may_change(self.bytes(reached.id)) {
                let before = reached.id;
                reached = self.step(graph, arena, reached, step.transformation);
                if reached.id != before {
                    found.push(reached.id);
                }
            }
        }
    }

    fn text(&self, id: ValueId) -> Text {
        self.values.get(id.0 as usize).map_or(Text::EMPTY, |value| value.text)
    }

    /// What one transformation makes of the value that those before it reached.
    fn step(&mut self, graph: &RuleGraph, arena: &mut Arena, before: Transformed, transformation: Transformation) -> Transformed {
        if let Some(Outcome { id, counted }) = self.computed.get(transformation, before.id) {
            return Transformed { id, value: self.text(id), counted };
        }
        let start = self.costs.as_ref().map(|_| Instant::now());
        arena.budget.charge(before.value.len() + PER_VALUE);
        let effect = transformation.apply(arena.read(before.value), &mut self.output, graph.unicode_map.as_ref());
        if let (Some(costs), Some(start)) = (&mut self.costs, start) {
            costs.add(transformation, start.elapsed());
        }
        let mut after = Transformed { counted: effect.counted, ..before };
        if effect.rewritten {
            if self.output.len() > before.value.len() {
                let most = graph.settings.limit(Limit::Transformation).max(before.value.len());
                if self.output.len() > most {
                    arena.budget.exceed(Limit::Transformation);
                    self.output.truncate(most);
                }
            }
            after.value = arena.store(&self.output);
            let kind = self.values.get(before.id.0 as usize).map_or_else(ValueKind::default, |value| value.kind);
            after.id = add(&mut self.values, arena, after.value, kind.made_by(transformation as u8));
        }
        self.computed.insert(&mut arena.budget, transformation, before.id, Outcome { id: after.id, counted: after.counted });
        after
    }

    /// What a value holds. It is searched now if it was not before.
    pub fn signature(&mut self, literals: &PrefilterSet, arena: &mut Arena, id: ValueId) -> Signature<'_> {
        let Some(value) = self.values.get_mut(id.0 as usize) else { return Signature { bytes: ByteSet::ALL, literals: &[] } };
        let held = match value.literals {
            Literals::Known(start) => start..start + literals.words(),
            Literals::None => 0..0,
            Literals::Unknown => {
                let start = self.literals.len();
                self.literals.resize(start + literals.words(), 0);
                arena.budget.charge(value.text.len());
                let seen = self.literals.get_mut(start..).unwrap_or_default();
                literals.scan(value.kind, arena.read(value.text), seen);
                if seen.iter().all(|word| *word == 0) {
                    self.literals.truncate(start);
                } else {
                    arena.budget.reserve(size_of_val(seen));
                }
                value.literals = if self.literals.len() > start { Literals::Known(start) } else { Literals::None };
                start..self.literals.len()
            }
        };
        Signature { bytes: value.bytes, literals: self.literals.get(held).unwrap_or_default() }
    }
}

/// Gives a value a number.
fn add(values: &mut Vec<Value>, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
    arena.budget.reserve(size_of::<Value>() + size_of::<((Text, ValueKind), ValueId)>());
    values.push(Value { text, kind, bytes: ByteSet::of(arena.read(text)), literals: Literals::Unknown });
    ValueId(u32::try_from(values.len() - 1).unwrap_or(u32::MAX))
}
