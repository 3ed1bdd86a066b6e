//! Numbers as texts: as `tostring` of Lua writes them, and whole in JSON.

use mlua::Value;

/// Significant digits, as in `%.14g`.
const DIGITS: usize = 14;

/// Whole numbers below this have all of their digits in JSON, as in JavaScript.
const MAX_WHOLE: f64 = 1e21;

/// Returns a number as Lua writes it: 0.3 for 0.1 + 0.2, and `1e+15`.
pub fn text(value: &Value) -> Option<String> {
    number(value).map(general)
}

/// Returns a number for JSON: whole ones with all of their digits, others as Lua writes them. `None` also for one that JSON does not have.
pub fn json(value: &Value) -> Option<String> {
    let number = number(value).filter(|number| number.is_finite())?;
    Some(if number.fract() == 0.0 && number.abs() < MAX_WHOLE { format!("{number:.0}") } else { general(number) })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// Writes a number as `%.14g` of C does, and as LuaJIT writes those that are not finite.
fn general(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // Rounds to the digits first: 9.999999999999999 has the exponent of 10.
    let scientific = format!("{number:.*e}", DIGITS - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let last = DIGITS as i32 - 1;
    if (-4..=last).contains(&exponent) {
        let decimals = usize::try_from(last - exponent).unwrap_or_default();
        return without_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(digits), exponent.abs())
}

/// Removes zeros at the end of a fraction, and its point if nothing is left of it.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
