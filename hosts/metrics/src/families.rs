//! The table of all metrics. `docs/metrics.md` shows it; a test keeps both alike.

use std::fmt;

/// A metric with all its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name, with its unit at the end and without `_total` or `_info`.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The unit, such as `seconds`.
    pub unit: Option<&'static str>,
    /// The labels.
    pub labels: &'static [Label],
    /// One sentence about it.
    pub help: &'static str,
    /// The name in the contract of the Coraza operator, if that has it.
    pub contract: Option<&'static str>,
}

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    /// Its values, in words.
    pub values: &'static str,
}

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows, until the process ends.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts by range, and a sum.
    Histogram,
    /// A text, in a label.
    Info,
}

/// Names of metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// `secrule_…`
    #[default]
    Secrule,
    /// Names of the contract of the Coraza operator for its drivers, with the labels `engine`, `namespace` and `driver_type`. Other metrics keep their names.
    Coraza {
        /// Value of `namespace`.
        namespace: String,
        /// Value of `driver_type`.
        driver_type: String,
    },
}

impl Family {
    const fn new(name: &'static str, kind: Kind, labels: &'static [Label], help: &'static str) -> Self {
        Self { name, kind, unit: None, labels, help, contract: None }
    }

    /// Makes a counter.
    #[must_use]
    pub const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Kind::Counter, labels, help)
    }

    /// Makes a gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, labels, help)
    }

    const fn histogram(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Kind::Histogram, labels, help)
    }

    const fn info(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Kind::Info, labels, help)
    }

    /// Sets the unit, with which the name ends.
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    const fn contract(mut self, name: &'static str) -> Self {
        self.contract = Some(name);
        self
    }

    /// Returns the name of its samples: with `_total` or `_info`.
    pub fn sample_name(&self) -> String {
        format!("{}{}", self.name, self.kind.suffix())
    }
}

impl Kind {
    /// Returns the end of the names of samples.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        })
    }
}

const OUTCOME: Label = Label { name: "outcome", values: "`pass`, `detect`, `block`, `redirect`, `error`, `off`" };
const SEVERITY: Label =
    Label { name: "severity", values: "`emergency`, `alert`, `critical`, `error`, `warning`, `notice`, `info`, `debug`, `none`" };
const RULE: Label =
    Label { name: "rule_id", values: "the ids of the first 200 rules that match, `none` without an id, `other` for the rest" };
const TIMED_RULE: Label = Label { name: "rule_id", values: "the ids of the 20 rules that took the longest so far, `none` without an id" };
const PHASE: Label = Label { name: "phase", values: "`0` to `5`" };
const CATEGORY: Label = Label {
    name: "category",
    values: "the tag `attack-…` of the OWASP CRS: `deprecated-header`, `disclosure`, `dos`, `fixation`, `generic`, `injection-generic`, `injection-java`, \
        `injection-nodejs`, `injection-php`, `lfi`, `multipart-header`, `protocol`, `rce`, `reputation`, `rfi`, `sqli`, `xss`; without one `ban`, `limit` \
        or `other`",
};
const LIMIT: Label = Label { name: "limit", values: "the names in LIMITS.md, such as `request_body`" };
const STATUS: Label = Label { name: "status", values: "`success`, `failure`" };
const FINGERPRINT: Label = Label { name: "fingerprint", values: "16 hexadecimal digits" };
const VERSION: Label = Label { name: "version", values: "that of this software" };

pub const REQUESTS: Family =
    Family::counter("secrule_requests", &[OUTCOME], "Exchanges that are over, by outcome.").contract("coraza_waf_requests");
pub const RULE_HITS: Family =
    Family::counter("secrule_rule_hits", &[RULE, SEVERITY, OUTCOME], "Matches of rules that are logged, by the outcome of their exchange.")
        .contract("coraza_waf_rule_hits");
pub const BLOCKED: Family = Family::counter(
    "secrule_blocked_requests",
    &[CATEGORY, SEVERITY],
    "Exchanges that were blocked or redirected, by the category of the highest-scoring match and the highest severity.",
)
.contract("coraza_waf_blocked_requests");
pub const SCORE: Family = Family::histogram(
    "secrule_request_anomaly_score",
    &[],
    "Points that the matches of phases 0 to 2 added to anomaly scores, for each exchange with the engine on or detecting.",
)
.contract("coraza_waf_request_anomaly_score");
pub const PHASE_TIME: Family = Family::histogram(
    "secrule_phase_duration_seconds",
    &[PHASE],
    "Time of the calls that run a phase, with parsing the body before phase 2 and the audit record after phase 5.",
)
.unit("seconds");
pub const RULE_TIME: Family = Family::counter(
    "secrule_rule_seconds",
    &[TIMED_RULE],
    "Estimated time spent evaluating a rule: the time in sampled exchanges times the sampling interval.",
)
.unit("seconds");
pub const TIMED_REQUESTS: Family = Family::counter("secrule_timed_requests", &[], "Exchanges whose rules were timed.");
pub const REQUEST_BYTES: Family =
    Family::counter("secrule_request_body_bytes", &[], "Bytes of request bodies that the engine accepted.").unit("bytes");
pub const RESPONSE_BYTES: Family =
    Family::counter("secrule_response_body_bytes", &[], "Bytes of response bodies that the engine accepted.").unit("bytes");
pub const LIMITS: Family =
    Family::counter("secrule_limits_exceeded", &[LIMIT], "Exchanges that exceeded a limit. Each counts once for each limit.");
pub const SCRIPT_FAILURES: Family = Family::counter("secrule_script_failures", &[], "Runs of scripts that failed.");
pub const STORE_FAILURES: Family =
    Family::counter("secrule_store_failures", &[], "Exchanges in which the store did not answer, or took too long.");
pub const LOST_RECORDS: Family = Family::counter("secrule_audit_records_lost", &[], "Audit records that could not be written.");
pub const DROPPED_RECORDS: Family =
    Family::counter("secrule_exchange_records_dropped", &[], "Exchange records dropped because the script host was absent or slow.");
pub const LOADS: Family =
    Family::counter("secrule_loads", &[STATUS], "Loads of the rules: the first one, and each reload.").contract("coraza_waf_plugin_loads");
pub const LAST_SUCCESS: Family =
    Family::gauge("secrule_last_load_success_timestamp_seconds", &[], "Time of the last load that succeeded, in seconds since 1970.")
        .unit("seconds");
pub const LAST_FAILURE: Family = Family::gauge(
    "secrule_last_load_failure_timestamp_seconds",
    &[],
    "Time of the last load that failed, in seconds since 1970; 0 if none did.",
)
.unit("seconds");
pub const RULES_LOADED: Family =
    Family::gauge("secrule_rules_loaded", &[], "Rules with an operator that are loaded.").contract("coraza_waf_plugin_rule_count");
pub const RULES_REMOVED: Family =
    Family::gauge("secrule_rules_removed", &[], "Loaded rules that directives such as SecRuleRemoveById switched off.")
        .contract("coraza_waf_rule_overrides");
pub const RULES_INFO: Family =
    Family::info("secrule_rules", &[FINGERPRINT], "Fingerprint of the texts of the rules: processes with the same rules have the same.");
pub const BUILD_INFO: Family = Family::info("secrule_build", &[VERSION], "Version of the engine.");

/// All metrics of a rule set, in the order of the text.
pub const FAMILIES: &[Family] = &[
    REQUESTS,
    RULE_HITS,
    BLOCKED,
    SCORE,
    PHASE_TIME,
    RULE_TIME,
    TIMED_REQUESTS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    LIMITS,
    SCRIPT_FAILURES,
    STORE_FAILURES,
    LOST_RECORDS,
    DROPPED_RECORDS,
    LOADS,
    LAST_SUCCESS,
    LAST_FAILURE,
    RULES_LOADED,
    RULES_REMOVED,
    RULES_INFO,
    BUILD_INFO,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_their_units() {
        for family in FAMILIES {
            assert!(family.name.starts_with("secrule_"), "{family:?}");
            assert!(family.unit.is_none_or(|unit| family.name.ends_with(unit)), "{family:?}");
            assert!(!family.name.ends_with("_total") && !family.name.ends_with("_info"), "{family:?}");
        }
    }
}
