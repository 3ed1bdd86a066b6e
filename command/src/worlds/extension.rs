//! `secrule extension`: shows extensions, runs them by hand, sends them events, and reads their history.

use super::{RuleFiles, outgoing, quotable, socket};
use crate::{Failure, Format, Outcome, note, stores, table, write_json};
use clap::{Args, Subcommand};
use secrule::Waf;
use secrule::internals::exchange::{ExchangeLog as _, Link};
use secrule::internals::graph::Extension;
use secrule_extensions::{Ending, Filter, Run, append_history, next_time, read_history, run_by_hand};
use secrule_host::{ScriptLog, Services};
use serde_json::{Value, json};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run extensions by hand, send them events, and read what they did
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule extension list /etc/waf/main.conf                                 what runs when
  secrule extension run report.lua --rules /etc/waf/main.conf               run it now, also if it is off, and show what it puts out
  secrule extension run on_event.lua --event event.json                     with an event of yours; without, that of a node that went offline
  secrule extension event event.json /etc/waf/main.conf                     send an event to the running host
  secrule extension history /etc/waf/main.conf --extension report.lua       what ran, and how it ended

Exit codes:
  0  all is well
  1  the run failed or was stopped; the host does not run
  2  a file cannot be read, rules do not load, the command line is wrong")]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Show extensions, and when each runs next
    List(ListOptions),
    /// Run an extension now
    Run(RunOptions),
    /// Send an event to the running host: a JSON object with the member `type`
    Event(EventOptions),
    /// Show the last runs
    History(HistoryOptions),
}

#[derive(Args, Debug)]
struct ListOptions {
    #[command(flatten)]
    rules: RuleFiles,
}

#[derive(Args, Debug)]
struct RunOptions {
    /// The script
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The event for it, as JSON; - for standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,

    /// Rule files whose databases, alarms, history and places to connect to count
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct EventOptions {
    /// The event, as JSON; - for standard input
    #[arg(value_name = "FILE")]
    event: PathBuf,

    #[command(flatten)]
    rules: RuleFiles,
}

#[derive(Args, Debug)]
struct HistoryOptions {
    #[command(flatten)]
    rules: RuleFiles,

    /// Only the runs of this script: its path, or the end of it
    #[arg(long, value_name = "FILE")]
    extension: Option<PathBuf>,

    /// Maximum number of runs: the last ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// Runs a verb for extensions.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match &options.verb {
        Verb::List(options) => list(options, format, out),
        Verb::Run(options) => run_one(options, format, out),
        Verb::Event(options) => send(options, format, out),
        Verb::History(options) => history(options, format, out),
    }
}

fn list(options: &ListOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let waf = crate::rules::load_files(&options.rules.rules)?;
    let graph = waf.graph();
    let extensions = &graph.settings.worlds.extensions;
    match format {
        Format::Json => {
            let shown = |extension: &Extension| json!({ "script": extension.script.name(), "trigger": extension.trigger.to_string(), "on": extension.is_on, "next": next_run(extension) });
            write_json(out, &json!({ "extensions": extensions.iter().map(shown).collect::<Vec<_>>() }))?;
        }
        Format::Text if extensions.is_empty() => writeln!(out, "no extensions")?,
        Format::Text => {
            let columns = [table::Column::Text("next"), table::Column::Text("trigger"), table::Column::Text("script")];
            let row = |extension: &Extension| vec![next_run(extension), extension.trigger.to_string(), extension.script.name().to_owned()];
            table::write(out, &columns, &extensions.iter().map(row).collect::<Vec<_>>())?;
        }
    }
    Ok(Outcome::Fine)
}

/// Says when an extension runs next.
pub fn next_run(extension: &Extension) -> String {
    match next_time(extension).filter(|_| extension.is_on) {
        Some(time) => time,
        None if extension.is_on => "at an event".to_owned(),
        None => "by hand".to_owned(),
    }
}

fn run_one(options: &RunOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let event = options.event.as_deref().map(read_event).transpose()?;
    let path = options.file.canonicalize().map_err(|error| Failure::unreadable(&options.file, error))?;
    let waf = waf_with(&path, &options.rules)?;
    let services = Services::new(&waf, Arc::new(ScriptLog::new(Box::new(io::stderr()), usize::MAX)));
    let outgoing = outgoing(&services)?;
    let (extensions, file) = services.settings(|settings| (settings.worlds.extensions.clone(), settings.extension_history.clone()));
    let is_meant = |extension: &&Extension| Path::new(extension.script.name()).canonicalize().is_ok_and(|known| known == path);
    let missing = || Failure::Reason(format!("{}: the rules do not name it", options.file.display()));
    let extension = extensions.iter().find(is_meant).ok_or_else(missing)?;
    let run = run_by_hand(&services, &outgoing, extension, event);
    match format {
        Format::Json => write_json(out, &run.to_json())?,
        Format::Text => {
            write!(out, "{}", run.output)?;
            run.notes.iter().try_for_each(|text| writeln!(out, "({text})"))?;
            if let Some(reason) = run.ending.reason() {
                note(&format!("secrule: {}: {reason}", run.ending.name()));
            }
        }
    }
    if let Some(file) = file {
        let place = file.path.display().to_string();
        append_history(&file, &run).map_err(|error| Failure::Reason(format!("{place}: the run is not in the history: {error}")))?;
    }
    Ok(if run.ending == Ending::Ok { Outcome::Fine } else { Outcome::Finding })
}

/// Loads rules with the store that they name. A script that they do not name is an extension that is off.
fn waf_with(script: &Path, rules: &[PathBuf]) -> Result<Waf, Failure> {
    let text = std::fs::read(script).map_err(|error| Failure::unreadable(script, error))?;
    let shown = quotable(script)?;
    // What asks for the event of its run is for events.
    let trigger = if memchr::memmem::find(&text, b"trigger_event").is_some() { "event:node_offline" } else { "cron:\"* * * * *\"" };
    let builder = stores::known(Waf::builder()).without_logs().default_store(stores::of_settings);
    let builder = rules.iter().fold(builder, |builder, file| builder.file(file));
    let builder = builder.rules("extension", &format!("SecPluginHost unix:/nowhere\nSecExtension \"{shown}\" {trigger} off"));
    builder.build().map_err(|error| Failure::Reason(error.to_string()))
}

fn read_event(path: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Failure::unreadable(path, error))?;
    let event: Value = serde_json::from_str(&text).map_err(|error| Failure::Reason(format!("{}: {error}", path.display())))?;
    match event.get("type") {
        Some(Value::String(_)) => Ok(event),
        _ => Err(Failure::Reason(format!("{}: an event is a JSON object with the member `type`, which is a text", path.display()))),
    }
}

fn send(options: &EventOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let event = read_event(&options.event)?;
    let waf = crate::rules::load_files(&options.rules.rules)?;
    let graph = waf.graph();
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let takes = |extension: &&Extension| extension.is_on && extension.trigger.takes(kind);
    let count = graph.settings.worlds.extensions.iter().filter(takes).count();
    if let Err(problem) = Link::shared(&socket(&graph.settings)?).send_event(&event.to_string()) {
        note(&format!("secrule: {problem}"));
        return Ok(Outcome::Finding);
    }
    match format {
        Format::Json => write_json(out, &json!({ "sent": true, "extensions": count }))?,
        Format::Text => writeln!(out, "sent; {count} extensions run on events of the type {kind}")?,
    }
    Ok(Outcome::Fine)
}

fn history(options: &HistoryOptions, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let waf = crate::rules::load_files(&options.rules.rules)?;
    let file = waf.graph().settings.extension_history.clone();
    let missing = || Failure::Reason("the rules keep no history: add SecExtensionHistory /var/lib/waf/extensions.jsonl".to_owned());
    let path = file.ok_or_else(missing)?.path;
    let extension = options.extension.as_ref().map(|path| path.display().to_string());
    let all = Filter::last(options.limit);
    let filter = extension.map_or(all.clone(), |extension| all.of(&extension));
    let runs = last_runs(&path, &filter)?;
    match format {
        Format::Json => write_json(out, &json!({ "runs": runs.iter().map(Run::to_json).collect::<Vec<_>>() }))?,
        Format::Text if runs.is_empty() => writeln!(out, "no runs")?,
        Format::Text => runs.iter().try_for_each(|run| write_run(out, run))?,
    }
    Ok(Outcome::Fine)
}

/// Returns runs of a history, the oldest first. The first run makes its file.
pub fn last_runs(path: &Path, filter: &Filter) -> Result<Vec<Run>, Failure> {
    match read_history(path, filter) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        runs => runs.map_err(|error| Failure::unreadable(path, error)),
    }
}

fn write_run(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    let object = run.to_json();
    let began = object.get("began").and_then(Value::as_str).unwrap_or_default();
    let seconds = run.ended.duration_since(run.began).unwrap_or_default().as_secs_f64();
    writeln!(out, "{began} {} {} by {}, {seconds:.1} s", run.extension, run.ending.name(), run.cause.name())?;
    run.ending.reason().map_or(Ok(()), |reason| writeln!(out, "  {reason}"))?;
    run.output.lines().try_for_each(|line| writeln!(out, "  | {line}"))?;
    run.notes.iter().try_for_each(|text| writeln!(out, "  ({text})"))
}
