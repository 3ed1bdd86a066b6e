//! Counts of values by range, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// A histogram of whole numbers, such as nanoseconds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds: the last one is for values above them all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// Number of these units in one of the metric's.
    scale: u32,
}

impl Histogram {
    /// Makes a histogram with these upper bounds, in ascending order. Text shows bounds and the sum divided by `scale`.
    pub fn new(bounds: &'static [u64], scale: u32) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0), scale }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let range = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(range) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Returns each bound with the number of values up to it; the last one is `None`, with the number of all values.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = self.bounds.iter().map(|bound| Some(self.scaled(*bound))).chain([None]);
        let counts = self.counts.iter().scan(0u64, |sum, count| {
            *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            Some(*sum)
        });
        bounds.zip(counts)
    }

    /// Returns the number of all values, and their sum.
    pub(crate) fn total(&self) -> (u64, u64) {
        (self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum(), self.sum.load(Ordering::Relaxed))
    }

    /// Returns the sum of all values.
    pub(crate) fn sum(&self) -> f64 {
        self.scaled(self.sum.load(Ordering::Relaxed))
    }

    #[allow(clippy::cast_precision_loss, reason = "collectors read numbers of this precision")]
    fn scaled(&self, value: u64) -> f64 {
        value as f64 / f64::from(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_range() {
        let histogram = Histogram::new(&[0, 5, 10], 1);
        [0, 1, 5, 6, 10, 11, 900].into_iter().for_each(|value| histogram.observe(value));
        assert_eq!(histogram.ranges().collect::<Vec<_>>(), [(Some(0.0), 1), (Some(5.0), 3), (Some(10.0), 5), (None, 7)]);
        assert_eq!(histogram.sum(), 933.0);
    }
}
