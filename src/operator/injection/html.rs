//! Whether a text would bring script into a page that it is put into.
//!
//! The text is read as browsers do where it may stand: between tags, within a tag, and within a value in quotes of either kind or in
//! backticks. An element, attribute, address or comment that can run script makes an attack.

mod blocked;
mod tokenizer;

use memchr::{memchr, memchr2};

use blocked::Attribute;
use tokenizer::{Place, Token, Tokens};

/// Returns `true` if the text is an attack.
pub(super) fn is_attack(input: &[u8]) -> bool {
    // Elements, comments and declarations begin with `<`; an attribute does harm by its value, which is behind `=`.
    if memchr2(b'<', b'=', input).is_none() {
        return false;
    }
    // Between tags there is text up to a `<`, and in quotes there is a value without a name up to the closing quote.
    let places = [
        (Some(b'<'), Place::Text),
        (None, Place::Tag),
        (Some(b'\''), Place::Value(b'\'')),
        (Some(b'"'), Place::Value(b'"')),
        (Some(b'`'), Place::Value(b'`')),
    ];
    places.into_iter().any(|(needed, place)| needed.is_none_or(|byte| memchr(byte, input).is_some()) && is_attack_in(place, input))
}

fn is_attack_in(place: Place, input: &[u8]) -> bool {
    // The name that the next value is for.
    let mut attribute = None;
    Tokens::new(input, place).any(|token| match (token, attribute.take()) {
        (Token::AttributeName(name), _) => {
            attribute = Some(name);
            false
        }
        (Token::AttributeValue(value), Some(name)) => takes_script(name, value),
        (Token::TagName(name), _) => blocked::element(name),
        (Token::Comment(comment), _) => blocked::comment(comment),
        (Token::Doctype, _) => true,
        (Token::AttributeValue(_) | Token::TagEnd, _) => false,
    })
}

/// Returns `true` if an attribute with this value runs script.
fn takes_script(name: &[u8], value: &[u8]) -> bool {
    match blocked::attribute(name) {
        Some(Attribute::Any) => true,
        Some(Attribute::Address) => blocked::address(value),
        Some(Attribute::Indirect) => blocked::attribute(value).is_some(),
        None => false,
    }
}
