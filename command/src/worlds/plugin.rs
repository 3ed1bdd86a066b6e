//! `secrule plugin`: checks plugins, tries them, and shows what those of a host do.

use super::{RuleFiles, outgoing, socket, trial};
use crate::{Failure, Format, Outcome, ban, note, write_json};
use clap::{Args, Subcommand};
use secrule::internals::exchange::{AttackRecord, ExchangeLog as _, ExchangeRecord};
use secrule::internals::script::Script;
use secrule_host::{Host, Intake, ScriptLog, Services, ask_status};
use secrule_plugins::{Plugins, check};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// Time for plugins to see the last exchange of a trial.
const LAST_CALLS: Duration = Duration::from_millis(500);

/// Check plugins, try them, and show what they do
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule plugin check plugins/*.lua                            do they load, and what are they called for?
  secrule plugin run ban.lua --exchanges requests.jsonl         what would it do with these requests?
  secrule plugin run top.lua --exchanges - --for 10             wait ten seconds for its tickers
  secrule plugin status /etc/nginx/modsecurity/main.conf        what do those of the running host do?

A line of an exchanges file is a JSON object, of which all members but ip may be missing:
  {\"ip\": \"192.0.2.7\", \"host\": \"shop.example\", \"uri\": \"/login?a=b\", \"method\": \"POST\", \"status\": 401, \"time\": 0.02,
   \"session\": {\"sid\": \"1\"}, \"denied\": false, \"rule_id\": 942100, \"severity\": 2, \"tags\": [\"attack-sqli\"]}")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Load plugins as the host does, and show what their functions are called for
    Check(CheckOptions),
    /// Run a plugin on exchanges from a file, with a store in memory: nobody is banned
    Run(RunOptions),
    /// Ask the running host what its plugins do
    Status(StatusOptions),
}

#[derive(Args, Debug)]
struct CheckOptions {
    /// Plugins
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct RunOptions {
    /// The plugin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A file of exchanges, one JSON object on each line; - for standard input
    #[arg(long, value_name = "FILE")]
    exchanges: Option<PathBuf>,

    /// Seconds to wait for tickers after the last exchange
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 0)]
    wait: u64,

    /// Rule files whose settings count, such as SecScriptConnect
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct StatusOptions {
    #[command(flatten)]
    rules: RuleFiles,
}

/// An exchange of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    ip: IpAddr,
    #[serde(default)]
    host: String,
    #[serde(default = "root")]
    uri: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default = "fine")]
    status: u16,
    #[serde(default)]
    time: f64,
    #[serde(default)]
    session: BTreeMap<String, String>,
    #[serde(default)]
    denied: bool,
    rule_id: Option<u64>,
    severity: Option<u8>,
    #[serde(default)]
    tags: Vec<String>,
}

/// Runs a verb for plugins.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match &options.verb {
        Verb::Check(options) => check_all(options, format, out),
        Verb::Run(options) => run_one(options, format, out),
        Verb::Status(options) => status(options, format, out),
    }
}

fn check_all(options: &CheckOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Fine;
    let mut results = Vec::new();
    for file in &options.files {
        let checked = check_one(file);
        if checked.is_err() {
            outcome = Outcome::Finding;
        }
        if format == Format::Text {
            match &checked {
                Ok(functions) => writeln!(
                    out,
                    "{}: loads\n{}",
                    file.display(),
                    functions.iter().map(|function| format!("  {function}\n")).collect::<String>().trim_end()
                )?,
                Err(problem) => writeln!(out, "{}: {problem}", file.display())?,
            }
        }
        results.push(match checked {
            Ok(functions) => json!({ "file": file.display().to_string(), "functions": functions }),
            Err(problem) => json!({ "file": file.display().to_string(), "error": problem }),
        });
    }
    if format == Format::Json {
        write_json(out, &json!({ "plugins": results }))?;
    }
    Ok(outcome)
}

fn check_one(file: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let script = Script::new(&file.display().to_string(), text).map_err(|error| match error.line() {
        Some(line) => format!("line {line}: {error}"),
        None => error.to_string(),
    })?;
    let waf = secrule::Waf::from_rules("").map_err(|error| error.to_string())?;
    let services = Services::new(&waf, Arc::new(ScriptLog::new(Box::new(io::sink()), usize::MAX)));
    check(&services, &script).map_err(|failure| failure.problem)
}

fn run_one(options: &RunOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let lines = options.exchanges.as_deref().map_or_else(|| Ok(Vec::new()), read_lines)?;
    let (intake, link) = Intake::local();
    let waf = trial(&options.file, &options.rules, Some(link.clone()))?;
    let log = Arc::new(ScriptLog::new(Box::new(io::sink()), usize::MAX));
    let services = Services::new(&waf, Arc::clone(&log));
    let outgoing = outgoing(&services)?;
    let plugins = Plugins::start(&services, &outgoing)
        .map_err(|failures| Failure::Reason(failures.first().map_or_else(|| "it does not load".to_owned(), ToString::to_string)))?;
    let host = Host::start(services, intake, vec![Box::new(plugins)]).map_err(|error| Failure::Reason(error.to_string()))?;
    let count = lines.len() as u64;
    for line in lines {
        link.write(&|| line.record());
    }
    while host.status().get("exchanges").and_then(Value::as_u64).is_some_and(|taken| taken < count) {
        sleep(Duration::from_millis(10));
    }
    sleep(LAST_CALLS.max(Duration::from_secs(options.wait)));
    host.stop();
    let bans = waf.bans().map_err(|error| Failure::Reason(error.to_string()))?;
    match format {
        Format::Json => {
            let lines: Vec<Value> =
                log.last(usize::MAX).iter().map(|line| json!({ "tag": &*line.tag, "message": &*line.message })).collect();
            let bans: Vec<Value> = bans.iter().map(|found| ban::object(&found.key, found.until)).collect();
            write_json(out, &json!({ "log": lines, "bans": bans }))?;
        }
        Format::Text => {
            for line in log.last(usize::MAX) {
                writeln!(out, "[{}] {}", line.tag, line.message)?;
            }
            for found in &bans {
                writeln!(out, "banned: {}", ban::name(&found.key))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn read_lines(path: &Path) -> Result<Vec<Line>, Failure> {
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(path).map_err(|error| Failure::unreadable(path, error))?))
    };
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(|error| Failure::unreadable(path, error))?;
        if !line.trim().is_empty() {
            let read = serde_json::from_str(&line).map_err(|error| Failure::Reason(format!("{}:{number}: {error}", path.display())))?;
            lines.push(read);
        }
    }
    Ok(lines)
}

impl Line {
    fn record(&self) -> ExchangeRecord<'_> {
        let text = |text: &str| Cow::Owned(text.as_bytes().to_vec());
        let has_attack = self.rule_id.is_some() || self.severity.is_some() || !self.tags.is_empty();
        ExchangeRecord {
            arrived: SystemTime::now(),
            backend: Some(Duration::try_from_secs_f64(self.time).unwrap_or_default()),
            status: self.status,
            is_denied: self.denied,
            site: 0,
            peer: text(&self.ip.to_string()),
            client: Some(self.ip.to_canonical()),
            is_forwarded: false,
            server: Cow::default(),
            server_port: Cow::default(),
            method: text(&self.method),
            host: text(&self.host.to_ascii_lowercase()),
            url_path: text(self.uri.split('?').next().unwrap_or_default()),
            target: text(&self.uri),
            sessions: self.session.iter().map(|(name, value)| (text(name), text(value))).collect(),
            attack: has_attack.then(|| AttackRecord {
                rule: self.rule_id.unwrap_or_default(),
                severity: self.severity,
                tags: self.tags.iter().map(|tag| text(tag)).collect(),
                ..AttackRecord::default()
            }),
        }
    }
}

fn status(options: &StatusOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let waf = crate::rules::load_files(&options.rules.rules)?;
    let path = socket(&waf.graph().settings)?;
    let status = match ask_status(&path) {
        Ok(status) => status,
        Err(error) => {
            note(&format!("secrule: no script host answers at {}: {error}: start it with `secrule host RULES`", path.display()));
            return Ok(Outcome::Finding);
        }
    };
    if format == Format::Json {
        write_json(out, &status)?;
        return Ok(Outcome::Fine);
    }
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let leads = status.get("leads").and_then(Value::as_bool).unwrap_or_default();
    writeln!(
        out,
        "host: process {}, node {}{}, {} exchanges, {} events",
        number(&status, "process"),
        number(&status, "node"),
        if leads { ", leads" } else { "" },
        number(&status, "exchanges"),
        number(&status, "events"),
    )?;
    let scripts = status.pointer("/worlds/plugins/scripts").and_then(Value::as_array);
    for script in scripts.into_iter().flatten() {
        let off = if script.get("off").and_then(Value::as_bool).unwrap_or_default() { ", off after failures" } else { "" };
        writeln!(
            out,
            "{}: {} calls, {} failed, {} dropped, {} ticks skipped{off}",
            script.get("script").and_then(Value::as_str).unwrap_or_default(),
            number(script, "calls"),
            number(script, "failures"),
            number(script, "dropped"),
            number(script, "skipped_ticks"),
        )?;
    }
    for line in status.get("log").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        writeln!(out, "  {line}")?;
    }
    Ok(Outcome::Fine)
}

fn root() -> String {
    "/".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn fine() -> u16 {
    200
}
