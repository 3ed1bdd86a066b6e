//! `@pm` and `@pmFromFile`: the words of an argument or of files.

use super::findings::{Findings, Wanted};
use crate::pattern::{Words, WordsError};
use std::borrow::Cow;

/// Reads the words of `@pm`: separated by white space, with `|41|` for hexadecimal bytes and a backslash before `:`, `;`, `\` and `"`. An argument
/// that uses these marks otherwise is taken literally.
pub(super) fn from_argument(argument: &[u8]) -> Result<Words, WordsError> {
    let text = unescape(argument).map_or(Cow::Borrowed(argument), Cow::Owned);
    Words::new(text.split(|byte| matches!(byte, b'\t'..=b'\r' | b' ')))
}

/// Reads the words of `@pmFromFile`: one on each line, including blanks. Lines end with LF or CR LF. Blank lines, and lines that begin with `#`, are
/// ignored.
///
/// ModSecurity v3 takes the CR as part of the word, which then never matches.
pub(super) fn from_files(files: &[Vec<u8>]) -> Result<Words, WordsError> {
    let lines = files.iter().flat_map(|file| data_lines(file)).map(|(_, line)| line);
    Words::new(lines.filter(|line| !line.trim_ascii_start().starts_with(b"#") && !line.trim_ascii().is_empty()))
}

/// Returns the lines of a data file with their numbers from 1, without line endings and UTF-8 byte order mark.
pub(super) fn data_lines(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    (1..).zip(file.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Returns `true` if one of the words occurs in the input; captures it as spelled in the rule.
///
/// v3 captures the text of its automaton's node, which with overlapping words may be none of them (`abc` for the words `abcd` and `bc` in `abcd`).
pub(super) fn evaluate(words: &Words, input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let Some(found) = words.find(input) else { return false };
    if wanted == Wanted::Findings {
        findings.locate(&(found.start..found.end));
        findings.capture_text(words.word(found.word).unwrap_or_default());
    }
    true
}

/// Resolves the marks in an argument of `@pm`; `None` if they are not used correctly.
fn unescape(argument: &[u8]) -> Option<Vec<u8>> {
    let blanks = argument.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let text = argument.get(blanks..)?;
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let mut output = Vec::with_capacity(text.len());
    let mut hexadecimal = false;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'|' => hexadecimal = !hexadecimal,
            _ if hexadecimal => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                output.push(digit(byte)? << 4 | digit(bytes.next()?)?);
            }
            b'\\' => output.push(bytes.next().filter(|byte| matches!(byte, b':' | b';' | b'\\' | b'"'))?),
            _ => output.push(byte),
        }
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(argument: &str) -> Vec<String> {
        let words = from_argument(argument.as_bytes()).unwrap();
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn words_are_separated_by_white_space() {
        assert_eq!(words("  curl\twget  nmap "), ["curl", "wget", "nmap"]);
    }

    #[test]
    fn marks_are_resolved_and_otherwise_kept() {
        assert_eq!(words(r"x|4142|y \:z"), ["xABy", ":z"]);
        assert_eq!(words(r"x|41y z"), ["x|41y", "z"]);
        assert_eq!(words(r"a\b c"), [r"a\b", "c"]);
        assert_eq!(words(r#""quoted words""#), ["quoted", "words"]);
    }

    #[test]
    fn a_file_holds_one_word_a_line() {
        let words = from_files(&[b"# tools\nnmap scan\n\n x\n".to_vec(), b"last".to_vec()]).unwrap();
        assert_eq!(words.iter().collect::<Vec<_>>(), [&b"nmap scan"[..], b" x", b"last"]);
    }

    #[test]
    fn lines_of_a_file_may_end_with_carriage_return_and_line_feed() {
        let words = from_files(&[b"\xef\xbb\xbfnmap\r\n  # tools\r\n \t\r\n\r\n a b \r\nlast\r".to_vec()]).unwrap();
        assert_eq!(words.iter().collect::<Vec<_>>(), [&b"nmap"[..], b" a b ", b"last"]);
    }

    #[test]
    fn the_word_is_captured_as_spelled_in_the_rule() {
        let mut findings = Findings::default();
        assert!(evaluate(&from_argument(b"NMap").unwrap(), b"an nmAP scan", Wanted::Findings, &mut findings));
        assert_eq!(findings.offsets, [(3, 4)]);
        assert_eq!(findings.captures.first().unwrap().bytes(b"an nmAP scan"), b"NMap");
    }
}
