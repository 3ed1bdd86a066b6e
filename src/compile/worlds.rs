//! Directives about scripts that run beside requests: `SecPlugin`, `SecExtension` and those that belong to them.

use super::context::Context;
use super::decisions::report_bad_value;
use super::files::candidates;
use super::scripts::hosted_script;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Extension, HistoryFile, ScoreNames, Settings, Trigger, event_type};
use crate::script::Script;
use crate::seclang::Argument;
use crate::source::Spanned;
use std::path::PathBuf;

/// Numbers of runs and of days that the history keeps, unless others are written.
const HISTORY_RUNS: u32 = 1_000;
const HISTORY_DAYS: u32 = 30;

/// Number of fields of a timetable.
const TIMETABLE_FIELDS: usize = 5;

/// `SecPlugin FILE…`
pub fn plugins(context: &mut Context<'_>, files: &[Argument]) {
    for file in files {
        context.settings.load.worlds.named_at.get_or_insert(file.span);
        for script in scripts(context, file) {
            context.settings.load.worlds.add_plugin(script);
        }
    }
}

/// Returns the scripts that a path or a pattern of paths names.
fn scripts(context: &mut Context<'_>, file: &Argument) -> Vec<Script> {
    if !file.text.contains(['*', '?', '[']) {
        return hosted_script(context, &file.text, file.span).into_iter().collect();
    }
    let patterns = candidates(context, &file.text, file.span);
    let found =
        patterns.iter().filter_map(|pattern| context.loader.expand(&pattern.to_string_lossy()).ok()).find(|found| !found.is_empty());
    let Some(found) = found else {
        let message = format!("no file matches `{}`", file.text);
        context
            .report(Diagnostic::new(Code::Unreadable, file.span, message).hint("write the path of a file, or a pattern that some match"));
        return Vec::new();
    };
    found.iter().filter_map(|path| hosted_script(context, &path.to_string_lossy(), file.span)).collect()
}

/// `SecPluginHost unix:PATH`
pub fn host_socket(context: &mut Context<'_>, address: &Argument) -> Option<PathBuf> {
    match address.text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
        Some(path) => Some(PathBuf::from(path)),
        None => refuse(context, address, "write unix: and the path of a socket, such as unix:/run/secrule/host.sock"),
    }
}

/// `SecExtension FILE cron:"M H D M W" | event:TYPE[,TYPE…] [off]`
pub fn extension(context: &mut Context<'_>, file: &Argument, options: &[Argument]) {
    context.settings.load.worlds.named_at.get_or_insert(file.span);
    let form = "write when it runs after the file: cron:\"*/5 * * * *\" or event:waf_event, and off to run it only by hand";
    let Some((first, trigger, more)) = split_trigger(options) else { return report_bad_value(context, file, form) };
    let is_on = match more {
        [] => true,
        [off] if off.text.eq_ignore_ascii_case("off") => false,
        [other, ..] => return report_bad_value(context, other, form),
    };
    let Some(when) = read_trigger(&trigger) else { return report_bad_value(context, first, form) };
    if let Some(script) = hosted_script(context, &file.text, file.span) {
        context.settings.load.worlds.add_extension(Extension { script, trigger: when, is_on });
    }
}

/// Returns the argument in which the trigger begins, the trigger, and the arguments behind it. Double quotes within a word do not protect blanks, so
/// that a timetable in them is several arguments.
fn split_trigger(options: &[Argument]) -> Option<(&Argument, String, &[Argument])> {
    let (first, rest) = options.split_first()?;
    let opened = first.text.strip_prefix("cron:\"").filter(|timetable| !timetable.ends_with('"'));
    let parts = if opened.is_some() { rest.iter().position(|part| part.text.ends_with('"'))? + 1 } else { 0 };
    let (parts, more) = rest.split_at_checked(parts)?;
    let texts = std::iter::once(first).chain(parts).map(|part| part.text.as_str());
    Some((first, texts.collect::<Vec<_>>().join(" "), more))
}

fn read_trigger(text: &str) -> Option<Trigger> {
    if let Some(timetable) = text.strip_prefix("cron:") {
        let timetable = timetable.trim_matches(['"', '\'']);
        let is_field = |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*,-/?#".contains(&byte));
        let fields: Vec<&str> = timetable.split_ascii_whitespace().collect();
        let is_whole = fields.len() == TIMETABLE_FIELDS && fields.iter().all(|field| is_field(field));
        return is_whole.then(|| Trigger::Timetable(fields.join(" ").into()));
    }
    let types: Vec<Box<str>> = text.strip_prefix("event:")?.split(',').map(|kind| event_type(kind.trim()).into()).collect();
    let is_name = |kind: &str| !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    types.iter().all(|kind| is_name(kind)).then_some(Trigger::Events(types))
}

/// `SecExtensionDatabase NAME embedded:PATH | postgres://…`
pub fn database(context: &mut Context<'_>, name: &Argument, address: Option<&Argument>) {
    let form =
        "write the name of a database and its address: admin postgres://user@host/name, or log_server embedded:/var/lib/waf/events.db";
    let Some(address) = address else { return report_bad_value(context, name, form) };
    let is_known = ["embedded:", "postgres://", "postgresql://"].iter().any(|scheme| address.text.starts_with(scheme));
    if !is_known {
        // It may hold a password, so that it is not shown.
        context.report(Diagnostic::new(Code::BadDirectiveValue, address.span, "this is not the address of a database").hint(form));
        return;
    }
    let address = Spanned { node: address.text.as_str().into(), span: address.span };
    context.settings.load.worlds.databases.push((name.text.replace('-', "_").into(), address));
}

/// `SecExtensionHistory PATH [runs:N] [days:N]`
pub fn history(context: &mut Context<'_>, path: &Argument, options: &[Argument]) -> Option<HistoryFile> {
    // The host writes it and the command reads it, each in a folder of its own.
    if !path.text.starts_with('/') {
        return refuse(context, path, "write a path from the root on, such as /var/lib/waf/extensions.jsonl");
    }
    let mut history = HistoryFile { path: PathBuf::from(path.text.as_str()), runs: HISTORY_RUNS, days: HISTORY_DAYS };
    for option in options {
        let number = |prefix| option.text.strip_prefix(prefix).and_then(|number| number.parse().ok()).filter(|number| *number > 0);
        match (number("runs:"), number("days:")) {
            (Some(runs), _) => history.runs = runs,
            (_, Some(days)) => history.days = days,
            _ => return refuse(context, option, "write runs:N or days:N"),
        }
    }
    Some(history)
}

/// `SecExtensionScore TX:score TX:threshold`
pub fn score(context: &mut Context<'_>, score: &Argument, threshold: Option<&Argument>) -> Option<ScoreNames> {
    let form = "write two variables of TX: SecExtensionScore TX:anomaly_score TX:inbound_anomaly_score_threshold";
    let Some(threshold) = threshold else { return refuse(context, score, form) };
    let key = |argument: &Argument| {
        let (collection, key) = argument.text.split_once([':', '.'])?;
        (collection.eq_ignore_ascii_case("tx") && !key.is_empty()).then(|| Box::from(key.to_ascii_lowercase()))
    };
    match (key(score), key(threshold)) {
        (Some(score), Some(threshold)) => Some(ScoreNames { score, threshold }),
        (None, _) => refuse(context, score, form),
        (_, None) => refuse(context, threshold, form),
    }
}

/// `SecAlarm log | https://…`
pub fn alarm(context: &mut Context<'_>, sink: &Argument) {
    let is_log = sink.text.eq_ignore_ascii_case("log");
    let is_address = sink.text.starts_with("https://") && sink.text.parse::<http::Uri>().is_ok_and(|address| address.host().is_some());
    if !is_log && !is_address {
        return report_bad_value(context, sink, "write log, or an https address that takes alarms as JSON");
    }
    let sink = if is_log { "log" } else { sink.text.as_str() };
    context.settings.load.worlds.alarms.push(sink.into());
}

/// `SecScriptConnect HOST|NETWORK[:PORT]…`
pub fn connects(context: &mut Context<'_>, places: &[Argument]) {
    let places = places.iter().map(|place| Spanned { node: place.text.as_str().into(), span: place.span });
    context.settings.load.worlds.connects.extend(places);
}

/// Warns of scripts that no host runs.
pub fn scripts_without_host(settings: &Settings) -> Option<Diagnostic> {
    let place = settings.worlds.named_at.filter(|_| settings.plugin_host.is_none())?;
    let message = "no script host runs this, because there is no `SecPluginHost`";
    let hint = "name the socket of the host, SecPluginHost unix:/run/secrule/host.sock, and start it: secrule host RULES";
    Some(Diagnostic::new(Code::NoScriptHost, place, message).hint(hint))
}

fn refuse<T>(context: &mut Context<'_>, argument: &Argument, hint: &str) -> Option<T> {
    report_bad_value(context, argument, hint);
    None
}
