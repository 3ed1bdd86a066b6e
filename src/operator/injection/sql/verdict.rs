//! Exceptions: harmless statements with a listed fingerprint.

use memchr::memmem;

use super::token::{Class, Token};

/// Returns `true` if folded tokens with a listed fingerprint are an injection; `count` is the number of tokens before folding.
pub(super) fn is_injection(tokens: &[Token], count: usize, input: &[u8]) -> bool {
    match tokens {
        // With this note SQL Server does not log the statement.
        [_, .., last] if last.is(Class::Comment) && memmem::find(input, b"sp_password").is_some() => true,
        [first, second] => is_injection_of_two(first, second, count, input),
        [first, second, third] => is_injection_of_three(first, second, third, count),
        _ => true,
    }
}

fn is_injection_of_two(first: &Token, second: &Token, count: usize, input: &[u8]) -> bool {
    let begins = second.text.first();
    match (first.class, second.class) {
        (_, Class::Union) => count != 2,
        _ if begins == Some(&b'#') => false,
        (Class::Bareword, Class::Comment) => begins == Some(&b'/'),
        (Class::Number, Class::Comment) => begins == Some(&b'/') || count > 2 || ends_as_number(first, input),
        // `1--`, and not `1-- text`.
        _ => begins != Some(&b'-') || second.text.len() <= 2,
    }
}

/// Returns `true` if the number is not the beginning of a code such as `1234-ab--`. It looks at the input at the offset that is the number's length.
fn ends_as_number(number: &Token, input: &[u8]) -> bool {
    match input.get(number.text.len()..) {
        Some([0..=b' ' | 0x80.., ..]) => true,
        Some(rest) => rest.starts_with(b"/*") || rest.starts_with(b"--"),
        None => false,
    }
}

fn is_injection_of_three(first: &Token, second: &Token, third: &Token, count: usize) -> bool {
    use Class::*;
    match (first.class, second.class, third.class) {
        // `text' + 'text`: the outer quotes are not part of the input.
        (String, Operator | LogicOperator, String) => first.opened.is_none() && third.closed.is_none() && first.closed == third.opened,
        // `sexy and 17` is not an injection, `sexy and 17<18` is.
        (String, LogicOperator, Bareword) | (Bareword, LogicOperator, Number) | (Number, LogicOperator, Number | Variable | String) => {
            count != 3
        }
        (_, Keyword, _) => second.text.len() >= 5 && second.begins(b"INTO"),
        _ => true,
    }
}
