//! Escapes of URLs, JavaScript, C, CSS, HTML, SQL, and the notation of Unicode characters.

fn is_hex(value: &[u8], at: usize, number: usize) -> bool {
    value.len() >= at + number && value[at..at + number].iter().all(u8::is_ascii_hexdigit)
}

fn hex(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 16 + u64::from((*digit as char).to_digit(16).unwrap_or(0)))
}

/// The byte for a character: full-width forms are ASCII, of any other the low byte is left.
fn low_byte(character: u64) -> u8 {
    if (0xff01..=0xff5e).contains(&character) { (character - 0xff01 + 0x21) as u8 } else { (character % 256) as u8 }
}

pub fn url_decode(value: &[u8], unicode: bool) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        if value[at] == b'%' && is_hex(value, at + 1, 2) {
            result.push(hex(&value[at + 1..at + 3]) as u8);
            at += 3;
        } else if unicode && value[at] == b'%' && value.len() > at + 1 && b"uU".contains(&value[at + 1]) && is_hex(value, at + 2, 4) {
            result.push(low_byte(hex(&value[at + 2..at + 6])));
            at += 6;
        } else {
            result.push(if value[at] == b'+' { b' ' } else { value[at] });
            at += 1;
        }
    }
    result
}

fn letter(letter: u8) -> u8 {
    match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => 9,
        b'n' => 10,
        b'v' => 11,
        b'f' => 12,
        b'r' => 13,
        other => other,
    }
}

fn octal_digits(value: &[u8], at: usize, max: usize) -> usize {
    (0..max).take_while(|digit| value.get(at + digit).is_some_and(|byte| (b'0'..=b'7').contains(byte))).count()
}

fn octal(digits: &[u8]) -> u8 {
    (digits.iter().fold(0_u32, |number, digit| number * 8 + u32::from(digit - b'0')) % 256) as u8
}

pub fn js_decode(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let next = value.get(at + 1).copied();
        let digits = if next.is_some_and(|next| next <= b'3') { 3 } else { 2 };
        let digits = octal_digits(value, at + 1, digits);
        if value[at] != b'\\' || next.is_none() {
            result.push(value[at]);
            at += 1;
        } else if next == Some(b'u') && is_hex(value, at + 2, 4) {
            result.push(low_byte(hex(&value[at + 2..at + 6])));
            at += 6;
        } else if next == Some(b'x') && is_hex(value, at + 2, 2) {
            result.push(hex(&value[at + 2..at + 4]) as u8);
            at += 4;
        } else if digits > 0 {
            result.push(octal(&value[at + 1..at + 1 + digits]));
            at += 1 + digits;
        } else {
            result.push(letter(value[at + 1]));
            at += 2;
        }
    }
    result
}

pub fn c_decode(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let next = value.get(at + 1).copied();
        let digits = octal_digits(value, at + 1, 3);
        if value[at] != b'\\' || next.is_none() {
            result.push(value[at]);
            at += 1;
        } else if matches!(next, Some(b'x' | b'X')) && is_hex(value, at + 2, 2) {
            result.push(hex(&value[at + 2..at + 4]) as u8);
            at += 4;
        } else if digits > 0 {
            result.push(octal(&value[at + 1..at + 1 + digits]));
            at += 1 + digits;
        } else {
            result.push(letter(value[at + 1]));
            at += 2;
        }
    }
    result
}

pub fn css_decode(value: &[u8]) -> Vec<u8> {
    let blank = |at: usize| value.get(at).is_some_and(|byte| b" \t\n\x0b\x0c\r".contains(byte));
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        if value[at] != b'\\' {
            result.push(value[at]);
            at += 1;
            continue;
        }
        at += 1;
        let digits = (0..6).take_while(|digit| is_hex(value, at + digit, 1)).count();
        if digits > 0 {
            let code = hex(&value[at..at + digits]);
            // A full-width form is written in four digits.
            result.push(if code > 0xffff { (code % 256) as u8 } else { low_byte(code) });
            at += digits;
            at += usize::from(blank(at));
        } else if value.get(at) == Some(&0) {
            result.push(0);
            at += 1;
            at += usize::from(blank(at));
        } else if value.get(at) == Some(&b'\n') {
            at += 1;
        } else if at < value.len() {
            result.push(value[at]);
            at += 1;
        }
    }
    result
}

pub fn html_decode(value: &[u8]) -> Vec<u8> {
    let names: [(&str, u8); 5] = [("quot", b'"'), ("amp", b'&'), ("lt", b'<'), ("gt", b'>'), ("nbsp", 0xa0)];
    let run = |from: usize, fits: fn(&u8) -> bool| value[from.min(value.len())..].iter().take_while(|byte| fits(byte)).count();
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let rest = &value[at..];
        let found = if rest.starts_with(b"&#x") || rest.starts_with(b"&#X") {
            let digits = run(at + 3, u8::is_ascii_hexdigit);
            let code = rest[3..3 + digits].iter().fold(0_u128, |code, digit| (code * 16 + u128::from(hex(&[*digit]))).min(1 << 100));
            (digits > 0).then_some((number(code), 3 + digits))
        } else if rest.starts_with(b"&#") {
            let digits = run(at + 2, u8::is_ascii_digit);
            let code = rest[2..2 + digits].iter().fold(0_u128, |code, digit| (code * 10 + u128::from(digit - b'0')).min(1 << 100));
            (digits > 0).then_some((number(code), 2 + digits))
        } else if rest.starts_with(b"&") {
            let length = run(at + 1, u8::is_ascii_alphanumeric);
            let name = rest[1..1 + length].to_ascii_lowercase();
            names.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, byte)| (*byte, 1 + length))
        } else {
            None
        };
        match found {
            Some((byte, length)) => {
                result.push(byte);
                at += length;
                at += usize::from(value.get(at) == Some(&b';'));
            }
            None => {
                result.push(value[at]);
                at += 1;
            }
        }
    }
    result
}

/// The low byte of a number that is read as C reads a `long`.
fn number(code: u128) -> u8 {
    (code.min(i64::MAX as u128) % 256) as u8
}

pub fn sql_hex_decode(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let opens = value[at] == b'0' && value.get(at + 1).is_some_and(|next| b"xX".contains(next));
        if !opens || !is_hex(value, at + 2, 2) {
            result.push(value[at]);
            at += 1;
            continue;
        }
        at += 2;
        while is_hex(value, at, 2) {
            result.push(hex(&value[at..at + 2]) as u8);
            at += 2;
        }
    }
    result
}

/// Nothing for bytes that are no UTF-8: what becomes of some of them is v3's own.
pub fn utf8_to_unicode(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let written = text.chars().map(|letter| if letter.is_ascii() { letter.to_string() } else { format!("%u{:04x}", letter as u32) });
    Some(written.collect::<String>().into_bytes())
}
