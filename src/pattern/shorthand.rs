//! The sets of PCRE's class escapes and POSIX names: in the C locale, or in Unicode with `(*UCP)`.

use super::byte_set::ByteSet;
use super::code_set::{CodeSet, Mode};
use super::property::known;
use std::ops::RangeInclusive;

/// Blanks and line endings beyond Latin-1.
const HORIZONTAL: &str = r"[\x{9}\x{20}\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]";
const VERTICAL: &str = r"[\x{A}-\x{D}\x{85}\x{2028}\x{2029}]";

/// Returns the set of a one-letter class escape (`\d`, `\W`, `\h` …).
pub(super) fn shorthand(mode: Mode, letter: u8) -> Option<CodeSet> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => posix(mode, b"digit")?,
        b'w' => posix(mode, b"word")?,
        b's' => posix(mode, b"space")?,
        b'h' if mode.utf => known(mode, HORIZONTAL),
        b'v' if mode.utf => known(mode, VERTICAL),
        b'h' => CodeSet::Bytes(ByteSet::of(b"\t \xa0")),
        b'v' => CodeSet::Bytes(ByteSet::range(b'\n'..=b'\r').with(0x85)),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.complement() } else { set })
}

/// Returns the set of a POSIX class name, as in `[[:alpha:]]`.
pub(super) fn posix(mode: Mode, name: &[u8]) -> Option<CodeSet> {
    if mode.ucp
        && let Some(class) = unicode_posix(name)
    {
        return Some(known(mode, class));
    }
    let ranges: &[RangeInclusive<u8>] = match name {
        b"alnum" => &[b'0'..=b'9', b'A'..=b'Z', b'a'..=b'z'],
        b"alpha" => &[b'A'..=b'Z', b'a'..=b'z'],
        b"ascii" => &[0..=0x7F],
        b"blank" => &[b'\t'..=b'\t', b' '..=b' '],
        b"cntrl" => &[0..=0x1F, 0x7F..=0x7F],
        b"digit" => &[b'0'..=b'9'],
        b"graph" => &[b'!'..=b'~'],
        b"lower" => &[b'a'..=b'z'],
        b"print" => &[b' '..=b'~'],
        b"punct" => &[b'!'..=b'/', b':'..=b'@', b'['..=b'`', b'{'..=b'~'],
        b"space" => &[b'\t'..=b'\r', b' '..=b' '],
        b"upper" => &[b'A'..=b'Z'],
        b"word" => &[b'0'..=b'9', b'A'..=b'Z', b'_'..=b'_', b'a'..=b'z'],
        b"xdigit" => &[b'0'..=b'9', b'A'..=b'F', b'a'..=b'f'],
        _ => return None,
    };
    Some(CodeSet::of(mode, ranges.iter().cloned().map(ByteSet::range).fold(ByteSet::EMPTY, ByteSet::union)))
}

/// Returns the Unicode property that `(*UCP)` uses for a POSIX name; other names stay ASCII.
fn unicode_posix(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"alnum" => r"[\p{L}\p{N}]",
        b"alpha" => r"\p{L}",
        b"blank" => HORIZONTAL,
        b"cntrl" => r"\p{Cc}",
        b"digit" => r"\p{Nd}",
        b"graph" => r"[\p{L}\p{M}\p{N}\p{P}\p{S}[\p{Cf}--[\x{61C}\x{180E}\x{2066}-\x{2069}]]]",
        b"lower" => r"\p{Ll}",
        b"print" => r"[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}[\p{Cf}--[\x{61C}\x{2066}-\x{2069}]]]",
        b"punct" => r"[\p{P}[\p{S}&&\p{ASCII}]]",
        b"space" => r"[\p{Z}\x{9}-\x{D}\x{85}]",
        b"upper" => r"\p{Lu}",
        b"word" => r"[\p{L}\p{N}_]",
        _ => return None,
    })
}
