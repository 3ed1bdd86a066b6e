//! Registrations of a plugin: a condition on requests and the function that is called for them, or a function that is called again and again.

use crate::key::Combination;
use mlua::{Function, Table, Value};
use secrule::internals::operator::AddressSet;
use secrule::internals::pattern::{Effort, Pattern, PatternOptions};
use secrule::internals::vocabulary::did_you_mean;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Values of `type` in a match table.
pub const MATCH_TYPE_DEFAULT: i64 = 0;
pub const MATCH_TYPE_ALL: i64 = 1;

/// Values of `target` in a match table, and of `get_target`.
pub const TARGET_ALL: i64 = 0;
pub const TARGET_ACCESS: i64 = 1;
pub const TARGET_DETECT: i64 = 2;

/// Maximum number of registrations of a plugin.
pub const MAX_REGISTRATIONS: usize = 16;

/// Maximum work of a pattern on one text, beyond reading it.
const PATTERN_EFFORT: usize = 1_000_000;

const KNOWN_KEYS: [&str; 5] = ["ip", "host", "urlpath", "type", "target"];

/// The four combinations, as errors name them.
pub const COMBINATIONS: &str = "(ip), (ip, host), (host, urlpath) or (ip, host, urlpath)";

/// Reason for which a plugin sees a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It was not denied.
    Access,
    /// Rules found something in it.
    Detect,
}

/// Occasion of the calls of a function. It can be sent between threads; the function stays with its plugin.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// For requests.
    Requests(Box<Condition>),
    /// Again and again, after this time.
    Ticks(Duration),
}

/// The requests for which a function is called.
#[derive(Clone, Debug)]
pub struct Condition {
    ip: Option<Arc<AddressSet>>,
    host: Option<Arc<Pattern>>,
    url_path: Option<Arc<Pattern>>,
    /// The parts that it has.
    pub combination: Combination,
    /// `true` if each request counts, not one of a key in a second.
    pub is_for_each: bool,
    target: i64,
}

impl Target {
    /// Returns its number in scripts.
    pub fn number(self) -> i64 {
        match self {
            Self::Access => TARGET_ACCESS,
            Self::Detect => TARGET_DETECT,
        }
    }
}

impl Condition {
    /// Reads a match table.
    pub fn read(table: &Table) -> Result<Self, String> {
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|error| error.to_string())?;
            let key = key.as_string().map(|key| key.to_string_lossy()).unwrap_or_default();
            if !KNOWN_KEYS.contains(&key.as_str()) {
                let hint = did_you_mean(&key, KNOWN_KEYS, "").unwrap_or_else(|| format!("write {}", KNOWN_KEYS.join(", ")));
                return Err(format!("match has no member `{key}`: {hint}"));
            }
        }
        let text = |key: &str| match table.raw_get(key) {
            Ok(Value::Nil) => Ok(None),
            Ok(Value::String(text)) => Ok(Some(text.as_bytes().to_vec())),
            _ => Err(format!("match.{key} is not a text")),
        };
        let number = |key: &str, allowed: std::ops::RangeInclusive<i64>, names: &str, default| match table.raw_get(key) {
            Ok(Value::Nil) => Ok(default),
            Ok(value) => {
                whole(&value).filter(|number| allowed.contains(number)).ok_or_else(|| format!("match.{key} is not one of {names}"))
            }
            Err(error) => Err(error.to_string()),
        };
        let (ip, host, url_path) = (text("ip")?, text("host")?, text("urlpath")?);
        let combination = match (&ip, &host, &url_path) {
            (Some(_), None, None) => Combination::Ip,
            (Some(_), Some(_), None) => Combination::IpHost,
            (None, Some(_), Some(_)) => Combination::HostUrlPath,
            (Some(_), Some(_), Some(_)) => Combination::IpHostUrlPath,
            _ => return Err(format!("match has other members than {COMBINATIONS}")),
        };
        let address = |text: Vec<u8>| {
            let shown = String::from_utf8_lossy(&text).into_owned();
            AddressSet::from_argument(&text).map_err(|_| format!("match.ip: `{shown}` is not an address or a network such as 10.0.0.0/8"))
        };
        let types = "skynet.MATCH_TYPE_DEFAULT and MATCH_TYPE_ALL";
        let targets = "skynet.MATCH_TARGET_ALL, MATCH_TARGET_ACCESS and MATCH_TARGET_DETECT";
        Ok(Self {
            ip: ip.map(address).transpose()?.map(Arc::new),
            host: host.map(|text| whole_text(&text, "host", true)).transpose()?,
            url_path: url_path.map(|text| whole_text(&text, "urlpath", false)).transpose()?,
            combination,
            is_for_each: number("type", MATCH_TYPE_DEFAULT..=MATCH_TYPE_ALL, types, MATCH_TYPE_DEFAULT)? == MATCH_TYPE_ALL,
            target: number("target", TARGET_ALL..=TARGET_DETECT, targets, TARGET_ALL)?,
        })
    }

    /// Returns the parts, the kinds of requests, and how often it is called, for people.
    pub fn described(&self) -> String {
        let parts = match self.combination {
            Combination::Ip => "ip",
            Combination::IpHost => "ip, host",
            Combination::HostUrlPath => "host, urlpath",
            Combination::IpHostUrlPath => "ip, host, urlpath",
        };
        let target = match self.target {
            TARGET_ACCESS => "not denied",
            TARGET_DETECT => "with attacks",
            _ => "all",
        };
        let often = match (self.is_for_each, self.target) {
            (true, _) | (_, TARGET_DETECT) => "each",
            (false, TARGET_ACCESS) => "once a second for each key",
            (false, _) => "once a second for each key, attacks each",
        };
        format!("requests ({parts}), {target}, {often}")
    }

    /// Returns `true` if it takes requests of this kind.
    pub fn takes(&self, target: Target) -> bool {
        self.target == TARGET_ALL || self.target == target.number()
    }

    /// Returns `true` if a request has all of its parts. A pattern that would take too long does not match.
    pub fn matches(&self, ip: IpAddr, host: &[u8], url_path: &[u8]) -> bool {
        let finds = |pattern: &Option<Arc<Pattern>>, text: &[u8]| {
            let mut effort = Effort { limit: PATTERN_EFFORT, ..Effort::default() };
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(text, &mut effort).unwrap_or(false))
        };
        self.ip.as_ref().is_none_or(|set| set.contains_address(ip)) && finds(&self.host, host) && finds(&self.url_path, url_path)
    }
}

/// Compiles a pattern that matches whole texts.
fn whole_text(source: &[u8], member: &str, case_insensitive: bool) -> Result<Arc<Pattern>, String> {
    let options = PatternOptions { case_insensitive, ..PatternOptions::default() };
    let wrong = |error: String| format!("match.{member}: `{}`: {error}", String::from_utf8_lossy(source));
    // Alone first, because a pattern such as `a)(b` would be valid within the group.
    Pattern::shared(source, options).map_err(|error| wrong(error.to_string()))?;
    Pattern::shared(&[b"\\A(?:", source, b")\\z"].concat(), options).map_err(|error| wrong(error.to_string()))
}

/// Returns a number that is whole.
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        // What fits into 53 bits is exact.
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        _ => None,
    }
}

/// A function of a plugin, and the occasion of its calls.
pub struct Registration {
    /// When it is called.
    pub trigger: Trigger,
    /// The function.
    pub function: Function,
}
