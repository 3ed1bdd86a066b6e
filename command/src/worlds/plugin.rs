//! `secrule plugin`: checks plugins, tries them, and shows what those of a host do.

use super::{RuleFiles, outgoing, socket, trial};
use crate::{Failure, Format, Outcome, ban, note, write_json};
use clap::{Args, Subcommand};
use secrule::internals::exchange::{AttackRecord, ExchangeLog as _, ExchangeRecord};
use secrule::internals::script::Script;
use secrule::internals::store::{key_host, key_url_path};
use secrule_host::{Host, Intake, LocalLink, ScriptLog, Services, ask_status};
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

/// Number of calls for one exchange that a plugin cannot exceed: 16 functions, each for an access and for an attack.
const CALLS: usize = 32;

/// Maximum number of bytes of lines after which a trial waits for the plugin.
const BATCH_BYTES: usize = 1 << 20;

/// Time between two looks at what a plugin has done.
const LOOK: Duration = Duration::from_micros(100);

/// Maximum number of refused lines that are shown.
const MAX_SHOWN: usize = 100;

/// Check plugins, try them, and show what they do
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule plugin check plugins/*.lua                            do they load, and what are they called for?
  secrule plugin run ban.lua --exchanges requests.jsonl         what would it do with these requests?
  secrule plugin run top.lua --exchanges - --for 10             wait ten seconds for its tickers
  sudo -u www-data secrule plugin status main.conf              what do those of the running host do?

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

/// Result of feeding a plugin with a file of exchanges.
#[derive(Default)]
struct Fed {
    read: u64,
    refused: u64,
    /// Numbers and errors of the first refused lines.
    shown: Vec<(usize, String)>,
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
    let reader = options.exchanges.as_deref().map(open).transpose()?;
    let (intake, link) = Intake::local();
    let waf = trial(&options.file, &options.rules, Some(link.clone()))?;
    let log = Arc::new(ScriptLog::new(Box::new(io::sink()), usize::MAX));
    let services = Services::new(&waf, Arc::clone(&log));
    let outgoing = outgoing(&services)?;
    let batch = services.settings(|settings| settings.plugin_queue / CALLS).max(1);
    let plugins = Plugins::start(&services, &outgoing)
        .map_err(|failures| Failure::Reason(failures.first().map_or_else(|| "it does not load".to_owned(), ToString::to_string)))?;
    let host = Host::start(services, intake, vec![Box::new(plugins)]).map_err(|error| Failure::Reason(error.to_string()))?;
    let path = options.exchanges.as_deref().unwrap_or(Path::new(""));
    let fed = match reader {
        Some(reader) => feed(reader, batch, &link, &host).map_err(|error| Failure::unreadable(path, error))?,
        None => Fed::default(),
    };
    sleep(Duration::from_secs(options.wait));
    host.stop();
    let bans = waf.bans().map_err(|error| Failure::Reason(error.to_string()))?;
    match format {
        Format::Json => {
            let lines: Vec<Value> =
                log.last(usize::MAX).iter().map(|line| json!({ "tag": &*line.tag, "message": &*line.message })).collect();
            let bans: Vec<Value> = bans.iter().map(|found| ban::object(&found.key, found.until)).collect();
            let refused: Vec<Value> = fed.shown.iter().map(|(line, error)| json!({ "line": line, "error": error })).collect();
            let exchanges = json!({ "read": fed.read, "refused": fed.refused, "refused_lines": refused });
            write_json(out, &json!({ "log": lines, "bans": bans, "exchanges": exchanges }))?;
        }
        Format::Text => {
            for line in log.last(usize::MAX) {
                writeln!(out, "[{}] {}", line.tag, line.message)?;
            }
            for found in &bans {
                writeln!(out, "banned: {}", ban::name(&found.key))?;
            }
            for (line, error) in &fed.shown {
                writeln!(out, "refused: {}:{line}: {error}", path.display())?;
            }
            if options.exchanges.is_some() {
                writeln!(out, "{} exchanges read, {} lines refused", fed.read, fed.refused)?;
            }
        }
    }
    Ok(if fed.refused == 0 { Outcome::Fine } else { Outcome::Finding })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = std::fs::File::open(path).map_err(|error| Failure::unreadable(path, error))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Hands exchanges to a host, a batch at a time: the next one waits until the plugin has done with the last, so that no queue drops anything.
fn feed(reader: impl BufRead, batch: usize, link: &LocalLink, host: &Host) -> io::Result<Fed> {
    let mut fed = Fed::default();
    let (mut lines, mut bytes) = (0, 0);
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Line>(&line) {
            Ok(exchange) => {
                link.write(&|| exchange.record());
                fed.read += 1;
                (lines, bytes) = (lines + 1, bytes + line.len());
            }
            Err(error) => {
                fed.refused += 1;
                if fed.shown.len() < MAX_SHOWN {
                    fed.shown.push((number, error.to_string()));
                }
            }
        }
        if lines >= batch || bytes >= BATCH_BYTES {
            (lines, bytes) = (0, 0);
            wait_for_calls(host, fed.read);
        }
    }
    wait_for_calls(host, fed.read);
    Ok(fed)
}

/// Waits until the plugin has been called for this number of exchanges.
fn wait_for_calls(host: &Host, exchanges: u64) {
    loop {
        let status = host.status();
        let number = |path: &str| status.pointer(path).and_then(Value::as_u64);
        if number("/exchanges") >= Some(exchanges) && number("/worlds/plugins/scripts/0/pending").is_none_or(|pending| pending == 0) {
            return;
        }
        sleep(LOOK);
    }
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
            host: Cow::Owned(key_host(self.host.as_bytes()).into_owned().into_bytes()),
            url_path: Cow::Borrowed(key_url_path(self.uri.split('?').next().unwrap_or_default().as_bytes())),
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
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let path = path.display();
            return Err(Failure::Reason(format!(
                "this user may not ask the script host at {path}: run this as the user of the host, such as `sudo -u www-data secrule …`"
            )));
        }
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
        let off = if script.get("dead").and_then(Value::as_bool).unwrap_or_default() { ", dead: SIGHUP starts it again" } else { off };
        writeln!(
            out,
            "{}: {} calls, {} failed, {} pending, {} dropped, {} passed by while off, {} ticks late, {} skipped{off}",
            script.get("script").and_then(Value::as_str).unwrap_or_default(),
            number(script, "calls"),
            number(script, "failures"),
            number(script, "pending"),
            number(script, "dropped"),
            number(script, "passed_over"),
            number(script, "late_ticks"),
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
