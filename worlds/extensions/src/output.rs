//! Output of a run, and notes of the host about the run.

use std::cell::RefCell;

/// Maximum length of the output of a run, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Maximum number of notes of a run, and maximum length of each in bytes.
const MAX_NOTES: usize = 50;
const MAX_NOTE_BYTES: usize = 1_000;

/// The output of a run, shared by the functions of its script.
#[derive(Debug, Default)]
pub struct Output {
    text: RefCell<String>,
    notes: RefCell<Vec<String>>,
    is_cut: std::cell::Cell<bool>,
}

impl Output {
    /// Returns the number of bytes that a message may have; `None` if none is taken any more.
    pub fn room(&self) -> Option<usize> {
        (!self.is_cut.get()).then(|| MAX_BYTES.saturating_sub(self.text.borrow().len()))
    }

    /// Adds a message, as a line.
    pub fn add(&self, message: &[u8]) {
        let Some(room) = self.room() else { return };
        let message = String::from_utf8_lossy(message);
        let mut text = self.text.borrow_mut();
        if message.len() < room {
            text.push_str(&message);
            text.push('\n');
            return;
        }
        text.push_str(cut(&message, room.saturating_sub(1)));
        text.push('\n');
        self.is_cut.set(true);
        self.note(&format!("the output is longer than {} KiB: the rest is left out", MAX_BYTES >> 10));
    }

    /// Adds a note of the host.
    pub fn note(&self, note: &str) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < MAX_NOTES {
            notes.push(cut(note, MAX_NOTE_BYTES).to_owned());
        }
    }

    /// Returns the text and the notes, and leaves none.
    pub fn take(&self) -> (String, Vec<String>) {
        (self.text.take(), self.notes.take())
    }
}

/// Returns the beginning of a text, at most so many bytes.
fn cut(text: &str, length: usize) -> &str {
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beyond_its_limit_is_left_out_with_one_note() {
        let output = Output::default();
        output.add("ü".repeat(20_000).as_bytes());
        (0..100).for_each(|_| output.add("ü".repeat(20_000).as_bytes()));
        let (text, notes) = output.take();
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 4 && text.ends_with("ü\n"), "{}", text.len());
        assert_eq!(notes, ["the output is longer than 64 KiB: the rest is left out"]);
    }

    #[test]
    fn what_is_not_text_is_replaced() {
        let output = Output::default();
        output.add(b"a\xFFb");
        output.add(b"");
        assert_eq!(output.take().0, "a\u{FFFD}b\n\n");
    }
}
