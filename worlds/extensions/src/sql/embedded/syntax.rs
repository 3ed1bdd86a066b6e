//! Parts of a tree: made, and looked at.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value, ValueWithSpan,
};

/// Makes a call of a function.
pub(super) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}

/// Makes a text.
pub(super) fn text(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).with_empty_span())
}

/// Makes a number.
pub(super) fn number(number: impl ToString) -> Expr {
    Expr::Value(Value::Number(number.to_string(), false).with_empty_span())
}

pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, format: None }
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// Returns an expression without the parentheses around it.
pub(super) fn bare(expr: &Expr) -> &Expr {
    let mut expr = expr;
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// Returns an expression without the parentheses around it.
pub(super) fn bare_mut(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::Nested(inner) => bare_mut(inner),
        other => other,
    }
}

/// Takes an expression out of a tree that is changed.
pub(super) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.with_empty_span()))
}

/// Returns the last part of a name, in lower case. Names of PostgreSQL's own functions may begin with their schema.
pub(super) fn last_name(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_ascii_lowercase()).unwrap_or_default()
}

/// Returns the text of a literal, of whatever spelling.
pub(super) fn literal(expr: &Expr) -> Option<&str> {
    match bare(expr) {
        Expr::Value(value) => literal_value(value),
        _ => None,
    }
}

pub(super) fn literal_value(value: &ValueWithSpan) -> Option<&str> {
    match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
        Value::UnicodeStringLiteral(text) | Value::NationalStringLiteral(text) => Some(text),
        Value::DollarQuotedString(text) => Some(&text.value),
        _ => None,
    }
}

/// Returns the number that a literal is.
pub(super) fn literal_number(expr: &Expr) -> Option<f64> {
    match bare(expr) {
        Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) => number.parse().ok(),
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => literal_number(expr).map(|number| -number),
        _ => None,
    }
}

/// Returns the plain arguments of a call, and `None` for `*`, names and clauses.
pub(super) fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return matches!(function.args, FunctionArguments::None).then(Vec::new) };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}
