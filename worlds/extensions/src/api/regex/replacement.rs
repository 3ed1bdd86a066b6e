//! Replacements of matches, for `sub` and `gsub`.

use super::{Groups, kind};
use mlua::{Function, Value};

/// A replacement.
#[derive(Debug)]
pub enum Replacement {
    /// Texts and groups.
    Parts(Vec<Part>),
    /// A function, which gets the table of a match.
    Function(Function),
}

/// A part of a replacement.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Text(Vec<u8>),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement: a function, or a text in which `$0` is the match, `$1` and `${1}` are groups, and `$$` is the sign itself.
    pub fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Function(function) => Ok(Self::Function(function.clone())),
            value => {
                let text = super::super::arguments::bytes(value);
                let text = text.ok_or_else(|| format!("the replacement is not a text or a function, but {}", kind(value)))?;
                Ok(Self::Parts(parts(&text)?))
            }
        }
    }
}

/// Appends a replacement to a text. A group that took no part is empty. Stops when the text is longer than a limit: a replacement may have a long group many
/// times.
pub fn put(parts: &[Part], subject: &[u8], groups: &Groups, text: &mut Vec<u8>, limit: usize) {
    for part in parts {
        if text.len() > limit {
            return;
        }
        match part {
            Part::Text(part) => text.extend_from_slice(part),
            Part::Group(number) => {
                let range = groups.get(*number).cloned().flatten().unwrap_or_default();
                text.extend_from_slice(subject.get(range).unwrap_or_default());
            }
        }
    }
}

fn parts(text: &[u8]) -> Result<Vec<Part>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let (before, after) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_vec()));
        }
        let after = after.get(1..).unwrap_or_default();
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (part, length) = match after {
            [b'$', ..] => (Part::Text(b"$".to_vec()), 1),
            [b'{', inner @ ..] => {
                let count = digits(inner);
                let is_closed = inner.get(count) == Some(&b'}');
                let number = inner.get(..count).filter(|_| is_closed).and_then(group_number);
                (Part::Group(number.ok_or_else(|| senseless(text))?), count + 2)
            }
            after => {
                let count = digits(after);
                let number = after.get(..count).and_then(group_number);
                (Part::Group(number.ok_or_else(|| senseless(text))?), count)
            }
        };
        parts.push(part);
        rest = after.get(length..).unwrap_or_default();
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_vec()));
    }
    Ok(parts)
}

fn group_number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn senseless(text: &[u8]) -> String {
    format!("the replacement `{}` has a $ without the number of a group: write $$ for the sign itself", text.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbers_with_a_sign_before_them() {
        let text = |text: &str| Part::Text(text.into());
        assert_eq!(parts(b"a$1b").unwrap(), [text("a"), Part::Group(1), text("b")]);
        assert_eq!(parts(b"${12}3$$$0").unwrap(), [Part::Group(12), text("3"), text("$"), Part::Group(0)]);
        assert_eq!(parts(b"").unwrap(), []);
        for wrong in ["$", "$x", "${1", "${x}", "$99999999999999999999"] {
            assert!(parts(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
