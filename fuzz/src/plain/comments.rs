//! Comments of C, HTML, SQL and shells.

/// `/*…*/` and `<!--…-->` go, whichever mark ends them; `--` and `#` end the value. One without an end is a blank. The byte behind a comment
/// is kept unseen, and is NUL at the end of the value.
pub fn remove(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let rest = &value[at..];
        if rest.starts_with(b"--") || rest.starts_with(b"#") {
            return result;
        }
        let opening = if rest.starts_with(b"/*") {
            2
        } else if rest.starts_with(b"<!--") {
            4
        } else {
            result.push(value[at]);
            at += 1;
            continue;
        };
        let mut end = opening;
        let closing = loop {
            let inside = rest.get(end..).unwrap_or_default();
            if inside.is_empty() {
                break None;
            }
            if inside.starts_with(b"*/") {
                break Some(end + 2);
            }
            if inside.starts_with(b"-->") {
                break Some(end + 3);
            }
            end += 1;
        };
        let Some(behind) = closing else {
            result.push(b' ');
            return result;
        };
        result.push(rest.get(behind).copied().unwrap_or(0));
        at += behind + 1;
    }
    result
}

pub fn remove_marks(value: &[u8]) -> Vec<u8> {
    let marks: [&[u8]; 6] = [b"<!--", b"-->", b"/*", b"*/", b"--", b"#"];
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        match marks.iter().find(|mark| value[at..].starts_with(mark)) {
            Some(mark) => at += mark.len(),
            None => {
                result.push(value[at]);
                at += 1;
            }
        }
    }
    result
}

/// `/*…*/` is a blank; one without an end is a blank and the end.
pub fn replace(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut at = 0;
    while at < value.len() {
        if !value[at..].starts_with(b"/*") {
            result.push(value[at]);
            at += 1;
            continue;
        }
        result.push(b' ');
        at += 2;
        while at < value.len() && !value[at..].starts_with(b"*/") {
            at += 1;
        }
        at += 2;
    }
    result
}
