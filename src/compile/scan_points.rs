//! Numbers the points at which values are scanned for the prefilters.

use crate::graph::{Plan, PlannedChain, ScanPoint, ScanPointChanges, ScanPointId, ScanPointSet};

/// Numbers of scan points; the first is [`ScanPoint::PLAIN`].
pub struct ScanPoints {
    pub points: Vec<ScanPoint>,
}

impl Default for ScanPoints {
    fn default() -> Self {
        Self { points: vec![ScanPoint::PLAIN] }
    }
}

impl ScanPoints {
    /// Returns those of a plan, to be extended.
    pub fn extending(plan: &Plan) -> Self {
        Self { points: plan.scan_points.to_vec() }
    }

    /// Returns the number of a point; `None` if there are too many, so that the rule is always evaluated.
    pub fn intern(&mut self, point: ScanPoint) -> Option<ScanPointId> {
        let known = self.points.iter().position(|known| *known == point).unwrap_or(self.points.len());
        if known == self.points.len() && known < ScanPointSet::CAPACITY {
            self.points.push(point);
        }
        u8::try_from(known).ok().filter(|_| known < self.points.len()).map(ScanPointId)
    }

    /// Returns which points may change a value, by its bytes.
    pub fn changes(&self, chains: &[PlannedChain]) -> ScanPointChanges {
        let mut changes = ScanPointChanges::default();
        for (number, point) in (0..=u8::MAX).zip(&self.points) {
            let id = ScanPointId(number);
            let Some(chain) = (point.chain.0 as usize).checked_sub(1).and_then(|place| chains.get(place)) else { continue };
            if chain.always {
                changes.always = changes.always.with(id);
                continue;
            }
            match changes.triggers.iter_mut().find(|(triggers, _)| *triggers == chain.triggers) {
                Some((_, points)) => *points = points.with(id),
                None => changes.triggers.push((chain.triggers, ScanPointSet::default().with(id))),
            }
        }
        changes
    }
}
