//! Encoded words of RFC 2047, such as `=?utf-8?B?ZmlsZS50eHQ=?=`, in names and file names.
//!
//! RFC 7578 does not allow them. Tomcat and Commons FileUpload decode them all the same, and .NET writes them for file names that are not ASCII.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use super::charset::is_decoded;

/// Returns `true` if some parser could find an encoded word in a text: `=?`, then two more `?`, then `?=`.
pub(super) fn may_hold(text: &[u8]) -> bool {
    let after = |text: &'_ [u8], what: &[u8]| memmem::find(text, what).map(|at| at.saturating_add(what.len()));
    let Some(charset) = after(text, b"=?").and_then(|at| text.get(at..)) else { return false };
    let encoding = after(charset, b"?").and_then(|at| charset.get(at..));
    let word = encoding.and_then(|encoding| after(encoding, b"?").and_then(|at| encoding.get(at..)));
    word.is_some_and(|word| memmem::find(word, b"?=").is_some())
}

/// Decodes a text of encoded words with blanks between them; `None` for anything else, and for words that parsers could decode in different ways.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    for word in text.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()) {
        let inside = word.strip_prefix(b"=?")?.strip_suffix(b"?=")?;
        let mut fields = inside.split(|byte| *byte == b'?');
        let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() || !is_decoded(charset) {
            return None;
        }
        match encoding {
            b"B" | b"b" => decoded.extend(STANDARD.decode(text).ok()?),
            b"Q" | b"q" => append_quoted(text, &mut decoded)?,
            _ => return None,
        }
    }
    (!decoded.is_empty()).then_some(decoded)
}

/// Decodes the encoding `Q`: `_` is a blank, `=XX` a byte.
fn append_quoted(text: &[u8], decoded: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    loop {
        let (byte, length) = match rest {
            [] => return Some(()),
            [b'_', ..] => (b' ', 1),
            [b'=', high, low, ..] => (super::charset::byte_of_hex(*high, *low)?, 3),
            [b'=', ..] => return None,
            [byte, ..] => (*byte, 1),
        };
        decoded.push(byte);
        rest = rest.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        for text in ["=?utf-8?B?YQ==?=", "a =?x?Q?b?= c", "=?a?=?utf-8?B?YQ==?=", "=?utf-8*en?z??="] {
            assert!(may_hold(text.as_bytes()), "{text}");
        }
        for text in ["", "a=?b", "=?c.txt", "what?=no", "=?utf-8?B", "=?utf-8?B?YQ==", "?a?b?="] {
            assert!(!may_hold(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn words_in_base64_and_quoted_printable_are_decoded() {
        assert_eq!(decode(b"=?utf-8?B?c2hlbGwucGhw?="), Some(b"shell.php".to_vec()));
        assert_eq!(decode(b"=?UTF-8?q?shell=2ejsp_x?= =?us-ascii?Q?.y?="), Some(b"shell.jsp x.y".to_vec()));
    }

    #[test]
    fn what_parsers_could_decode_in_two_ways_is_not_decoded() {
        for text in [
            "=?utf-16?B?YQ==?=",
            "=?utf-8?B?YQ?=",
            "=?utf-8?B?Y*Q==?=",
            "=?utf-8?Q?=2?=",
            "=?utf-8?B??=",
            "=?utf-8?X?a?=",
            "a=?utf-8?Q?a?=",
            "=?utf-8?Q?a?b?=",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
