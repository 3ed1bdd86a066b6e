//! `setvar`: writes to TX and to persistent collections.

use super::Evaluation;
use super::expand::{expand, expand_text, tx_value, with_expanded};
use crate::escape::{shown, text};
use crate::graph::{Assignment, AssignmentChange, Pace, PersistentCollection, RecordField, Rule, Template};
use crate::operator::leading_integer;
use crate::state::{Collections, Text, TxSlot};
use crate::store::{Down, Full, RecordHistory, RecordKey, Store, StoreLimits, Update, WriteError};
use crate::vocabulary::{Limit, Variable};
use std::time::{Duration, Instant, SystemTime};

/// Runs the assignments of a rule, once for each value that matches, after opening the collections that they write to.
pub fn assign_all(eval: &mut Evaluation<'_>, rule: &Rule) {
    for (place, assignment) in rule.assignments.iter().enumerate() {
        open_before(eval, rule, place);
        eval.debug(4, || "Running [independent] (non-disruptive) action: setvar".to_owned());
        assign(eval, rule, assignment);
    }
    open_before(eval, rule, rule.assignments.len());
}

/// Opens the collections that the rule opens before its assignment at `place`.
#[inline]
fn open_before(eval: &mut Evaluation<'_>, rule: &Rule, place: usize) {
    for opening in rule.openings.iter().filter(|opening| opening.before == place) {
        open_collection(eval, rule, opening.collection, &opening.key);
    }
}

#[inline]
pub fn assign(eval: &mut Evaluation<'_>, rule: &Rule, assignment: &Assignment) {
    match PersistentCollection::of(assignment.variable) {
        Some(collection) => assign_persistent(eval, rule, assignment, collection),
        None => assign_tx(eval, rule, assignment),
    }
}

#[inline]
fn assign_tx(eval: &mut Evaluation<'_>, rule: &Rule, assignment: &Assignment) {
    let slot = tx_slot(eval, rule, assignment);
    match &assignment.change {
        AssignmentChange::Set(template) => {
            let value = expand_text(eval, rule, template);
            eval.state.collections.tx.write(slot, Some(value));
        }
        AssignmentChange::Remove => eval.state.collections.tx.write(slot, None),
        AssignmentChange::Add(template) => {
            let amount = amount(eval, rule, template);
            if assignment.is_score {
                eval.state.scratch.score = eval.state.scratch.score.saturating_add(amount);
            }
            add_to_tx(eval, slot, amount);
        }
        AssignmentChange::Subtract(template) => {
            let amount = amount(eval, rule, template);
            add_to_tx(eval, slot, amount.saturating_neg());
        }
    }
    if eval.debugs(8)
        && let Some(value) = eval.state.collections.tx.read(slot)
    {
        let key = expand(eval, rule, &assignment.key_template);
        let value = eval.state.collections.arena.read(value);
        eval.debug(8, || format!("Saving variable: TX:{} with value: {}", text(&key), text(&eval.masked(value))));
    }
}

#[inline]
fn tx_slot(eval: &mut Evaluation<'_>, rule: &Rule, assignment: &Assignment) -> TxSlot {
    if let Some(name) = assignment.key.as_ref().and_then(|key| key.tx) {
        return eval.state.collections.tx.known(name);
    }
    with_expanded(eval, rule, &assignment.key_template, |eval, key| {
        let Collections { tx, arena, .. } = &mut eval.state.collections;
        tx.find_or_make(&eval.rules.tx_names, key, &mut arena.budget)
    })
}

fn add_to_tx(eval: &mut Evaluation<'_>, slot: TxSlot, amount: i64) {
    let Collections { tx, arena, .. } = &mut eval.state.collections;
    let sum = tx.number(slot, arena).unwrap_or(0).saturating_add(amount);
    tx.write_number(slot, arena.store_number(sum), sum);
}

fn amount(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template) -> i64 {
    if let Some(literal) = template.as_literal() {
        return leading_integer(literal);
    }
    match tx_value(eval, template) {
        Some((slot, _)) => eval.state.collections.tx.number(slot, &eval.state.collections.arena).unwrap_or(0),
        None => with_expanded(eval, rule, template, |_, text| leading_integer(text)),
    }
}

fn assign_persistent(eval: &mut Evaluation<'_>, rule: &Rule, assignment: &Assignment, collection: PersistentCollection) {
    let key = expand(eval, rule, &assignment.key_template);
    let record = eval.state.collections.record_key(collection, eval.rules);
    if let Some(field) = RecordField::find(&key) {
        return assign_field(eval, rule, assignment, (&record, field));
    }
    let value = match &assignment.change {
        AssignmentChange::Set(template) => {
            let value = expand(eval, rule, template);
            write(eval, &record, &key, &value).map(|()| value)
        }
        AssignmentChange::Add(template) => {
            let amount = amount(eval, rule, template);
            keep(eval, &record, |store, update, by| store.add(update, &key, amount, by)).map(|sum| sum.to_string().into_bytes())
        }
        AssignmentChange::Subtract(template) => {
            let amount = amount(eval, rule, template).saturating_neg();
            keep(eval, &record, |store, update, by| store.add(update, &key, amount, by)).map(|sum| sum.to_string().into_bytes())
        }
        AssignmentChange::Remove => {
            touch(eval, &record);
            return ask_store(eval, |store, by| store.remove(&record, &key, by)).unwrap_or_default();
        }
    };
    if let Some(value) = value {
        eval.debug(8, || {
            let name = collection.variable().name();
            format!("Saving variable: {name}:{} with value: {}", text(&key), text(&eval.masked(&value)))
        });
    }
}

/// Changes a field of a record, as in ModSecurity v2: the timeout is set, and the record is removed by its key. The others are read-only.
fn assign_field(eval: &mut Evaluation<'_>, rule: &Rule, assignment: &Assignment, (record, field): (&RecordKey, RecordField)) {
    match (field, &assignment.change) {
        (RecordField::Key, AssignmentChange::Remove) => {
            let removed = ask_store(eval, |store, by| store.remove_record(record, by));
            eval.debug(4, || format!("Removed the record of {}: {}.", assignment.variable.name(), removed.unwrap_or_default()));
        }
        (RecordField::Timeout, AssignmentChange::Set(template)) => {
            let seconds = with_expanded(eval, rule, template, |_, text| leading_integer(text));
            set_timeout(eval, record, seconds);
        }
        (RecordField::Timeout, AssignmentChange::Add(template)) => {
            let amount = amount(eval, rule, template);
            change_timeout(eval, record, amount);
        }
        (RecordField::Timeout, AssignmentChange::Subtract(template)) => {
            let amount = amount(eval, rule, template).saturating_neg();
            change_timeout(eval, record, amount);
        }
        _ => debug_read_only(eval, record, field),
    }
}

fn change_timeout(eval: &mut Evaluation<'_>, record: &RecordKey, amount: i64) {
    if let Some(history) = ask_store(eval, |store, by| store.history(record, by)) {
        let known = history.and_then(|history| history.timeout).unwrap_or(eval.rules.settings.collection_timeout);
        set_timeout(eval, record, i64::try_from(known.as_secs()).unwrap_or(i64::MAX).saturating_add(amount));
    }
}

fn set_timeout(eval: &mut Evaluation<'_>, record: &RecordKey, seconds: i64) {
    let timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    keep(eval, record, |store, update, by| Ok(((), store.set_timeout(update, timeout, by)?)));
    eval.debug(8, || format!("Saving variable: {}:TIMEOUT with value: {}", record.collection.variable().name(), timeout.as_secs()));
}

fn debug_read_only(eval: &Evaluation<'_>, record: &RecordKey, field: RecordField) {
    eval.debug(4, || format!("{}:{} stays as it is: it is read-only.", record.collection.variable().name(), field.name()));
}

/// Sets a variable of a record to a text, or its timeout. Returns `None` if it does not change.
pub fn write(eval: &mut Evaluation<'_>, record: &RecordKey, key: &[u8], value: &[u8]) -> Option<()> {
    match RecordField::find(key) {
        Some(RecordField::Timeout) => {
            set_timeout(eval, record, leading_integer(value));
            Some(())
        }
        Some(field) => {
            debug_read_only(eval, record, field);
            None
        }
        None => keep(eval, record, |store, update, by| Ok(((), store.write(update, key, value, by)?))),
    }
}

/// Counts a change that removes or expires a variable, if it is the first of the transaction: later ones have begun the record's timeout anew before.
fn touch(eval: &mut Evaluation<'_>, record: &RecordKey) {
    if eval.state.collections.open_records.history(record.collection).is_none() {
        keep(eval, record, |store, update, by| Ok(((), store.touch(update, by)?)));
    }
}

/// Changes a record within the limits of the rule set. Returns `None` if it does not change.
fn keep<T>(
    eval: &mut Evaluation<'_>,
    record: &RecordKey,
    change: impl FnOnce(&dyn Store, Update<'_>, Instant) -> Result<(T, Option<RecordHistory>), WriteError>,
) -> Option<T> {
    let settings = &eval.rules.settings;
    let update = Update {
        record,
        limits: StoreLimits { variables: settings.limit(Limit::StoreVariables), bytes: settings.limit(Limit::StoreBytes) },
        timeout: Some(settings.collection_timeout).filter(|timeout| !timeout.is_zero()),
        is_first: eval.state.collections.open_records.history(record.collection).is_none(),
    };
    let changed = ask_store(eval, |store, by| match change(store, update, by) {
        Ok(changed) => Ok(Ok(changed)),
        Err(WriteError::Full(full)) => Ok(Err(full)),
        Err(WriteError::Down(down)) => Err(down),
    });
    match changed? {
        Ok((value, history)) => {
            if update.is_first {
                eval.state.collections.open_records.keep_history(record.collection, history);
            }
            return Some(value);
        }
        Err(Full::Record) => eval.exceed(Limit::StoreVariables),
        Err(Full::Store) => eval.exceed(Limit::StoreBytes),
    }
    None
}

/// Calls the store, within the time that a transaction may wait for it.
fn ask_store<T>(eval: &mut Evaluation<'_>, ask: impl FnOnce(&dyn Store, Instant) -> Result<T, Down>) -> Option<T> {
    eval.state.collections.ask_store(&eval.rules.settings, eval.services.store.as_ref(), ask)
}

/// `expirevar`: removes the variable after some seconds. TX variables live as long as the transaction.
pub fn expire(eval: &mut Evaluation<'_>, rule: &Rule, variable: Variable, key: &[u8], seconds: &[u8]) {
    let Some(collection) = PersistentCollection::of(variable) else {
        return eval.debug(4, || "Variables of TX do not expire: they live as long as the transaction.".to_owned());
    };
    let seconds = u64::try_from(leading_integer(seconds)).unwrap_or(0);
    let moment = SystemTime::now().checked_add(Duration::from_secs(seconds));
    let record = eval.state.collections.record_key(collection, eval.rules);
    if let Some(field) = RecordField::find(key) {
        return debug_read_only(eval, &record, field);
    }
    if let Some(moment) = moment {
        touch(eval, &record);
        ask_store(eval, |store, by| store.expire(&record, key, moment, by));
        eval.debug(9, || format!("(Rule: {}) {}:{} expires in {seconds} s.", rule.id, variable.name(), text(key)));
    }
}

/// `deprecatevar`: decreases a number by its pace for the elapsed time. TX variables are too short-lived for that.
pub fn deprecate(eval: &mut Evaluation<'_>, rule: &Rule, variable: Variable, key: &[u8], pace: &[u8]) {
    let Some(collection) = PersistentCollection::of(variable) else {
        return eval.debug(4, || "Variables of TX do not go down: they live as long as the transaction.".to_owned());
    };
    let Some(known) = Pace::parse(pace) else {
        return eval.debug(1, || format!("(Rule: {}) deprecatevar: `{}` is not an amount and seconds.", rule.id, shown(pace, 80)));
    };
    let record = eval.state.collections.record_key(collection, eval.rules);
    if let Some(field) = RecordField::find(key) {
        return debug_read_only(eval, &record, field);
    }
    let left = ask_store(eval, |store, by| store.deprecate(&record, key, known, by));
    if let Some(left) = left.flatten() {
        eval.debug(8, || format!("Saving variable: {}:{} with value: {left}", variable.name(), text(key)));
    }
}

/// Opens the record of a persistent collection with this key.
pub fn open_collection(eval: &mut Evaluation<'_>, rule: &Rule, collection: PersistentCollection, key: &Template) {
    let key = expand_text(eval, rule, key);
    let Collections { open_records, arena, .. } = &mut eval.state.collections;
    // Opening the same key again keeps the record, to which this transaction may have written.
    if open_records.key(collection).is_none_or(|known| arena.read(known) != arena.read(key)) {
        open_records.open(collection, key);
    }
    debug_opened(eval, collection, key);
}

fn debug_opened(eval: &Evaluation<'_>, collection: PersistentCollection, key: Text) {
    let key = || text(eval.state.collections.arena.read(key));
    match collection {
        PersistentCollection::User => eval.debug(8, || format!("User collection initiated with value: '{}'.", key())),
        PersistentCollection::Session => eval.debug(8, || format!("Session ID initiated with value: '{}'.", key())),
        PersistentCollection::Resource => eval.debug(8, || format!("RESOURCE initiated with value: '{}'.", key())),
        PersistentCollection::Global | PersistentCollection::Ip => eval.debug(5, || {
            let name = collection.variable().name().to_ascii_lowercase();
            format!("Collection `{name}' initialized with value: {}", key())
        }),
    }
}
