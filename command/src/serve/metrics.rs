//! Metrics of a proxy: their options.

use clap::{Args, ValueEnum};
use secrule_serve::{Metrics, MetricsNames};

const HEADING: &str = "Metrics";

/// Options of metrics.
#[derive(Args, Debug)]
pub struct MetricsOptions {
    /// Names of the metrics that the admin address shows at /metrics: secrule_…, or those of the contract of the Coraza operator where that has one
    #[arg(long, value_name = "NAMES", value_enum, default_value = "secrule", requires = "admin", help_heading = HEADING)]
    metrics_names: Contract,

    /// The label `namespace` of the names of the contract
    #[arg(long, value_name = "NAME", default_value = "default", requires = "admin", help_heading = HEADING)]
    metrics_namespace: String,

    /// Time the rules of one request of N, to show which take the longest; 0 for none
    #[arg(long, value_name = "N", default_value_t = 128, requires = "admin", help_heading = HEADING)]
    timed_requests: u32,
}

/// Names of metrics.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Contract {
    Secrule,
    Coraza,
}

impl MetricsOptions {
    /// Makes metrics of these options.
    pub fn metrics(&self) -> Metrics {
        let names = match self.metrics_names {
            Contract::Secrule => MetricsNames::Secrule,
            Contract::Coraza => MetricsNames::Coraza { namespace: self.metrics_namespace.clone(), driver_type: "secrule-serve".to_owned() },
        };
        Metrics::new(secrule_serve::MetricsOptions { names, timed_one_of: self.timed_requests })
    }
}
