//! Reads XML text token by token.

/// A position in a text.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'t> {
    rest: &'t str,
}

/// Returns `true` if a character is allowed in an XML document.
pub fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Returns `true` if a character is allowed in an XML name.
pub fn is_name_character(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Returns `true` if a character may begin an XML name (XML 1.0, fifth edition).
pub fn is_name_start(c: char) -> bool {
    matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    /// Returns the rest of the text.
    pub fn rest(self) -> &'t str {
        self.rest
    }

    /// Skips blanks; returns `true` if there were any.
    pub fn blanks(&mut self) -> bool {
        let behind = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let moved = behind.len() < self.rest.len();
        self.rest = behind;
        moved
    }

    /// Reads this text, if it is next. Returns `true` if it was.
    pub fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(behind) => {
                self.rest = behind;
                true
            }
            None => false,
        }
    }

    /// Reads this word, if it is next and ends there. Returns `true` if it was.
    pub fn word(&mut self, word: &str) -> bool {
        let mut ahead = *self;
        let ends = ahead.take(word) && !ahead.rest.starts_with(is_name_character);
        if ends {
            *self = ahead;
        }
        ends
    }

    /// Reads a name.
    pub fn name(&mut self) -> Option<&'t str> {
        self.rest.starts_with(is_name_start).then(|| self.token()).flatten()
    }

    /// Reads a sequence of name characters.
    pub fn token(&mut self) -> Option<&'t str> {
        let end = self.rest.find(|c| !is_name_character(c)).unwrap_or(self.rest.len());
        let (token, behind) = self.rest.split_at_checked(end).filter(|(token, _)| !token.is_empty())?;
        self.rest = behind;
        Some(token)
    }

    /// Reads a quoted text.
    pub fn literal(&mut self) -> Option<&'t str> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (literal, behind) = self.rest.get(1..)?.split_once(quote)?;
        self.rest = behind;
        Some(literal)
    }

    /// Reads everything before a text, and the text.
    pub fn until(&mut self, text: &str) -> Option<&'t str> {
        let (before, behind) = self.rest.split_once(text)?;
        self.rest = behind;
        Some(before)
    }

    /// Reads everything before the first of some characters, or the rest.
    pub fn before(&mut self, stops: &[char]) -> &'t str {
        let end = self.rest.find(stops).unwrap_or(self.rest.len());
        let (before, behind) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = behind;
        before
    }

    /// Reads `&#37;` or `&#x25;`, if a reference to a character that XML allows is next.
    pub fn numbered_character(&mut self) -> Option<char> {
        let mut ahead = *self;
        let radix = if ahead.take("&#x") {
            16
        } else if ahead.take("&#") {
            10
        } else {
            return None;
        };
        let digits = ahead.rest.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let number = u32::from_str_radix(ahead.rest.get(..digits)?, radix).ok()?;
        ahead.rest = ahead.rest.get(digits..)?;
        let character = char::from_u32(number).filter(|character| is_character(*character) && ahead.take(";"))?;
        *self = ahead;
        Some(character)
    }

    /// Reads `&name;`, if it is next.
    pub fn entity_reference(&mut self) -> Option<&'t str> {
        let mut ahead = *self;
        let name = ahead.take("&").then(|| ahead.name()).flatten().filter(|_| ahead.take(";"))?;
        *self = ahead;
        Some(name)
    }
}
