//! The signatures of one value, one for each scan point.

use crate::graph::{ScanPointId, ScanPointSet};
use crate::pattern::ByteSet;
use crate::prefilter::Signature;
use std::num::NonZeroU8;

/// The number of results for which a value gets memory at first.
const FEW: usize = 4;

/// The signatures of a value at the scan points that were asked about.
///
/// A point whose transformations cannot change the value has the results of the value as received.
#[derive(Debug, Default)]
pub struct ScanResults {
    /// The bytes that occur in the value.
    pub bytes: ByteSet,
    /// The points whose transformations may change the value.
    pub changing: ScanPointSet,
    /// Results by their places.
    points: Vec<ScannedPoint>,
    /// The place of each point that may change the value, and that of the value as received.
    places: Vec<Option<NonZeroU8>>,
    /// The literals found, as bits of the plan's set.
    literals: Vec<u64>,
}

/// The result of a scan.
#[derive(Debug)]
pub struct ScannedPoint {
    /// The bytes that occur there.
    pub bytes: ByteSet,
    /// Index of the first word of the literals; `None` if there are none, as in most values.
    start: Option<u32>,
    /// The work of transformations and scan, in units of the budget.
    pub work: u32,
    /// `true` if a transformation exceeded its limit.
    pub exceeds: bool,
}

impl ScannedPoint {
    /// Returns the memory of its literals, in bytes; `words` is that of the plan's prefilters.
    pub fn size_of_literals(&self, words: usize) -> usize {
        self.start.map_or(0, |_| words * size_of::<u64>())
    }
}

impl ScanResults {
    /// Removes all results, and keeps the memory. The new value has these bytes, and these points may change it.
    pub fn begin(&mut self, bytes: ByteSet, changing: ScanPointSet) {
        (self.bytes, self.changing) = (bytes, changing);
        self.points.clear();
        self.places.clear();
        self.literals.clear();
    }

    /// Returns the point whose result a point has: all those that cannot change the value have that of [`ScanPointId::PLAIN`].
    #[inline]
    pub fn distinct(&self, point: ScanPointId) -> ScanPointId {
        if self.changing.contains(point) { point } else { ScanPointId::PLAIN }
    }

    /// Returns the place of the result of a distinct point, if it is known.
    #[inline]
    pub fn place(&self, point: ScanPointId) -> Option<NonZeroU8> {
        self.places.get(usize::from(point.0)).copied().flatten()
    }

    /// Returns the result at a place.
    #[inline]
    pub fn at(&self, place: NonZeroU8) -> Option<&ScannedPoint> {
        self.points.get(usize::from(place.get() - 1))
    }

    /// Stores the result of a distinct point.
    pub fn insert(&mut self, point: ScanPointId, signature: Signature<'_>, work: usize, exceeds: bool) {
        let start = signature.literals.iter().any(|word| *word != 0).then(|| u32::try_from(self.literals.len()).unwrap_or(u32::MAX));
        if self.points.is_empty() {
            // A value with one result usually gets several: memory for a few at once is cheaper.
            self.literals.reserve(start.map_or(0, |_| FEW * signature.literals.len()));
            self.places.reserve_exact(ScanPointSet::CAPACITY);
        }
        if start.is_some() {
            self.literals.extend_from_slice(signature.literals);
        }
        self.push(point, ScannedPoint { bytes: signature.bytes, start, work: to_work(work), exceeds });
    }

    /// Stores the result of a distinct point at which the value is the same as at another, whose result has a place.
    pub fn insert_again(&mut self, point: ScanPointId, known: NonZeroU8, work: usize, exceeds: bool) {
        if let Some(ScannedPoint { bytes, start, .. }) = self.at(known) {
            let again = ScannedPoint { bytes: *bytes, start: *start, work: to_work(work), exceeds };
            self.push(point, again);
        }
    }

    fn push(&mut self, point: ScanPointId, scanned: ScannedPoint) {
        self.points.push(scanned);
        let place = u8::try_from(self.points.len()).ok().and_then(NonZeroU8::new);
        let number = usize::from(point.0);
        if self.places.len() <= number {
            self.places.resize(number + 1, None);
        }
        self.places.get_mut(number).into_iter().for_each(|known| *known = place);
    }

    /// Returns the signature that a scan found; `words` is that of the plan's prefilters.
    #[inline]
    pub fn signature(&self, scanned: &ScannedPoint, words: usize) -> Signature<'_> {
        let literals = scanned.start.and_then(|start| self.literals.get(start as usize..)?.get(..words));
        Signature { bytes: scanned.bytes, literals: literals.unwrap_or_default() }
    }
}

fn to_work(work: usize) -> u32 {
    u32::try_from(work).unwrap_or(u32::MAX)
}
