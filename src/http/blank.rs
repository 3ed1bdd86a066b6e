//! What v3 takes for a blank when it trims.

/// Returns `true` if a byte is a blank for C's `isspace`: unlike [`u8::is_ascii_whitespace`], vertical tabs are.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The text without blanks in front.
pub fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    text.get(blanks..).unwrap_or_default()
}

/// The text without blanks at its end.
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
