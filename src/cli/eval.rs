//! `secrule eval`: what would happen to this request, and why?

use super::exchange::{Connection, Judgement, Request, Response, judge};
use super::rules::RuleOptions;
use super::{Failure, Format, Outcome, message, note, write_json};
use clap::Args;
use secrule::graph::{Location, Phase};
use secrule::{DebugLog, RuleMatch, Transaction, Waf};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
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

/// Judges raw HTTP requests, and says which rules matched and what the verdict is
///
/// A request is what a client would send: the request line, headers, an empty line, the body. Lines of the head may end in LF or CRLF, and
/// the version may be left out. Everything behind the empty line is the body, whatever Content-Length says; a chunked body is decoded.
/// Without files the request is read from standard input.
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
  2  a file cannot be read or is no request, or the rules do not load")]
pub struct Options {
    #[command(flatten)]
    rules: RuleOptions,

    /// Files that hold a raw request each; `-` is standard input
    #[arg(value_name = "REQUEST")]
    requests: Vec<PathBuf>,

    /// Reads several requests from one file, parted by lines that are exactly this
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    separator: Option<String>,

    /// A file with the raw response to judge; otherwise a small HTML page with status 200
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,

    /// The address that the request comes from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client_ip: IpAddr,

    /// Shows tags, what matched what, and where rules stand
    #[arg(short, long)]
    verbose: bool,

    /// Writes the engine's debug log of this level, 1 to 9, to standard error
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=9))]
    debug_log: Option<u8>,
}

/// Judges requests.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let log = options.debug_log.map(|level| Arc::new(StandardError { level }) as Arc<dyn DebugLog>);
    let waf = options.rules.load(log)?;
    let response = options.response.as_deref().map_or_else(|| Ok(default_response()), read_response)?;
    let client = options.client_ip.to_string();
    let connection = Connection { client: &client, client_port: 43210, server: "127.0.0.1", server_port: 80 };
    let mut answers = Vec::new();
    for (name, request) in read_requests(options)? {
        let answer = Answer::new(&waf, name, &request, judge(waf.transaction(), connection, &request, &response));
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

fn read_requests(options: &Options) -> Result<Vec<(String, Request)>, Failure> {
    let standard_input = [PathBuf::from("-")];
    let paths = if options.requests.is_empty() { standard_input.as_slice() } else { &options.requests };
    let mut requests = Vec::new();
    for path in paths {
        let (name, bytes) = if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                note("secrule: type a request; Ctrl-D ends it");
            }
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::Reason(format!("standard input: {error}")))?;
            ("standard input".to_owned(), bytes)
        } else {
            (path.display().to_string(), std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?)
        };
        let parts = options.separator.as_deref().map_or_else(|| vec![bytes.as_slice()], |separator| message::parts(&bytes, separator));
        for (number, part) in parts.iter().enumerate() {
            let name = if options.separator.is_some() { format!("{name}#{}", number + 1) } else { name.clone() };
            let request = message::request(part).map_err(|problem| Failure::Reason(format!("{name}: {problem}")))?;
            requests.push((name, request));
        }
    }
    Ok(requests)
}

fn read_response(path: &Path) -> Result<Response, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
    message::response(&bytes).map_err(|problem| Failure::unreadable(path, problem))
}

fn default_response() -> Response {
    let body = b"<!DOCTYPE html><title>ok</title>\n".to_vec();
    let headers = [("Content-Type", "text/html".to_owned()), ("Content-Length", body.len().to_string())];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    Response { status: 200, protocol: "HTTP/1.1".to_owned(), headers, body }
}

/// What is said about a request.
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
    scores: BTreeMap<&'static str, i64>,
    matches: Vec<MatchAnswer>,
    milliseconds: f64,
}

/// What is said about a rule that matched.
#[derive(Debug, Serialize)]
struct MatchAnswer {
    id: u64,
    phase: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    message: String,
    data: String,
    detail: String,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    disruptive: bool,
}

impl Answer {
    fn new(waf: &Waf, source: String, request: &Request, judgement: Judgement) -> Self {
        let Judgement { transaction, stop, elapsed } = judgement;
        let stop = stop.as_ref();
        let intervention = stop.map(|(_, intervention)| intervention);
        Self {
            source,
            request: format!("{} {}", String::from_utf8_lossy(&request.method), String::from_utf8_lossy(&request.target)),
            verdict: intervention.map_or("pass", |intervention| match intervention {
                intervention if intervention.redirect.is_some() => "redirect",
                intervention if intervention.drop => "drop",
                _ => "deny",
            }),
            status: intervention.map(|intervention| intervention.status),
            redirect: intervention.and_then(|intervention| intervention.redirect.clone()),
            phase: stop.map(|(phase, _)| Phase::number(*phase)),
            rule: intervention.map(|intervention| intervention.rule_id).filter(|id| *id > 0),
            reason: intervention.map(|intervention| intervention.reason.clone()),
            scores: scores(&transaction),
            matches: transaction.matches().iter().map(|found| MatchAnswer::new(waf, found)).collect(),
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
        for found in &self.matches {
            found.write(out, verbose)?;
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
        let location: Option<&Location> = waf.graph().rule(found.rule).map(|rule| &rule.location);
        Self {
            id: found.id,
            phase: found.phase.number(),
            severity: found.severity.map(severity_name),
            message: found.message().into_owned(),
            data: found.data().into_owned(),
            detail: found.detail().into_owned(),
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
        if verbose {
            writeln!(out, "{:20}detail: {}", "", printable(&self.detail))?;
            writeln!(out, "{:20}tags: {}", "", printable(&self.tags.join(" ")))?;
        }
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            writeln!(out, "{:20}at {file}:{line}", "")?;
        }
        Ok(())
    }
}

/// The scores that exist and are numbers.
fn scores(transaction: &Transaction) -> BTreeMap<&'static str, i64> {
    SCORES.into_iter().filter_map(|name| Some((name, transaction.tx(name)?.parse().ok()?))).collect()
}

fn severity_name(severity: u32) -> &'static str {
    const NAMES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    usize::try_from(severity).ok().and_then(|severity| NAMES.get(severity)).copied().unwrap_or("unknown")
}

/// What a request says, without what would change the terminal that shows it.
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
