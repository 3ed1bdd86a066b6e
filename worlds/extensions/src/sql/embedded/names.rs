//! Columns of a result: the names that PostgreSQL gives them, and values that SQLite has no type for.

use super::syntax::{arguments, last_name};
use sqlparser::ast::{BinaryOperator, DataType, Expr, Function, Ident, Query, Select, SelectItem, SetExpr, UnaryOperator, Value};
use std::collections::HashMap;

/// How a value of SQLite is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Plain,
    /// A whole number that is a truth value.
    Boolean,
    /// A text of JSON.
    Json,
}

/// Gives the columns of a SELECT the names that they have in PostgreSQL.
pub(super) fn name_columns(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item {
            let alias = Ident::with_quote('"', column_name(expr).0);
            *item = SelectItem::ExprWithAlias { expr: super::syntax::take(expr), alias };
        }
    }
}

/// Returns the shapes of the columns of a result by name. Columns that are not there are plain.
pub(super) fn shapes(query: &Query) -> HashMap<String, Shape> {
    let mut body = &*query.body;
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            _ => return HashMap::new(),
        }
    };
    let items = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) => Some((column_name(expr).0, shape(expr))),
        SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.clone(), shape(expr))),
        _ => None,
    });
    items.filter(|(_, shape)| *shape != Shape::Plain).collect()
}

/// Returns the name of a column without an alias, and `true` if it is that of a column or a function and not of a type.
fn column_name(expr: &Expr) -> (String, bool) {
    let nameless = || ("?column?".to_owned(), false);
    match expr {
        Expr::Identifier(name) => (name.value.clone(), true),
        Expr::CompoundIdentifier(names) => names.last().map_or_else(nameless, |name| (name.value.clone(), true)),
        Expr::Function(function) => (last_name(&function.name), true),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => column_name(inner),
        Expr::Cast { expr, data_type, .. } => match column_name(expr) {
            (name, true) => (name, true),
            _ => (type_name(data_type), false),
        },
        Expr::TypedString(typed) => (type_name(&typed.data_type), false),
        Expr::Interval(_) => ("interval".to_owned(), false),
        Expr::Case { else_result, .. } => match else_result.as_deref().map(column_name) {
            Some((name, true)) => (name, true),
            _ => ("case".to_owned(), false),
        },
        Expr::Subquery(query) => match &*query.body {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => column_name(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => (alias.value.clone(), true),
                _ => nameless(),
            },
            _ => nameless(),
        },
        Expr::Exists { negated: false, .. } => ("exists".to_owned(), true),
        Expr::Extract { .. } => ("extract".to_owned(), true),
        Expr::Position { .. } => ("position".to_owned(), true),
        Expr::Substring { .. } => ("substring".to_owned(), true),
        Expr::Trim { .. } => ("btrim".to_owned(), true),
        Expr::Ceil { .. } => ("ceil".to_owned(), true),
        Expr::Floor { .. } => ("floor".to_owned(), true),
        Expr::Array(_) => ("array".to_owned(), true),
        Expr::AtTimeZone { .. } => ("timezone".to_owned(), true),
        _ => nameless(),
    }
}

fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string().to_ascii_lowercase();
    let name = name.split('(').next().unwrap_or_default().trim();
    match name {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "float" | "double" | "double precision" => "float8",
        "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "char" | "character" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        other => other,
    }
    .to_owned()
}

fn shape(expr: &Expr) -> Shape {
    match expr {
        Expr::Nested(inner) => shape(inner),
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => Shape::Boolean,
        Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) | Expr::IsNotFalse(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => {
            Shape::Boolean
        }
        Expr::IsUnknown(_) | Expr::IsNotUnknown(_) | Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => Shape::Boolean,
        Expr::In { .. } | Expr::Between { .. } | Expr::Like { .. } | Expr::ILike { .. } | Expr::Exists { .. } => Shape::Boolean,
        Expr::AnyOp { .. } | Expr::AllOp { .. } | Expr::UnaryOp { op: UnaryOperator::Not, .. } => Shape::Boolean,
        Expr::BinaryOp { op, .. } => match op {
            BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Eq | BinaryOperator::NotEq => Shape::Boolean,
            BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => Shape::Boolean,
            BinaryOperator::Arrow => Shape::Json,
            _ => Shape::Plain,
        },
        Expr::Cast { data_type: DataType::Bool | DataType::Boolean, .. } => Shape::Boolean,
        Expr::Cast { data_type: DataType::JSON | DataType::JSONB, .. } => Shape::Json,
        Expr::Function(function) => shape_of_call(function),
        _ => Shape::Plain,
    }
}

fn shape_of_call(function: &Function) -> Shape {
    match last_name(&function.name).as_str() {
        "bool_or" | "bool_and" | "every" | "starts_with" => Shape::Boolean,
        "array_agg" | "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg" => Shape::Json,
        "json_build_object" | "jsonb_build_object" | "json_build_array" | "jsonb_build_array" => Shape::Json,
        "max" | "min" | "coalesce" => {
            arguments(function).and_then(|arguments| arguments.first().map(|first| shape(first))).unwrap_or_default()
        }
        _ => Shape::Plain,
    }
}
