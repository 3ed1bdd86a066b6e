//! `secrule store list`: the records of a store.

use super::super::table::{self, Column};
use super::super::{Failure, Format, Outcome, bytes, duration, progress_bar, write_json};
use super::{OpenStore, collection, name, object};
use clap::Args;
use secrule::internals::diagnostic::counted;
use secrule::{PersistentCollection, RecordHistory, RecordKey};
use serde_json::{Value, json};
use std::io::Write;

/// Number of records from which on their progress is shown.
const MANY: usize = 1_000;

/// Show the records of a web application
#[derive(Args, Debug)]
pub struct Options {
    /// Only those of a collection: global, ip, resource, session or user
    #[arg(value_name = "COLLECTION", value_parser = collection)]
    collection: Option<PersistentCollection>,

    /// Maximum number of records
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,

    /// Begin behind a record: the last one of the list before
    #[arg(long, value_name = "COLLECTION:KEY", value_parser = place)]
    after: Option<(PersistentCollection, Vec<u8>)>,
}

/// A record as it is shown.
struct Shown {
    key: RecordKey,
    history: RecordHistory,
    variables: usize,
}

pub fn run(options: &Options, store: &OpenStore, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let after = options.after.as_ref().map(|(collection, key)| RecordKey::new(*collection, key, &store.web_app));
    let bar = (options.limit > MANY).then(|| progress_bar(options.limit as u64, "records", format));
    let (mut records, mut next) = (Vec::new(), None);
    for key in store.records(&store.web_app, after) {
        let key = key?;
        if options.collection.is_some_and(|collection| collection != key.collection) {
            continue;
        }
        if records.len() == options.limit {
            next = records.last().map(|Shown { key, .. }| format!("{}:{}", name(key.collection), bytes::line(&key.key)));
            break;
        }
        // A record may have ended since it was listed.
        if let Some(history) = store.ask(|store, by| store.history(&key, by))? {
            let variables = store.ask(|store, by| store.read_all(&key, by))?.len();
            records.push(Shown { key, history, variables });
        }
        bar.iter().for_each(|bar| bar.inc(1));
    }
    bar.iter().for_each(|bar| bar.finish_and_clear());
    match format {
        Format::Json => {
            let records: Vec<Value> = records.iter().map(json_of).collect();
            write_json(out, &json!({ "records": records, "more": next.is_some(), "after": next }))?;
        }
        Format::Text => write(&records, next.as_deref(), store, out)?,
    }
    Ok(Outcome::Fine)
}

fn write(records: &[Shown], next: Option<&str>, store: &OpenStore, out: &mut dyn Write) -> Result<(), Failure> {
    let of_application = if store.web_app.is_empty() { String::new() } else { format!(" of the web application `{}`", store.web_app) };
    if records.is_empty() {
        return Ok(writeln!(out, "no records{of_application}")?);
    }
    let columns = [
        Column::Text("collection"),
        Column::Number("variables"),
        Column::Number("updates"),
        Column::Number("created"),
        Column::Number("changed"),
        Column::Text("web app"),
        Column::Text("key"),
    ];
    let rows = records.iter().map(|Shown { key, history, variables }| {
        vec![
            name(key.collection),
            variables.to_string(),
            history.updates.to_string(),
            duration::ago(history.created),
            duration::ago(history.updated),
            if key.web_app.is_empty() { "-".to_owned() } else { bytes::word(key.web_app.as_bytes()) },
            bytes::word(&key.key),
        ]
    });
    table::write(out, &columns, &rows.collect::<Vec<_>>())?;
    match next {
        Some(next) => writeln!(out, "and more: --after '{next}', or --limit")?,
        None => writeln!(out, "{}{of_application}", counted(records.len(), "record"))?,
    }
    Ok(())
}

fn json_of(shown: &Shown) -> Value {
    let mut object = object(&shown.key);
    object.insert("variables".to_owned(), shown.variables.into());
    put_history(&mut object, &shown.history);
    object.into()
}

/// Adds a record's history to a JSON object.
pub fn put_history(object: &mut serde_json::Map<String, Value>, history: &RecordHistory) {
    object.insert("created".to_owned(), duration::unix(history.created).into());
    object.insert("updated".to_owned(), duration::unix(history.updated).into());
    object.insert("updates".to_owned(), history.updates.into());
}

fn place(text: &str) -> Result<(PersistentCollection, Vec<u8>), String> {
    let (name, key) = text.split_once(':').ok_or("it has the form COLLECTION:KEY")?;
    Ok((collection(name)?, bytes::unescaped(key.as_ref())))
}
