//! Hexadecimal digits, Base64, and the encoding of URLs.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn hex_encode(value: &[u8]) -> Vec<u8> {
    value.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// Pairs of digits; what is no digit is taken for the one that its bits would be.
pub fn hex_decode(value: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| i32::from(if byte >= b'A' { byte & 0xdf } else { byte }) - if byte >= b'A' { 55 } else { 48 };
    value.chunks_exact(2).map(|pair| (digit(pair[0]) * 16 + digit(pair[1])).rem_euclid(256) as u8).collect()
}

pub fn url_encode(value: &[u8]) -> Vec<u8> {
    let written = value.iter().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'*' => "*".to_owned(),
        byte if byte.is_ascii_alphanumeric() => (*byte as char).to_string(),
        byte => format!("%{byte:02x}"),
    });
    written.collect::<String>().into_bytes()
}

pub fn base64_encode(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    for group in value.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits * 256 + u32::from(group.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize % 64];
            result.push(if place <= group.len() { letter } else { b'=' });
        }
    }
    result
}

/// Up to the first NUL: lines of the alphabet with blanks at their ends, and at most two `=` behind the last letter. Nothing for anything
/// else; four letters make three bytes, and fewer make none.
pub fn base64_decode(value: &[u8]) -> Option<Vec<u8>> {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut letters = Vec::new();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    for (at, line) in lines.iter().enumerate() {
        let mut line = if at + 1 < lines.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        while let Some(shorter) = line.strip_suffix(b" ") {
            line = shorter;
        }
        letters.extend(line);
    }
    let data = letters.iter().take_while(|letter| **letter != b'=').count();
    let padding = letters.len() - data;
    let known = |letter: &u8| ALPHABET.contains(letter);
    if padding > 2 || !letters[..data].iter().all(known) || letters[data..].iter().any(|letter| *letter != b'=') {
        return None;
    }
    let mut result = Vec::new();
    for (number, group) in letters.chunks_exact(4).enumerate() {
        let padded = (4 * number + 4).saturating_sub(data);
        let bits = group.iter().fold(0_u32, |bits, letter| bits * 64 + place(*letter).unwrap_or(0));
        result.extend(&bits.to_be_bytes()[1..4 - padded.min(3)]);
    }
    Some(result)
}

/// Skips what is of neither alphabet. A `=` behind the first letter of a group spoils it all, unless another `=` follows.
pub fn base64_decode_forgiving(value: &[u8]) -> Vec<u8> {
    let mut letters = Vec::new();
    for (at, byte) in value.iter().enumerate() {
        let standard = match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        };
        if *byte == b'=' && letters.len() % 4 == 1 && value.get(at + 1) != Some(&b'=') {
            return Vec::new();
        }
        letters.extend(place(standard));
    }
    let mut result = Vec::new();
    for group in letters.chunks(4) {
        let bits = (0..4).fold(0_u32, |bits, at| bits * 64 + group.get(at).copied().unwrap_or(0));
        result.extend(&bits.to_be_bytes()[1..group.len().max(1)]);
    }
    result
}

fn place(letter: u8) -> Option<u32> {
    ALPHABET.iter().position(|known| *known == letter).map(|place| place as u32)
}
