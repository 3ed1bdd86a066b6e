//! Tests if a text would bring script into the page that contains it.
//!
//! The text is read as browsers read it in each context: between tags, within a tag, and within a value in quotes of either kind or in backticks. An
//! element, attribute, address or comment that can run script is an attack.

mod blocked;
mod tokenizer;

use memchr::{memchr, memchr2};

use blocked::Attribute;
use tokenizer::{Place, Token, Tokens};

/// Returns `true` if the text is an attack.
pub(super) fn is_attack(input: &[u8]) -> bool {
    // Elements, comments and declarations begin with `<`; an attribute needs a value after `=`.
    if memchr2(b'<', b'=', input).is_none() {
        return false;
    }
    // Text between tags ends at a `<`; a quoted value, whose name is unknown, ends at its closing quote.
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
    // The attribute name of the next value.
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
