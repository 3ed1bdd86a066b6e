//! Blanks, and what is written with more of them than it needs.

const SPACES: &[u8] = b" \t\n\x0b\x0c\r";

pub fn trim_start(value: &[u8]) -> &[u8] {
    let mut rest = value;
    while !rest.is_empty() && SPACES.contains(&rest[0]) {
        rest = &rest[1..];
    }
    rest
}

pub fn trim_end(value: &[u8]) -> &[u8] {
    let mut rest = value;
    while !rest.is_empty() && SPACES.contains(&rest[rest.len() - 1]) {
        rest = &rest[..rest.len() - 1];
    }
    rest
}

/// The no-break space is white space, too: as UTF-8, or as a byte that stands behind ASCII or other white space.
pub fn compress(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let (mut at, mut behind_space) = (0, false);
    while at < value.len() {
        let alone = value[at] == 0xa0 && (behind_space || at == 0 || value[at - 1] < 0x80);
        let length = match value[at..].starts_with(b"\xc2\xa0") {
            true => 2,
            false => usize::from(SPACES.contains(&value[at]) || alone),
        };
        if length == 0 {
            result.push(value[at]);
        } else if !behind_space {
            result.push(b' ');
        }
        behind_space = length > 0;
        at += length.max(1);
    }
    result
}

pub fn remove(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| !SPACES.contains(byte) && *byte != 0xa0 && *byte != 0xc2).collect()
}

/// Quotes, backslashes and carets go; blanks, commas and semicolons are one blank, none before `/` and `(`; letters are small.
pub fn command_line(value: &[u8]) -> Vec<u8> {
    let kept: Vec<u8> = value.iter().copied().filter(|byte| !b"\"'\\^".contains(byte)).collect();
    let blank = |byte: u8| b" \t\r\n,;".contains(&byte);
    let mut result = Vec::new();
    let mut at = 0;
    while at < kept.len() {
        if !blank(kept[at]) {
            result.push(kept[at].to_ascii_lowercase());
            at += 1;
            continue;
        }
        while at < kept.len() && blank(kept[at]) {
            at += 1;
        }
        if at == kept.len() || !b"/(".contains(&kept[at]) {
            result.push(b' ');
        }
    }
    result
}

/// The name of an argument as PHP has it.
pub fn php_name(value: &[u8]) -> Vec<u8> {
    if value.first().is_some_and(|first| b"[=".contains(first)) {
        return Vec::new();
    }
    let start = value.iter().take_while(|byte| **byte == b' ').count();
    let name = &value[start..];
    let bracket = name.iter().position(|byte| *byte == b'[').unwrap_or(name.len());
    let mut result: Vec<u8> = name[..bracket].iter().map(|byte| if b" .".contains(byte) { b'_' } else { *byte }).collect();
    let mut rest = &name[bracket..];
    let mut indices = 0;
    while rest.first() == Some(&b'[') {
        let inside = rest.iter().take_while(|byte| **byte != b']' && **byte != 0).count();
        if rest.get(inside) != Some(&b']') {
            break;
        }
        result.extend(if &rest[..=inside] == b"[ ]" { b"[]" } else { &rest[..=inside] });
        rest = &rest[inside + 1..];
        indices += 1;
    }
    if indices == 0 && !rest.is_empty() {
        result.push(b'_');
        result.extend(&rest[1..]);
    }
    result
}
