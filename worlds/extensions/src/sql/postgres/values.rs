//! Values of PostgreSQL: its own texts, read by their types.

use super::super::value::Value;
use super::arrays::array;

/// Reads a value by the number of its type in `pg_type`. What is neither number, truth value, JSON nor array is the text.
pub(super) fn value(oid: u32, text: &[u8]) -> Value {
    let whole = || std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let real = || std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let read = match oid {
        16 => Some(Value::Boolean(text == b"t")),
        // int8, int2, int4, oid
        20 | 21 | 23 | 26 => whole().map(Value::Integer),
        // float4, float8
        700 | 701 => real().map(Value::Real),
        // numeric: a whole one that does not fit stays a text.
        1700 if text.contains(&b'.') || text.last().is_some_and(u8::is_ascii_alphabetic) => real().map(Value::Real),
        1700 => whole().map(Value::Integer),
        // json, jsonb
        114 | 3802 => Some(Value::from_json(text)),
        _ => element(oid).or_else(|| is_unknown_array(oid, text).then_some(0)).and_then(|element| array(text, |text| value(element, text))),
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// Returns `true` for an array of a type that the database defines, such as an enumeration. The texts of other such types do not begin so, but for
/// ranges, which begin with a bracket within.
fn is_unknown_array(oid: u32, text: &[u8]) -> bool {
    oid >= 16_384 && text.first() == Some(&b'{') && text.last() == Some(&b'}') && !matches!(text.get(1), Some(b'[' | b'('))
}

/// Returns the type of the elements of an array.
fn element(oid: u32) -> Option<u32> {
    Some(match oid {
        1000 => 16,
        1016 => 20,
        1005 => 21,
        1007 => 23,
        1028 => 26,
        1021 => 700,
        1022 => 701,
        1231 => 1700,
        199 => 114,
        3807 => 3802,
        // xml, char, name, text, bpchar, varchar, bytea, bit, varbit, uuid, money
        143 | 1002 | 1003 | 1009 | 1014 | 1015 | 1001 | 1561 | 1563 | 2951 | 791 => 25,
        // cidr, inet, macaddr, macaddr8, timestamp, timestamptz, date, time, timetz, interval
        651 | 1041 | 1040 | 775 | 1115 | 1185 | 1182 | 1183 | 1270 | 1187 => 25,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_types() {
        for (oid, text, expected) in [
            (16, "t", Value::Boolean(true)),
            (16, "f", Value::Boolean(false)),
            (20, "-9223372036854775808", Value::Integer(i64::MIN)),
            (701, "1.5e10", Value::Real(1.5e10)),
            (701, "-Infinity", Value::Real(f64::NEG_INFINITY)),
            (1700, "12", Value::Integer(12)),
            (1700, "33.3333333333333333", Value::Real(33.333_333_333_333_336)),
            (1700, "123456789012345678901234567890", Value::text("123456789012345678901234567890")),
            (1184, "2026-11-30 18:15:48.123+00", Value::text("2026-11-30 18:15:48.123+00")),
            (3802, "[1]", Value::List(vec![Value::Integer(1)])),
            (1007, "{1,NULL}", Value::List(vec![Value::Integer(1), Value::Null])),
            (99_999, "{a}", Value::List(vec![Value::text("a")])),
            (99_999, "{[1,2)}", Value::text("{[1,2)}")),
            (25, "{a}", Value::text("{a}")),
            (23, "x", Value::text("x")),
        ] {
            assert_eq!(value(oid, text.as_bytes()), expected, "{oid} {text}");
        }
        assert!(matches!(value(1700, b"NaN"), Value::Real(number) if number.is_nan()));
    }
}
