//! Macros in texts: `%{tx.score}`, `%{REQUEST_HEADERS:Host}`.

/// A part of a text with macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroPart<'a> {
    /// Text that stands for itself.
    Text(&'a str),
    /// `%{variable}` or `%{variable.key}`.
    Variable {
        /// The name in front of the dot or colon.
        name: &'a str,
        /// What stands behind it.
        key: Option<&'a str>,
    },
}

/// Splits a text at its macros. A `%{` that is never closed stands for itself; [`unclosed_macro`] finds it.
pub fn macro_parts(text: &str) -> impl Iterator<Item = MacroPart<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match opened(rest) {
            Some((0, inside, behind)) => {
                rest = behind;
                Some(variable(inside))
            }
            Some((start, ..)) => {
                let (text, behind) = rest.split_at(start);
                rest = behind;
                Some(MacroPart::Text(text))
            }
            None => Some(MacroPart::Text(std::mem::take(&mut rest))),
        }
    })
}

/// The first macro that is never closed, up to the end of the text.
pub fn unclosed_macro(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, _, behind)) = opened(rest) {
        rest = behind;
    }
    rest.find("%{").and_then(|start| rest.get(start..))
}

/// The next macro: where it starts, what is inside, what follows.
fn opened(text: &str) -> Option<(usize, &str, &str)> {
    let start = text.find("%{")?;
    let (inside, behind) = text.get(start + 2..)?.split_once('}')?;
    Some((start, inside, behind))
}

fn variable(inside: &str) -> MacroPart<'_> {
    match inside.split_once(['.', ':']) {
        Some((name, key)) => MacroPart::Variable { name, key: Some(key) },
        None => MacroPart::Variable { name: inside, key: None },
    }
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
