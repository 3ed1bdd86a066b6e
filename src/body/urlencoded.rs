//! Bodies of type `application/x-www-form-urlencoded`.

use crate::http::arguments::{self, Argument};

/// Returns the arguments of a body, decoded, in the order in which they were sent.
///
/// `separator` is `&` unless `SecArgumentSeparator` sets another. Splitting and decoding are those of query strings; line breaks at the end of the
/// body belong to the last value, as in v3.
pub fn arguments(body: &[u8], separator: u8) -> impl Iterator<Item = Argument<'_>> {
    arguments::split(body, separator).map(|raw| raw.decode())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_decoded_in_order() {
        let form: Vec<_> = arguments(b"user=j+doe&pass=%26%3D\r\n", b'&').collect();
        assert_eq!(form[0].value.as_ref(), b"j doe");
        assert_eq!(form[1].name.as_ref(), b"pass");
        assert_eq!(form[1].value.as_ref(), b"&=\r\n");
    }

    proptest! {
        #[test]
        fn any_body_is_split_without_losing_its_order(body in "[a%&=+0-9;]{0,60}") {
            let offsets: Vec<_> = arguments(body.as_bytes(), b'&').map(|argument| argument.offset).collect();
            prop_assert!(offsets.is_sorted());
            prop_assert!(offsets.iter().all(|offset| *offset < body.len()));
        }
    }
}
