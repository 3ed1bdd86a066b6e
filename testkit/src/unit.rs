//! Cases of single operators and transformations.

use secrule::internals::transform::Transformation;
use serde_json::Value;
use std::path::Path;

/// Returns the cases below a folder.
pub fn cases(folder: &Path) -> Vec<Value> {
    let read = |file| serde_json::from_slice::<Vec<Value>>(&std::fs::read(file).unwrap()).unwrap();
    crate::files(folder, ".json").into_iter().flat_map(read).collect()
}

/// Returns `true` if a case is about an operator; otherwise it is about a transformation.
pub fn is_about_operator(case: &Value) -> bool {
    text(case, "type") == "op"
}

/// Returns the transformation of a case, which may have its own spelling there.
pub fn transformation(case: &Value) -> Option<Transformation> {
    Transformation::from_name(match text(case, "name") {
        "cmd_line" => "cmdLine",
        name => name,
    })
}

/// Returns a field of a case.
pub fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// Returns the bytes of a text in a case: UTF-8, with the escapes `\xHH` and `\uHHHH`.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = match rest {
            [b'\\', b'x', digits @ ..] => hex(digits, 2),
            [b'\\', b'u', digits @ ..] => hex(digits, 4),
            _ => None,
        };
        match escaped {
            Some((byte, behind)) => {
                found.push(byte);
                rest = behind;
            }
            None => {
                found.push(*first);
                rest = behind;
            }
        }
    }
    found
}

fn hex(digits: &[u8], count: usize) -> Option<(u8, &[u8])> {
    let (digits, behind) = digits.split_at_checked(count)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    Some(((u32::from_str_radix(digits, 16).ok()? & 0xff) as u8, behind))
}
