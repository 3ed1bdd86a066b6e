//! Macros in texts: `%{tx.score}`, `%{REQUEST_HEADERS:Host}`.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_until, take_until1};
use nom::character::complete::one_of;
use nom::combinator::{opt, peek, rest, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

const OPENING: &str = "%{";
const CLOSING: &str = "}";

/// Separators of a variable and its key.
const SEPARATORS: [char; 2] = ['.', ':'];

/// Result of a parser of macros: it fails without a message, because a text that is not a macro is literal.
type Read<'a, T> = IResult<&'a str, T, ()>;

/// A part of a text with macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroPart<'a> {
    /// Literal text.
    Text(&'a str),
    /// `%{variable}` or `%{variable.key}`.
    Variable {
        /// The name before the dot or colon.
        name: &'a str,
        /// The key after it.
        key: Option<&'a str>,
    },
}

/// Splits a text at its macros. A `%{` that is never closed is literal text; [`unclosed_macro`] finds it.
pub fn macro_parts(text: &str) -> impl Iterator<Item = MacroPart<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (behind, part) = part(rest).ok()?;
        rest = behind;
        Some(part)
    })
}

/// Returns the first macro that is never closed, up to the end of the text.
pub fn unclosed_macro(text: &str) -> Option<&str> {
    let closed = many0_count((take_until(OPENING), macro_));
    preceded((closed, take_until(OPENING)), rest).parse(text).ok().map(|(_, unclosed)| unclosed)
}

/// Parses a macro, or the text before the next one.
fn part(input: &str) -> Read<'_, MacroPart<'_>> {
    let text = alt((terminated(take_until1(OPENING), peek(macro_)), verify(rest, |text: &str| !text.is_empty())));
    alt((macro_, text.map(MacroPart::Text))).parse(input)
}

fn macro_(input: &str) -> Read<'_, MacroPart<'_>> {
    let inside = delimited(tag(OPENING), take_until(CLOSING), tag(CLOSING));
    let variable = (take_till(|c| SEPARATORS.contains(&c)), opt(preceded(one_of(SEPARATORS.as_slice()), rest)));
    inside.and_then(variable).map(|(name, key)| MacroPart::Variable { name, key }).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_macros() {
        let parts: Vec<_> = macro_parts("a%{tx.1}%{REQUEST_URI}b").collect();
        let key = |name, key| MacroPart::Variable { name, key };
        assert_eq!(parts, [MacroPart::Text("a"), key("tx", Some("1")), key("REQUEST_URI", None), MacroPart::Text("b")]);
    }

    #[test]
    fn what_is_no_macro_stands_for_itself() {
        assert_eq!(macro_parts("100% %{open").collect::<Vec<_>>(), [MacroPart::Text("100% %{open")]);
        assert_eq!(macro_parts("").count(), 0);
    }

    #[test]
    fn a_macro_that_is_never_closed_is_found_behind_others() {
        assert_eq!(unclosed_macro("a%{tx.1} %{tx.b c"), Some("%{tx.b c"));
        assert_eq!(unclosed_macro("100% a%{tx.1} {"), None);
    }
}
