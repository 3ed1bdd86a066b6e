//! The value of `setvar`: `tx.score=+5`, `!tx.flag`, `ip.counter`.

/// What a `setvar` says, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The collection's name.
    pub collection: &'a str,
    /// The key, which may hold macros.
    pub key: &'a str,
    /// What happens to it.
    pub kind: AssignmentKind<'a>,
}

/// What happens to the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentKind<'a> {
    /// It gets this text; without a value the text is `1`.
    Set(&'a str),
    /// This number is added.
    Add(&'a str),
    /// This number is taken away.
    Subtract(&'a str),
    /// It is removed.
    Remove,
}

/// Takes the value of a `setvar` apart; `None` where it has no collection or no key.
pub fn assignment(text: &str) -> Option<Assignment<'_>> {
    let (name, kind) = match text.strip_prefix('!') {
        Some(name) => (name, AssignmentKind::Remove),
        None => match equals_outside_macros(text) {
            Some((name, value)) => (name, set(value)),
            None => (text, AssignmentKind::Set("1")),
        },
    };
    let (collection, key) = name.split_once(['.', ':'])?;
    let (collection, key) = (collection.trim(), key.trim());
    (!collection.is_empty() && !key.is_empty()).then_some(Assignment { collection, key, kind })
}

fn set(value: &str) -> AssignmentKind<'_> {
    match (value.strip_prefix('+'), value.strip_prefix('-')) {
        (Some(number), _) => AssignmentKind::Add(number),
        (_, Some(number)) => AssignmentKind::Subtract(number),
        _ => AssignmentKind::Set(value),
    }
}

/// Splits at the first `=` that is not part of a macro's name.
fn equals_outside_macros(text: &str) -> Option<(&str, &str)> {
    let mut inside = false;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if last == '%' => inside = true,
            '}' => inside = false,
            '=' if !inside => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
        last = c;
    }
    None
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
