//! Takes what evaluation notes of its own work, gives counters and time by rule, target and transformation; imports `graph`, `vocabulary` and
//! `transform`.
//!
//! A transaction keeps a [`Profile`] only when it is asked to, and has it to itself: evaluation waits for nobody. Reading the clock takes some
//! 50 ns, so that what is short looks longer than it is.

mod cost;
mod profile;

pub use cost::Cost;
pub use profile::{Profile, RuleCost, TransformationCosts};
