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

/// A whole pattern.
pub fn pattern(draw: &mut Draw<'_>) -> String {
    let flags = draw.pick(FLAGS);
    let start = if draw.one_in(5) { "^" } else { "" };
    let middle = alternatives(draw, 3);
    let end = if draw.one_in(5) { "$" } else { "" };
    format!("{flags}{start}{middle}{end}")
}

fn alternatives(draw: &mut Draw<'_>, depth: usize) -> String {
    let number = if draw.one_in(3) { draw.between(2, 4) } else { 1 };
    let list: Vec<_> = (0..number).map(|_| sequence(draw, depth)).collect();
    list.join("|")
}

fn sequence(draw: &mut Draw<'_>, depth: usize) -> String {
    let first = part(draw, depth);
    first + &draw.texts(3, |draw| part(draw, depth))
}

fn part(draw: &mut Draw<'_>, depth: usize) -> String {
    match draw.below(8) {
        0..4 => literal(draw.pick(SOUGHT)),
        4 | 5 => format!("{}{}", draw.pick(ATOMS), if draw.one_in(3) { draw.pick(REPEATS) } else { "" }),
        6 if depth > 0 => {
            let open = draw.pick(&["(?:", "(", "(?i:", "(?=", "(?!", "(?<!"]);
            format!("{open}{}){}", alternatives(draw, depth - 1), draw.pick(REPEATS))
        }
        _ => format!("(?:{}){}", literal(draw.pick(SOUGHT)), draw.pick(REPEATS)),
    }
}

fn literal(word: &str) -> String {
    let escaped = |letter: char| ".[{}()\\*+?^$|/".contains(letter);
    word.chars().flat_map(|letter| escaped(letter).then_some('\\').into_iter().chain([letter])).collect()
}
