//! Cuts the text of a page into tags, attributes and comments, as lenient browsers do.

use memchr::memchr;
use memchr::memmem;

/// Context of a text in a page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Between tags.
    Text,
    /// Within a tag, before an attribute.
    Tag,
    /// Within a value, in these quotes.
    Value(u8),
}

/// A piece of a page. Text between tags is not a token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    TagName(&'a [u8]),
    TagEnd,
    AttributeName(&'a [u8]),
    AttributeValue(&'a [u8]),
    Comment(&'a [u8]),
    Doctype,
}

/// The tokens of a text, one after the other.
pub(super) struct Tokens<'a> {
    input: &'a [u8],
    at: usize,
    state: State,
    /// `true` if the last tag name was that of an end tag. It is reset only if a tag ends right after a name or value.
    in_end_tag: bool,
}

/// The next expected construct.
#[derive(Debug, Clone, Copy)]
enum State {
    Text,
    TagEnd,
    BeforeAttribute,
    AfterSlash,
    AfterName,
    BeforeValue,
    Value(u8),
    AfterValue,
    End,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(input: &'a [u8], place: Place) -> Tokens<'a> {
        let state = match place {
            Place::Text => State::Text,
            Place::Tag => State::BeforeAttribute,
            Place::Value(quote) => State::Value(quote),
        };
        Tokens { input, at: 0, state, in_end_tag: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// Takes `length` bytes, skips `closing` more, and enters `state`; without an end, takes all of the input.
    fn take(&mut self, end: Option<usize>, closing: usize, state: State) -> &'a [u8] {
        let rest = self.rest();
        let length = end.unwrap_or(rest.len());
        self.state = if end.is_some() { state } else { State::End };
        self.at += length + if end.is_some() { closing } else { 0 };
        rest.get(..length).unwrap_or(rest)
    }

    /// Skips text up to the next tag, and reads what begins there.
    fn text(&mut self) -> Option<Token<'a>> {
        loop {
            self.at += memchr(b'<', self.rest())? + 1;
            match self.peek()? {
                b'!' => {
                    self.at += 1;
                    if let Some(token) = self.declaration() {
                        return Some(token);
                    }
                }
                b'/' => {
                    self.at += 1;
                    self.in_end_tag = true;
                    match self.peek()? {
                        b'>' => {}
                        byte if byte.is_ascii_alphabetic() => return Some(self.tag_name()),
                        _ => {
                            self.in_end_tag = false;
                            return Some(self.comment(b">"));
                        }
                    }
                }
                b'?' => {
                    self.at += 1;
                    return Some(self.comment(b">"));
                }
                // Old versions of Internet Explorer and Safari.
                b'%' => {
                    self.at += 1;
                    return Some(self.comment(b"%>"));
                }
                byte if byte.is_ascii_alphabetic() || byte == 0 => return Some(self.tag_name()),
                _ => {}
            }
        }
    }

    /// Reads what follows `<!`; `None` for CDATA.
    fn declaration(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        if rest.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"DOCTYPE")) {
            return Some(Token::Doctype);
        }
        if let Some(text) = rest.strip_prefix(b"[CDATA[") {
            self.at = memmem::find(text, b"]]>").map_or(self.input.len(), |end| self.at + 7 + end + 3);
            return None;
        }
        let Some(text) = rest.strip_prefix(b"--") else { return Some(self.comment(b">")) };
        self.at += 2;
        Some(match comment_end(text) {
            Some((end, closing)) => Token::Comment(self.take(Some(end), closing, State::Text)),
            None => Token::Comment(self.take(None, 0, State::End)),
        })
    }

    fn comment(&mut self, closing: &[u8]) -> Token<'a> {
        let end = memmem::find(self.rest(), closing);
        Token::Comment(self.take(end, closing.len(), State::Text))
    }

    fn tag_name(&mut self) -> Token<'a> {
        let rest = self.rest();
        // Browsers skip NUL in the name of a tag.
        let end = rest.iter().position(|&byte| byte != 0 && (is_white(byte) || matches!(byte, b'/' | b'>')));
        match end.and_then(|end| rest.get(end)) {
            Some(b'>') if self.in_end_tag => {
                self.in_end_tag = false;
                self.take(end, 1, State::Text);
                Token::TagEnd
            }
            Some(b'>') => Token::TagName(self.take(end, 0, State::TagEnd)),
            Some(b'/') => Token::TagName(self.take(end, 1, State::AfterSlash)),
            _ => Token::TagName(self.take(end, 1, State::BeforeAttribute)),
        }
    }

    /// Reads the `>` of a tag.
    fn tag_end(&mut self) -> Token<'a> {
        self.in_end_tag = false;
        self.tag_end_in_tag()
    }

    /// Reads the `>` of a tag that still counts as an end tag, if it was one.
    fn tag_end_in_tag(&mut self) -> Token<'a> {
        self.take(Some(0), 1, State::Text);
        Token::TagEnd
    }

    fn before_attribute(&mut self) -> Option<Token<'a>> {
        loop {
            match self.skip_white()? {
                b'/' => self.at += 1,
                b'>' => return Some(self.tag_end_in_tag()),
                _ => return Some(self.attribute_name()),
            }
        }
    }

    fn attribute_name(&mut self) -> Token<'a> {
        let rest = self.rest();
        // The first byte always belongs to the name.
        let end = rest.iter().skip(1).position(|&byte| is_white(byte) || matches!(byte, b'/' | b'=' | b'>')).map(|end| end + 1);
        let (closing, state) = match end.and_then(|end| rest.get(end)) {
            Some(b'/') => (1, State::AfterSlash),
            Some(b'=') => (1, State::BeforeValue),
            Some(b'>') => (0, State::TagEnd),
            _ => (1, State::AfterName),
        };
        Token::AttributeName(self.take(end, closing, state))
    }

    fn after_name(&mut self) -> Option<Token<'a>> {
        match self.skip_white()? {
            b'/' => {
                self.at += 1;
                self.after_slash()
            }
            b'=' => {
                self.at += 1;
                self.before_value()
            }
            b'>' => Some(self.tag_end()),
            _ => Some(self.attribute_name()),
        }
    }

    fn after_slash(&mut self) -> Option<Token<'a>> {
        match self.peek()? {
            b'>' => Some(self.tag_end_in_tag()),
            _ => self.before_attribute(),
        }
    }

    fn before_value(&mut self) -> Option<Token<'a>> {
        match self.skip_white()? {
            quote @ (b'"' | b'\'' | b'`') => {
                self.at += 1;
                Some(self.value(quote))
            }
            _ => {
                let rest = self.rest();
                let end = rest.iter().position(|&byte| is_white(byte) || byte == b'>');
                let ends_tag = end.and_then(|end| rest.get(end)) == Some(&b'>');
                let (closing, state) = if ends_tag { (0, State::TagEnd) } else { (1, State::BeforeAttribute) };
                Some(Token::AttributeValue(self.take(end, closing, state)))
            }
        }
    }

    fn value(&mut self, quote: u8) -> Token<'a> {
        let end = memchr(quote, self.rest());
        Token::AttributeValue(self.take(end, 1, State::AfterValue))
    }

    fn after_value(&mut self) -> Option<Token<'a>> {
        match self.peek()? {
            b'/' => {
                self.at += 1;
                self.after_slash()
            }
            _ => self.before_attribute(),
        }
    }

    /// Skips white space and returns the next byte. 0xFF counts as the end.
    fn skip_white(&mut self) -> Option<u8> {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| !is_white(byte)).unwrap_or(rest.len());
        self.peek().filter(|&byte| byte != 0xFF)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        match self.state {
            State::Text => self.text(),
            State::TagEnd => Some(self.tag_end()),
            State::BeforeAttribute => self.before_attribute(),
            State::AfterSlash => self.after_slash(),
            State::AfterName => self.after_name(),
            State::BeforeValue => self.before_value(),
            State::Value(quote) => Some(self.value(quote)),
            State::AfterValue => self.after_value(),
            State::End => None,
        }
    }
}

/// Returns the offset of the end of a comment, and the length of its `-->` or `--!>`. NUL bytes may follow its first dash.
fn comment_end(text: &[u8]) -> Option<(usize, usize)> {
    memchr::memchr_iter(b'-', text).find_map(|dash| {
        let behind = text.get(dash + 1..)?;
        let nuls = behind.iter().take_while(|&&byte| byte == 0).count();
        matches!(behind.get(nuls..), Some([b'-' | b'!', b'>', ..])).then_some((dash, nuls + 3))
    })
}

/// Returns `true` if a byte is white space within tags; NUL is.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}
