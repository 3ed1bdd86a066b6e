//! A query of PostgreSQL as SQLite takes it.
//!
//! Four walks over the tree: names of columns and clauses, then expressions from the leaves up, then a search for what is left over, and last the
//! texts. Texts become parameters (`?1`), so that none of them is quoted again.

use super::leftover::Leftover;
use super::names::{Shape, shapes};
use super::rewrite::Rewrite;
use super::syntax::literal_value;
use sqlparser::ast::{Query, Value, ValueWithSpan, VisitMut, VisitorMut};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// A query for SQLite.
#[derive(Debug)]
pub(super) struct Translation {
    pub sql: String,
    /// Values of the parameters.
    pub texts: Vec<String>,
    /// How columns of the result are read that are not plain, by name.
    pub shapes: HashMap<String, Shape>,
}

/// Translates a query. `now` is the time of the statement.
pub(super) fn translate(mut query: Query, now: &str) -> Result<Translation, String> {
    let shapes = shapes(&query);
    match walk(&mut query, now) {
        ControlFlow::Continue(texts) => Ok(Translation { sql: query.to_string(), texts, shapes }),
        ControlFlow::Break(problem) => Err(problem.into()),
    }
}

fn walk(query: &mut Query, now: &str) -> ControlFlow<Box<str>, Vec<String>> {
    let mut texts = Texts::default();
    query.visit(&mut Rewrite::new(now))?;
    query.visit(&mut Leftover)?;
    query.visit(&mut texts)?;
    ControlFlow::Continue(texts.0)
}

/// Replaces texts by parameters.
#[derive(Default)]
struct Texts(Vec<String>);

impl VisitorMut for Texts {
    type Break = Box<str>;

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Box<str>> {
        if let Some(text) = literal_value(value) {
            self.0.push(text.to_owned());
            value.value = Value::Placeholder(format!("?{}", self.0.len()));
        }
        ControlFlow::Continue(())
    }
}
