//! `base64Decode`, `base64DecodeExt`, `base64Encode`.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use super::rewrite::Step;
use std::sync::LazyLock;

/// Decodes strictly, as ModSecurity v3 does: the value ends at its first NUL, and any error makes it empty.
///
/// Lines may end in LF or CR LF, with blanks before; an incomplete group of four is dropped.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Step {
    let text = memchr(0, input).and_then(|end| input.get(..end)).unwrap_or(input);
    if decode_strict(text, output).is_none() {
        output.clear();
    }
    Step::Written
}

fn decode_strict(text: &[u8], output: &mut Vec<u8>) -> Option<()> {
    output.reserve(text.len() / 4 * 3);
    let mut group = Group::default();
    let mut padding = 0;
    let mut after_blank = false;
    let mut rest = text;
    let sextets = &*SEXTETS;
    loop {
        if group.characters == 0 && padding == 0 && !after_blank {
            rest = decode_groups(sextets, rest, output);
        }
        let Some((&byte, tail)) = rest.split_first() else { break };
        rest = tail;
        let line_end = byte == b'\n' || (byte == b'\r' && tail.first() == Some(&b'\n'));
        match byte {
            b' ' => after_blank = true,
            _ if line_end => after_blank = false,
            _ if after_blank => return None,
            b'=' if padding < 2 => {
                padding += 1;
                group.push(0, padding, output);
            }
            _ if padding == 0 => group.push(sextet(byte)?, 0, output),
            _ => return None,
        }
    }
    Some(())
}

/// Decodes groups of four characters, and returns the rest: most of a text has nothing else.
fn decode_groups<'t>(sextets: &[u8; 256], text: &'t [u8], output: &mut Vec<u8>) -> &'t [u8] {
    let mut rest = text;
    while let Some((group, tail)) = rest.split_first_chunk::<4>() {
        let sextets = group.map(|byte| sextets.get(usize::from(byte)).copied().unwrap_or(NO_SEXTET));
        if sextets.iter().fold(0, |all, sextet| all | sextet) > MAX_SEXTET {
            break;
        }
        let [_, bytes @ ..] = sextets.iter().fold(0, |bits: u32, sextet| bits << 6 | u32::from(*sextet)).to_be_bytes();
        output.extend_from_slice(&bytes);
        rest = tail;
    }
    rest
}

const MAX_SEXTET: u8 = 63;
const NO_SEXTET: u8 = u8::MAX;

/// The value of each character; [`NO_SEXTET`] outside of the alphabet.
static SEXTETS: LazyLock<[u8; 256]> = LazyLock::new(|| std::array::from_fn(|byte| sextet(byte as u8).unwrap_or(NO_SEXTET)));

/// Up to four characters of Base64, 6 bits each.
#[derive(Default)]
struct Group {
    bits: u32,
    characters: u8,
}

impl Group {
    /// Adds a character; the fourth one writes the group's bytes, without the last `padding`.
    fn push(&mut self, sextet: u8, padding: usize, output: &mut Vec<u8>) {
        self.bits = self.bits << 6 | u32::from(sextet);
        self.characters += 1;
        if self.characters == 4 {
            let [_, bytes @ ..] = self.bits.to_be_bytes();
            output.extend(bytes.into_iter().take(3_usize.saturating_sub(padding)));
            *self = Self::default();
        }
    }
}

/// Decodes what it can: characters outside the alphabet are skipped, and padding may be missing. The URL-safe `-` and `_` belong to the alphabet.
/// ModSecurity 3.0.9 skips them, so that it garbles a JSON web token.
///
/// As in ModSecurity v3, a `=` right after the first character of a group of four, where it can only be an error, makes the value empty if it ends a
/// run of `=`. v3 takes a final `9` for such a `=`; here it is a digit like any other.
pub(super) fn decode_forgiving(input: &[u8], output: &mut Vec<u8>) -> Step {
    output.reserve(input.len() / 4 * 3 + 2);
    let mut bits: u16 = 0;
    let mut in_group = 0_u8;
    let mut rest = input;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'=' && in_group == 1 && tail.first() != Some(&b'=') {
            output.clear();
            return Step::Written;
        }
        let Some(sextet) = any_sextet(byte) else { continue };
        // At most six bits are not yet written: older ones are shifted out.
        bits = bits << 6 | u16::from(sextet);
        match in_group {
            0 => {}
            1 => output.push((bits >> 4) as u8),
            2 => output.push((bits >> 2) as u8),
            _ => output.push(bits as u8),
        }
        in_group = (in_group + 1) % 4;
    }
    Step::Written
}

/// RFC 4648 Base64 with padding.
pub(super) fn encode(input: &[u8], output: &mut Vec<u8>) -> Step {
    let length = ::base64::encoded_len(input.len(), true).unwrap_or(0);
    output.resize(length, 0);
    // The only possible error is a buffer that is too small.
    let written = STANDARD.encode_slice(input, output).unwrap_or(0);
    output.truncate(written);
    Step::Written
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Returns the value of a character in either alphabet of RFC 4648: standard and URL-safe.
fn any_sextet(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(62),
        b'_' => Some(63),
        _ => sextet(byte),
    }
}
