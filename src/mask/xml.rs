//! Covers values of XML bodies.

use super::needles::Choice;
use super::places::Mask;
use super::views::{REFERENCE, View};
use memchr::{memchr, memmem};
use std::borrow::Cow;
use std::ops::Range;

/// A text or an attribute of an XML document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPiece {
    /// Its range in the document, without quotation marks.
    pub range: Range<usize>,
    /// `true` if it is chosen: an attribute by its own name, both by the name of an element around them.
    pub is_chosen: bool,
    /// `true` if references in it stand for characters.
    has_references: bool,
}

/// Covers the texts and attributes that are chosen by the local name of an element around them, or their own. Returns `false` if the document cannot be
/// read in this way, so that it may hold secrets that were not found.
pub fn cover_xml<'n>(mask: &mut Mask<'_>, choose: impl Fn(&[u8]) -> Choice<'n>) -> bool {
    let Some(pieces) = xml_pieces(mask.text(), choose) else { return false };
    pieces.into_iter().filter(|piece| piece.is_chosen).for_each(|piece| mask.cover(piece.range));
    true
}

/// Returns the texts and attributes of a document in UTF-8, in order; `None` if it is in another encoding, defines entities, or is cut off.
pub fn xml_pieces<'n>(text: &[u8], choose: impl Fn(&[u8]) -> Choice<'n>) -> Option<Vec<XmlPiece>> {
    if std::str::from_utf8(text).is_err() || text.contains(&0) || names_other_encoding(text) {
        return None;
    }
    let is_chosen = |name: &[u8]| !matches!(choose(local(name)), Choice::Clear);
    let mut scan = Scan { text, at: 0, depth: 0, chosen_at: None, pieces: Vec::new() };
    while let Some(start) = text.get(scan.at..).and_then(|rest| memchr(b'<', rest)).map(|at| scan.at.saturating_add(at)) {
        scan.add(scan.at..start, false, true);
        scan.at = start;
        let rest = text.get(start..)?;
        if rest.starts_with(b"<!--") {
            scan.enclosed(b"<!--", b"-->", false)?;
        } else if rest.starts_with(b"<![CDATA[") {
            scan.enclosed(b"<![CDATA[", b"]]>", false)?;
        } else if rest.starts_with(b"<?") {
            scan.enclosed(b"<?", b"?>", false)?;
        } else if rest.starts_with(b"<!") {
            let end = memchr(b'>', rest)?;
            if memmem::find(rest.get(..end)?, b"[").is_some() {
                return None;
            }
            scan.at = start.saturating_add(end).saturating_add(1);
        } else {
            scan.tag(&is_chosen)?;
        }
    }
    scan.add(scan.at..text.len(), false, true);
    (scan.depth == 0).then_some(scan.pieces)
}

impl XmlPiece {
    /// Returns the characters of the piece in the document.
    pub fn decoded<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let raw = text.get(self.range.clone()).unwrap_or_default();
        let view = if self.has_references { View::of(raw, &[REFERENCE]) } else { None };
        view.map_or(Cow::Borrowed(raw), |view| Cow::Owned(view.bytes))
    }
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// The depth of the outermost chosen element that is open.
    chosen_at: Option<usize>,
    pieces: Vec<XmlPiece>,
}

impl Scan<'_> {
    fn add(&mut self, range: Range<usize>, is_chosen: bool, has_references: bool) {
        if !self.text.get(range.clone()).unwrap_or_default().trim_ascii().is_empty() {
            self.pieces.push(XmlPiece { range, is_chosen: is_chosen || self.chosen_at.is_some(), has_references });
        }
    }

    /// Reads a comment, CDATA or an instruction.
    fn enclosed(&mut self, open: &[u8], close: &[u8], is_chosen: bool) -> Option<()> {
        let start = self.at.saturating_add(open.len());
        let end = start.saturating_add(memmem::find(self.text.get(start..)?, close)?);
        self.add(start..end, is_chosen, false);
        self.at = end.saturating_add(close.len());
        Some(())
    }

    /// Reads the tag of an element.
    fn tag(&mut self, is_chosen: &impl Fn(&[u8]) -> bool) -> Option<()> {
        let closes = self.text.get(self.at.saturating_add(1)) == Some(&b'/');
        let mut at = self.at.saturating_add(1).saturating_add(usize::from(closes));
        let name = self.name(&mut at);
        if closes {
            self.depth = self.depth.checked_sub(1)?;
            if self.chosen_at == Some(self.depth) {
                self.chosen_at = None;
            }
            self.at = at.saturating_add(memchr(b'>', self.text.get(at..)?)?).saturating_add(1);
            return Some(());
        }
        if self.chosen_at.is_none() && is_chosen(self.text.get(name)?) {
            self.chosen_at = Some(self.depth);
        }
        self.depth = self.depth.saturating_add(1);
        loop {
            while self.text.get(at).is_some_and(u8::is_ascii_whitespace) {
                at = at.saturating_add(1);
            }
            match self.text.get(at)? {
                b'>' => break,
                b'/' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.chosen_at == Some(self.depth) {
                        self.chosen_at = None;
                    }
                    at = at.saturating_add(1);
                    (self.text.get(at) == Some(&b'>')).then_some(())?;
                    break;
                }
                _ => at = self.attribute(at, is_chosen)?,
            }
        }
        self.at = at.saturating_add(1);
        Some(())
    }

    /// Reads an attribute. Returns the offset after it.
    fn attribute(&mut self, mut at: usize, is_chosen: &impl Fn(&[u8]) -> bool) -> Option<usize> {
        let name = self.name(&mut at);
        let rest = self.text.get(at..)?;
        let after_equals = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let quote = *after_equals.first().filter(|sign| matches!(sign, b'"' | b'\''))?;
        let inside = after_equals.get(1..)?;
        let start = self.text.len().saturating_sub(inside.len());
        let end = start.saturating_add(memchr(quote, inside)?);
        let is_chosen = is_chosen(self.text.get(name)?);
        self.add(start..end, is_chosen, true);
        Some(end.saturating_add(1))
    }

    fn name(&self, at: &mut usize) -> Range<usize> {
        let start = *at;
        while self.text.get(*at).is_some_and(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'>' | b'/' | b'=' | b'<')) {
            *at = at.saturating_add(1);
        }
        start..*at
    }
}

fn local(name: &[u8]) -> &[u8] {
    memchr::memrchr(b':', name).and_then(|at| name.get(at.saturating_add(1)..)).unwrap_or(name)
}

/// Returns `true` for an XML declaration of another encoding than UTF-8.
fn names_other_encoding(text: &[u8]) -> bool {
    let declaration = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let Some(end) = declaration.strip_prefix(b"<?xml").and_then(|rest| memmem::find(rest, b"?>")) else { return false };
    let declaration = declaration.get(..end.saturating_add(5)).unwrap_or_default().to_ascii_lowercase();
    memmem::find(&declaration, b"encoding").is_some() && memmem::find(&declaration, b"utf-8").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(text: &str) -> Option<String> {
        let mut mask = Mask::new(text.as_bytes());
        let choose = |name: &[u8]| if name == b"p" { Choice::Whole } else { Choice::Clear };
        cover_xml(&mut mask, choose).then(|| String::from_utf8(mask.finish().into_owned()).unwrap())
    }

    #[test]
    fn elements_and_attributes_are_covered_by_name() {
        let text = "<a p='1&gt;2' q=\"3\"><n:p>s<![CDATA[x>]]><b c='d'/>&amp;</n:p><p/>y<p>z</p></a>";
        let expected = "<a p='******' q=\"3\"><n:p>*<![CDATA[**]]><b c='*'/>*****</n:p><p/>y<p>*</p></a>";
        assert_eq!(covered(text).as_deref(), Some(expected));
    }

    #[test]
    fn documents_that_cannot_be_read_are_refused() {
        for text in
            ["<a><p>x", "<!DOCTYPE a [<!ENTITY e 'x'>]><a><p>&e;</p></a>", "<?xml version='1.0' encoding='utf-16'?><a/>", "<a b></a>"]
        {
            assert_eq!(covered(text), None, "{text}");
        }
    }
}
