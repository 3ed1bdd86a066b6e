//! Times as SQLite has them: texts, and functions that take and give them.

use super::interval::Interval;
use super::syntax::{arguments, bare, binary, call, cast, last_name, literal, number, text};
use sqlparser::ast::{BinaryOperator, DataType, DateTimeField, Expr, Function};

const FORMAT: &str = "%Y-%m-%d %H:%M:%f";

/// Makes a time out of an expression.
pub(super) fn time(expr: Expr) -> Expr {
    call("strftime", [text(FORMAT), expr])
}

/// Makes a date out of an expression.
pub(super) fn date(expr: Expr) -> Expr {
    call("date", [expr])
}

/// Makes the sum of a time and an interval.
pub(super) fn sum(time: Expr, interval: Interval) -> Expr {
    call("strftime", [text(FORMAT), time].into_iter().chain(interval.modifiers().into_iter().map(text)))
}

/// Makes the date that is a number of days later.
pub(super) fn later(date: Expr, days: f64) -> Expr {
    call("date", [date, text(format!("{days:+} days"))])
}

/// Makes the seconds between two times.
pub(super) fn difference(later: Expr, earlier: Expr) -> Expr {
    Expr::Nested(Box::new(binary(epoch(later), BinaryOperator::Minus, epoch(earlier))))
}

/// Returns `true` for what [`difference`] made. What [`seconds`] made of it is none any more.
pub(super) fn is_difference(expr: &Expr) -> bool {
    let is_epoch = |expr: &Expr| matches!(expr, Expr::Function(function) if last_name(&function.name) == "unixepoch");
    matches!(bare(expr), Expr::BinaryOp { left, op: BinaryOperator::Minus, right } if is_epoch(left) && is_epoch(right))
}

/// Returns `true` for what is known to be a time: the result of a function of times, the column `created`, or the first or last of such.
pub(super) fn is_time(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Identifier(name) => name.value == "created",
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| name.value == "created"),
        Expr::Function(function) => match last_name(&function.name).as_str() {
            "date" => true,
            "strftime" => arguments(function)
                .is_some_and(|arguments| arguments.first().and_then(|format| literal(format)).is_some_and(is_time_format)),
            "max" | "min" | "coalesce" => {
                arguments(function).is_some_and(|arguments| arguments.first().is_some_and(|first| is_time(first)))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Returns `true` for what is known to be a date.
pub(super) fn is_date(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::Function(function) if last_name(&function.name) == "date")
}

/// Makes what a time or a date is compared with out of a literal that begins with a date. SQLite reads zones only with their minutes.
pub(super) fn comparable(literal: &str, with: &Expr) -> Option<Expr> {
    let bytes = literal.trim().as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    if !(digits(0..4) && digits(5..7) && digits(8..10) && bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-')) {
        return None;
    }
    let has_short_zone = bytes.len() > 13 && matches!(bytes.get(bytes.len() - 3), Some(b'+' | b'-'));
    let literal = text(format!("{}{}", literal.trim(), if has_short_zone { ":00" } else { "" }));
    Some(if is_date(with) { date(literal) } else { time(literal) })
}

/// Makes the beginning of a unit of a time: `date_trunc`.
pub(super) fn truncated(unit: &str, expr: Expr) -> Option<Expr> {
    let format = match unit {
        "second" => "%Y-%m-%d %H:%M:%S.000",
        "minute" => "%Y-%m-%d %H:%M:00.000",
        "hour" => "%Y-%m-%d %H:00:00.000",
        "day" | "week" => "%Y-%m-%d 00:00:00.000",
        "month" => "%Y-%m-01 00:00:00.000",
        "year" => "%Y-01-01 00:00:00.000",
        _ => return None,
    };
    // The Sunday to come, or today; then its Monday.
    let to_monday = if unit == "week" { &["weekday 0", "-6 days"][..] } else { &[] };
    Some(call("strftime", [text(format), expr].into_iter().chain(to_monday.iter().map(|modifier| text(*modifier)))))
}

/// Makes a field of a time: `extract`, `date_part`.
pub(super) fn field(name: &str, expr: Expr) -> Option<Expr> {
    let whole = |format: &str, expr| cast(call("strftime", [text(format), expr]), DataType::Integer(None));
    Some(match name {
        "epoch" if is_difference(&expr) => seconds(expr),
        "epoch" => epoch(expr),
        "year" => whole("%Y", expr),
        "month" => whole("%m", expr),
        "day" => whole("%d", expr),
        "hour" => whole("%H", expr),
        "minute" => whole("%M", expr),
        "second" => cast(call("strftime", [text("%f"), expr]), DataType::Real),
        "dow" => whole("%w", expr),
        "isodow" => whole("%u", expr),
        "doy" => whole("%j", expr),
        "week" => whole("%V", expr),
        "isoyear" => whole("%G", expr),
        "quarter" => {
            let month = Expr::Nested(Box::new(binary(whole("%m", expr), BinaryOperator::Plus, number(2))));
            Expr::Nested(Box::new(binary(month, BinaryOperator::Divide, number(3))))
        }
        _ => return None,
    })
}

/// Returns the name of a field.
pub(super) fn field_name(field: &DateTimeField) -> String {
    field.to_string().trim_matches('"').to_ascii_lowercase()
}

/// Makes a number of seconds out of a difference, which is then no difference any more that an error would name.
pub(super) fn seconds(difference: Expr) -> Expr {
    let mut sum = difference;
    while let Expr::Nested(inner) = sum {
        sum = *inner;
    }
    cast(sum, DataType::Real)
}

/// Returns `true` for a function that gives the time of the statement.
pub(super) fn is_now(function: &Function) -> bool {
    let names = ["now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "current_timestamp", "localtimestamp"];
    names.contains(&last_name(&function.name).as_str())
}

fn epoch(expr: Expr) -> Expr {
    call("unixepoch", [expr, text("subsec")])
}

fn is_time_format(format: &str) -> bool {
    format.starts_with("%Y-") && format.contains(' ')
}
