//! The words that rules look for and requests are made of: few, so that they meet.

use crate::draw::Draw;

/// What rules look for.
pub const SOUGHT: &[&str] = &[
    "ab",
    "abc",
    "b",
    "select",
    "Union",
    "script",
    "k",
    "s",
    "id",
    "../",
    "etc",
    "-1",
    "42",
    "<",
    "=",
    "'",
    ";",
    " ",
    "a.b",
    "é",
    "/*x*/",
    ".",
    "aaaa",
    "(",
    "a b",
    "json",
    "x1",
    "Set-Cookie",
];

/// What stands in requests besides: other spellings, halves, and bytes that transformations and case folding act on.
const OTHER: &[&str] = &[
    "%61b",
    "%2561b",
    "AB",
    "aB",
    "SELECT",
    "uNiOn",
    "&lt;",
    "&#x61;",
    "\\x61b",
    "\\u0061",
    "\\61 b",
    "\u{212a}",
    "\u{17f}elect",
    "%00",
    "%e2%84%aa",
    "%c5%bfelect",
    "%C3%89",
    "É",
    "\n",
    "\t",
    "+",
    "%20",
    "%0a",
    "/**/",
    "0x6162",
    "YWJj",
    "616263",
    "%u0061",
    "%u212a",
    "--",
    "#",
    "\"",
    "%ff",
    "%c2%a0",
    "a",
    "B",
    "sel",
    "ect",
    "1",
    "0",
    "%",
    "1 or 1=1",
    "1' or '1'='1",
    "<img src=x onerror=a>",
    "sel/**/ect",
    "a  b",
    "/./",
    "\\",
    "^",
    "&amp;",
    "c",
    "C:\\etc",
    "4111111111111111",
    "192.0.2.7",
    "",
];

/// The names of arguments, headers and variables.
pub const NAMES: &[&str] = &["a", "b", "id", "A", "select", "x.y", "json.a", "a[]", "c"];

/// A piece of a value.
pub fn piece(draw: &mut Draw<'_>) -> String {
    let list = if draw.one_in(2) { OTHER } else { SOUGHT };
    draw.pick(list).to_owned()
}

/// A value: pieces, now and then repeated until it is long.
pub fn value(draw: &mut Draw<'_>) -> String {
    let value = draw.texts(5, piece);
    if draw.one_in(12) { value.repeat(draw.between(2, 40)) } else { value }
}
