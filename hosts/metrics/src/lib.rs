//! Metrics of a rule set: takes the events of exchanges, gives text that Prometheus and OpenMetrics collectors read.
//!
//! [`Metrics`] is an [`Observer`](secrule::Observer). A request changes atomic numbers: it waits for no lock and allocates nothing. Only the exchanges
//! whose rules are timed, one of 128, do both.
//!
//! ```
//! use secrule::Waf;
//! use secrule_metrics::{Format, Metrics};
//! use std::sync::Arc;
//!
//! let metrics = Arc::new(Metrics::default());
//! let waf = Waf::builder().starter_rules().observer(metrics.clone()).build()?;
//! // At `/metrics` of the host:
//! let page = metrics.text(&waf, Format::Prometheus);
//! assert!(page.contains("secrule_requests_total{outcome=\"pass\"} 0\n"));
//! # Ok::<(), secrule::LoadError>(())
//! ```
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `metrics` | events of exchanges and loads → numbers, and their text |
//! | `outcome` | an exchange at its end → pass, detect, block, redirect, error or off |
//! | `category` | the tags of a match → the kind of attack |
//! | `rule_hits` | a rule and an outcome → a count, for at most 200 rules |
//! | `rule_times` | times of evaluations → the rules that take the longest |
//! | `histogram` | values → counts by range |
//! | `families` | the table of all metrics: names, labels, units |
//! | `exposition` | families and values → text |

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod category;
mod exposition;
mod families;
mod histogram;
mod metrics;
mod outcome;
mod rule_hits;
mod rule_times;

pub use exposition::{Exposition, Format, Samples};
pub use families::{FAMILIES, Family, Kind, Label, Names};
pub use histogram::Histogram;
pub use metrics::{FailedLoad, Metrics, Options, PhaseTime};
pub use rule_times::TimedRule;
