//! The byte to which ModSecurity decodes a character beyond ASCII.

/// Returns the ASCII character of a full-width form (U+FF01 to U+FF5E), or the low byte of any other character.
pub(super) fn to_byte(character: u16) -> u8 {
    let [high, low] = character.to_be_bytes();
    if high == 0xff && (0x01..=0x5e).contains(&low) { low + 0x20 } else { low }
}
