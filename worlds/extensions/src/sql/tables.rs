//! Tables of the embedded database, and what a row of each is made of.

use chrono::{DateTime, Utc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Limit of a field that a client sends, in bytes: longer ones are cut.
const MAX_FIELD: usize = 64 << 10;

/// Version of the tables, in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 1;

/// Statements that make a new database. Times are texts in UTC: see [`time_text`]. Names of columns are those of the published queries.
pub(super) const SCHEMA: &str = r#"
create table waf_request_tsdb (
    created text not null, app_id integer, request_id text, remote_addr text, host text, method text, uri text, request text, header text, body text,
    status integer, action text, score integer, threshold integer, rule_id text, rule_set_id integer, msg text,
    client_country text, client_province text, client_city text, client_isp text, user_agent text);
create index waf_request_tsdb_created on waf_request_tsdb (created);
create table monitor (
    created text not null, node_id integer, "system_CPU_percent" real, "system_memory_percent" real, requests integer, blocked integer);
create index monitor_created on monitor (created);
"#;

pub(super) const INSERT_EVENT: &str =
    "insert into waf_request_tsdb values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)";
pub(super) const INSERT_MINUTE: &str = "insert into monitor values (?1,?2,?3,?4,?5,?6)";

/// A request that matched rules: a row of `waf_request_tsdb`. Texts of clients are bytes, and are cut after 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct WafEvent {
    pub created: SystemTime,
    pub app_id: i64,
    pub request_id: String,
    pub remote_addr: String,
    pub host: Vec<u8>,
    pub method: Vec<u8>,
    /// Path with query.
    pub uri: Vec<u8>,
    /// Request line.
    pub request: Vec<u8>,
    /// All headers of the request, each ended by CRLF.
    pub header: Vec<u8>,
    pub body: Vec<u8>,
    /// Status of the response, 0 without one.
    pub status: u16,
    pub action: Action,
    pub score: i64,
    pub threshold: i64,
    pub rule_id: String,
    pub rule_set_id: i64,
    pub msg: String,
    pub client_country: String,
    pub client_province: String,
    pub client_city: String,
    pub client_isp: String,
    pub user_agent: Vec<u8>,
}

/// End of a request that matched rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It was denied.
    Block,
    /// It was logged, and went on.
    #[default]
    Log,
}

/// Figures of a minute: a row of `monitor`.
#[derive(Clone, Debug, PartialEq)]
pub struct Minute {
    /// End of the minute.
    pub created: SystemTime,
    /// Number of the node.
    pub node_id: i64,
    /// See [`System::processor_percent`](super::System::processor_percent); `NULL` if it is not known.
    pub system_cpu_percent: Option<f64>,
    /// See [`System::memory_percent`](super::System::memory_percent).
    pub system_memory_percent: Option<f64>,
    /// Number of requests.
    pub requests: u64,
    /// Number of requests that were denied.
    pub blocked: u64,
}

impl Action {
    /// Returns the name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Log => "log",
        }
    }
}

/// All is empty but the time, and country, province, city and provider are those of an unknown address.
impl Default for WafEvent {
    fn default() -> Self {
        Self {
            created: UNIX_EPOCH,
            app_id: 0,
            request_id: String::new(),
            remote_addr: String::new(),
            host: Vec::new(),
            method: Vec::new(),
            uri: Vec::new(),
            request: Vec::new(),
            header: Vec::new(),
            body: Vec::new(),
            status: 0,
            action: Action::Log,
            score: 0,
            threshold: 0,
            rule_id: String::new(),
            rule_set_id: 0,
            msg: String::new(),
            client_country: String::new(),
            client_province: "unknown".to_owned(),
            client_city: "unknown".to_owned(),
            client_isp: String::new(),
            user_agent: Vec::new(),
        }
    }
}

impl WafEvent {
    /// Cuts fields that are too long.
    pub(super) fn cut(&mut self) {
        let texts =
            [&mut self.host, &mut self.method, &mut self.uri, &mut self.request, &mut self.header, &mut self.body, &mut self.user_agent];
        texts.into_iter().for_each(|text| text.truncate(MAX_FIELD));
        let names = [&mut self.request_id, &mut self.remote_addr, &mut self.rule_id, &mut self.msg];
        let places = [&mut self.client_country, &mut self.client_province, &mut self.client_city, &mut self.client_isp];
        for text in names.into_iter().chain(places) {
            while text.len() > MAX_FIELD {
                text.truncate((MAX_FIELD - 3..=MAX_FIELD).rfind(|end| text.is_char_boundary(*end)).unwrap_or(0));
            }
        }
    }

    /// Returns what the event takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts = [&self.host, &self.method, &self.uri, &self.request, &self.header, &self.body, &self.user_agent];
        size_of::<Self>() + texts.iter().map(|text| text.len()).sum::<usize>() + self.msg.len()
    }
}

/// Returns a time as the tables have it: `2026-11-30 18:15:48.123`, UTC. All have the same length, so that texts compare as times do.
pub(super) fn time_text(time: SystemTime) -> String {
    // The years that have four digits.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(Duration::from_millis(253_402_300_799_999));
    DateTime::<Utc>::from(UNIX_EPOCH + since).format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_texts_that_compare_as_times_do() {
        let at = |milliseconds| time_text(UNIX_EPOCH + Duration::from_millis(milliseconds));
        assert_eq!(at(0), "1970-01-01 00:00:00.000");
        assert_eq!(at(951_782_400_001), "2000-02-29 00:00:00.001");
        assert_eq!(at(1_634_629_481_000), "2021-10-19 07:44:41.000");
        assert_eq!(at(4_107_542_399_999), "2100-02-28 23:59:59.999");
        assert_eq!(at(4_107_542_400_000), "2100-03-01 00:00:00.000");
        assert_eq!(at(u64::MAX / 2), "9999-12-31 23:59:59.999");
        assert_eq!(time_text(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01 00:00:00.000");
    }
}
