//! Checks XML text before a tree is made of it, except for well-formedness.

use memchr::{memchr, memmem};
use std::borrow::Cow;

use super::error::XmlError;
use super::limits::XmlLimits;

/// Refuses control characters, and text on which the tree's parser would spend too much time or memory.
pub(super) fn check(text: &str, limits: &XmlLimits) -> Result<(), XmlError> {
    // The parser accepts some of these inside attributes; XML 1.0 and libxml2 do not.
    if text.bytes().any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Err(XmlError::Malformed { reason: "control character".to_owned() });
    }
    let mut nodes = 0usize;
    let mut depth = 0u32;
    for markup in Markup::in_text(text) {
        nodes = nodes.saturating_add(1);
        if nodes > limits.nodes {
            return Err(XmlError::TooManyNodes);
        }
        if markup.attributes > limits.attributes_per_element {
            return Err(XmlError::TooManyAttributes);
        }
        depth = match markup.kind(text) {
            Kind::Opens => depth.saturating_add(1),
            Kind::Closes => depth.saturating_sub(1),
            Kind::Other => depth,
        };
        if depth > limits.depth {
            return Err(XmlError::TooDeep);
        }
    }
    Ok(())
}

/// Returns the text with a line feed for each line break (XML 1.0, 2.11).
pub(super) fn with_line_feeds(text: Cow<'_, str>) -> Cow<'_, str> {
    match memchr(b'\r', text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        None => text,
    }
}

/// Returns the text with a space for each tab and line feed inside an attribute (XML 1.0, 3.3.3); `None` if there is none.
pub(super) fn with_blanks_in_attributes(text: &str) -> Option<String> {
    let mut blank = String::new();
    let mut copied = 0;
    for markup in Markup::in_text(text).filter(|markup| markup.attributes > 0) {
        let tag = text.get(markup.start..markup.end)?;
        if tag.starts_with("<!") || !tag.contains(['\t', '\n']) {
            continue;
        }
        blank.push_str(text.get(copied..markup.start)?);
        let mut quote = None;
        for letter in tag.chars() {
            match (quote, letter) {
                (Some(open), letter) if open == letter => quote = None,
                (None, '"' | '\'') => quote = Some(letter),
                _ => {}
            }
            blank.push(if quote.is_some() && matches!(letter, '\t' | '\n') { ' ' } else { letter });
        }
        copied = markup.end;
    }
    if copied == 0 {
        return None;
    }
    blank.push_str(text.get(copied..)?);
    Some(blank)
}

/// A piece of markup, from its `<` to its `>` inclusive, or to the next `<`.
struct Markup {
    start: usize,
    end: usize,
    /// Equals signs outside of quotes.
    attributes: usize,
}

/// The effect of a piece of markup on the nesting of elements.
enum Kind {
    Opens,
    Closes,
    Other,
}

impl Markup {
    fn kind(&self, text: &str) -> Kind {
        let markup = text.as_bytes().get(self.start..self.end).unwrap_or_default();
        match markup {
            [b'<', b'/', ..] => Kind::Closes,
            [b'<', b'!' | b'?', ..] | [.., b'/', b'>'] => Kind::Other,
            _ => Kind::Opens,
        }
    }

    fn in_text(text: &str) -> impl Iterator<Item = Markup> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = memchr(b'<', text.as_bytes().get(at..)?)?.checked_add(at)?;
            let markup = Markup::at(text.as_bytes(), start);
            at = markup.end;
            Some(markup)
        })
    }

    fn at(text: &[u8], start: usize) -> Markup {
        let rest = text.get(start..).unwrap_or_default();
        let closed = [(&b"<!--"[..], &b"-->"[..]), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")];
        for (open, close) in closed {
            if let Some(inside) = rest.strip_prefix(open) {
                let length = memmem::find(inside, close).map_or(rest.len(), |at| open.len().saturating_add(at).saturating_add(close.len()));
                return Markup { start, end: start.saturating_add(length), attributes: 0 };
            }
        }
        let mut quote = None;
        let mut attributes = 0usize;
        for (at, byte) in rest.iter().enumerate().skip(1) {
            match (quote, byte) {
                (Some(open), byte) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => attributes = attributes.saturating_add(1),
                (None, b'>') => return Markup { start, end: start.saturating_add(at).saturating_add(1), attributes },
                (None, b'<') => return Markup { start, end: start.saturating_add(at), attributes },
                (None, _) => {}
            }
        }
        Markup { start, end: text.len(), attributes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_counted_per_element() {
        let limits = XmlLimits { attributes_per_element: 2, ..XmlLimits::default() };
        assert_eq!(check("<a b='=' c=\"===\"><d e='1' f='2'/></a>", &limits), Ok(()));
        assert_eq!(check("<!-- a=b=c=d --><a b='1' c='2' d='3'/>", &limits), Err(XmlError::TooManyAttributes));
    }

    #[test]
    fn markup_is_counted() {
        let limits = XmlLimits { nodes: 3, ..XmlLimits::default() };
        assert_eq!(check("<a><![CDATA[<<<<]]></a>", &limits), Ok(()));
        assert_eq!(check("<a><b/><c/></a>", &limits), Err(XmlError::TooManyNodes));
    }
}
