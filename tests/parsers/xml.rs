//! XML, most of it with a DOCTYPE, much of it well-formed.

use crate::draw::Draw;
use crate::engine::{Body, Seen};
use crate::peer::Value;

const ENTITIES: &[&str] = &["e", "f", "g", "h", "i"];
const ELEMENTS: &[&str] = &["r", "q", "p:s"];
const ATTRIBUTES: &[&str] = &["a", "b", "c", "xml:lang", "p:a", "xmlns", "xmlns:p"];

/// Texts that mutations insert.
const WORDS: &[&[u8]] = &[
    b"<",
    b">",
    b"&",
    b";",
    b"\"",
    b"'",
    b"/",
    b"=",
    b"%",
    b"!",
    b"[",
    b"]",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"--",
    b"<?",
    b"?>",
    b"&#38;",
    b"&#60;",
    b"&#x41;",
    b"&e;",
    b"%p;",
    b"<!ENTITY e 'x'>",
    b"<!ENTITY % p 'x'>",
    b"<!ATTLIST r a CDATA 'x'>",
    b"<!DOCTYPE r [",
    b"]>",
    b" SYSTEM 'u'",
    b"<q>",
    b"</q>",
    b"<q a='&e;'/>",
    b"\r",
    b"\r\n",
    b"\t",
    b"\n",
    b"\0",
    b"\x01",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xef\xbf\xbe",
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xff",
    b"<?xml version='1.0'?>",
    b"<?xml version='1.1'?>",
    b" encoding='iso-8859-1'",
    b" encoding='utf-16'",
    b"xmlns:p='u'",
    b"&#0;",
    b"&#xD800;",
    b"&#13;",
];

pub fn draw(draw: &mut Draw) -> Body {
    let mut bytes = Document { draw, declared: Vec::new() }.text().into_bytes();
    if draw.percent(30) {
        draw.mutate(&mut bytes, WORDS);
    }
    if draw.percent(3) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        bytes = if draw.percent(50) { units.flat_map(u16::to_be_bytes).collect() } else { units.flat_map(u16::to_le_bytes).collect() };
    } else if draw.percent(3) {
        bytes.splice(0..0, *b"\xef\xbb\xbf");
    }
    Body { content_type: String::from("text/xml"), bytes }
}

/// Returns the values that an application reads and rules do not.
pub fn disagreement(_: &str, seen: &Seen, values: &[Value]) -> Option<&'static str> {
    let (text, attributes) = values.split_first().unwrap();
    let ours = sorted(seen.values.iter().skip(1).cloned());
    let theirs = sorted(attributes.iter().map(|attribute| attribute.value.clone()));
    if seen.values.first() == Some(&text.value) && theirs == ours {
        return None;
    }
    let all_words = |values: &[Vec<u8>]| sorted(values.iter().map(|value| words(value)));
    let text_is_like = seen.values.first().is_some_and(|ours| words(ours) == words(&text.value));
    Some(if text_is_like && all_words(&ours) == all_words(&theirs) { "blanks differ" } else { "text or attributes differ" })
}

fn sorted(values: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut values: Vec<_> = values.collect();
    values.sort();
    values
}

/// Returns the words of a value, with one blank between two.
fn words(value: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ").into_bytes()
}

/// A document under construction, with the entities that it has declared.
struct Document<'d> {
    draw: &'d mut Draw,
    declared: Vec<String>,
}

impl Document<'_> {
    /// `true` to write something that XML forbids, or that parsers disagree on.
    fn is_odd(&mut self) -> bool {
        self.draw.percent(2)
    }

    fn pick(&mut self, from: &[&str]) -> String {
        String::from(self.draw.pick(from))
    }

    fn row(&mut self, end: usize, mut one: impl FnMut(&mut Self) -> String) -> String {
        let count = self.draw.below(end);
        (0..count).map(|_| one(self)).collect()
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        if self.draw.percent(30) {
            text += &self.pick(&[
                "<?xml version='1.0'?>",
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                "<?xml version='1.0' standalone='yes'?>",
            ]);
            text += &self.pick(&["", "\r\n", "<!-- <!DOCTYPE r> -->", "<?p?>"]);
        }
        if self.draw.percent(85) {
            text += &self.doctype();
        }
        text += &self.pick(&["", "\n", "<!-- &e; -->", "<?p ]>?>"]);
        text += &self.element(0);
        text + &self.pick(&["", "\n", "<!-- - -->", "<?p?>"])
    }

    fn doctype(&mut self) -> String {
        let outside = if self.draw.percent(8) { self.pick(&[" SYSTEM 'r.dtd'", " PUBLIC '-//A' \"r.dtd\" "]) } else { String::new() };
        let subset = self.row(8, |document| document.declaration() + &document.pick(&["", " ", "\n"]));
        format!("<!DOCTYPE r{outside}{}[{subset}]{}>", self.pick(&["", " "]), self.pick(&["", " "]))
    }

    fn declaration(&mut self) -> String {
        match self.draw.below(20) {
            0 if self.is_odd() => self.pick(&["%p;", "%e;", "%none;"]),
            0 => format!("<!ENTITY {} {}>", self.pick(&["out", "e"]), self.pick(&["SYSTEM 'u'", "PUBLIC 'p' 'u'", "SYSTEM 'u' NDATA n"])),
            1 => {
                format!("<!ENTITY % {} {}>", self.pick(&["p", "e"]), self.pick(&["'<!ENTITY e \"x\">'", "'x'", "SYSTEM 'u'", "'&#37;p;'"]))
            }
            2 => self.pick(&["<!ELEMENT r ANY>", "<!ELEMENT q (#PCDATA|r)*>", "<!ELEMENT r (q,(r|q)*)+>"]),
            3 => self.pick(&["<!NOTATION n SYSTEM 'n'>", "<!NOTATION n PUBLIC 'n'>", "<!NOTATION n PUBLIC 'n' 'n' >"]),
            4 => self.pick(&["<!-- <!ENTITY e 'c'> -->", "<?p <!ENTITY e 'p'> ?>", "<!-- ' -->", "<?p \"?>"]),
            5..=8 => self.attribute_list(),
            _ => {
                let name = self.pick(ENTITIES);
                let value = self.row(5, Self::entity_piece);
                let declaration = self.quoted(&format!("<!ENTITY {name} "), &value, ">");
                self.declared.push(name);
                declaration
            }
        }
    }

    fn attribute_list(&mut self) -> String {
        let attributes = self.row(4, |document| {
            let kind = document.pick(&["CDATA", "NMTOKEN", "NMTOKENS", "ID", "IDREFS", "(x|y)", "NOTATION (n)", "ENTITY"]);
            let name = document.pick(ATTRIBUTES);
            match document.draw.below(4) {
                0 => format!(" {name} {kind} {}", document.pick(&["#IMPLIED", "#REQUIRED"])),
                more => {
                    let value = document.row(4, Self::attribute_piece);
                    document.quoted(&format!(" {name} {kind} {}", if more == 1 { "#FIXED " } else { "" }), &value, "")
                }
            }
        });
        format!("<!ATTLIST {}{attributes}>", self.pick(ELEMENTS))
    }

    fn quoted(&mut self, before: &str, value: &str, behind: &str) -> String {
        let quote = self.pick(&["'", "\""]);
        format!("{before}{quote}{}{quote}{behind}", value.replace(&quote, ""))
    }

    fn reference(&mut self) -> String {
        if self.is_odd() {
            return format!("&{};", self.pick(&["e", "h", "none", "out", "#0", "#xFFFF", "#xd800", "#", "#x"]));
        }
        if self.declared.is_empty() || self.draw.percent(30) {
            let numbered =
                ["97", "x62", "10", "13", "9", "32", "38", "60", "x10FFFF", "00000000000097"].map(|number| format!("&#{number};"));
            let named = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;"].map(String::from);
            let all = [&numbered[..], &named[..]].concat();
            return all[self.draw.below(all.len())].clone();
        }
        format!("&{};", self.declared[self.draw.below(self.declared.len())])
    }

    fn attribute_piece(&mut self) -> String {
        match self.draw.below(3) {
            0 => self.reference(),
            _ => self.pick(&["x", "y", " ", "  ", "\t", "\n", "\r\n", "\r", ">", "é", "]]>", "%p;", "'", "\""]),
        }
    }

    fn entity_piece(&mut self) -> String {
        if self.is_odd() {
            return self.pick(&[
                "<q>",
                "</q>",
                "<q a=\"&none;\">",
                "&#60;",
                "<!--",
                "-->",
                "<![CDATA[",
                "]]>",
                "&#38;",
                "%",
                "&#38;#60",
                "&#38;e",
            ]);
        }
        match self.draw.below(8) {
            0 => self.reference(),
            1 => format!("&#38;{}", self.reference().trim_start_matches('&')),
            2 => self.pick(&[
                "<q/>",
                "<q a=\"1\"/>",
                "<q>z</q>",
                "&#60;q/>",
                "<q b='&#9;2'>x</q>",
                "<!-- c -->",
                "<?p x?>",
                "<![CDATA[<&e;]]>",
            ]),
            3 => self.pick(&["]]", "]", ">", "&#62;", "&#37;", "&#39;", "&#38;#38;", "&#38;#60;", "&#38;amp;", "&#13;", "&#38;#13;"]),
            4 => {
                let value = self.attribute_piece().replace(['%', '"'], "");
                format!("<q a=\"{value}\">{}</q>", self.reference())
            }
            _ => self.attribute_piece().replace("%p;", "w").replace("]]>", "z"),
        }
    }

    fn element(&mut self, depth: usize) -> String {
        let name = if depth == 0 { String::from("r xmlns:p='u'") } else { self.pick(ELEMENTS) };
        let mut names = vec![String::from("xmlns:p")];
        let attributes = self.row(4, |document| {
            let name = document.pick(ATTRIBUTES);
            if names.contains(&name) && !document.is_odd() {
                return String::new();
            }
            names.push(name.clone());
            let value = document.row(5, Self::attribute_piece);
            let before = format!("{}{name}{}", document.pick(&[" ", "\n", "\r\n"]), document.pick(&["=", " = "]));
            document.quoted(&before, &value, "")
        });
        if depth > 3 || self.draw.percent(15) {
            return format!("<{name}{attributes}{}/>", self.pick(&["", " "]));
        }
        let content = self.row(6, |document| match document.draw.below(8) {
            0 | 1 => document.element(depth + 1),
            2 | 3 => document.reference(),
            4 => document.pick(&["<!-- &e; -->", "<![CDATA[<&e;]]>", "<![CDATA[\r\n]]>", "<?p &e; ?>", "]]", "]", ">", "<!---->"]),
            _ => document.attribute_piece().replace("]]>", "z"),
        });
        format!("<{name}{attributes}>{content}</{}{}>", name.split(' ').next().unwrap(), self.pick(&["", " ", "\n"]))
    }
}
