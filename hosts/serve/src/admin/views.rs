//! Contents of the page, as JSON.

use super::{Admin, RecentEvent};
use secrule::internals::escape::{legible, text};
use secrule::internals::graph::{AuditEngine, EngineMode, Settings};
use secrule::{Ban, Limit, Phase, RequestKey, SiteId, Store, Waf};
use secrule_metrics::{Metrics, TimedRule};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Maximum number of rules that are shown.
const MAX_RULES: usize = 20;

/// Maximum number of rule sets that are shown.
const MAX_SETS: usize = 100;

/// Maximum number of warnings of a rule set that are shown.
const MAX_WARNINGS: usize = 100;

/// Maximum number of bans that are shown.
const MAX_BANS: usize = 500;

/// Maximum length of a message, in characters.
const MAX_MESSAGE: usize = 200;

/// Maximum wait for the store.
const STORE_TIME: Duration = Duration::from_secs(2);

/// Events, as JSON that is not made in two steps: there may be megabytes.
pub struct Events(Vec<Arc<RecentEvent>>);

/// Returns the counts.
pub fn status(admin: &Admin) -> Value {
    let sets = (admin.rule_sets)();
    let mut modes: Vec<&str> = Vec::new();
    for (_, waf) in &sets {
        let mode = mode(waf.graph().settings.engine);
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": millis(SystemTime::now()),
        "began": millis(admin.metrics.began()),
        "exchanges": admin.metrics.exchanges(),
        "stopped": admin.metrics.stopped(),
        "modes": modes,
        // Rule sets with the same log count its records together.
        "lost_audit_records": sets.iter().map(|(_, waf)| waf.lost_audit_records()).max(),
    })
}

/// Returns the exchanges after the one with a number.
pub fn events(admin: &Admin, after: u64) -> Events {
    Events(admin.events.after(after))
}

impl Serialize for Events {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Events", 1)?;
        fields.serialize_field("events", &self.0.iter().map(|event| &**event).collect::<Vec<_>>())?;
        fields.end()
    }
}

/// Returns the rules with the most hits and time, and each rule set with its files, its settings, and what was found when it was loaded.
pub fn rules(admin: &Admin) -> Value {
    let sets = (admin.rule_sets)();
    let (loads, loaded) = admin.metrics.loads();
    json!({
        "top": most_frequent(&admin.metrics, &sets),
        "slowest": slowest(&admin.metrics),
        "phases": phases(&admin.metrics),
        "sets": sets.iter().take(MAX_SETS).map(rule_set).collect::<Vec<_>>(),
        "more_sets": sets.len().saturating_sub(MAX_SETS),
        "loads": loads,
        "loaded": millis(loaded),
        "failure": admin.metrics.failed_load().map(|failed| json!({ "time": millis(failed.time), "text": failed.text })),
    })
}

/// Returns the rules with the most hits, with their messages as the first rule set that has them writes them.
fn most_frequent(metrics: &Metrics, sets: &[(String, Waf)]) -> Vec<Value> {
    let top = metrics.most_frequent_rules(MAX_RULES);
    let mut unknown: HashSet<u64> = top.iter().map(|(id, _)| *id).collect();
    let mut messages: HashMap<u64, String> = HashMap::new();
    for (_, waf) in sets {
        if unknown.is_empty() {
            break;
        }
        for rule in waf.graph().rules.iter().filter(|rule| rule.id != 0) {
            if unknown.remove(&rule.id) {
                let message = rule.metadata.message.as_ref().map(|message| message.source().chars().take(MAX_MESSAGE).collect());
                messages.insert(rule.id, message.unwrap_or_default());
            }
        }
    }
    let shown = |(id, hits): &(u64, u64)| json!({ "id": id, "hits": hits, "message": messages.get(id).map_or("", String::as_str) });
    top.iter().map(shown).collect()
}

/// Returns the rules that took most time, with the mean of an evaluation and their share of the time of all rules.
fn slowest(metrics: &Metrics) -> Vec<Value> {
    let rules = metrics.slowest_rules(usize::MAX);
    let all: Duration = rules.iter().map(|rule| rule.time).sum();
    let shown = |rule: &TimedRule| {
        json!({
            "id": rule.id,
            "message": rule.message,
            "microseconds": microseconds(rule.time, rule.evaluations),
            "share": if all.is_zero() { 0.0 } else { rule.time.as_secs_f64() / all.as_secs_f64() },
        })
    };
    rules.iter().take(MAX_RULES).map(shown).collect()
}

/// Returns the phases that ran, with the mean of a run.
fn phases(metrics: &Metrics) -> Vec<Value> {
    let times = metrics.phase_times();
    let ran = times.iter().filter(|time| time.runs > 0);
    ran.map(|time| json!({ "phase": phase_name(time.phase), "count": time.runs, "microseconds": microseconds(time.time, time.runs) }))
        .collect()
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connection => "0: connection",
        Phase::RequestHeaders => "1: request headers",
        Phase::RequestBody => "2: request body",
        Phase::ResponseHeaders => "3: response headers",
        Phase::ResponseBody => "4: response body",
        Phase::Logging => "5: logging",
    }
}

/// Returns a mean, in microseconds.
#[allow(clippy::cast_precision_loss, reason = "the page shows numbers of this precision")]
fn microseconds(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn rule_set((name, waf): &(String, Waf)) -> Value {
    let report = waf.report();
    let warnings: Vec<String> = report.warnings().iter().take(MAX_WARNINGS).map(|warning| warning.render(report.texts())).collect();
    json!({
        "name": name,
        "count": report.rules,
        "fingerprint": report.fingerprint(),
        "files": report.sources,
        "settings": settings(&waf.graph().settings),
        "warnings": warnings,
        "more_warnings": report.warnings().len().saturating_sub(MAX_WARNINGS),
    })
}

/// Returns settings with their directives. Addresses of stores and paths of logs are not among them: they may hold passwords.
fn settings(settings: &Settings) -> Value {
    let on = |is_on: bool| if is_on { "On" } else { "Off" }.to_owned();
    let bytes = |limit: Limit| match settings.limit(limit) {
        usize::MAX => "no limit".to_owned(),
        bytes => bytes.to_string(),
    };
    let store = settings.collection_store.as_ref().map_or("memory", |address| address.node.split(':').next().unwrap_or_default());
    let audit = match settings.audit_engine {
        AuditEngine::On => "On",
        AuditEngine::Off => "Off",
        AuditEngine::RelevantOnly => "RelevantOnly",
    };
    let rows = [
        ("SecRuleEngine", mode(settings.engine).to_owned()),
        ("SecRequestBodyAccess", on(settings.request_body_access)),
        ("SecRequestBodyLimit", bytes(Limit::RequestBody)),
        ("SecResponseBodyAccess", on(settings.response_body_access)),
        ("SecResponseBodyLimit", bytes(Limit::ResponseBody)),
        ("SecAuditEngine", audit.to_owned()),
        ("SecCollectionStore", store.to_owned()),
        ("SecDebugLogLevel", settings.debug_log_level.to_string()),
    ];
    rows.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn mode(engine: EngineMode) -> &'static str {
    match engine {
        EngineMode::On => "On",
        EngineMode::Off => "Off",
        EngineMode::DetectionOnly => "DetectionOnly",
    }
}

/// The parts of a ban, as the page sends them back.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    site: Option<u64>,
    ip: Option<IpAddr>,
    host: Option<String>,
    /// The bytes, which need not be text.
    path: Option<Vec<u8>>,
    only_for_scripts: bool,
}

/// Returns the stores of the rule sets, each of them once.
fn stores(admin: &Admin) -> Vec<Arc<dyn Store>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for (_, waf) in (admin.rule_sets)() {
        let store = waf.store();
        if !stores.iter().any(|known| Arc::ptr_eq(known, &store)) {
            stores.push(store);
        }
    }
    stores
}

/// Returns the bans in the stores.
pub fn bans(admin: &Admin) -> Result<Value, String> {
    let by = Instant::now() + STORE_TIME;
    let mut bans: Vec<Ban> = Vec::new();
    for store in stores(admin) {
        bans.extend(store.bans(None, MAX_BANS + 1, by).map_err(|down| down.to_string())?);
    }
    let has_more = bans.len() > MAX_BANS;
    bans.truncate(MAX_BANS);
    let shown = |ban: &Ban| {
        let RequestKey { site, ip, host, url_path, only_for_scripts, .. } = &ban.key;
        let key = Parts {
            site: site.map(|site| site.0),
            ip: *ip,
            host: host.as_deref().map(str::to_owned),
            path: url_path.as_deref().map(<[u8]>::to_vec),
            only_for_scripts: *only_for_scripts,
        };
        json!({ "until": millis(ban.until), "path": url_path.as_deref().map(legible_path), "key": key })
    };
    Ok(json!({ "bans": bans.iter().map(shown).collect::<Vec<_>>(), "more": has_more }))
}

/// Ends a ban, in each store that has it.
pub fn lift(admin: &Admin, request: &Value) -> Result<Value, String> {
    let parts = Parts::deserialize(request).map_err(|error| error.to_string())?;
    let mut key = RequestKey::default();
    key.site = parts.site.map(SiteId);
    key.ip = parts.ip;
    key.host = parts.host.map(Into::into);
    key.url_path = parts.path.map(Into::into);
    key.only_for_scripts = parts.only_for_scripts;
    let by = Instant::now() + STORE_TIME;
    let mut was_banned = false;
    for store in stores(admin) {
        was_banned |= store.unban(&key, by).map_err(|down| down.to_string())?;
    }
    if was_banned { Ok(json!({ "lifted": true })) } else { Err("there is no such ban any more".to_owned()) }
}

/// Returns the script host and its plugins.
pub fn plugins(admin: &Admin) -> Result<Value, String> {
    Ok(admin.scripts.as_ref().map_or_else(|| json!({ "absent": true }), |scripts| scripts.plugins()))
}

/// Returns the extensions and their last runs.
pub fn extensions(admin: &Admin) -> Result<Value, String> {
    Ok(admin.scripts.as_ref().map_or_else(|| json!({ "absent": true }), |scripts| scripts.extensions()))
}

/// Starts a run of an extension.
pub fn run(admin: &Admin, request: &Value) -> Result<Value, String> {
    let scripts = admin.scripts.as_ref().ok_or("this program runs no extensions")?;
    let extension = request.get("extension").and_then(Value::as_str).ok_or("name the extension")?;
    scripts.run(extension).map(|()| json!({ "started": true }))
}

fn legible_path(path: &[u8]) -> String {
    let mut bytes = Vec::new();
    legible(path, &mut bytes);
    text(&bytes)
}

/// Returns milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
