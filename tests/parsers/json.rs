//! JSON, most of it valid, with names and texts that parsers may read in two ways.

use crate::draw::Draw;
use crate::engine::{Body, Seen};
use crate::peer::Value;

const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\\",
    b"\\u",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"\\ud83e\\udd80",
    b"\\u0041",
    b"\\\"",
    b"\\\\",
    b"\\/",
    b"\\x41",
    b"'",
    b"/**/",
    b"//",
    b"#",
    b"NaN",
    b"Infinity",
    b"-",
    b"-0",
    b"01",
    b"1e5",
    b"1.",
    b".5",
    b"+1",
    b"0x1",
    b"true",
    b"null",
    b"\0",
    b"\x01",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\n",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x9f\xa6\x80",
    b"\x80",
    b"\xff",
    b"\xc3",
    b"\"a\":1",
    b",\"a\":2",
];

pub fn draw(draw: &mut Draw) -> Body {
    let mut bytes = (blank(draw) + &value(draw, 0) + &blank(draw)).into_bytes();
    if draw.percent(50) {
        draw.mutate(&mut bytes, WORDS);
    }
    if draw.percent(1) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    Body { content_type: String::from("application/json"), bytes }
}

/// A member that an application gets and rules do not.
pub fn disagreement(_: &str, seen: &Seen, values: &[Value]) -> Option<&'static str> {
    let is_same = |value: &[u8], theirs: &Value| match theirs.kind {
        'n' => number(value).is_some_and(|value| Some(value) == number(&theirs.value)),
        _ => value == theirs.value,
    };
    let is_seen = |theirs: &Value| {
        let mut ours = seen.names.iter().zip(&seen.values);
        ours.any(|(name, value)| *name == theirs.name && is_same(value, theirs))
    };
    (!values.iter().all(is_seen)).then_some("no rule sees a member")
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn blank(draw: &mut Draw) -> String {
    draw.row(3, "", |draw| String::from(draw.pick(&[" ", "\t", "\n", "\r", ""])))
}

fn value(draw: &mut Draw, depth: usize) -> String {
    let end = if depth > 4 { 6 } else { 10 };
    match draw.below(end) {
        0 => {
            String::from(draw.pick(&["0", "-0", "7", "-12.50", "1e3", "1E-2", "123456789012345678901234567890", "1e400", "0.1", "5e-324"]))
        }
        1 => String::from(draw.pick(&["true", "false", "null"])),
        2..=5 => string(draw),
        6 | 7 => {
            let elements = draw.row(4, ",", |draw| blank(draw) + &value(draw, depth + 1) + &blank(draw));
            format!("[{elements}{}]", blank(draw))
        }
        _ => {
            let members =
                draw.row(4, ",", |draw| blank(draw) + &string(draw) + &blank(draw) + ":" + &blank(draw) + &value(draw, depth + 1));
            format!("{{{members}{}}}", blank(draw))
        }
    }
}

fn string(draw: &mut Draw) -> String {
    let text = draw.row(4, "", |draw| match draw.below(4) {
        0 => String::from(draw.pick(&[
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\b",
            "\\f",
            "\\r",
            "\\t",
            "\\u0041",
            "\\u00e9",
            "\\u0000",
            "\\ud83e\\udd80",
            "\\uFFFF",
            "\\u2028",
        ])),
        1 if draw.percent(20) => {
            String::from(draw.pick(&["\\ud800", "\\udc00", "\\ud800\\u0041", "\\udc00\\ud800", "\\uDBFF\\uDFFF", "\\ud800\\n"]))
        }
        1 => String::from(draw.pick(&["é", "€", "🦀", "\u{2028}", "\u{feff}", "\u{7f}"])),
        _ => String::from(draw.pick(&["a", "b", "key", ".", "__proto__", " ", "array_0", "'", "<", "constructor"])),
    });
    format!("\"{text}\"")
}
