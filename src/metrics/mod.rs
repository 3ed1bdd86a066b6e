//! Takes measurements of an evaluation, gives counters and times by rule, target and transformation; imports `graph`, `vocabulary` and `transform`.
//!
//! A transaction keeps a [`Profile`] only on request, and does not share it, so evaluation never waits for a lock. Reading the clock takes about 50
//! ns, so short times are overestimated.

mod cost;
mod profile;

pub use cost::Cost;
pub use profile::{Profile, RuleCost, TransformationCosts};
