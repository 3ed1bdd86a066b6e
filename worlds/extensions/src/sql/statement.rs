//! Statements that only read.

use super::refused::is_refused;
use sqlparser::ast::{Query, Select, Statement as Tree, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};
use std::ops::ControlFlow;

/// Limit of a statement, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Limit of nested parentheses, calls and queries.
const MAX_DEPTH: usize = 50;
/// Limit of names and operators. A chain such as `a + b + c` makes a tree that is as deep as it is long, and trees are walked by recursion.
/// Lists of literals count for nothing.
const MAX_WORDS: usize = 2000;

/// Reads a text with one query, which reads and does nothing else. Names that were written without quotation marks are in lower case in its tree.
/// The caller provides [`STACK`](super::STACK).
pub(super) fn parse(text: &str) -> Result<Query, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "the SQL has {} bytes, and {MAX_TEXT} are read at most; select from a table instead of listing values",
            text.len()
        ));
    }
    if text.contains('\0') {
        return Err("the SQL has a zero byte; remove it".to_owned());
    }
    let dialect = PostgreSqlDialect {};
    let mut tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| unreadable(&error.to_string()))?;
    check_tokens(&tokens)?;
    for token in &mut tokens {
        if let Token::Word(word @ Word { quote_style: None, .. }) = &mut token.token {
            word.value.make_ascii_lowercase();
        }
    }
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
    let statements = parser.parse_statements().map_err(|error| match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => unreadable(&text),
        ParserError::RecursionLimitExceeded => {
            format!("the SQL is nested more than {MAX_DEPTH} levels deep; write the inner queries with WITH")
        }
    })?;
    let query = match <[Tree; 1]>::try_from(statements) {
        Ok([Tree::Query(query)]) => *query,
        Ok([other]) => return Err(only_select(&first_word(&other.to_string()))),
        Err(none) if none.is_empty() => return Err("the SQL has no statement; write one SELECT".to_owned()),
        Err(several) => return Err(format!("the SQL has {} statements; send one at a time", several.len())),
    };
    match query.visit(&mut OnlyReading) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(problem) => Err(problem.into()),
    }
}

/// Refuses calls before anything is parsed: what looks like a call to the database, wherever it stands, is seen here.
fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), String> {
    // `U&"…"` is a name with escapes to PostgreSQL, and two names with an operator to this parser.
    let has_escapes = tokens.windows(3).any(|window| match window {
        [first, operator, last] => {
            is_word(&first.token, None, "u")
                && operator.token.to_string() == "&"
                && matches!(&last.token, Token::Word(word) if word.quote_style.is_some())
        }
        _ => false,
    });
    if has_escapes {
        return Err("names with escapes (U&\"…\") are not read; write the name itself".to_owned());
    }
    let mut words = 0;
    let mut tokens = tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_))).peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Comma | Token::LParen | Token::RParen | Token::SemiColon | Token::EOF | Token::Number(..) => continue,
            token if is_string(token) => continue,
            Token::Word(word) if tokens.peek() == Some(&&Token::LParen) && is_refused(&word.value.to_ascii_lowercase()) => {
                return Err(format!("the function {} is not called by queries, which only read tables; leave it out", word.value));
            }
            Token::Placeholder(name) => return Err(format!("there is no value for the parameter {name}; write the value in its place")),
            _ => words += 1,
        }
    }
    if words > MAX_WORDS {
        return Err(format!("the SQL has {words} names and operators, and {MAX_WORDS} are read at most; use IN (…) for lists"));
    }
    Ok(())
}

fn is_word(token: &Token, quotes: Option<char>, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style == quotes && word.value.eq_ignore_ascii_case(text))
}

fn is_string(token: &Token) -> bool {
    use Token::{DollarQuotedString, EscapedStringLiteral, NationalStringLiteral, SingleQuotedString, UnicodeStringLiteral};
    matches!(
        token,
        SingleQuotedString(_) | EscapedStringLiteral(_) | NationalStringLiteral(_) | UnicodeStringLiteral(_) | DollarQuotedString(_)
    )
}

/// Ends at what would change or lock something.
struct OnlyReading;

impl Visitor for OnlyReading {
    type Break = Box<str>;

    fn pre_visit_statement(&mut self, statement: &Tree) -> ControlFlow<Box<str>> {
        match statement {
            Tree::Query(_) => ControlFlow::Continue(()),
            other => ControlFlow::Break(only_select(&first_word(&other.to_string())).into()),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Box<str>> {
        match query.locks.first() {
            None => ControlFlow::Continue(()),
            Some(lock) => ControlFlow::Break(format!("{lock} locks rows, and queries only read; leave it out").into()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Box<str>> {
        match &select.into {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break("SELECT INTO makes a table, and queries only read; leave INTO out".into()),
        }
    }
}

fn only_select(word: &str) -> String {
    format!("{word} is not run, only SELECT is; write a query that reads")
}

fn first_word(text: &str) -> String {
    text.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase()
}

fn unreadable(problem: &str) -> String {
    format!("the SQL cannot be read: {}; correct it there", problem.strip_prefix("sql parser error: ").unwrap_or(problem))
}
