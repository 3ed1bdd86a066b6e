//! Blanks, as v3 trims them.

/// Returns `true` if a byte is a blank for C's `isspace`, which unlike [`u8::is_ascii_whitespace`] includes vertical tabs.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Returns the text without leading blanks.
pub fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    text.get(blanks..).unwrap_or_default()
}

/// Returns the text without trailing blanks.
pub fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| is_blank(**byte)).count();
    text.get(..text.len().saturating_sub(blanks)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertical_tabs_are_blanks_and_nul_is_none() {
        assert_eq!(trim_start(b"\x0b\t a "), b"a ");
        assert_eq!(trim_end(b" a\r\n\x0b"), b" a");
        assert_eq!(trim_end(b"a\0"), b"a\0");
        assert_eq!(trim_end(b" \t"), b"");
    }
}
