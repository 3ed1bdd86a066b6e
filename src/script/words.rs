//! The tokens of a Lua script: names, texts and signs, without comments. The script has no syntax error.

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// A name, a keyword or a number.
    Name(&'a [u8]),
    /// The content of quotes or long brackets, as written.
    Text(&'a [u8]),
    /// One byte of anything else.
    Sign(u8),
}

/// Returns the tokens of a script, each with its line, from 1.
pub fn words(source: &[u8]) -> impl Iterator<Item = (Word<'_>, usize)> {
    let mut words = Words { rest: source, line: 1 };
    std::iter::from_fn(move || words.next())
}

struct Words<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<(Word<'a>, usize)> {
        loop {
            let line = self.line;
            let word = match *self.rest {
                [] => return None,
                [b'-', b'-', ref comment @ ..] => {
                    self.rest = comment;
                    if self.long_text().is_none() {
                        self.take(|byte| byte != b'\n');
                    }
                    continue;
                }
                [quote @ (b'"' | b'\''), ref text @ ..] => {
                    self.rest = text;
                    Word::Text(self.quoted(quote))
                }
                [b'[', ..] => match self.long_text() {
                    Some(text) => Word::Text(text),
                    None => self.sign(b'['),
                },
                [byte, ..] if is_of_name(byte) => Word::Name(self.take(is_of_name)),
                [byte, ..] if byte.is_ascii_whitespace() => {
                    self.take(|byte| byte.is_ascii_whitespace());
                    continue;
                }
                [byte, ..] => self.sign(byte),
            };
            return Some((word, line));
        }
    }

    fn sign(&mut self, byte: u8) -> Word<'a> {
        self.skip(1);
        Word::Sign(byte)
    }

    /// Takes `length` bytes and returns them.
    fn skip(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn take(&mut self, is_taken: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|byte| !is_taken(*byte)).unwrap_or(self.rest.len());
        self.skip(length)
    }

    fn quoted(&mut self, quote: u8) -> &'a [u8] {
        let mut length = 0;
        while let Some(byte) = self.rest.get(length) {
            match byte {
                b'\\' => length += 2,
                byte if *byte == quote => break,
                _ => length += 1,
            }
        }
        let text = self.skip(length);
        self.skip(1);
        text
    }

    /// Reads `[[…]]` or `[=[…]=]`, if one begins here.
    fn long_text(&mut self) -> Option<&'a [u8]> {
        let signs = self.rest.strip_prefix(b"[")?;
        let level = signs.iter().position(|byte| *byte != b'=')?;
        if signs.get(level) != Some(&b'[') {
            return None;
        }
        self.skip(level + 2);
        let end = [b"]".as_slice(), &vec![b'='; level], b"]"].concat();
        let length = memchr::memmem::find(self.rest, &end).unwrap_or(self.rest.len());
        let text = self.skip(length);
        self.skip(end.len());
        Some(text)
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}
