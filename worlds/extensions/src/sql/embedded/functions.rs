//! Functions of PostgreSQL that SQLite has under another name.

use super::leftover::lacking;
use super::syntax::{arguments, binary, call, last_name, literal, number, text};
use super::times::{field, truncated};
use sqlparser::ast::{BinaryOperator, Expr, Function, Ident, ObjectName};
use std::ops::ControlFlow;

/// Functions with the same arguments.
const RENAMED: [(&str, &str); 19] = [
    ("char_length", "length"),
    ("character_length", "length"),
    ("strpos", "instr"),
    ("btrim", "trim"),
    ("every", "min"),
    ("bool_and", "min"),
    ("bool_or", "max"),
    ("array_agg", "json_group_array"),
    ("json_agg", "json_group_array"),
    ("jsonb_agg", "json_group_array"),
    ("json_object_agg", "json_group_object"),
    ("jsonb_object_agg", "json_group_object"),
    ("json_build_object", "json_object"),
    ("jsonb_build_object", "json_object"),
    ("json_build_array", "json_array"),
    ("jsonb_build_array", "json_array"),
    ("jsonb_array_length", "json_array_length"),
    ("ceiling", "ceil"),
    ("pow", "power"),
];

/// Returns what stands for a call, or renames the function.
pub(super) fn rewrite_call(function: &mut Function) -> ControlFlow<Box<str>, Option<Expr>> {
    let name = last_name(&function.name);
    // `pg_catalog.lower` is `lower`.
    let known = RENAMED.iter().find(|(theirs, _)| *theirs == name).map_or(name.as_str(), |(_, ours)| ours);
    function.name = ObjectName::from(vec![Ident::with_quote('"', known)]);
    let plain: Vec<Expr> = arguments(function).unwrap_or_default().into_iter().cloned().collect();
    ControlFlow::Continue(match (name.as_str(), plain.as_slice()) {
        ("date_trunc", [unit, expr]) => Some(of_unit(unit, |unit| truncated(unit, expr.clone()))?),
        ("date_part", [unit, expr]) => Some(of_unit(unit, |unit| field(unit, expr.clone()))?),
        ("to_timestamp", [seconds]) => Some(call("strftime", [text("%Y-%m-%d %H:%M:%f"), seconds.clone(), text("unixepoch")])),
        ("left", [expr, length]) => Some(call("substr", [expr.clone(), number(1), length.clone()])),
        ("right", [expr, length]) => {
            let negative = binary(number(0), BinaryOperator::Minus, Expr::Nested(Box::new(length.clone())));
            Some(call("substr", [expr.clone(), negative]))
        }
        ("starts_with", [expr, start]) => {
            Some(Expr::Nested(Box::new(binary(call("instr", [expr.clone(), start.clone()]), BinaryOperator::Eq, number(1)))))
        }
        _ => None,
    })
}

fn of_unit(unit: &Expr, make: impl FnOnce(&str) -> Option<Expr>) -> ControlFlow<Box<str>, Expr> {
    let name = literal(unit).map(str::to_ascii_lowercase);
    match name.as_deref().and_then(make) {
        Some(made) => ControlFlow::Continue(made),
        None => ControlFlow::Break(lacking(format_args!("the unit {unit} of times"))),
    }
}
