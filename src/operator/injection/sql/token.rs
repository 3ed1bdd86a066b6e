//! The tokens of a statement.

/// Maximum length of the compared text of a token, in bytes.
pub(super) const LONGEST_TEXT: usize = 31;

/// Class of a token; each has a letter in fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// `AND`, `||`: joins conditions.
    LogicOperator = b'&',
    LeftParenthesis = b'(',
    RightParenthesis = b')',
    Comma = b',',
    Dot = b'.',
    Number = b'1',
    Colon = b':',
    Semicolon = b';',
    /// A byte without a meaning in any dialect.
    Unknown = b'?',
    Collate = b'A',
    /// `GROUP BY`, `LIMIT`, `HAVING`.
    Group = b'B',
    /// `SELECT`, `INSERT`: begins an expression.
    Expression = b'E',
    /// `DECLARE`, `EXEC`: a statement of Transact-SQL.
    TransactSql = b'T',
    Union = b'U',
    /// Text that dialects read so differently that only an attack would use it.
    Evil = b'X',
    Backslash = b'\\',
    Comment = b'c',
    Function = b'f',
    Keyword = b'k',
    /// A word without a meaning of its own, such as a column.
    Bareword = b'n',
    Operator = b'o',
    String = b's',
    /// `INTEGER`: the name of a type.
    SqlType = b't',
    Variable = b'v',
    LeftBrace = b'{',
    RightBrace = b'}',
}

/// A token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) class: Class,
    /// At most [`LONGEST_TEXT`] bytes, without quotes.
    pub(super) text: &'a [u8],
    /// The opening quote, if the text contains it.
    pub(super) opened: Option<u8>,
    /// The closing quote, if there is one.
    pub(super) closed: Option<u8>,
    /// `true` if a phrase of several words begins with this text.
    pub(super) leads: bool,
}

impl Class {
    /// Returns the letter of the class in a fingerprint.
    pub(super) fn letter(self) -> u8 {
        self as u8
    }

    /// Returns the class of words with this letter.
    pub(super) fn of_words(letter: u8) -> Option<Class> {
        use Class::*;
        let classes = [
            LogicOperator,
            Number,
            Collate,
            Group,
            Expression,
            TransactSql,
            Union,
            Function,
            Keyword,
            Bareword,
            Operator,
            SqlType,
            Variable,
        ];
        classes.into_iter().find(|class| class.letter() == letter)
    }

    /// Returns `true` if a token of this class can be the first part of a phrase.
    pub(super) fn may_lead(self) -> bool {
        use Class::*;
        matches!(self, Keyword | Bareword | Operator | Union | Function | Expression | TransactSql | SqlType)
    }

    /// Returns `true` if a token of this class can be the last part of a phrase.
    pub(super) fn may_follow(self) -> bool {
        self.may_lead() || self == Class::LogicOperator
    }
}

impl<'a> Token<'a> {
    /// A placeholder for no token.
    pub(super) const NONE: Token<'static> = Token { class: Class::Unknown, text: b"", opened: None, closed: None, leads: false };

    pub(super) fn new(class: Class, text: &'a [u8]) -> Token<'a> {
        let text = text.get(..LONGEST_TEXT).unwrap_or(text);
        Token { class, text, opened: None, closed: None, leads: false }
    }

    pub(super) fn is(&self, class: Class) -> bool {
        self.class == class
    }

    /// Returns `true` if its text is `name`, ignoring case.
    pub(super) fn says(&self, name: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(name)
    }

    /// Returns `true` if its text begins with `name`, ignoring case.
    pub(super) fn begins(&self, name: &[u8]) -> bool {
        self.text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
    }

    /// Returns `true` if it is an operator that may have no left side.
    pub(super) fn is_unary(&self) -> bool {
        self.is(Class::Operator) && (matches!(self.text, b"+" | b"-" | b"!" | b"~" | b"!!") || self.says(b"NOT"))
    }

    /// Returns `true` if it is an arithmetic operator.
    pub(super) fn is_arithmetic(&self) -> bool {
        self.is(Class::Operator) && matches!(self.text, b"*" | b"/" | b"-" | b"+" | b"%")
    }
}
