//! Records in JSON: an object on each line, in which nothing disturbs a log or a terminal.

use crate::escape::disturbs;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use sha1::{Digest as _, Sha1};
use std::sync::LazyLock;
use std::{fs, io};

/// Returns a record as a line, with a line break at its end.
pub fn json_line(record: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::with_capacity(2048);
    // Writing to memory does not fail, and every key is a text.
    let _ = record.serialize(&mut Serializer::with_formatter(&mut line, Escaping));
    line.push(b'\n');
    line
}

/// Writes JSON without blanks, and as `\uHHHH` everything that [disturbs] a line or a terminal. JSON itself requires that only below U+0020.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.split_inclusive(disturbs) {
            let kept = part.trim_end_matches(disturbs);
            writer.write_all(kept.as_bytes())?;
            for sign in part.chars().filter(|sign| disturbs(*sign)) {
                write!(writer, "\\u{:04x}", u32::from(sign))?;
            }
        }
        Ok(())
    }
}

/// A constant id of this machine: the SHA-1 of its name.
pub static SERVER_ID: LazyLock<String> = LazyLock::new(|| {
    let name = fs::read("/proc/sys/kernel/hostname").or_else(|_| fs::read("/etc/hostname")).unwrap_or_default();
    Sha1::digest(name.trim_ascii()).iter().map(|byte| format!("{byte:02x}")).collect()
});

/// Reads a port that a host passed as text; 0 if it is none.
pub fn port(digits: &[u8]) -> u16 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
