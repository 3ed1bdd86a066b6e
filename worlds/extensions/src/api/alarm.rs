//! `send_alarm_event`: alarms, to the places that `SecAlarm` names.

use super::arguments::plain_text;
use super::{Context, Functions};
use crate::alarm_rate::MAX_ALARMS;
use crate::run::written;
use mlua::{Function, Result, Value};
use secrule_host::{Body, Request};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime};

const LEVELS: [&str; 3] = ["CRITICAL", "ERROR", "WARNING"];

/// The place of alarms that is the log of scripts, and the tag of lines there.
const LOG: &str = "log";
const TAG: &str = "alarm";

/// Maximum lengths of a type and of a message, in bytes.
const MAX_TYPE: usize = 255;
const MAX_MESSAGE: usize = 64 << 10;

/// The time of a request to a place.
const TIME: Duration = Duration::from_secs(10);

/// Makes `send_alarm_event`.
pub fn send_alarm_event(functions: &Functions<'_>) -> Result<Function> {
    functions.answer(|context, _, (kind, level, message): (Value, Value, Value)| {
        let kind = checked(&kind, "the type of the alarm", MAX_TYPE)?;
        let level = checked(&level, "the level of the alarm", MAX_TYPE)?;
        let message = checked(&message, "the text of the alarm", MAX_MESSAGE)?;
        if !LEVELS.contains(&level.as_str()) {
            return Err(format!("`{}` is not a level of alarms: write CRITICAL, ERROR or WARNING", level.escape_debug()));
        }
        if !context.alarms.count(Instant::now()) {
            return Err(format!("an extension sends at most {MAX_ALARMS} alarms in a minute"));
        }
        send(context, &kind, &level, &message).map(|()| true)
    })
}

fn checked(value: &Value, what: &str, max: usize) -> std::result::Result<String, String> {
    match plain_text(value, what)? {
        text if text.is_empty() => Err(format!("{what} is empty")),
        text if text.len() > max => Err(format!("{what} is longer than {max} bytes")),
        text => Ok(text),
    }
}

/// Sends an alarm to all places, and returns the first problem. Without `SecAlarm`, it goes to the log.
fn send(context: &Context, kind: &str, level: &str, message: &str) -> std::result::Result<(), String> {
    let mut places = context.runner.services.settings(|settings| settings.worlds.alarms.clone());
    if places.is_empty() {
        places.push(LOG.into());
    }
    let mut problem = None;
    for place in &places {
        context.check_goes_on().map_err(|error| error.to_string())?;
        let sent = if **place == *LOG {
            context.runner.services.log().write(&context.name, TAG, &format!("{level} {kind}: {message}"))
        } else {
            post(context, place, kind, level, message)
        };
        if let Err(reason) = sent {
            problem.get_or_insert(reason);
        }
    }
    problem.map_or(Ok(()), Err)
}

/// Sends an alarm to a server: a JSON object with `time`, `host`, `extension`, `type`, `level` and `message`.
fn post(context: &Context, address: &str, kind: &str, level: &str, message: &str) -> std::result::Result<(), String> {
    let host = context.runner.services.leadership().machine();
    let alarm = json!({
        "time": written(SystemTime::now()),
        "host": host,
        "extension": &*context.name,
        "type": kind,
        "level": level,
        "message": message,
    });
    let body = alarm.to_string();
    let mut request = Request::new("POST", address);
    request.headers = vec![("Content-Type".to_owned(), b"application/json".to_vec())];
    request.body = Body::Bytes(body.as_bytes());
    request.time = context.time(TIME);
    request.retries = 1;
    // The address may hold a secret, so that it is not shown.
    match context.runner.outgoing.send(request).map_err(|problem| format!("a place of SecAlarm: {problem}"))?.status {
        200..=299 => Ok(()),
        status => Err(format!("a place of SecAlarm answered with status {status}")),
    }
}
