//! The byte sets that PCRE's escapes, POSIX names and `[…]` classes stand for, in the C locale.

use super::byte_set::ByteSet;
use super::error::PatternError;
use super::escape::{Escape, Scanner};

/// The set that a one-letter class escape (`\d`, `\W`, `\h` …) stands for.
pub(super) fn shorthand(letter: u8) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => ByteSet::range(b'0'..=b'9'),
        b'w' => posix(b"word")?,
        b's' => posix(b"space")?,
        b'h' => ByteSet::of(b"\t \xa0"),
        b'v' => ByteSet::range(b'\n'..=b'\r').with(0x85),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.complement() } else { set })
}

/// The set of a POSIX class name, as in `[[:alpha:]]`.
fn posix(name: &[u8]) -> Option<ByteSet> {
    let members: fn(&u8) -> bool = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"ascii" => u8::is_ascii,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b'\t'..=b'\r' | b' '),
        b"upper" => u8::is_ascii_uppercase,
        b"word" => |byte| matches!(byte, b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z'),
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    Some((0..=u8::MAX).filter(members).fold(ByteSet::EMPTY, ByteSet::with))
}

/// One member of a class: a byte, which may start or end a range, or a whole set, which may not.
enum Item {
    Byte(u8),
    Set(ByteSet),
}

/// Reads a class whose `[` has just been taken, up to and with its `]`.
pub(super) fn bracketed(scanner: &mut Scanner<'_>, case_insensitive: bool) -> Result<ByteSet, PatternError> {
    let opened_at = scanner.position().saturating_sub(1);
    let negated = scanner.take(b"^");
    let mut set = ByteSet::EMPTY;
    let mut quoted = false;
    let mut first = true;
    loop {
        if !quoted && !first && scanner.take(b"]") {
            break;
        }
        let Some(item) = next_item(scanner, &mut quoted, case_insensitive)? else {
            return Err(PatternError::new("missing `]` after this `[`", opened_at));
        };
        first = false;
        set = set.union(match item {
            Item::Set(members) => members,
            Item::Byte(start) => match range_end(scanner, quoted, case_insensitive)? {
                Some(end) if end < start => {
                    return Err(PatternError::new("range out of order in a character class", scanner.position()));
                }
                Some(end) => ByteSet::range(start..=end),
                None => ByteSet::EMPTY.with(start),
            },
        });
    }
    let set = if case_insensitive { set.fold_case() } else { set };
    Ok(if negated { set.complement() } else { set })
}

/// The next member of a class, past any `\Q` and `\E`; `None` at the end of the pattern.
fn next_item(scanner: &mut Scanner<'_>, quoted: &mut bool, case_insensitive: bool) -> Result<Option<Item>, PatternError> {
    loop {
        let at = scanner.position();
        if *quoted {
            if scanner.take(b"\\E") {
                *quoted = false;
                continue;
            }
            return Ok(scanner.next().map(Item::Byte));
        }
        return Ok(Some(match scanner.next() {
            None => return Ok(None),
            Some(b'[') => match posix_name(scanner, at)? {
                Some((name, negated)) => {
                    let Some(members) = posix(name) else {
                        return Err(PatternError::new("unknown POSIX class name", at));
                    };
                    let members = if case_insensitive && matches!(name, b"lower" | b"upper") { members.fold_case() } else { members };
                    Item::Set(if negated { members.complement() } else { members })
                }
                None => Item::Byte(b'['),
            },
            Some(b'\\') => match scanner.class_escape(at)? {
                Escape::Byte(byte) => Item::Byte(byte),
                Escape::Set(members) => Item::Set(members),
                Escape::QuoteStart => {
                    *quoted = true;
                    continue;
                }
                Escape::QuoteEnd => continue,
                _ => return Err(PatternError::new("escape sequence is invalid in a character class", at)),
            },
            Some(byte) => Item::Byte(byte),
        }));
    }
}

/// The upper end of a range, when the `-` that comes next is one.
///
/// A hyphen beside a set (`[\w-.]`) stands for itself, as in PCRE1 and Perl; PCRE2 refuses it.
fn range_end(scanner: &mut Scanner<'_>, quoted: bool, case_insensitive: bool) -> Result<Option<u8>, PatternError> {
    let before = scanner.position();
    if quoted || !scanner.take(b"-") {
        return Ok(None);
    }
    if scanner.peek() != Some(b']') {
        let mut inner_quote = false;
        if let Some(Item::Byte(end)) = next_item(scanner, &mut inner_quote, case_insensitive)? {
            if inner_quote {
                scanner.take(b"\\E");
            }
            return Ok(Some(end));
        }
    }
    scanner.rewind(before);
    Ok(None)
}

/// The name in `[:name:]`, and whether it is negated; the `[` has been taken.
fn posix_name<'p>(scanner: &mut Scanner<'p>, at: usize) -> Result<Option<(&'p [u8], bool)>, PatternError> {
    for (mark, close) in [(b".", b".]"), (b"=", b"=]")] {
        let rest = scanner.rest();
        let inside = rest.iter().take_while(|&&byte| byte != b']' && byte != b'\\').count();
        let closed = rest.get(inside.saturating_sub(1)..).is_some_and(|tail| tail.starts_with(close));
        if inside > 1 && rest.starts_with(mark) && closed {
            return Err(PatternError::new("POSIX collating elements are not supported", at));
        }
    }
    let Some(rest) = scanner.rest().strip_prefix(b":") else { return Ok(None) };
    let (negated, name) = rest.strip_prefix(b"^").map_or((false, rest), |name| (true, name));
    let length = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let Some((name, after)) = name.split_at_checked(length) else { return Ok(None) };
    if !after.starts_with(b":]") {
        return Ok(None);
    }
    scanner.skip(1 + usize::from(negated) + length + 2);
    Ok(Some((name, negated)))
}
