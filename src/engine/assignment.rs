//! `setvar`: writes to TX and to persistent collections.

use super::Evaluation;
use super::expand::{expand, expand_text, tx_value, with_expanded};
use crate::escape::{shown, text};
use crate::graph::{Assignment, AssignmentChange, Pace, PersistentCollection, Rule, Template};
use crate::operator::leading_integer;
use crate::state::{Collections, Text, TxSlot};
use crate::store::{Down, Full, RecordHistory, RecordKey, Store, StoreLimits, Update, WriteError};
use crate::vocabulary::{Limit, Variable};
use std::time::Instant;

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
        eval.debug(8, || format!("Saving variable: TX:{} with value: {}", text(&key), text(value)));
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
    let value = match &assignment.change {
        AssignmentChange::Set(template) => {
            let value = expand(eval, rule, template);
            keep(eval, &record, |store, update, by| Ok(((), store.write(update, &key, &value, by)?))).map(|()| value)
        }
        AssignmentChange::Add(template) => {
            let amount = amount(eval, rule, template);
            keep(eval, &record, |store, update, by| store.add(update, &key, amount, by)).map(|sum| sum.to_string().into_bytes())
        }
        AssignmentChange::Subtract(template) => {
            let amount = amount(eval, rule, template).saturating_neg();
            keep(eval, &record, |store, update, by| store.add(update, &key, amount, by)).map(|sum| sum.to_string().into_bytes())
        }
        AssignmentChange::Remove => return ask_store(eval, |store, by| store.remove(&record, &key, by)).unwrap_or_default(),
    };
    if let Some(value) = value {
        eval.debug(8, || {
            let name = collection.variable().name();
            format!("Saving variable: {name}:{} with value: {}", text(&key), text(&value))
        });
    }
}

/// Changes a record within the limits of the rule set. Returns `None` if it does not change.
pub fn keep<T>(
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
    let moment = std::time::SystemTime::now().checked_add(std::time::Duration::from_secs(seconds));
    if let Some(moment) = moment {
        let record = eval.state.collections.record_key(collection, eval.rules);
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
