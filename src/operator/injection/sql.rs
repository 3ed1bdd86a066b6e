//! Tests if a text would change the SQL statement that contains it.
//!
//! The text is cut into tokens as the SQL dialects read it. Tokens that change nothing are folded away. The classes of the remaining tokens, five at
//! most, are the fingerprint, which is looked up among those of injections. This is done for the text as it is, and as if it followed a single or a
//! double quote.

mod fold;
mod lexicon;
mod quoted;
mod token;
mod tokenizer;
mod verdict;
mod word;

use memchr::{memchr, memchr2};

use fold::{MAX_TOKENS, Window};
use token::Token;
use tokenizer::{Dialect, Tokens};

/// The token classes of an injection, a letter each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    letters: [u8; MAX_TOKENS],
    length: usize,
}

impl Fingerprint {
    fn of(tokens: &[Token]) -> Fingerprint {
        let mut letters = [0; MAX_TOKENS];
        for (letter, token) in letters.iter_mut().zip(tokens) {
            *letter = token.class.letter();
        }
        Fingerprint { letters, length: tokens.len() }
    }

    pub(super) fn letters(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or_default()
    }
}

/// Returns the fingerprint of an injection; `None` if the text is harmless.
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

/// Returns `true` if the text is a single token, a word or a number: of the fingerprints of one token only "evil" is listed.
fn is_one_word(input: &[u8]) -> bool {
    match input {
        [b'0'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => input.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    }
}

/// Reads the text in one way: returns the injection found, and `true` if the dialects read it differently.
fn read(input: &[u8], within: Option<u8>, dialect: Dialect) -> (Option<Fingerprint>, bool) {
    let mut tokens = Tokens::new(input, within, dialect);
    let mut window = Window::EMPTY;
    window.fold(&mut tokens);
    let fingerprint = Fingerprint::of(window.tokens());
    let is_injection = tokens.lexicon.lists(fingerprint.letters()) && verdict::is_injection(window.tokens(), tokens.taken(), input);
    (is_injection.then_some(fingerprint), tokens.disputed())
}
