//! The value of `setvar`: `tx.score=+5`, `!tx.flag`, `ip.counter`.

use nom::branch::alt;
use nom::bytes::complete::{is_not, take_till};
use nom::character::complete::{char, one_of};
use nom::combinator::{opt, recognize, rest};
use nom::multi::many0_count;
use nom::sequence::{preceded, separated_pair};
use nom::{IResult, Parser};

/// The value of a `setvar`, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The collection's name.
    pub collection: &'a str,
    /// The key, which may contain macros.
    pub key: &'a str,
    /// The change.
    pub kind: AssignmentKind<'a>,
}

/// The change of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentKind<'a> {
    /// Sets this text; without a value the text is `1`.
    Set(&'a str),
    /// Adds this number.
    Add(&'a str),
    /// Subtracts this number.
    Subtract(&'a str),
    /// Removes the variable.
    Remove,
}

/// Parses the value of a `setvar`; `None` if it has no collection or no key.
pub fn assignment(text: &str) -> Option<Assignment<'_>> {
    let removed = preceded(char('!'), rest).map(|name| (name, AssignmentKind::Remove));
    let set = separated_pair(name, char('='), value);
    let alone = rest.map(|name| (name, AssignmentKind::Set("1")));
    let (_, (name, kind)) = alt((removed, set, alone)).parse(text).ok()?;
    let (_, (collection, key)) = separated_pair(is_not::<_, _, ()>(".:"), one_of(".:"), rest).parse(name).ok()?;
    let (collection, key) = (collection.trim(), key.trim());
    (!collection.is_empty() && !key.is_empty()).then_some(Assignment { collection, key, kind })
}

/// Parses the text before the first `=` that is not part of a macro's name.
fn name(input: &str) -> IResult<&str, &str, ()> {
    let percent = recognize((char('%'), opt((char('{'), take_till(|c| c == '}')))));
    recognize(many0_count(alt((is_not("=%"), percent)))).parse(input)
}

fn value(input: &str) -> IResult<&str, AssignmentKind<'_>, ()> {
    alt((
        preceded(char('+'), rest).map(AssignmentKind::Add),
        preceded(char('-'), rest).map(AssignmentKind::Subtract),
        rest.map(AssignmentKind::Set),
    ))
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_apart() {
        let read = |text| assignment(text).map(|found| (found.collection, found.key, found.kind));
        assert_eq!(read("tx.a"), Some(("tx", "a", AssignmentKind::Set("1"))));
        assert_eq!(read("TX:a=b=c"), Some(("TX", "a", AssignmentKind::Set("b=c"))));
        assert_eq!(read("tx.a=+%{tx.b}"), Some(("tx", "a", AssignmentKind::Add("%{tx.b}"))));
        assert_eq!(read("ip.a=-1"), Some(("ip", "a", AssignmentKind::Subtract("1"))));
        assert_eq!(read("!ip.a"), Some(("ip", "a", AssignmentKind::Remove)));
        assert_eq!(read("tx.a='b c'"), Some(("tx", "a", AssignmentKind::Set("'b c'"))));
        assert_eq!(read("tx.a='+1'"), Some(("tx", "a", AssignmentKind::Set("'+1'"))));
        assert_eq!(read("tx.%{rule.id}-x=1"), Some(("tx", "%{rule.id}-x", AssignmentKind::Set("1"))));
        assert_eq!(read("a"), None);
        assert_eq!(read("tx.=1"), None);
    }
}
