//! Addresses for the `Location` header.

use percent_encoding::percent_encode_byte;

/// Returns an address that is safe in a header: control characters, among them line breaks and NUL, and bytes that are not UTF-8 are percent-encoded.
/// Everything else is kept, so that a valid address does not change.
///
/// Without this, an address with a part of a request would let the client add headers to the response.
pub fn location(address: &[u8]) -> String {
    let mut location = String::with_capacity(address.len());
    for chunk in address.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                encode(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut location);
            } else {
                location.push(character);
            }
        }
        encode(chunk.invalid(), &mut location);
    }
    location
}

/// Encodes every byte: a set of the crate's names ASCII only, and what lies beyond is kept here as long as it is UTF-8.
fn encode(bytes: &[u8], location: &mut String) {
    location.extend(bytes.iter().map(|byte| percent_encode_byte(*byte)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_adds_no_line_to_a_response() {
        assert_eq!(
            location(b"https://a.example/?next=b\r\nSet-Cookie: c=d\0\t\x7f"),
            "https://a.example/?next=b%0D%0ASet-Cookie: c=d%00%09%7F"
        );
        assert_eq!(location("\u{85}\u{9b}x".as_bytes()), "%C2%85%C2%9Bx");
        assert_eq!(location(b"/\xff\xc3/"), "/%FF%C3/");
    }

    #[test]
    fn a_valid_address_does_not_change() {
        for address in ["https://a.example:8443/b/c?d=%20e&f=g#h", "/größe?ä=☃"] {
            assert_eq!(location(address.as_bytes()), address);
        }
    }
}
