//! Functions of PostgreSQL that SQLite is built without.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};
use std::cmp::Ordering;

/// Adds the functions to a connection.
pub(super) fn add(connection: &Connection) -> Result<()> {
    add_number(connection, "ceil", f64::ceil)?;
    add_number(connection, "floor", f64::floor)?;
    add_number(connection, "sqrt", f64::sqrt)?;
    add_function(connection, "power", 2, |context| {
        let (base, exponent): (Option<f64>, Option<f64>) = (context.get(0)?, context.get(1)?);
        Ok(base.zip(exponent).map_or(Value::Null, |(base, exponent)| Value::Real(base.powf(exponent))))
    })?;
    add_function(connection, "greatest", -1, |context| Ok(extreme(context, Ordering::Greater)))?;
    add_function(connection, "least", -1, |context| Ok(extreme(context, Ordering::Less)))
}

fn add_number(connection: &Connection, name: &str, compute: fn(f64) -> f64) -> Result<()> {
    add_function(connection, name, 1, move |context| {
        let number: Option<f64> = context.get(0)?;
        Ok(number.map_or(Value::Null, |number| Value::Real(compute(number))))
    })
}

fn add_function(
    connection: &Connection,
    name: &str,
    arguments: i32,
    compute: impl Fn(&Context<'_>) -> Result<Value> + Send + 'static,
) -> Result<()> {
    connection.create_scalar_function(name, arguments, FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC, move |context| {
        compute(context)
    })
}

/// Returns the argument that is greatest or least. Unlike SQLite's `max` and `min`, NULL counts only if there is nothing else.
fn extreme(context: &Context<'_>, wanted: Ordering) -> Value {
    let mut found = ValueRef::Null;
    for place in 0..context.len() {
        let value = context.get_raw(place);
        if found == ValueRef::Null || (value != ValueRef::Null && compare(value, found) == wanted) {
            found = value;
        }
    }
    Value::try_from(found).unwrap_or(Value::Null)
}

/// Orders values as SQLite does: numbers before texts.
fn compare(one: ValueRef<'_>, other: ValueRef<'_>) -> Ordering {
    match (one, other) {
        (ValueRef::Integer(one), ValueRef::Integer(other)) => one.cmp(&other),
        (ValueRef::Text(one) | ValueRef::Blob(one), ValueRef::Text(other) | ValueRef::Blob(other)) => one.cmp(other),
        (ValueRef::Text(_) | ValueRef::Blob(_), _) => Ordering::Greater,
        (_, ValueRef::Text(_) | ValueRef::Blob(_)) => Ordering::Less,
        _ => real(one).total_cmp(&real(other)),
    }
}

#[allow(clippy::cast_precision_loss)]
fn real(value: ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Integer(number) => number as f64,
        ValueRef::Real(number) => number,
        _ => f64::NAN,
    }
}
