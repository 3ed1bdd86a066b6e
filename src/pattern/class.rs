//! Reads `[…]` classes.

use super::byte_set::ByteSet;
use super::code_set::CodeSet;
use super::error::PatternError;
use super::escape::{Escape, Scanner};
use super::shorthand::posix;

/// An item of a class: a code, which may start or end a range, or a whole set, which may not.
enum Item {
    Code(u32),
    Set(CodeSet),
}

/// Options for reading a class.
#[derive(Clone, Copy)]
pub(super) struct ClassFlags {
    pub case_insensitive: bool,
    /// `(?xx)`: blanks and tabs are ignored.
    pub skips_blanks: bool,
}

/// Reads a class after its `[`, up to and including its `]`.
///
/// A hyphen next to a set (`[\w-.]`) is a literal, as in PCRE1 and Perl; PCRE2 refuses it.
pub(super) fn bracketed(scanner: &mut Scanner<'_>, flags: ClassFlags) -> Result<CodeSet, PatternError> {
    let opened_at = scanner.position().saturating_sub(1);
    let mode = scanner.mode;
    let mut quoted = false;
    let mut negated = false;
    let mut first = true;
    let mut set = CodeSet::empty(mode);
    // The last code, which may begin a range, and the code that began the current range.
    let (mut last, mut from) = (None, None);
    loop {
        if skip_quotes(scanner, &mut quoted, flags) {
            continue;
        }
        if first && !quoted && !negated && scanner.take(b"^") {
            negated = true;
            continue;
        }
        if !first && !quoted && scanner.take(b"]") {
            break;
        }
        if !quoted && last.is_some() && scanner.take(b"-") {
            from = last.take();
            continue;
        }
        first = false;
        let Some(item) = item(scanner, quoted, flags)? else {
            return Err(PatternError::new("missing `]` after this `[`", opened_at));
        };
        set = set.union(match (item, from.take()) {
            (Item::Code(end), Some(start)) if end < start => {
                return Err(PatternError::new("range out of order in a character class", scanner.position()));
            }
            (Item::Code(end), Some(start)) => CodeSet::range(mode, start, end),
            (Item::Code(code), None) => {
                last = Some(code);
                CodeSet::one(mode, code)
            }
            (Item::Set(members), start) => {
                last = None;
                let hyphen = start.map_or(ByteSet::EMPTY, |_| ByteSet::of(b"-"));
                members.union(CodeSet::of(mode, hyphen))
            }
        });
    }
    if from.is_some() {
        set = set.union(CodeSet::of(mode, ByteSet::of(b"-")));
    }
    let set = if flags.case_insensitive { set.fold_case(mode) } else { set };
    Ok(if negated { set.complement() } else { set })
}

/// Skips `\Q`, `\E` and ignored blanks. Returns `true` if there was one.
fn skip_quotes(scanner: &mut Scanner<'_>, quoted: &mut bool, flags: ClassFlags) -> bool {
    if scanner.take(b"\\E") {
        *quoted = false;
        return true;
    }
    if *quoted {
        return false;
    }
    *quoted = scanner.take(b"\\Q");
    *quoted || (flags.skips_blanks && (scanner.take(b" ") || scanner.take(b"\t")))
}

/// Returns the next item of a class; `None` at the end of the pattern.
fn item(scanner: &mut Scanner<'_>, quoted: bool, flags: ClassFlags) -> Result<Option<Item>, PatternError> {
    let at = scanner.position();
    match scanner.peek() {
        None => Ok(None),
        Some(b'[') if !quoted => {
            scanner.skip(1);
            let Some((name, negated)) = posix_name(scanner, at)? else { return Ok(Some(Item::Code(u32::from(b'[')))) };
            let Some(members) = posix(scanner.mode, name) else {
                return Err(PatternError::new("unknown POSIX class name", at));
            };
            let folds = flags.case_insensitive && matches!(name, b"lower" | b"upper");
            let members = if folds { members.fold_case(scanner.mode) } else { members };
            Ok(Some(Item::Set(if negated { members.complement() } else { members })))
        }
        Some(b'\\') if !quoted => {
            scanner.skip(1);
            match scanner.class_escape(at)? {
                Escape::Code(code) => Ok(Some(Item::Code(code))),
                Escape::Set(members) => Ok(Some(Item::Set(members))),
                _ => Err(PatternError::new("escape sequence is invalid in a character class", at)),
            }
        }
        Some(_) => scanner.next_code(at).map(|code| Some(Item::Code(code))),
    }
}

/// Returns the name in `[:name:]`, and `true` if it is negated; the `[` has been taken.
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
