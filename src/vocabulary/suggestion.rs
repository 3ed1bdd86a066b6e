//! "Did you mean": the known name closest to a misspelled one.

/// Returns the known name with the smallest edit distance to `name`, if it is small enough for a misspelling.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are not misspelled names, and would take quadratic time.
    if name.len() > 64 {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    let allowed = (wanted.len() / 3).clamp(1, 4);
    let candidates = known.into_iter().map(|candidate| (distance(&wanted, &candidate.to_ascii_lowercase()), candidate));
    candidates.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Returns the edit distance: insertions, deletions, replacements and swaps of neighbours.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=from.len()).collect();
    let mut last = None;
    for (line, wanted) in to.chars().enumerate() {
        let mut next = vec![line + 1];
        for (at, letter) in from.iter().enumerate() {
            let value = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let replaced = value(&row, at) + usize::from(*letter != wanted);
            let mut best = replaced.min(value(&row, at + 1) + 1).min(value(&next, at) + 1);
            let left = at.checked_sub(1);
            if let Some(left) = left
                && from.get(left) == Some(&wanted)
                && last == Some(*letter)
            {
                best = best.min(value(&before, left) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(wanted);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_find_their_name() {
        let names = ["contains", "containsWord", "rx", "detectSQLi", "streq"];
        assert_eq!(closest("contain", names), Some("contains"));
        assert_eq!(closest("DETECTSQL", names), Some("detectSQLi"));
        assert_eq!(closest("sterq", names), Some("streq"));
        assert_eq!(closest("geoLookup", names), None);
    }
}
