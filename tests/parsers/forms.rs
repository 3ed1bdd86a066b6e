//! Forms, in both of their encodings.

use crate::draw::Draw;
use crate::engine::{Body, Seen, from_hex};
use crate::peer::Value;

const LETTERS: &[&str] = &["a", "b", "name", "x1", "é", "0"];

/// What mutations put into forms in the form of a query.
const QUERY_WORDS: &[&[u8]] = &[
    b"&",
    b"=",
    b";",
    b"+",
    b"%",
    b"%4",
    b"%41",
    b"%u0041",
    b"%00",
    b"%zz",
    b"%26",
    b"%3d",
    b"%3b",
    b"%25",
    b"%c0%80",
    b"%ff",
    b"[",
    b"]",
    b"[]",
    b"[a]",
    b".",
    b" ",
    b"#",
    b"?",
    b"\0",
    b"\r\n",
    b"\xff",
    b"&amp;",
    b"_charset_=utf-7",
    b"a=1",
];

/// What mutations put into multipart bodies.
const PART_WORDS: &[&[u8]] = &[
    b"--b",
    b"--b\r\n",
    b"--b--",
    b"--b--\r\n",
    b"\r\n--b\r\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b"-",
    b" ",
    b"\t",
    b"\0",
    b"\x0b",
    b";",
    b"=",
    b":",
    b"\"",
    b"'",
    b"\\",
    b"\\\"",
    b",",
    b"*",
    b"*0",
    b"%22",
    b"name",
    b"filename",
    b"filename=",
    b"filename*=",
    b"filename*=utf-8''c",
    b"name=\"b\"",
    b"; name=\"z\"",
    b"Content-Disposition: form-data; ",
    b"Content-Disposition: form-data; name=\"y\"\r\n\r\nx\r\n",
    b"Content-Type: text/plain\r\n",
    b"Content-Type: multipart/mixed; boundary=c\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Length: 0\r\n",
    b"=?utf-8?B?YQ==?=",
    b"\xff",
    b"form-data",
    b"attachment",
    b"(c)",
];

/// What mutations put into the type of a multipart body.
const TYPE_WORDS: &[&[u8]] =
    &[b";", b"=", b"\"", b" ", b",", b"boundary=b", b"boundary=c", b"; boundary=c", b"\t", b"'", b"charset=x", b"*", b"/", b"b", b"\\"];

pub fn draw_query(draw: &mut Draw) -> Body {
    let pair = |draw: &mut Draw| match draw.below(8) {
        0 => word(draw),
        1 => String::new(),
        _ => word(draw) + "=" + &word(draw),
    };
    let separator = draw.pick(&["&", "&", "&", ";", "&&"]);
    let mut bytes = draw.row(6, separator, pair).into_bytes();
    if draw.percent(50) {
        draw.mutate(&mut bytes, QUERY_WORDS);
    }
    // Rack leaves it out, which is for browsers of old.
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Body { content_type: String::from("application/x-www-form-urlencoded"), bytes }
}

fn word(draw: &mut Draw) -> String {
    draw.row(5, "", |draw| String::from(draw.pick(&["a", "b", "key", "1", "%41", "%2e", "+", "%20", "é", "%c3%a9", "%0d%0a", "[a]", "."])))
}

pub fn draw_multipart(draw: &mut Draw) -> Body {
    let mut body = String::from(if draw.percent(3) { draw.pick(&["\r\n", "preamble\r\n"]) } else { "" });
    for _ in 0..=draw.below(3) {
        body += &part(draw);
    }
    body += "--b--";
    body += if draw.percent(5) { draw.pick(&["", "\r\nepilogue", "--", "\r\n\r\n"]) } else { "\r\n" };
    let mut bytes = body.into_bytes();
    if draw.percent(40) {
        draw.mutate(&mut bytes, PART_WORDS);
    }
    let usual = if draw.percent(4) { draw.pick(&["boundary=\"b\"", "charset=utf-8; boundary=b"]) } else { "boundary=b" };
    let mut parameters = usual.as_bytes().to_vec();
    if draw.percent(10) {
        draw.mutate(&mut parameters, TYPE_WORDS);
        // A header is one line, and what it may hold is the server's to say.
        parameters.retain(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        parameters = parameters.trim_ascii_end().to_vec();
    }
    // Bodies of other types are not read as forms, as in ModSecurity v3: the CRS refuses them.
    Body { content_type: format!("multipart/form-data; {}", String::from_utf8(parameters).unwrap()), bytes }
}

fn part(draw: &mut Draw) -> String {
    let mut parameters = vec![parameter(draw, "name")];
    if draw.percent(35) {
        parameters.push(parameter(draw, "filename"));
    }
    if draw.percent(5) {
        let odd = ["size=3", "filename*=utf-8''d%2ephp", "name=\"second\"", "x=\"; name=y\"", "filename=\"\""];
        parameters.push(String::from(draw.pick(&odd)));
    }
    if draw.percent(10) {
        parameters.reverse();
    }
    let disposition = format!("Content-Disposition: form-data; {}\r\n", parameters.join(draw.pick(&["; ", "; ", ";"])));
    let others = draw.row(3, "", |draw| {
        String::from(draw.pick(&[
            "Content-Type: text/plain\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "X-A: b\r\n",
            "Content-Transfer-Encoding: 8bit\r\n",
        ]))
    });
    let headers = if draw.percent(20) { others + &disposition } else { disposition + &others };
    let data = draw.row(6, "", |draw| match draw.percent(4) {
        true => String::from(draw.pick(&["\n", "--", "--c", "\r\n--", "\r\n--c", "\r"])),
        false => String::from(draw.pick(&["value", "1", "\r\n", "b", "é", " ", "=", "-", "\0"])),
    });
    format!("--b\r\n{headers}\r\n{data}\r\n")
}

fn parameter(draw: &mut Draw, name: &str) -> String {
    let first = draw.pick(LETTERS);
    let value = draw.row(3, "", |draw| {
        let odd = ["\\\\", "\\\"", "%22", "'", ".", "/", "[a]", ";", ",", " ", "=", "\\", "filename="];
        if draw.percent(6) { String::from(draw.pick(&odd)) } else { String::from(draw.pick(LETTERS)) }
    });
    let value = format!("{first}{value}");
    match draw.below(12) {
        0 => format!("{name}={}", value.replace([' ', ';', ',', '"'], "")),
        _ => format!("{name}=\"{}\"", value.replace('"', "\\\"")),
    }
}

/// What a parser makes of a text on its own.
type Habit = fn(&[u8]) -> Vec<u8>;

/// What parsers make of names, which leaves rules a name that is written otherwise.
const HABITS: &[(&str, Habit)] = &[
    ("percent signs in names are decoded", without_percent_signs),
    ("backslashes in names are kept", without_backslashes),
    ("backslashes in names are kept", |name| without_backslashes(&without_percent_signs(name))),
    ("a slash at the end of a file's name is left out", |name| without_end(name, b'/')),
    ("a question mark before the first name is left out", |name| name.iter().copied().skip_while(|byte| *byte == b'?').collect()),
];

/// A value, or the name of a file, that an application gets and rules do not.
pub fn disagreement(peer: &str, seen: &Seen, values: &[Value]) -> Option<&'static str> {
    let unseen: Vec<&Value> = values.iter().filter(|theirs| !is_seen(peer, seen, theirs, <[u8]>::to_vec)).collect();
    let by_habit = |theirs: &Value| HABITS.iter().find(|(_, habit)| is_seen(peer, seen, theirs, *habit)).map(|(what, _)| *what);
    match unseen.iter().find(|theirs| by_habit(theirs).is_none()) {
        Some(_) if peer == "Node.js" && are_cut_off(seen, values) => Some("characters beyond U+00FF lose their upper byte"),
        Some(theirs) if theirs.kind == 'f' => Some("no rule sees the name of a file"),
        Some(theirs) if seen.values.iter().any(|ours| as_read(peer, ours) == as_read(peer, &theirs.value)) => {
            Some("no rule sees a value under its name")
        }
        Some(_) => Some("no rule sees a value"),
        None => unseen.first().and_then(|theirs| by_habit(theirs)),
    }
}

/// Returns `true` if each ASCII character that is not among ours is the lower byte of one that is.
fn are_cut_off(seen: &Seen, theirs: &[Value]) -> bool {
    let ours: String = seen.names.iter().chain(&seen.values).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let lower_bytes: Vec<u8> = ours.chars().filter(|character| *character > '\u{ff}').map(|character| character as u8).collect();
    let theirs = theirs.iter().flat_map(|value| [&value.name, &value.value]).flatten();
    let mut strangers = theirs.filter(|byte| byte.is_ascii() && !ours.as_bytes().contains(byte)).peekable();
    strangers.peek().is_some() && strangers.all(|byte| lower_bytes.contains(byte))
}

fn is_seen(peer: &str, seen: &Seen, theirs: &Value, habit: Habit) -> bool {
    let name = |name: &[u8]| habit(&as_read(peer, name));
    if theirs.kind == 'f' {
        // Some keep the last part of a path.
        return seen.files.iter().any(|ours| name(ours).ends_with(&name(&theirs.value)));
    }
    // These make other names of brackets and dots.
    let renames = matches!(peer, "PHP" | "Rack");
    let mut ours = seen.names.iter().zip(&seen.values);
    ours.any(|(ours, value)| as_read(peer, value) == as_read(peer, &theirs.value) && (renames || name(ours) == name(&theirs.name)))
}

/// A value as far as it can be compared: what is not ASCII becomes U+FFFD in some places of these, and in others not.
fn as_read(peer: &str, value: &[u8]) -> Vec<u8> {
    let replaces = matches!(peer, "Node.js" | "Python's email");
    value.iter().copied().filter(|byte| byte.is_ascii() || !replaces).collect()
}

fn without_percent_signs(name: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let (byte, after) = digits.map_or((*first, behind), |digits| (from_hex(std::str::from_utf8(digits).unwrap())[0], &behind[2..]));
        decoded.push(byte);
        rest = after;
    }
    decoded
}

fn without_backslashes(name: &[u8]) -> Vec<u8> {
    name.iter().copied().filter(|byte| *byte != b'\\').collect()
}

fn without_end(name: &[u8], end: u8) -> Vec<u8> {
    let length = name.iter().rposition(|byte| *byte != end).map_or(0, |last| last + 1);
    name[..length].to_vec()
}
