//! Reads the structure of a pattern off the text that [`dialect`](super::dialect) spells it out in: literal bytes, classes as ranges of bytes,
//! groups, alternatives, quantifiers and a few assertions. Nothing else comes here, so that it is read many times as fast as any pattern.

use super::error::PatternError;
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};

/// How deep groups may nest, as in PCRE.
const MAXIMUM_NESTING: usize = 250;

/// Assertions as they are spelled.
const ASSERTIONS: [(&[u8], Look); 6] = [
    (b"(?m:^)", Look::StartLF),
    (b"(?m:$)", Look::EndLF),
    (br"\A", Look::Start),
    (br"\z", Look::End),
    (br"\b", Look::WordAscii),
    (br"\B", Look::WordAsciiNegate),
];

/// The structure of a pattern.
///
/// # Errors
/// When groups nest too deep, or the text is none that was spelled out.
pub(super) fn structure(text: &str) -> Result<Hir, PatternError> {
    let mut reader = Reader { rest: text.as_bytes(), groups: 0, open: Vec::new(), group: Group::default() };
    while let Some((byte, rest)) = reader.rest.split_first() {
        reader.step(*byte, rest).ok_or_else(|| PatternError::new("the groups of this pattern nest too deep to be read", 0))?;
    }
    Ok(reader.group.whole())
}

struct Reader<'t> {
    rest: &'t [u8],
    groups: u32,
    open: Vec<Group>,
    group: Group,
}

/// A group that is still open, or the whole.
#[derive(Default)]
struct Group {
    /// Its number, if it captures.
    capture: Option<u32>,
    alternatives: Vec<Hir>,
    parts: Vec<Hir>,
    /// The literal bytes behind the parts.
    literal: Vec<u8>,
}

impl Group {
    fn push(&mut self, part: Hir) {
        self.end_literal();
        self.parts.push(part);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(Hir::literal(std::mem::take(&mut self.literal)));
        }
    }

    /// Takes the item that a quantifier stands behind.
    fn last(&mut self) -> Option<Hir> {
        match self.literal.pop() {
            Some(byte) => {
                self.end_literal();
                Some(Hir::literal([byte]))
            }
            None => self.parts.pop(),
        }
    }

    fn end_alternative(&mut self) {
        self.end_literal();
        let mut parts = std::mem::take(&mut self.parts);
        parts.retain(|part| *part.kind() != HirKind::Empty);
        self.alternatives.push(Hir::concat(parts));
    }

    fn whole(mut self) -> Hir {
        self.end_alternative();
        let whole = Hir::alternation(self.alternatives);
        match self.capture {
            Some(index) => Hir::capture(Capture { index, name: None, sub: Box::new(whole) }),
            None => whole,
        }
    }
}

impl<'t> Reader<'t> {
    /// Reads on from a byte and those behind it.
    fn step(&mut self, byte: u8, rest: &'t [u8]) -> Option<()> {
        if let b'(' | b'\\' = byte
            && let Some((spelled, look)) = ASSERTIONS.iter().find(|(spelled, _)| self.rest.starts_with(spelled))
        {
            self.rest = self.rest.get(spelled.len()..)?;
            self.group.push(Hir::look(*look));
            return Some(());
        }
        match byte {
            b'(' => return self.open(rest),
            b')' => {
                let around = self.open.pop()?;
                let group = std::mem::replace(&mut self.group, around);
                self.group.push(group.whole());
            }
            b'|' => self.group.end_alternative(),
            b'*' => return self.quantify(0, None, rest),
            b'+' => return self.quantify(1, None, rest),
            b'?' => return self.quantify(0, Some(1), rest),
            b'{' => {
                let close = rest.iter().position(|byte| *byte == b'}')?;
                let (counts, rest) = (std::str::from_utf8(rest.get(..close)?).ok()?, rest.get(close + 1..)?);
                let (least, most) = match counts.split_once(',') {
                    None => (counts, Some(counts)),
                    Some((least, "")) => (least, None),
                    Some((least, most)) => (least, Some(most)),
                };
                let most = most.map(str::parse).transpose().ok()?;
                return self.quantify(least.parse().ok()?, most, rest);
            }
            b'[' => return self.class(rest),
            _ => {
                let (byte, rest) = literal(self.rest)?;
                self.group.literal.push(byte);
                self.rest = rest;
                return Some(());
            }
        }
        self.rest = rest;
        Some(())
    }

    fn open(&mut self, rest: &'t [u8]) -> Option<()> {
        let (capture, rest) = match rest.strip_prefix(b"?:") {
            Some(rest) => (None, rest),
            None => {
                self.groups += 1;
                (Some(self.groups), rest)
            }
        };
        self.rest = rest;
        self.open.push(std::mem::replace(&mut self.group, Group { capture, ..Group::default() }));
        (self.open.len() <= MAXIMUM_NESTING).then_some(())
    }

    fn quantify(&mut self, min: u32, max: Option<u32>, rest: &'t [u8]) -> Option<()> {
        let (greedy, rest) = rest.strip_prefix(b"?").map_or((true, rest), |rest| (false, rest));
        let sub = Box::new(self.group.last()?);
        self.group.parts.push(Hir::repetition(Repetition { min, max, greedy, sub }));
        self.rest = rest;
        Some(())
    }

    fn class(&mut self, mut rest: &'t [u8]) -> Option<()> {
        let mut ranges = Vec::new();
        // The class without members is spelled as the complement of all bytes.
        let is_empty = rest.starts_with(b"^");
        rest = rest.strip_prefix(b"^").unwrap_or(rest);
        while !rest.starts_with(b"]") {
            let (start, behind) = literal(rest)?;
            let (end, behind) = match behind.strip_prefix(b"-") {
                Some(behind) => literal(behind)?,
                None => (start, behind),
            };
            ranges.push(ClassBytesRange::new(start, end));
            rest = behind;
        }
        if is_empty {
            ranges.clear();
        }
        self.group.push(Hir::class(Class::Bytes(ClassBytes::new(ranges))));
        self.rest = rest.get(1..)?;
        Some(())
    }
}

/// A byte that stands for itself, or is spelled `\xHH`, and what is behind it.
fn literal(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', b'x', high, low, rest @ ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some((digit(high)? << 4 | digit(low)?, rest))
        }
        [byte, rest @ ..] if byte.is_ascii_alphanumeric() => Some((*byte, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::translate;
    use super::*;
    use proptest::prelude::*;

    fn as_the_engine_reads(text: &str) -> Option<Hir> {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(2000).build().parse(text).ok()
    }

    #[test]
    fn every_spelling_has_the_structure_that_the_engine_reads() {
        let patterns = [
            r"",
            r"a",
            r"ab*c+?",
            r"(a|bc|)d",
            r"(?:)|x",
            r"(?i)select.*from",
            r"[^a]{2,3}?\d{4}[]-a]{5,}",
            r"^a$\b\B\A\z",
            r"((a)|(b))+",
            r"[^\s\S]x",
            r"(?:a|b|c)",
            r"(?:abc|abd)",
            r"a{0}(?:b{0})",
            r"(a{0})",
            r"(?:a|[b-d]|e)?",
            r"\x00\xff[\x80-\xff]",
            r"()",
            r"(?:(?:a))",
        ];
        for pattern in patterns {
            let text = translate(pattern.as_bytes(), false).unwrap().text;
            assert_eq!(structure(&text).ok(), as_the_engine_reads(&text), "{pattern} spelled {text}");
        }
    }

    #[test]
    fn groups_nest_as_deep_as_in_pcre() {
        let nested = |depth: usize| structure(&["(?:".repeat(depth), "a".to_owned(), ")".repeat(depth)].concat());
        assert!(nested(MAXIMUM_NESTING).is_ok());
        assert!(nested(MAXIMUM_NESTING + 1).is_err());
    }

    proptest! {
        #[test]
        fn patterns_have_the_structure_that_the_engine_reads(
            pieces in proptest::collection::vec(proptest::sample::select(
                &["a", "B", "-", "\\x41", "[a-c]", "[^a]", ".", "(", "(?:", ")", "|", "*", "+?", "?", "{2}", "{1,}", "{0,3}", "^", "$", "\\b", "(?i)", "\\d"][..],
            ), 0..24),
        ) {
            if let Ok(translation) = translate(pieces.concat().as_bytes(), false)
                && !translation.backtracking
            {
                prop_assert_eq!(structure(&translation.text).ok(), as_the_engine_reads(&translation.text), "{}", translation.text);
            }
        }
    }
}
