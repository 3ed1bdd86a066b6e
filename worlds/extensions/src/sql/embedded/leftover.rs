//! Names parts of queries that SQLite does not have, instead of a syntax error somewhere else.

use super::syntax::last_name;
use super::times::is_difference;
use sqlparser::ast::{Array, BinaryOperator, DataType, Distinct, Expr, Select, TableFactor, Value, ValueWithSpan, VisitorMut};
use std::ops::ControlFlow;

/// Ends at the first thing that SQLite does not have.
pub(super) struct Leftover;

/// Makes the error about a thing.
pub(super) fn lacking(thing: impl std::fmt::Display) -> Box<str> {
    format!("the embedded database does not have {thing}; write it otherwise, or name a PostgreSQL with SecExtensionDatabase").into()
}

fn stop(thing: impl std::fmt::Display) -> ControlFlow<Box<str>> {
    ControlFlow::Break(lacking(thing))
}

impl VisitorMut for Leftover {
    type Break = Box<str>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<str>> {
        use BinaryOperator as Op;
        match expr {
            Expr::Interval(_) => stop("intervals that are not added to a time or compared with a difference of two"),
            Expr::Nested(_) if is_difference(expr) => {
                stop("intervals as values; write extract(epoch from a - b), which is a number of seconds")
            }
            Expr::BinaryOp { op, .. } => match op {
                Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::StringConcat => ControlFlow::Continue(()),
                Op::Gt | Op::Lt | Op::GtEq | Op::LtEq | Op::Eq | Op::NotEq | Op::And | Op::Or => ControlFlow::Continue(()),
                Op::BitwiseAnd | Op::BitwiseOr | Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => ControlFlow::Continue(()),
                Op::Arrow | Op::LongArrow => ControlFlow::Continue(()),
                op => stop(format_args!("the operator {op}")),
            },
            Expr::AnyOp { .. } | Expr::AllOp { .. } => stop("ANY and ALL other than = ANY (…)"),
            Expr::SimilarTo { .. } | Expr::RLike { .. } => stop("SIMILAR TO and regular expressions"),
            Expr::Array(Array { .. }) => stop("arrays; array_agg, IN (…) and = ANY (ARRAY[…]) work"),
            Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => stop("elements of arrays and fields of rows"),
            Expr::AtTimeZone { .. } => stop("time zones other than UTC"),
            Expr::Extract { field, .. } => stop(format_args!("the field {field} of extract")),
            Expr::Function(function) if !function.within_group.is_empty() => stop("WITHIN GROUP"),
            Expr::Overlay { .. } => stop("overlay"),
            Expr::IsNormalized { .. } | Expr::IsJson { .. } => stop("IS NORMALIZED and IS JSON"),
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => stop("GROUPING SETS, CUBE and ROLLUP"),
            Expr::Cast { data_type, .. } if !matches!(data_type, DataType::Text | DataType::Integer(None) | DataType::Real) => {
                stop(format_args!("the type {data_type}"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<str>> {
        match &select.distinct {
            Some(Distinct::On(_)) => stop("DISTINCT ON"),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<str>> {
        match factor {
            TableFactor::Derived { lateral: true, .. } | TableFactor::Function { lateral: true, .. } => stop("LATERAL"),
            TableFactor::Table { with_ordinality: true, .. } => stop("WITH ORDINALITY"),
            TableFactor::Table { sample: Some(_), .. } => stop("TABLESAMPLE"),
            TableFactor::Table { name, args: Some(_), .. } if !matches!(last_name(name).as_str(), "json_each" | "json_tree") => {
                stop(format_args!("the function {} as a table", last_name(name)))
            }
            TableFactor::UNNEST { .. } => stop("unnest"),
            TableFactor::Table { .. } | TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            _ => stop("this kind of table"),
        }
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Box<str>> {
        match &value.value {
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => stop("texts of bits"),
            _ => ControlFlow::Continue(()),
        }
    }
}
