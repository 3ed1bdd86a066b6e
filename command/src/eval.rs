//! `secrule eval`: judges requests and explains the verdicts.

use super::exchange::{Judgement, Request};
use super::requests::RequestOptions;
use super::rules::RuleOptions;
use super::{Failure, Format, Outcome, note, write_json};
use clap::Args;
use secrule::internals::RuleMatch;
use secrule::internals::graph::{EngineMode, Location, Phase};
use secrule::internals::vocabulary::Limit;
use secrule::{DebugLog, ScriptFailure, Transaction, Waf};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// The scores of the OWASP CRS 4 and of the starter rules, then those of the OWASP CRS 3.
const SCORES: [&str; 7] = [
    "blocking_inbound_anomaly_score",
    "detection_inbound_anomaly_score",
    "blocking_outbound_anomaly_score",
    "detection_outbound_anomaly_score",
    "anomaly_score",
    "inbound_anomaly_score",
    "outbound_anomaly_score",
];

/// Judges raw HTTP requests, and shows the rules that matched and the verdict
///
/// A request is the text that a client would send: the request line, headers, an empty line, the body. Lines of the head may end in LF or CRLF, and
/// the version may be omitted. Everything after the empty line is the body, whatever Content-Length says; a chunked body is decoded. Without files
/// the request is read from standard input.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  printf 'GET /?q=<script>alert(1)</script>\\nHost: a.example\\n' | secrule eval
                                                      the starter rules, a request from a pipe
  secrule eval --rules main.conf login.http           rules and a request from files
  secrule eval --crs /usr/share/modsecurity-crs --paranoia 2 *.http
                                                      the OWASP CRS at level 2, several requests
  secrule eval --crs crs --subset sqli-xss -v a.http  a part of it; with tags and places of rules
  secrule eval --response leak.http get.http          what the response is found to leak
  secrule eval --debug-log 9 a.http 2>debug.log       every step of the evaluation
  secrule eval --format json a.http | jq '.requests[].matches[].id'

Exit codes:
  0  no request is denied
  1  at least one request is denied, dropped or redirected
  2  a file cannot be read or is not a request, or the rules do not load")]
pub struct Options {
    #[command(flatten)]
    rules: RuleOptions,

    #[command(flatten)]
    requests: RequestOptions,

    /// Show tags, matched values, and the places of rules
    #[arg(short, long)]
    verbose: bool,

    /// Write the engine's debug log of this level, 1 to 9, to standard error
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=9))]
    debug_log: Option<u8>,
}

/// Judges requests.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let log = options.debug_log.map(|level| Arc::new(StandardError { level }) as Arc<dyn DebugLog>);
    let waf = options.rules.load(log)?;
    let exchanges = options.requests.read()?;
    let mut answers = Vec::new();
    for (name, request) in &exchanges.requests {
        let answer = Answer::new(&waf, name.clone(), request, exchanges.judge(waf.transaction(), request));
        if format == Format::Text {
            answer.write(out, options.verbose)?;
        }
        answers.push(answer);
    }
    let denied = answers.iter().filter(|answer| answer.verdict != "pass").count();
    if format == Format::Json {
        write_json(out, &serde_json::json!({ "requests": answers, "denied": denied }))?;
    } else if answers.len() > 1 {
        writeln!(out, "{denied} of {} requests denied", answers.len())?;
    }
    Ok(if denied > 0 { Outcome::Finding } else { Outcome::Fine })
}

/// The result of a request.
#[derive(Debug, Serialize)]
struct Answer {
    source: String,
    request: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    engine: Engine,
    /// The rule that would have stopped the request if the engine were on.
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<u64>,
    scores: BTreeMap<&'static str, i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits_exceeded: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    script_failures: Vec<ScriptAnswer>,
    matches: Vec<MatchAnswer>,
    milliseconds: f64,
}

/// The mode of the engine for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Engine {
    On,
    Off,
    DetectionOnly,
    /// As `DetectionOnly`, because no rule sets `SecRuleEngine`.
    Unset,
}

/// A rule that matched.
#[derive(Debug, Serialize)]
struct MatchAnswer {
    id: u64,
    phase: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    message: String,
    data: String,
    /// The engine's text for the last value that matched, and all values if there are several.
    detail: String,
    /// The engine's text alone.
    #[serde(skip)]
    wording: String,
    values: Vec<ValueAnswer>,
    /// Number of further values that matched.
    #[serde(skip_serializing_if = "is_zero")]
    more_values: usize,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    disruptive: bool,
}

/// A script that failed.
#[derive(Debug, Serialize)]
struct ScriptAnswer {
    script: String,
    reason: String,
}

/// A value that a rule matched.
#[derive(Debug, Serialize)]
struct ValueAnswer {
    variable: String,
    value: String,
}

impl Engine {
    fn of(waf: &Waf, transaction: &Transaction) -> Self {
        match transaction.engine_mode() {
            EngineMode::On => Self::On,
            EngineMode::Off => Self::Off,
            EngineMode::DetectionOnly if !waf.report().sets_engine() => Self::Unset,
            EngineMode::DetectionOnly => Self::DetectionOnly,
        }
    }

    /// Returns why nothing is stopped; `None` if the engine is on.
    fn explanation(self) -> Option<&'static str> {
        match self {
            Self::On => None,
            Self::Off => Some("SecRuleEngine is Off: rules do not run"),
            Self::DetectionOnly => Some("SecRuleEngine is DetectionOnly: rules stop nothing"),
            Self::Unset => Some("the rules do not set `SecRuleEngine On`, so they only detect and stop nothing"),
        }
    }
}

impl ScriptAnswer {
    fn new(failure: &ScriptFailure) -> Self {
        Self { script: failure.script.clone(), reason: failure.reason.clone() }
    }
}

impl Answer {
    fn new(waf: &Waf, source: String, request: &Request, judgement: Judgement) -> Self {
        let Judgement { transaction, stop, elapsed } = judgement;
        let stop = stop.as_ref();
        let intervention = stop.map(|(_, intervention)| intervention);
        Self {
            source,
            request: format!("{} {}", String::from_utf8_lossy(&request.method), String::from_utf8_lossy(&request.target)),
            verdict: intervention.map_or("pass", |intervention| intervention.action().name()),
            status: intervention.map(|intervention| intervention.status()),
            redirect: intervention.and_then(|intervention| intervention.location().map(str::to_owned)),
            phase: stop.map(|(phase, _)| Phase::number(*phase)),
            rule: intervention.and_then(|intervention| intervention.rule_id()),
            reason: intervention.map(|intervention| intervention.reason().to_owned()),
            engine: Engine::of(waf, &transaction),
            detected: transaction.detected().and_then(|rule| waf.graph().rule(rule).map(|rule| rule.id)),
            scores: scores(&transaction),
            limits_exceeded: transaction.exceeded_limits().map(Limit::name).collect(),
            script_failures: transaction.script_failures().iter().map(ScriptAnswer::new).collect(),
            matches: transaction.rule_matches().iter().map(|found| MatchAnswer::new(waf, found)).collect(),
            milliseconds: elapsed.as_secs_f64() * 1e3,
        }
    }

    fn write(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        writeln!(out, "{}: {}", self.source, printable(&self.request))?;
        write!(out, "  {}", self.verdict)?;
        if let Some(redirect) = &self.redirect {
            write!(out, " to {}", printable(redirect))?;
        }
        if let (Some(status), Some(phase)) = (self.status, self.phase) {
            write!(out, " with status {status} in phase {phase}")?;
        }
        match (self.rule, &self.reason) {
            (Some(id), _) => write!(out, " by rule {id}")?,
            (None, Some(reason)) => write!(out, ": {}", printable(reason))?,
            (None, None) => {}
        }
        writeln!(out, " ({:.2} ms)", self.milliseconds)?;
        if let Some(explanation) = self.engine.explanation() {
            write!(out, "  {explanation}")?;
            match self.detected {
                Some(id) => writeln!(out, "; rule {id} would stop this request")?,
                None => writeln!(out)?,
            }
        }
        for found in &self.matches {
            found.write(out, verbose)?;
        }
        if !self.limits_exceeded.is_empty() {
            writeln!(out, "  limits exceeded: {}", self.limits_exceeded.join(" "))?;
        }
        for failure in &self.script_failures {
            writeln!(out, "  script {} failed: {}", printable(&failure.script), printable(&failure.reason))?;
        }
        if !self.scores.is_empty() {
            let scores: Vec<String> = self.scores.iter().map(|(name, value)| format!("{name}={value}")).collect();
            writeln!(out, "  scores: {}", scores.join(" "))?;
        }
        Ok(())
    }
}

impl MatchAnswer {
    fn new(waf: &Waf, found: &RuleMatch) -> Self {
        let graph = waf.graph();
        let location: Option<&Location> = graph.rule(found.rule).map(|rule| &rule.location);
        Self {
            id: found.id,
            phase: found.phase.number(),
            severity: found.severity.map(severity_name),
            message: found.message().into_owned(),
            data: found.data().into_owned(),
            detail: detail(found),
            wording: found.detail().into_owned(),
            values: found.values().map(|(variable, value)| ValueAnswer { variable, value: value.into() }).collect(),
            more_values: found.value_count.saturating_sub(found.values.len()),
            tags: found.tags().map(|tag| tag.into_owned()).collect(),
            file: location.map(|location| location.file.to_string()),
            line: location.map(|location| location.line),
            disruptive: found.disruptive,
        }
    }

    fn write(&self, out: &mut dyn Write, verbose: bool) -> io::Result<()> {
        writeln!(out, "  {:>7} {:<9} {}", self.id, self.severity.unwrap_or("-"), printable(&self.message))?;
        if !self.data.is_empty() {
            writeln!(out, "{:20}data: {}", "", printable(&self.data))?;
        }
        for ValueAnswer { variable, value } in &self.values {
            writeln!(out, "{:20}value: {}={}", "", printable(variable), printable(value))?;
        }
        if self.more_values > 0 {
            writeln!(out, "{:20}and {} more values", "", self.more_values)?;
        }
        if verbose {
            writeln!(out, "{:20}detail: {}", "", printable(&self.wording))?;
            writeln!(out, "{:20}tags: {}", "", printable(&self.tags.join(" ")))?;
        }
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            writeln!(out, "{:20}at {file}:{line}", "")?;
        }
        Ok(())
    }
}

/// Returns the text of all matched values; the engine's text has only the last.
fn detail(found: &RuleMatch) -> String {
    let mut detail = found.detail().into_owned();
    if found.value_count > 1 {
        let values: Vec<String> = found.values().map(|(variable, value)| format!("{variable}={value}")).collect();
        let more = match found.value_count.saturating_sub(values.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        detail.push_str(&format!("; values: {}{more}", values.join(", ")));
    }
    detail
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Returns the scores that exist and are numbers.
fn scores(transaction: &Transaction) -> BTreeMap<&'static str, i64> {
    SCORES.into_iter().filter_map(|name| Some((name, transaction.tx(name)?.parse().ok()?))).collect()
}

fn severity_name(severity: u32) -> &'static str {
    const NAMES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    usize::try_from(severity).ok().and_then(|severity| NAMES.get(severity)).copied().unwrap_or("unknown")
}

/// Returns text of a request without control characters for the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The debug log on standard error.
#[derive(Debug)]
struct StandardError {
    level: u8,
}

impl DebugLog for StandardError {
    fn level(&self) -> u8 {
        self.level
    }

    fn write(&self, level: u8, transaction: &str, uri: &[u8], message: &str) {
        note(&format!("[{transaction}] [{}] [{level}] {message}", String::from_utf8_lossy(uri)));
    }
}
