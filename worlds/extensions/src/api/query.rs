//! `sql_query`: rows of a database.

use super::arguments::{plain_text, time, whole};
use super::values::{list, map};
use super::{Context, Functions, problem_of};
use crate::sql::{Query, Rows, Value as Cell};
use mlua::{Function, Lua, Result, Table, Value};

/// The destination of a query without one: the published example that names none asks for applications.
const DESTINATION: &str = "admin";

/// Makes `sql_query`.
pub fn sql_query(functions: &Functions<'_>) -> Result<Function> {
    functions.answer(|context, lua, (sql, limit_of_time, limit, destination, retries): (Value, Value, Value, Value, Value)| {
        let mut query = Query::new(plain_text(&sql, "the query")?);
        query.time = context.time(time(&limit_of_time, 1.0, query.time, "the timeout, in seconds,")?);
        let limit = whole(&limit, u32::try_from(query.limit).unwrap_or(u32::MAX), 1, "the limit of rows")?;
        query.limit = usize::try_from(limit).unwrap_or(usize::MAX);
        query.retries = whole(&retries, query.retries, 0, "the number of retries")?;
        let destination = match &destination {
            Value::Nil => DESTINATION.to_owned(),
            destination => plain_text(destination, "the destination")?,
        };
        let rows = context.runner.databases.query(&destination, &query)?;
        if rows.is_cut {
            context.output.note(&format!("sql_query: rows after the first {} were left out", rows.rows.len()));
        }
        table(context, lua, &rows)
    })
}

/// Makes an array of rows, each a table by the names of columns. What is NULL is absent.
fn table(context: &Context, lua: &Lua, rows: &Rows) -> std::result::Result<Table, String> {
    let make = || {
        let table = lua.create_table()?;
        for (at, row) in (1..).zip(&rows.rows) {
            // What is over is seen by the caller of the function.
            let _ = context.budget.spend_on(row.len());
            table.raw_set(at, map(lua, rows.columns.iter().zip(row), value)?)?;
        }
        Ok(table)
    };
    make().map_err(|error| problem_of(&error))
}

fn value(lua: &Lua, cell: &Cell) -> Result<Value> {
    Ok(match cell {
        Cell::Null => Value::Nil,
        Cell::Boolean(truth) => Value::Boolean(*truth),
        Cell::Integer(number) => Value::Number(*number as f64),
        Cell::Real(number) => Value::Number(*number),
        Cell::Text(text) => Value::String(lua.create_string(text)?),
        Cell::List(values) => list(lua, values, value)?,
        Cell::Map(members) => map(lua, members.iter().map(|(name, cell)| (name, cell)), value)?,
    })
}
