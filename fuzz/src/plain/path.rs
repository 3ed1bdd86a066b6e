//! Paths.

/// The path segment by segment. Nothing for a path in which a longer segment ends in dots, which v3 takes for `..`, and for one that climbs to
/// its start or out of it: there this version does not know.
pub fn normalise(value: &[u8]) -> Option<Vec<u8>> {
    let absolute = value.first() == Some(&b'/');
    let ends_in_slash = value.last() == Some(&b'/');
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in value.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop()?;
                if kept.is_empty() && !absolute {
                    return None;
                }
            }
            longer if longer.ends_with(b".") => return None,
            other => kept.push(other),
        }
    }
    if kept.is_empty() {
        // What is left of nothing differs by how it was nothing.
        return None;
    }
    let path = kept.join(&b'/');
    let slashes = |here: bool| if here { &b"/"[..] } else { b"" };
    Some([slashes(absolute), &path, slashes(ends_in_slash)].concat())
}
