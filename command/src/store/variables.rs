//! `secrule store get`, `set` and `remove`: the variables of one record.

use super::super::bytes::{self, Bytes};
use super::super::table::{self, Column};
use super::super::{Failure, Format, Outcome, duration, note, write_json};
use super::list::put_history;
use super::{OpenStore, RecordOptions, object, title, variable};
use clap::Args;
use secrule::{RecordKey, Update};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, SystemTime};

/// Show the variables of a record, or one of them
#[derive(Args, Debug)]
pub struct GetOptions {
    #[command(flatten)]
    record: RecordOptions,

    /// A variable; without it, all
    #[arg(value_name = "NAME", value_parser = bytes::parser())]
    name: Option<Bytes>,
}

/// Set a variable of a record, which is made if there is none
#[derive(Args, Debug)]
pub struct SetOptions {
    #[command(flatten)]
    record: RecordOptions,

    /// The variable
    #[arg(value_name = "NAME", value_parser = bytes::parser())]
    name: Bytes,

    /// Its value
    #[arg(value_name = "VALUE", value_parser = bytes::parser(), allow_hyphen_values = true)]
    value: Bytes,

    /// Remove the variable after this time, as expirevar does: seconds, or 90s, 10m, 2h, 7d
    ///
    /// Without it, the variable stays until its record is removed: SecCollectionTimeout after the last change, by default an hour.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    expires: Option<Duration>,
}

/// Remove a record, or a variable of it
#[derive(Args, Debug)]
pub struct RemoveOptions {
    #[command(flatten)]
    record: RecordOptions,

    /// A variable; without it, the whole record
    #[arg(value_name = "NAME", value_parser = bytes::parser())]
    name: Option<Bytes>,
}

pub fn get(options: &GetOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let record = options.record.key(store);
    match &options.name {
        Some(Bytes(name)) => get_one(&record, name, store, format, out),
        None => get_all(&record, store, format, out),
    }
}

fn get_one(record: &RecordKey, name: &[u8], store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let Some(value) = store.ask(|store, by| store.read(record, name, by))? else { return absent(record, Some(name), format, out) };
    match format {
        Format::Text => writeln!(out, "{}", bytes::line(&value))?,
        Format::Json => {
            let mut object = object(record);
            object.extend(variable(name, &value));
            write_json(out, &object)?;
        }
    }
    Ok(Outcome::Fine)
}

fn get_all(record: &RecordKey, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let Some(history) = store.ask(|store, by| store.history(record, by))? else { return absent(record, None, format, out) };
    let variables = store.ask(|store, by| store.read_all(record, by))?;
    match format {
        Format::Text => {
            let (created, updated) = (duration::ago(history.created), duration::ago(history.updated));
            writeln!(out, "{}: created {created}, changed {updated}, updates: {}", title(record), history.updates)?;
            let rows: Vec<_> = variables.iter().map(|(name, value)| vec![bytes::word(name), bytes::line(value)]).collect();
            table::write(out, &[Column::Text("name"), Column::Text("value")], &rows)?;
        }
        Format::Json => {
            let mut object = object(record);
            put_history(&mut object, &history);
            let variables = variables.iter().map(|(name, value)| variable(name, value).into()).collect::<Vec<Value>>();
            object.insert("variables".to_owned(), variables.into());
            write_json(out, &object)?;
        }
    }
    Ok(Outcome::Fine)
}

pub fn set(options: &SetOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let SetOptions { name: Bytes(name), value: Bytes(value), .. } = options;
    let record = options.record.key(store);
    let expires = options.expires.map(|time| SystemTime::now().checked_add(time).ok_or("--expires is too long"));
    let expires = expires.transpose().map_err(|reason| Failure::Reason(reason.to_owned()))?;
    write(store, &record, &[(name.as_slice(), value.as_slice())], expires)?;
    match format {
        Format::Text => {
            let end = options.expires.map(|time| format!(", expires in {}", duration::shown(time))).unwrap_or_default();
            writeln!(out, "{}: {}={}{end}", title(&record), bytes::word(&name.to_ascii_lowercase()), bytes::line(value))?;
        }
        Format::Json => {
            let mut object = object(&record);
            object.extend(variable(&name.to_ascii_lowercase(), value));
            object.insert("expires".to_owned(), expires.map(duration::unix).into());
            write_json(out, &object)?;
        }
    }
    Ok(Outcome::Fine)
}

/// Sets variables of a record, as one transaction does.
pub fn write(store: &OpenStore, record: &RecordKey, variables: &[(&[u8], &[u8])], expires: Option<SystemTime>) -> Result<(), Failure> {
    let mut update = Update::first(record, store.limits);
    update.timeout = store.timeout;
    for (name, value) in variables {
        store.ask(|store, by| store.write(update, name, value, by))?;
        update = update.further();
        if let Some(moment) = expires {
            store.ask(|store, by| store.expire(record, name, moment, by))?;
        }
    }
    Ok(())
}

pub fn remove(options: &RemoveOptions, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let record = options.record.key(store);
    let name = options.name.as_ref().map(|Bytes(name)| name.as_slice());
    let was_there = match name {
        None => store.ask(|store, by| store.remove_record(&record, by))?,
        Some(name) => {
            let was_there = store.ask(|store, by| store.read(&record, name, by))?.is_some();
            store.ask(|store, by| store.remove(&record, name, by))?;
            was_there
        }
    };
    match format {
        Format::Json => write_json(out, &json!({ "removed": was_there }))?,
        Format::Text if !was_there => return absent(&record, name, format, out),
        Format::Text => writeln!(out, "removed: {}{}", title(&record), named(name))?,
    }
    Ok(if was_there { Outcome::Fine } else { Outcome::Finding })
}

fn absent(record: &RecordKey, name: Option<&[u8]>, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if format == Format::Json {
        write_json(out, &Value::Null)?;
    }
    let application = match &*record.web_app {
        "" => String::new(),
        web_app => format!(" of the web application `{web_app}`"),
    };
    note(&format!(
        "secrule: there is no {}{}{application}: `secrule store list` shows the records; --web-app names another SecWebAppId",
        title(record),
        named(name)
    ));
    Ok(Outcome::Finding)
}

fn named(name: Option<&[u8]>) -> String {
    name.map(|name| format!(" {}", bytes::word(&name.to_ascii_lowercase()))).unwrap_or_default()
}
