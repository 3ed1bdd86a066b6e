//! Bytes as text, in notes and errors.

use std::fmt::{self, Display};

/// Bytes shown as text; invalid UTF-8 becomes the replacement character.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            formatter.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                formatter.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}
