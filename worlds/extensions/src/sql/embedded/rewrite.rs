//! Expressions and clauses of PostgreSQL in SQLite's words.

use super::functions::rewrite_call;
use super::interval::Interval;
use super::leftover::lacking;
use super::names::name_columns;
use super::syntax::{binary, call, cast, last_name, literal, literal_number, literal_value, number, take, text};
use super::times::{self, comparable, date, difference, field, field_name, is_date, is_difference, is_time, later, seconds, sum, time};
use sqlparser::ast::{
    Array, BinaryOperator, CeilFloorKind, DataType, ExactNumberInfo, Expr, Ident, InTarget, LimitClause, ObjectName, Offset, OffsetRows,
    OrderByExpr, OrderBySort, Query, Select, TrimWhereField, Value, ValueWithSpan, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites a tree from the leaves up. What it does not know stays for [`Leftover`](super::leftover::Leftover) or for SQLite.
pub(super) struct Rewrite<'a> {
    now: &'a str,
}

type Step = ControlFlow<Box<str>>;

impl<'a> Rewrite<'a> {
    /// `now` is the time of the statement.
    pub fn new(now: &'a str) -> Self {
        Self { now }
    }
}

impl VisitorMut for Rewrite<'_> {
    type Break = Box<str>;

    fn pre_visit_select(&mut self, select: &mut Select) -> Step {
        name_columns(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> Step {
        // The schema that PostgreSQL's tables are in if nothing else is said.
        if name.0.len() == 2 && name.0.first().and_then(|part| part.as_ident()).is_some_and(|schema| schema.value == "public") {
            name.0.remove(0);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &mut Ident) -> Step {
        // sqlparser leaves some quotation marks within names as they are.
        if ident.value.contains('"') {
            return ControlFlow::Break(lacking(format_args!("names with quotation marks such as {}", ident.value)));
        }
        ident.quote_style = Some('"');
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> Step {
        rewrite_limit(query)
    }

    fn post_visit_order_by_expr(&mut self, order: &mut OrderByExpr) -> Step {
        // NULL is the greatest to PostgreSQL and the least to SQLite. A `created` is never NULL, and an index sorts it as long as nothing is said.
        if !is_time(&order.expr) {
            let is_descending = matches!(order.options.sort, Some(OrderBySort::Desc));
            order.options.nulls_first.get_or_insert(is_descending);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Step {
        let changed = match expr {
            Expr::BinaryOp { left, op, right } => rewrite_binary(left, op, right)?,
            Expr::Function(function) if times::is_now(function) => Some(time(text(self.now))),
            Expr::Function(function) if last_name(&function.name) == "current_date" => Some(date(text(self.now))),
            Expr::Function(function) => rewrite_call(function)?,
            Expr::Cast { expr, data_type, .. } => Some(rewrite_cast(take(expr), data_type)?),
            Expr::TypedString(typed) => {
                let value = typed.value.clone();
                Some(rewrite_cast(Expr::Value(value), &typed.data_type)?)
            }
            Expr::Extract { field: name, expr, .. } => field(&field_name(name), take(expr)).map_or_else(|| unknown_field(name), known)?,
            Expr::AtTimeZone { timestamp, time_zone } if literal(time_zone).is_some_and(|zone| zone.eq_ignore_ascii_case("utc")) => {
                Some(take(timestamp))
            }
            Expr::IsUnknown(inner) => Some(Expr::IsNull(Box::new(take(inner)))),
            Expr::IsNotUnknown(inner) => Some(Expr::IsNotNull(Box::new(take(inner)))),
            Expr::Between { expr, low, high, .. } if is_time(expr) => {
                compare(low, expr)?;
                compare(high, expr)?;
                None
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => rewrite_any(left, right),
            Expr::Like { expr, pattern, escape_char, any: false, negated } => {
                let (expr, pattern, escape_char) = (Box::new(take(expr)), Box::new(take(pattern)), Some(escape(escape_char)));
                Some(Expr::Like { negated: *negated, any: false, expr, pattern, escape_char })
            }
            Expr::ILike { expr, pattern, escape_char, any: false, negated } => {
                let lower = |expr: &mut Expr| Box::new(call("lower", [take(expr)]));
                let (expr, pattern, escape_char) = (lower(expr), lower(pattern), Some(escape(escape_char)));
                Some(Expr::Like { negated: *negated, any: false, expr, pattern, escape_char })
            }
            Expr::Position { expr, r#in } => Some(call("instr", [take(r#in), take(expr)])),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.as_deref_mut().map_or_else(|| number(1), take);
                Some(call("substr", [take(expr), from].into_iter().chain(substring_for.as_deref_mut().map(take))))
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                let characters = trim_what.as_deref_mut().map(take).into_iter().chain(trim_characters.iter_mut().flatten().map(take));
                let characters: Vec<Expr> = characters.collect();
                Some(call(name, std::iter::once(take(expr)).chain(characters)))
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(_) } => Some(call("ceil", [take(expr)])),
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(_) } => Some(call("floor", [take(expr)])),
            Expr::Value(value) => literal_value(value).map(text),
            _ => None,
        };
        if let Some(changed) = changed {
            *expr = changed;
        }
        ControlFlow::Continue(())
    }
}

fn known(expr: Expr) -> ControlFlow<Box<str>, Option<Expr>> {
    ControlFlow::Continue(Some(expr))
}

fn unknown_field(name: impl std::fmt::Display) -> ControlFlow<Box<str>, Option<Expr>> {
    ControlFlow::Break(lacking(format_args!("the field {name} of times")))
}

/// Makes the character that takes the meaning of the next one away: a backslash if nothing else is said.
fn escape(escape: &mut Option<Box<Expr>>) -> Box<Expr> {
    Box::new(escape.as_deref_mut().map_or_else(|| text("\\"), take))
}

fn rewrite_any(left: &mut Expr, right: &mut Expr) -> Option<Expr> {
    let target = match super::syntax::bare_mut(right) {
        Expr::Array(Array { elem, .. }) => InTarget::List(std::mem::take(elem)),
        Expr::Subquery(query) => InTarget::Subquery(query.clone()),
        _ => return None,
    };
    Some(Expr::In { expr: Box::new(take(left)), target, negated: false, global: false })
}

/// Reads an interval that was written as one, or as a product of one with a number.
fn interval(expr: &Expr) -> ControlFlow<Box<str>, Option<Interval>> {
    let Expr::Interval(written) = super::syntax::bare(expr) else { return ControlFlow::Continue(None) };
    let unit = written.leading_field.as_ref().map(field_name);
    let read = literal(&written.value).filter(|_| written.last_field.is_none()).and_then(|text| Interval::parse(text, unit.as_deref()));
    read.map_or_else(|| ControlFlow::Break(lacking(format_args!("{written}"))), |read| ControlFlow::Continue(Some(read)))
}

fn rewrite_binary(left: &mut Expr, op: &BinaryOperator, right: &mut Expr) -> ControlFlow<Box<str>, Option<Expr>> {
    use BinaryOperator as Op;
    let (before, after) = (interval(left)?, interval(right)?);
    let sign = if *op == Op::Minus { -1.0 } else { 1.0 };
    if is_comparison(op) && is_time(left) {
        compare(right, left)?;
    } else if is_comparison(op) && is_time(right) {
        compare(left, right)?;
    }
    ControlFlow::Continue(match (before, op, after) {
        (Some(one), Op::Plus | Op::Minus, Some(other)) => Some(written(one.plus(other.times(sign)))),
        (None, Op::Plus | Op::Minus, Some(interval)) => Some(sum(take(left), interval.times(sign))),
        (Some(interval), Op::Plus, None) => Some(sum(take(right), interval)),
        (Some(interval), Op::Multiply, None) => literal_number(right).map(|factor| written(interval.times(factor))),
        (None, Op::Multiply, Some(interval)) => literal_number(left).map(|factor| written(interval.times(factor))),
        (Some(interval), Op::Divide, None) => {
            literal_number(right).filter(|part| *part != 0.0).map(|part| written(interval.times(1.0 / part)))
        }
        (Some(interval), op, None) if is_comparison(op) && is_difference(right) => {
            Some(binary(number(interval.seconds()), op.clone(), seconds(take(right))))
        }
        (None, op, Some(interval)) if is_comparison(op) && is_difference(left) => {
            Some(binary(seconds(take(left)), op.clone(), number(interval.seconds())))
        }
        (None, op, None) if is_comparison(op) && is_difference(left) && is_difference(right) => {
            Some(binary(seconds(take(left)), op.clone(), seconds(take(right))))
        }
        (None, Op::Minus, None) if is_time(left) && is_time(right) => Some(difference(take(left), take(right))),
        (None, Op::Plus | Op::Minus, None) if is_date(left) && literal_number(right).is_some() => {
            literal_number(right).map(|days| later(take(left), days * sign))
        }
        (None, Op::Plus | Op::Minus, None) if is_time(left) || is_time(right) => {
            return ControlFlow::Break(lacking("sums of times with anything but intervals; write created + interval '1 hour'"));
        }
        _ => None,
    })
}

/// Writes a literal as the time or date that it is compared with.
fn compare(expr: &mut Expr, with: &Expr) -> Step {
    if let Some(text) = literal(expr) {
        match comparable(text, with) {
            Some(time) => *expr = time,
            None => return ControlFlow::Break(lacking(format_args!("the time {expr}, which does not begin as 2026-11-30 does"))),
        }
    }
    ControlFlow::Continue(())
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(op, Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::Eq | Op::NotEq)
}

/// Makes an interval of an expression again, for the sum that it stands in.
fn written(interval: Interval) -> Expr {
    let text = format!("{} months {} days {} seconds", interval.months, interval.days, interval.seconds);
    Expr::Interval(sqlparser::ast::Interval {
        value: Box::new(super::syntax::text(text)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

fn rewrite_cast(expr: Expr, data_type: &DataType) -> ControlFlow<Box<str>, Expr> {
    use DataType as Type;
    ControlFlow::Continue(match data_type {
        Type::Text | Type::Varchar(_) | Type::CharacterVarying(_) | Type::Char(_) | Type::Character(_) | Type::Uuid => {
            cast(expr, Type::Text)
        }
        Type::Int(_) | Type::Integer(_) | Type::BigInt(_) | Type::SmallInt(_) | Type::Int2(_) | Type::Int4(_) | Type::Int8(_) => {
            cast(expr, Type::Integer(None))
        }
        Type::Real | Type::Float(_) | Type::Float4 | Type::Float8 | Type::Double(_) | Type::DoublePrecision => cast(expr, Type::Real),
        Type::Numeric(digits) | Type::Decimal(digits) | Type::Dec(digits) => match digits {
            ExactNumberInfo::PrecisionAndScale(_, scale) => call("round", [cast(expr, Type::Real), number(scale)]),
            ExactNumberInfo::Precision(_) => call("round", [cast(expr, Type::Real)]),
            ExactNumberInfo::None => cast(expr, Type::Real),
        },
        Type::Bool | Type::Boolean => {
            let target = InTarget::List(["t", "true", "y", "yes", "on", "1"].map(text).into());
            Expr::Nested(Box::new(Expr::In { expr: Box::new(call("lower", [expr])), target, negated: false, global: false }))
        }
        Type::Timestamp(..) => time(expr),
        Type::Date => date(expr),
        Type::JSON | Type::JSONB => call("json", [expr]),
        Type::Interval { .. } => Expr::Interval(sqlparser::ast::Interval {
            value: Box::new(expr),
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }),
        Type::Custom(name, _) if matches!(last_name(name).as_str(), "inet" | "cidr" | "name" | "citext") => cast(expr, Type::Text),
        Type::Custom(name, _) if last_name(name) == "timestamptz" => time(expr),
        other => return ControlFlow::Break(lacking(format_args!("the type {other}"))),
    })
}

/// SQLite has LIMIT, and OFFSET only behind it.
fn rewrite_limit(query: &mut Query) -> Step {
    if let Some(fetch) = query.fetch.take() {
        if fetch.with_ties || fetch.percent {
            return ControlFlow::Break(lacking("FETCH WITH TIES"));
        }
        let quantity = fetch.quantity.unwrap_or_else(|| number(1));
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(quantity),
            clause => *clause = Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() }),
        }
    }
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        let is_all = limit.as_ref().is_some_and(|limit| matches!(limit, Expr::Value(ValueWithSpan { value: Value::Null, .. })));
        if is_all || (limit.is_none() && offset.is_some()) {
            *limit = Some(number(-1));
        }
        if let Some(Offset { rows, .. }) = offset {
            *rows = OffsetRows::None;
        }
    }
    ControlFlow::Continue(())
}
