//! Regular expressions.

use crate::draw::Draw;
use crate::words::SOUGHT;

const ATOMS: &[&str] = &[
    "[a-c]",
    "[^a]",
    "\\s",
    "\\d",
    "\\w",
    ".",
    "\\b",
    "\\S",
    "\\W",
    "[sk]",
    "[[:alpha:]]",
    "\\x61",
    "[^\\x00-\\x7f]",
    "\\.",
    "(?i:ab)",
    "(?-i:B)",
    "(?:)",
    "[\\s;]",
    "\\n",
    "\\xff",
    "(?:^|;)",
    "(?:$|;)",
];

const REPEATS: &[&str] = &["", "*", "+", "?", "{2}", "{1,3}", "*?", "+?", "{0,2}"];

const FLAGS: &[&str] = &["", "(?i)", "(?s)", "(?im)", "(?m)", "(?x)"];

/// What groups begin with, and how often they are repeated.
struct Groups {
    openings: &'static [&'static str],
    repeats: &'static [&'static str],
}

const ANY: Groups = Groups { openings: &["(?:", "(", "(?i:", "(?=", "(?!", "(?<!"], repeats: REPEATS };

/// Repeated groups take PCRE to its limits, and it looks behind by a known length only.
const SHARED: Groups = Groups { openings: &["(?:", "(", "(?i:", "(?=", "(?!", "(?<!a)(?:"], repeats: &["", "", "?"] };

/// A whole pattern.
pub fn pattern(draw: &mut Draw<'_>) -> String {
    whole(draw, &ANY)
}

/// A pattern that PCRE compiles, too, and follows to its end.
pub fn shared_pattern(draw: &mut Draw<'_>) -> String {
    whole(draw, &SHARED)
}

fn whole(draw: &mut Draw<'_>, groups: &Groups) -> String {
    let flags = draw.pick(FLAGS);
    let start = if draw.one_in(5) { "^" } else { "" };
    let middle = alternatives(draw, 3, groups);
    let end = if draw.one_in(5) { "$" } else { "" };
    format!("{flags}{start}{middle}{end}")
}

fn alternatives(draw: &mut Draw<'_>, depth: usize, groups: &Groups) -> String {
    let number = if draw.one_in(3) { draw.between(2, 4) } else { 1 };
    let list: Vec<_> = (0..number).map(|_| sequence(draw, depth, groups)).collect();
    list.join("|")
}

fn sequence(draw: &mut Draw<'_>, depth: usize, groups: &Groups) -> String {
    let first = part(draw, depth, groups);
    first + &draw.texts(3, |draw| part(draw, depth, groups))
}

fn part(draw: &mut Draw<'_>, depth: usize, groups: &Groups) -> String {
    match draw.below(8) {
        0..4 => literal(draw.pick(SOUGHT)),
        4 | 5 => {
            let atom = draw.pick(ATOMS);
            let repeats = draw.one_in(3) && atom != "\\b";
            format!("{atom}{}", if repeats { draw.pick(REPEATS) } else { "" })
        }
        6 if depth > 0 => {
            let open = draw.pick(groups.openings);
            format!("{open}{}){}", alternatives(draw, depth - 1, groups), draw.pick(groups.repeats))
        }
        _ => format!("(?:{}){}", literal(draw.pick(SOUGHT)), draw.pick(REPEATS)),
    }
}

fn literal(word: &str) -> String {
    let escaped = |letter: char| ".[{}()\\*+?^$|/".contains(letter);
    word.chars().flat_map(|letter| escaped(letter).then_some('\\').into_iter().chain([letter])).collect()
}
