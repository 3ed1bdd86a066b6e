//! A text without the encodings that a value may have in it, and the way back to its bytes.

use std::ops::Range;

/// A step that decodes: `text` begins with one of its triggers. Returns what it stands for, and the length of the escape.
type Decode = fn(text: &[u8]) -> Option<(Unit, usize)>;

/// The bytes that an escape stands for.
#[derive(Clone, Copy, Debug)]
struct Unit {
    bytes: [u8; 4],
    length: usize,
}

/// A decoding.
#[derive(Clone, Copy)]
pub struct Decoding {
    triggers: &'static [u8],
    decode: Decode,
}

/// `%XX` and `%uXXXX`, and `+` for a blank.
pub const FORM: Decoding = Decoding { triggers: b"%+", decode: form };
/// `%XX` and `%uXXXX`.
pub const PERCENT: Decoding = Decoding { triggers: b"%", decode: percent };
/// Escapes of JSON strings, and `\xHH`, which logs write.
pub const BACKSLASH: Decoding = Decoding { triggers: b"\\", decode: backslash };
/// Character references of XML and HTML.
pub const REFERENCE: Decoding = Decoding { triggers: b"&", decode: reference };

/// The decodings that a text is searched after, one after the other.
pub const ALL: &[&[Decoding]] = &[
    &[FORM],
    &[PERCENT],
    &[FORM, PERCENT],
    &[FORM, PERCENT, PERCENT],
    &[BACKSLASH],
    &[REFERENCE],
    &[BACKSLASH, FORM],
    &[BACKSLASH, PERCENT],
    &[REFERENCE, FORM],
    &[BACKSLASH, REFERENCE],
];

/// A decoded text.
#[derive(Debug)]
pub struct View {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The layers of encodings, the outermost first.
    layers: Vec<Vec<Piece>>,
}

/// A run of bytes that were copied, or the bytes of one escape. A last one marks the end. There may be one for each byte, so it is small.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its offset after decoding.
    decoded: u32,
    /// Its offset before.
    encoded: u32,
    is_escape: bool,
}

impl View {
    /// Decodes a text; `None` if one of the decodings changes nothing, so that another view shows the same.
    pub fn of(text: &[u8], decodings: &[Decoding]) -> Option<Self> {
        let mut view = None;
        for decoding in decodings {
            let (before, mut layers) = view.map_or((None, Vec::new()), |View { bytes, layers }| (Some(bytes), layers));
            let (bytes, pieces) = decoding.apply(before.as_deref().unwrap_or(text))?;
            layers.push(pieces);
            view = Some(View { bytes, layers });
        }
        view
    }

    /// Returns the range of the text that a range of the view comes from. Escapes are in it as a whole.
    pub fn range(&self, range: Range<usize>) -> Range<usize> {
        self.layers.iter().rev().fold(range, |range, pieces| back(pieces, range))
    }
}

fn back(pieces: &[Piece], range: Range<usize>) -> Range<usize> {
    let piece_of = |at: usize| pieces.partition_point(|piece| piece.decoded() <= at).saturating_sub(1);
    let start = pieces.get(piece_of(range.start)).map_or(0, |piece| match piece.is_escape {
        true => piece.encoded(),
        false => piece.encoded().saturating_add(range.start.saturating_sub(piece.decoded())),
    });
    let last = piece_of(range.end.saturating_sub(1));
    let end = pieces.get(last).map_or(start, |piece| match piece.is_escape {
        true => pieces.get(last.saturating_add(1)).map_or(piece.encoded(), |next| next.encoded()),
        false => piece.encoded().saturating_add(range.end.saturating_sub(piece.decoded())),
    });
    start..end.max(start)
}

impl Piece {
    fn new(decoded: usize, encoded: usize, is_escape: bool) -> Self {
        // Texts of a transaction are shorter than 4 GiB.
        let [decoded, encoded] = [decoded, encoded].map(|offset| u32::try_from(offset).unwrap_or(u32::MAX));
        Self { decoded, encoded, is_escape }
    }

    fn decoded(&self) -> usize {
        self.decoded as usize
    }

    fn encoded(&self) -> usize {
        self.encoded as usize
    }
}

impl Decoding {
    fn apply(&self, text: &[u8]) -> Option<(Vec<u8>, Vec<Piece>)> {
        let mut bytes = Vec::new();
        let mut pieces = Vec::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(found) = self.next_trigger(text, at) {
            let Some((unit, length)) = text.get(found..).and_then(self.decode) else {
                at = found.saturating_add(1);
                continue;
            };
            if found > copied {
                pieces.push(Piece::new(bytes.len(), copied, false));
                bytes.extend_from_slice(text.get(copied..found).unwrap_or_default());
            }
            pieces.push(Piece::new(bytes.len(), found, true));
            bytes.extend_from_slice(unit.bytes.get(..unit.length).unwrap_or_default());
            at = found.saturating_add(length);
            copied = at;
        }
        if pieces.is_empty() {
            return None;
        }
        pieces.push(Piece::new(bytes.len(), copied, false));
        bytes.extend_from_slice(text.get(copied..).unwrap_or_default());
        Some((bytes, pieces))
    }

    fn next_trigger(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let found = match self.triggers {
            [one] => memchr::memchr(*one, rest),
            [one, other, ..] => memchr::memchr2(*one, *other, rest),
            [] => None,
        };
        found.map(|at| from.saturating_add(at))
    }
}

impl Unit {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Self { bytes, length })
    }
}

fn form(text: &[u8]) -> Option<(Unit, usize)> {
    match text {
        [b'+', ..] => Some((Unit::byte(b' '), 1)),
        _ => percent(text),
    }
}

fn percent(text: &[u8]) -> Option<(Unit, usize)> {
    match text {
        [b'%', b'u' | b'U', digits @ ..] => Some((Unit::character(hex(digits, 4)?)?, 6)),
        [b'%', digits @ ..] => Some((Unit::byte(u8::try_from(hex(digits, 2)?).ok()?), 3)),
        _ => None,
    }
}

fn backslash(text: &[u8]) -> Option<(Unit, usize)> {
    let byte = |byte| Some((Unit::byte(byte), 2));
    match text {
        [b'\\', b'u', digits @ ..] => {
            let first = hex(digits, 4)?;
            let second = || digits.get(4..)?.strip_prefix(b"\\u").and_then(|digits| hex(digits, 4));
            match (first, second()) {
                (high @ 0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                    Some((Unit::character(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12))
                }
                _ => Some((Unit::character(first)?, 6)),
            }
        }
        [b'\\', b'x', digits @ ..] => Some((Unit::byte(u8::try_from(hex(digits, 2)?).ok()?), 4)),
        [b'\\', b'n', ..] => byte(b'\n'),
        [b'\\', b'r', ..] => byte(b'\r'),
        [b'\\', b't', ..] => byte(b'\t'),
        [b'\\', b'b', ..] => byte(0x08),
        [b'\\', b'f', ..] => byte(0x0c),
        [b'\\', sign @ (b'"' | b'\\' | b'/' | b'\''), ..] => byte(*sign),
        _ => None,
    }
}

fn reference(text: &[u8]) -> Option<(Unit, usize)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let unit = match text.get(1..end)? {
        b"amp" => Unit::byte(b'&'),
        b"lt" => Unit::byte(b'<'),
        b"gt" => Unit::byte(b'>'),
        b"quot" => Unit::byte(b'"'),
        b"apos" => Unit::byte(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => Unit::character(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)?,
        [b'#', digits @ ..] => Unit::character(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((unit, end.saturating_add(1)))
}

/// Returns the number of the first hexadecimal digits.
fn hex(text: &[u8], digits: usize) -> Option<u32> {
    text.get(..digits)?.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_view_has_whole_escapes() {
        let text = b"a%41b+%u00e9c%zz";
        let view = View::of(text, &[FORM]).unwrap();
        assert_eq!(view.bytes, "aAb éc%zz".as_bytes());
        assert_eq!(view.range(1..2), 1..4);
        assert_eq!(view.range(0..4), 0..6);
        assert_eq!(view.range(4..5), 6..12);
        assert_eq!(view.range(6..9), 12..15);
        assert!(View::of(b"plain", &[FORM]).is_none());
    }

    #[test]
    fn layers_are_followed_back() {
        let text = b"x=s%2541&y";
        let view = View::of(text, &[FORM, PERCENT]).unwrap();
        assert_eq!(view.bytes, b"x=sA&y");
        assert_eq!(view.range(2..4), 2..8);
    }

    #[test]
    fn escapes_of_json_and_xml_are_known() {
        let decoded = |text: &[u8], decoding| View::of(text, &[decoding]).unwrap().bytes;
        assert_eq!(decoded(br#"a\u0062\ud83d\ude00\/\x63"#, BACKSLASH), "ab😀/c".as_bytes());
        assert_eq!(decoded(b"&lt;&#65;&#x42;&unknown;", REFERENCE), b"<AB&unknown;");
    }
}
