//! Parses YAML into a tree that keeps every scalar as written: a header value such as `0x10` or `yes` is text.

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

/// Maximum nesting of a file.
const DEEPEST: usize = 32;

/// Bytes that are not UTF-8 pass the YAML parser as characters of this private area, and become bytes again afterwards.
const BYTE_AREA: u32 = 0x10_F700;

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A text, and `true` if it had no quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    /// In the order of the file; of equal keys the last counts.
    Map(Vec<(String, Node)>),
}

/// Reads the documents of a file.
pub fn parse(bytes: &[u8]) -> Result<Vec<Node>, String> {
    let text = as_text(bytes);
    let mut parser = Parser::new_from_str(&text);
    let mut tree = Tree::default();
    loop {
        let (event, mark) = parser.next_token().map_err(|error| error.to_string())?;
        if event == Event::StreamEnd {
            return Ok(tree.documents);
        }
        tree.take(event).map_err(|problem| format!("{problem} at line {}", mark.line()))?;
    }
}

/// The part that was read so far.
#[derive(Default)]
struct Tree {
    documents: Vec<Node>,
    open: Vec<Open>,
}

/// An open list or map; a map with the key of its next value.
enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

impl Tree {
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, ..) => self.place(Node::Scalar(text, style == TScalarStyle::Plain)),
            Event::SequenceStart(..) => self.begin(Open::List(Vec::new())),
            Event::MappingStart(..) => self.begin(Open::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(list)) => self.place(Node::List(list)),
                Some(Open::Map(map, _)) => self.place(Node::Map(map)),
                None => Ok(()),
            },
            Event::Alias(_) => Err("aliases (`*name`) are not understood in test files".to_owned()),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} levels deep"));
        }
        self.open.push(open);
        Ok(())
    }

    fn place(&mut self, node: Node) -> Result<(), String> {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List(list)) => list.push(node),
            Some(Open::Map(map, key)) => match (key.take(), node) {
                (Some(key), value) => match map.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, old)) => *old = value,
                    None => map.push((key, value)),
                },
                (None, Node::Scalar(text, _)) => *key = Some(text),
                (None, _) => return Err("a key is a text".to_owned()),
            },
        }
        Ok(())
    }
}

impl Node {
    /// Returns the value of a key; `None` for a null.
    pub fn field(&self, name: &str) -> Option<&Node> {
        let Node::Map(map) = self else { return None };
        map.iter().find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// Returns the entries of a map, with keys as bytes.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, &Node)> {
        let map = if let Node::Map(map) = self { map.as_slice() } else { &[] };
        map.iter().map(|(key, value)| (as_bytes(key), value))
    }

    /// Returns the elements of a list; anything else is its own only element.
    pub fn items(&self) -> &[Node] {
        if let Node::List(list) = self { list } else { std::slice::from_ref(self) }
    }

    /// Returns a scalar as bytes; a null, a list or a map is empty.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Node::Scalar(text, _) if !self.is_null() => as_bytes(text),
            _ => Vec::new(),
        }
    }

    /// Returns a scalar as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Returns a scalar as a number.
    pub fn number(&self) -> Option<u64> {
        self.text().trim().parse().ok()
    }

    /// Returns `true` for a scalar that means true.
    pub fn is_true(&self) -> bool {
        matches!(self.text().to_ascii_lowercase().as_str(), "true" | "yes" | "on")
    }

    fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

fn as_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(BYTE_AREA + u32::from(*byte))));
    }
    text
}

fn as_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(BYTE_AREA).and_then(|byte| u8::try_from(byte).ok()).filter(|byte| !byte.is_ascii()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_as_written() {
        let documents = parse(b"a: 0x10\nb: yes\nc: 1.50\nd: '~'\ne: ~\n---\n- x\n").unwrap();
        let texts: Vec<_> = ["a", "b", "c", "d"].map(|key| documents[0].field(key).unwrap().text()).to_vec();
        assert_eq!(texts, ["0x10", "yes", "1.50", "~"]);
        assert_eq!(documents[0].field("e"), None);
        assert_eq!(documents[1].items()[0].text(), "x");
    }

    #[test]
    fn bytes_that_are_no_text_come_through() {
        let documents = parse(b"a: \"x\xffy\xc3\xa9\"\n").unwrap();
        assert_eq!(documents[0].field("a").unwrap().bytes(), b"x\xffy\xc3\xa9");
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(parse(b"a: [1").is_err());
        assert!(parse(b"a: &x 1\nb: *x").unwrap_err().contains("aliases"));
        assert!(parse("[".repeat(100).as_bytes()).is_err());
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        assert_eq!(parse(b"a: 1\na: 2\n").unwrap()[0].field("a").unwrap().text(), "2");
    }
}
