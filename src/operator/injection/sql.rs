//! Whether a text would change a statement of SQL that it is put into.
//!
//! The text is cut into tokens as the dialects of SQL read it, tokens that change nothing are folded away, and the classes of what is
//! left, five at most, are looked up among those of injections. That is done for a text that stands by itself, and for one that stands
//! within single or double quotes.

mod fold;
mod lexicon;
mod quoted;
mod token;
mod tokenizer;
mod verdict;
mod word;

use memchr::{memchr, memchr2};

use fold::{MOST_TOKENS, Window};
use token::Token;
use tokenizer::{Dialect, Tokens};

/// The classes of the tokens of an injection, a letter each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    letters: [u8; MOST_TOKENS],
    length: usize,
}

impl Fingerprint {
    fn of(tokens: &[Token]) -> Fingerprint {
        let mut letters = [0; MOST_TOKENS];
        for (letter, token) in letters.iter_mut().zip(tokens) {
            *letter = token.class.letter();
        }
        Fingerprint { letters, length: tokens.len() }
    }

    pub(super) fn letters(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or_default()
    }
}

/// The fingerprint of an injection; nothing where the text is harmless.
pub(super) fn injection(input: &[u8]) -> Option<Fingerprint> {
    if is_one_word(input) {
        return None;
    }
    let injection = injection_within(None, input);
    if injection.is_some() || memchr2(b'\'', b'"', input).is_none() {
        return injection;
    }
    memchr(b'\'', input)
        .and_then(|_| injection_within(Some(b'\''), input))
        .or_else(|| memchr(b'"', input).and_then(|_| read(input, Some(b'"'), Dialect::MySql).0))
}

fn injection_within(quote: Option<u8>, input: &[u8]) -> Option<Fingerprint> {
    let (injection, disputed) = read(input, quote, Dialect::Ansi);
    if injection.is_none() && disputed { read(input, quote, Dialect::MySql).0 } else { injection }
}

/// Returns `true` if the text is a single token, a word or a number: no fingerprint of one token is listed but that of evil.
fn is_one_word(input: &[u8]) -> bool {
    match input {
        [b'0'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => input.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    }
}

/// Reads the text one way: the injection that is found, and whether the dialects read it differently.
fn read(input: &[u8], within: Option<u8>, dialect: Dialect) -> (Option<Fingerprint>, bool) {
    let mut tokens = Tokens::new(input, within, dialect);
    let mut window = Window::EMPTY;
    window.fold(&mut tokens);
    let fingerprint = Fingerprint::of(window.tokens());
    let is_injection = tokens.lexicon.lists(fingerprint.letters()) && verdict::is_injection(window.tokens(), tokens.taken(), input);
    (is_injection.then_some(fingerprint), tokens.disputed())
}
