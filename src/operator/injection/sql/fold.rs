//! Folds the tokens of a statement into at most five: tokens that do not change the kind of the statement are dropped.
//!
//! Rules look at two or three tokens from `left` on. They do not always drop a token that they looked at: rules drop from the end of the window,
//! which is further away after a step back. The listed fingerprints were made in this way, so it must stay.

use super::lexicon::Lexicon;
use super::token::{Class, Token};
use super::tokenizer::Tokens;
use memchr::memchr3;

/// Maximum number of tokens of a fingerprint.
pub(super) const MAX_TOKENS: usize = 5;
/// One more token is needed to classify the last one.
const ROOM: usize = MAX_TOKENS + 1;

/// Names of functions that are also common as column names.
const FUNCTIONS_BEFORE_PARENTHESES: [&[u8]; 11] = [
    b"CURRENT_DATE",
    b"CURRENT_TIME",
    b"CURRENT_TIMESTAMP",
    b"CURRENT_USER",
    b"DATABASE",
    b"LOCALTIME",
    b"LOCALTIMESTAMP",
    b"PASSWORD",
    b"USER",
    b"USER_ID",
    b"USER_NAME",
];

/// The tokens that were read and not folded away.
pub(super) struct Window<'a> {
    tokens: [Token<'a>; ROOM],
    length: usize,
    /// Index of the next token to fold.
    left: usize,
    /// A comment after the last token.
    comment: Option<Token<'a>>,
    /// `true` if there may be more to read.
    more: bool,
}

enum Step {
    /// A rule changed something: start again.
    Again,
    /// No rule applies to these tokens: use one more.
    On,
    /// The statement is an attack, whatever follows.
    Evil,
}

impl<'a> Window<'a> {
    pub(super) const EMPTY: Window<'static> = Window { tokens: [Token::NONE; ROOM], length: 0, left: 0, comment: None, more: true };

    /// Reads and folds as many tokens as needed.
    pub(super) fn fold(&mut self, input: &mut Tokens<'a>) {
        // Tokens that may begin any expression are skipped.
        let first =
            input.find(|token| !matches!(token.class, Class::Comment | Class::LeftParenthesis | Class::SqlType) && !token.is_unary());
        if let Some(first) = first {
            self.push(first);
            if self.read(2, input) && self.begins_with_two_words() && memchr3(b'(', b'{', b'*', input.input).is_none() {
                self.length = 0;
                return;
            }
            while self.step(input) {}
            self.close();
        }
    }

    pub(super) fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get(..self.length).unwrap_or_default()
    }

    /// Folds once. Returns `true` if there is more to fold.
    fn step(&mut self, input: &mut Tokens<'a>) -> bool {
        if self.length >= MAX_TOKENS && self.is_harmless() {
            self.restart();
        }
        if !self.more || self.left >= MAX_TOKENS {
            return false;
        }
        if !self.read(2, input) {
            self.left = self.length;
            return true;
        }
        let folds = self.may_fold();
        if folds {
            match self.fold_two(input.lexicon) {
                Step::Again => return true,
                Step::Evil => return false,
                Step::On => {}
            }
        }
        if !self.read(3, input) {
            self.left = self.length;
        } else if !folds || matches!(self.fold_three(), Step::On) {
            self.left += 1;
        }
        true
    }

    /// Reads until there are `count` tokens from `left` on. Returns `false` if there are fewer.
    fn read(&mut self, count: usize, input: &mut Tokens<'a>) -> bool {
        while self.more && self.length < ROOM && self.length - self.left < count {
            match input.next() {
                Some(token) if token.is(Class::Comment) => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.push(token);
                }
                None => self.more = false,
            }
        }
        self.length - self.left >= count
    }

    /// Returns `true` if the first five tokens are common in harmless text: `1,(1)`, `a-(b)`, `1),(1`, `a)-(b`.
    fn is_harmless(&self) -> bool {
        use Class::*;
        let [a, b, c, d, e, _] = &self.tokens;
        matches!(
            (a.class, b.class, c.class, d.class, e.class),
            (Number, Operator | Comma, LeftParenthesis, Number, RightParenthesis)
                | (Bareword, Operator, LeftParenthesis, Bareword | Number, RightParenthesis)
                | (Number, RightParenthesis, Comma, LeftParenthesis, Number)
                | (Bareword, RightParenthesis, Operator, LeftParenthesis, Bareword)
        )
    }

    /// Keeps the first token, and those after the fifth.
    fn restart(&mut self) {
        if self.length > MAX_TOKENS {
            self.put(1, self.token(MAX_TOKENS));
            self.length = 2;
        } else {
            self.length = 1;
        }
        self.left = 0;
    }

    /// Returns `true` if there may be a rule for the next tokens, by the first two of them: in most texts most words have none.
    fn may_fold(&self) -> bool {
        use Class::*;
        match self.next_two() {
            Some([a, b]) if matches!(a.class, Bareword | Number | Variable) => {
                a.leads || matches!(b.class, LeftParenthesis | RightBrace | Operator | Comma | Dot)
            }
            _ => true,
        }
    }

    /// Returns `true` if the first two tokens are words without a meaning of their own, of which no phrase begins.
    ///
    /// Then the text is harmless, unless it has a parenthesis, a brace or a comment with stars: no listed fingerprint begins with two such words. No
    /// rule replaces the first one, only a parenthesis turns the second into a function, no rule drops them, and only a brace or such a comment is evil.
    fn begins_with_two_words(&self) -> bool {
        let [first, second, ..] = &self.tokens;
        self.length == 2 && [first, second].iter().all(|token| token.is(Class::Bareword) && !token.leads)
    }

    fn next_two(&self) -> Option<&[Token<'a>; 2]> {
        self.tokens.get(self.left..)?.first_chunk()
    }

    fn fold_two(&mut self, lexicon: &'static Lexicon) -> Step {
        use Class::*;
        let Some([a, b]) = self.next_two() else { return Step::On };
        match (a.class, b.class) {
            (String, String) | (Semicolon, Semicolon) => return self.drop(1, self.left),
            (Operator | LogicOperator, _) if b.is(SqlType) || b.is_unary() => return self.drop(1, 0),
            (LeftParenthesis, _) if b.is_unary() => return self.drop(1, self.left.saturating_sub(1)),
            _ => {}
        }
        if let Some(phrase) = phrase(a, b, lexicon) {
            self.put(self.left, phrase);
            return self.drop(1, self.left.saturating_sub(1));
        }
        match (a.class, b.class) {
            (Semicolon, Function) if b.begins(b"IF") => self.turn(self.left + 1, TransactSql),
            (Bareword | Variable, LeftParenthesis) if FUNCTIONS_BEFORE_PARENTHESES.iter().any(|name| a.says(name)) => {
                self.turn(self.left, Function)
            }
            (Keyword, _) if a.says(b"IN") || a.says(b"NOT IN") => {
                self.turn(self.left, if b.is(LeftParenthesis) { Operator } else { Bareword })
            }
            (Operator, LeftParenthesis) if a.says(b"LIKE") || a.says(b"NOT LIKE") => {
                self.turn(self.left, Function);
                Step::On
            }
            // An operator is left to the rules for three tokens.
            (Operator, _) if a.says(b"LIKE") || a.says(b"NOT LIKE") => Step::On,
            (SqlType, Bareword | Number | SqlType | LeftParenthesis | Function | Variable | String) => self.drop_first(),
            (Collate, Bareword) => {
                // There are too many collations to list.
                let name = b.text.split(|&byte| byte == 0).next().unwrap_or_default();
                if name.contains(&b'_') {
                    self.turn(self.left + 1, SqlType);
                    self.left = 0;
                }
                Step::On
            }
            // Transact-SQL reads `\%1` as `0 % 1`, and `\1` as `1`.
            (Backslash, _) if b.is_arithmetic() => {
                self.turn(self.left, Number);
                self.left = 0;
                Step::Again
            }
            (Backslash, _) => self.drop_first(),
            (LeftParenthesis, LeftParenthesis) | (RightParenthesis, RightParenthesis) => self.drop(1, 0),
            // MySQL reads {``.``.id}, and `{name value}` as `value`.
            (LeftBrace, Bareword) if b.text.is_empty() => {
                self.turn(0, Evil);
                self.length = 1;
                Step::Evil
            }
            (LeftBrace, Bareword) => self.drop(2, 0),
            (_, RightBrace) => self.drop(1, 0),
            _ => Step::On,
        }
    }

    fn fold_three(&mut self) -> Step {
        use Class::*;
        let Some([a, b, c]) = self.tokens.get(self.left..).and_then(|tokens| tokens.first_chunk()) else { return Step::On };
        match (a.class, b.class, c.class) {
            (Number, Operator, Number)
            | (LogicOperator, _, LogicOperator)
            | (Variable, Operator, Variable | Number | Bareword)
            | (Bareword | Number, Operator, Number | Bareword)
            | (Bareword | Number | String | Variable, Comma, Number | Bareword | String | Variable)
            | (Bareword, Dot, Bareword) => self.drop(2, 0),
            (Operator, other, Operator) if other != LeftParenthesis => self.drop(2, 0),
            // A cast of PostgreSQL.
            (Bareword | Number | Variable | String, Operator, SqlType) if b.text == b"::" => self.drop(2, 0),
            (Expression | Group | Comma, _, LeftParenthesis) | (Comma, _, Function) if b.is_unary() => self.replace_second(),
            (Keyword | Expression | Group, _, Number | Bareword | Variable | String | Function) if b.is_unary() => self.replace_second(),
            (Comma, _, Number | Bareword | Variable | String) if b.is_unary() => {
                self.replace_second();
                self.drop(2, 0)
            }
            (Expression, Dot, Bareword) => self.replace_second(),
            (Function, LeftParenthesis, other) if other != RightParenthesis && a.says(b"USER") => {
                // The function takes no argument.
                self.turn(self.left, Bareword);
                Step::On
            }
            _ => Step::On,
        }
    }

    /// Ends the reading: a comment at the end counts as a token, tokens beyond the fifth do not.
    fn close(&mut self) {
        let left_open =
            |token: &Token| token.is(Class::Bareword) && token.opened == Some(b'`') && token.closed.is_none() && token.text.is_empty();
        if let Some(comment) = self.comment.filter(|_| self.length < MAX_TOKENS) {
            self.push(comment);
        }
        self.length = self.length.min(MAX_TOKENS);
        // PHP's databases take a backtick at the end as a comment.
        if self.length > 2 && left_open(&self.token(self.length - 1)) {
            self.turn(self.length - 1, Class::Comment);
        }
        if self.tokens().iter().any(|token| token.is(Class::Evil)) {
            self.turn(0, Class::Evil);
            self.length = 1;
        }
    }

    fn token(&self, at: usize) -> Token<'a> {
        self.tokens.get(at).copied().unwrap_or(Token::NONE)
    }

    fn push(&mut self, token: Token<'a>) {
        self.put(self.length, token);
        self.length += 1;
    }

    fn put(&mut self, at: usize, token: Token<'a>) {
        if let Some(place) = self.tokens.get_mut(at) {
            *place = token;
        }
    }

    fn turn(&mut self, at: usize, class: Class) -> Step {
        self.put(at, Token { class, ..self.token(at) });
        Step::Again
    }

    /// Replaces the first token by the second.
    fn drop_first(&mut self) -> Step {
        self.put(self.left, self.token(self.left + 1));
        self.drop(1, 0)
    }

    /// Replaces the second token by the third.
    fn replace_second(&mut self) -> Step {
        self.put(self.left + 1, self.token(self.left + 2));
        self.drop(1, 0)
    }

    /// Drops the last `count` tokens and continues at `left`.
    fn drop(&mut self, count: usize, left: usize) -> Step {
        self.length = self.length.saturating_sub(count);
        self.left = left;
        Step::Again
    }
}

/// Returns the phrase that two tokens form, if any.
fn phrase<'a>(a: &Token<'a>, b: &Token<'a>, lexicon: &'static Lexicon) -> Option<Token<'a>> {
    if !a.leads || !a.class.may_lead() || !b.class.may_follow() {
        return None;
    }
    let phrase = lexicon.phrase(a.text, b.text)?;
    Some(Token { class: phrase.class?, text: phrase.text, leads: phrase.leads, ..*a })
}
